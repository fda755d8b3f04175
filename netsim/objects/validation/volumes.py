"""Volumes of pods, PersistentVolumes and claims. Ref: pkg/apis/core/validation/validation.go (v1.37).

Of a volume's source only what it has to name is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.quantity import quantity
from netsim.objects.validation import names
from netsim.objects.validation.findings import (
    MapKey,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
    unsupported,
)
from netsim.objects.validation.parts import items_at, list_at, mapping_at, text_at

_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES: Final = ("Block", "Filesystem")
_NEEDS: Final = {
    # what a source has to say
    "hostPath": "path",
    "secret": "secretName",
    "configMap": "name",
    "persistentVolumeClaim": "claimName",
    "nfs": "server",
}
_NO_SOURCE: Final = (
    # what of a PersistentVolume's spec is no source
    *("accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy"),
    *("storageClassName", "volumeAttributesClassName", "volumeMode"),
)


def check_volumes(spec: Document, path: Path) -> Iterator[Problem]:
    """``spec.volumes`` of a pod. Ref: ValidateVolumes()."""
    seen: set[str] = set()
    for where, volume in items_at(spec, (*path, "volumes")):
        name = text_at(volume, "name")
        yield from _check_source({k: v for k, v in volume.items() if k != "name"}, where)
        if name:
            yield from each_invalid((*where, "name"), name, names.dns1123_label(name))
        else:
            yield required((*where, "name"))
        if name in seen:
            yield duplicate((*where, "name"), name)
        seen.add(name)


def _check_source(volume: Document, path: Path) -> Iterator[Problem]:
    given = sorted(volume, key=lambda kind: _PLACE.get(kind, len(_PLACE)))
    for index, kind in enumerate(given):
        if index:
            yield forbidden((*path, kind), "may not specify more than 1 volume type")
        elif kind in _NEEDS and not text_at(mapping_at(volume, kind), _NEEDS[kind]):
            yield required((*path, kind, _NEEDS[kind]))


# In the order in which the API server looks for them. Ref: validateVolumeSource().
_SOURCE_ORDER: Final = (
    *("emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi"),
    *("glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc"),
    *("azureFile", "configMap", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos"),
    *("projected", "scaleIO", "csi", "ephemeral", "image"),
)
_PLACE: Final = {kind: place for place, kind in enumerate(_SOURCE_ORDER)}


def check_persistent_volume(item: Object) -> Iterator[Problem]:
    """Ref: ValidatePersistentVolumeSpec()."""
    spec = mapping_at(item.document, "spec")
    yield from _check_modes(spec)
    capacity = mapping_at(spec, "capacity")
    if not capacity:
        yield required(("spec", "capacity"))
    if "storage" not in capacity or len(capacity) > 1:
        yield unsupported(("spec", "capacity"), dict(capacity) or None, ("storage",))
    sources = {k: v for k, v in spec.items() if k not in _NO_SOURCE and v is not None}
    yield from _check_source(sources, ("spec",))
    if not sources:
        yield required(("spec",), "must specify a volume type")
    policy = text_at(spec, "persistentVolumeReclaimPolicy", "Retain")
    if policy not in ("Delete", "Recycle", "Retain"):
        yield unsupported(("spec", "persistentVolumeReclaimPolicy"), policy, ("Delete", "Recycle", "Retain"))
    yield from _check_class_and_mode(spec, ("spec",))


def check_claim(item: Object) -> Iterator[Problem]:
    """A PersistentVolumeClaim: how it is to be mounted, and how much it asks for. Ref: ValidatePersistentVolumeClaimSpec()."""
    yield from check_claim_spec(mapping_at(item.document, "spec"), ("spec",))


def check_claim_spec(spec: Document, path: Path) -> Iterator[Problem]:
    """The same for a claim's spec wherever it stands."""
    yield from _check_modes(spec, path, why="at least 1 access mode is required")
    requests, at = mapping_at(mapping_at(spec, "resources"), "requests"), (*path, "resources", MapKey("storage"))
    where = (*path, "resources", "requests", "storage")
    if "storage" not in requests:
        yield required(where, at=at)
    elif quantity(requests["storage"]) <= 0:
        yield invalid(where, str(requests["storage"]), "must be greater than zero", at=at)
    yield from _check_class_and_mode(spec, path)


def _check_modes(spec: Document, path: Path = ("spec",), why: str = "") -> Iterator[Problem]:
    given, at = list_at(spec, "accessModes"), (*path, "accessModes")
    if not given:
        yield required(at, why)
    for index, mode in enumerate(given):
        if mode not in _MODES:
            yield unsupported((*at, index), str(mode), _MODES, at=at)
    if "ReadWriteOncePod" in given and len(given) > 1:
        yield forbidden(at, "may not use ReadWriteOncePod with other access modes")


def _check_class_and_mode(spec: Document, path: Path) -> Iterator[Problem]:
    name, mode = text_at(spec, "storageClassName"), text_at(spec, "volumeMode", "Filesystem")
    if name:
        yield from each_invalid((*path, "storageClassName"), name, names.dns1123_subdomain(name))
    if mode not in _VOLUME_MODES:
        yield unsupported((*path, "volumeMode"), mode, _VOLUME_MODES)
