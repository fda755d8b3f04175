"""The columns of configuration, storage and policy kinds. Ref: pkg/printers/internalversion/printers.go (v1.37)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.storage import class_name
from netsim.objects.json import Json
from netsim.objects.meta import Object
from netsim.render.kubectl_cells import UNSET, Cells, Layout, label_selector_text, text


def _namespace(item: Object, cells: Cells) -> list[str]:
    return [item.metadata.name, text_at(item.document, "status", "phase") or "Active", cells.age(item)]


def _config_map(item: Object, cells: Cells) -> list[str]:
    number = len(mapping_at(item.document, "data")) + len(mapping_at(item.document, "binaryData"))
    return [item.metadata.name, str(number), cells.age(item)]


def _secret(item: Object, cells: Cells) -> list[str]:
    number = len({**mapping_at(item.document, "data"), **mapping_at(item.document, "stringData")})
    return [item.metadata.name, text_at(item.document, "type") or "Opaque", str(number), cells.age(item)]


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(modes: Sequence[Json]) -> str:
    return ",".join(short for mode, short in _MODES.items() if mode in modes)


def _claim(item: Object, cells: Cells) -> list[str]:
    volume = text_at(item.document, "spec", "volumeName")
    status = mapping_at(item.document, "status")
    phase = "Terminating" if item.metadata.deletion_timestamp else text_at(status, "phase") or "Pending"
    capacity = text(mapping_at(status, "capacity").get("storage")) if volume else ""
    modes = _modes(list_at(status, "accessModes")) if volume else ""
    storage = class_name(item)
    attributes = text_at(item.document, "spec", "volumeAttributesClassName") or UNSET
    return [item.metadata.name, phase, volume, capacity, modes, storage, attributes, cells.age(item)]


def _volume(item: Object, cells: Cells) -> list[str]:
    spec = mapping_at(item.document, "spec")
    claim = mapping_at(spec, "claimRef")
    return [
        item.metadata.name,
        text(mapping_at(spec, "capacity").get("storage")),
        _modes(list_at(spec, "accessModes")),
        text_at(spec, "persistentVolumeReclaimPolicy") or "Retain",
        text_at(item.document, "status", "phase") or "Available",
        f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
        class_name(item),
        text_at(spec, "volumeAttributesClassName") or UNSET,
        text_at(item.document, "status", "reason"),
        cells.age(item),
    ]


def _volume_mode(item: Object, _: Cells) -> list[str]:
    return [text_at(item.document, "spec", "volumeMode") or "Filesystem"]


def _storage_class(item: Object, cells: Cells) -> list[str]:
    default = item.metadata.annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        f"{item.metadata.name} (default)" if default else item.metadata.name,
        text_at(item.document, "provisioner"),
        text_at(item.document, "reclaimPolicy") or "Delete",
        text_at(item.document, "volumeBindingMode") or "Immediate",
        text(item.document.get("allowVolumeExpansion"), "false"),
        cells.age(item),
    ]


def _priority_class(item: Object, cells: Cells) -> list[str]:
    document = item.document
    default = text(document.get("globalDefault"), "false")
    policy = text_at(document, "preemptionPolicy") or "PreemptLowerPriority"
    return [item.metadata.name, text(document.get("value"), "0"), default, cells.age(item), policy]


def _policy(item: Object, cells: Cells) -> list[str]:
    return [item.metadata.name, label_selector_text(mapping_at(item.document, "spec", "podSelector")), cells.age(item)]


_CLAIM = ("NAME", "STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS", "VOLUMEATTRIBUTESCLASS", "AGE")
_VOLUME = (
    *("NAME", "CAPACITY", "ACCESS MODES", "RECLAIM POLICY", "STATUS", "CLAIM", "STORAGECLASS"),
    *("VOLUMEATTRIBUTESCLASS", "REASON", "AGE"),
)
_CLASSES = ("NAME", "PROVISIONER", "RECLAIMPOLICY", "VOLUMEBINDINGMODE", "ALLOWVOLUMEEXPANSION", "AGE")
CONFIGURATION: Mapping[str, Layout] = {
    "Namespace": Layout(("NAME", "STATUS", "AGE"), _namespace),
    "ConfigMap": Layout(("NAME", "DATA", "AGE"), _config_map),
    "Secret": Layout(("NAME", "TYPE", "DATA", "AGE"), _secret),
    "PersistentVolumeClaim": Layout(_CLAIM, _claim, ("VOLUMEMODE",), _volume_mode),
    "PersistentVolume": Layout(_VOLUME, _volume, ("VOLUMEMODE",), _volume_mode),
    "StorageClass": Layout(_CLASSES, _storage_class),
    "PriorityClass": Layout(("NAME", "VALUE", "GLOBAL-DEFAULT", "AGE", "PREEMPTIONPOLICY"), _priority_class),
    "NetworkPolicy": Layout(("NAME", "POD-SELECTOR", "AGE"), _policy),
}
