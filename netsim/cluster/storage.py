"""Which volume a claim can have. Ref: pkg/controller/volume/persistentvolume/index.go, pv_controller.go (v1.37)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.informer import Informer
from netsim.cluster.selectors import of_label_selector
from netsim.objects.meta import Key, Object
from netsim.objects.quantity import quantity

SELECTED_NODE = "volume.kubernetes.io/selected-node"
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
NO_PROVISIONER = "kubernetes.io/no-provisioner"


def class_name(item: Object) -> str:
    """The class of a claim or a volume, empty without one; the old annotation goes before the field.

    Ref: component-helpers/storage/volume/helpers.go:GetPersistentVolumeClaimClass().
    """
    return item.metadata.annotations.get(CLASS_ANNOTATION) or text_at(item.document, "spec", "storageClassName")


def waits_for_consumer(claim: Object, classes: Informer) -> bool:
    """True where a claim is bound only once a pod that names it has a node."""
    found = classes.get(Key("StorageClass", "", class_name(claim)))
    return found is not None and text_at(found.document, "volumeBindingMode") == "WaitForFirstConsumer"


def matching_volumes(claim: Object, volumes: Iterable[Object]) -> list[Object]:
    """The volumes that a claim can be bound to: one that names it, else the free ones, the smallest first."""
    spec = mapping_at(claim.document, "spec")
    modes = set(map(str, list_at(spec, "accessModes")))
    asked = _size(mapping_at(spec, "resources", "requests").get("storage"))
    selector = of_label_selector(spec["selector"]) if spec.get("selector") else None
    found: list[Object] = []
    for volume in volumes:
        held = mapping_at(volume.document, "spec", "claimRef")
        if held and (held.get("namespace"), held.get("name")) == (claim.metadata.namespace, claim.metadata.name):
            if held.get("uid") in (None, "", claim.metadata.uid):
                return [volume]
            continue
        wanted = spec.get("volumeName")
        fits = (
            not held
            and volume.metadata.deletion_timestamp is None
            and (not wanted or wanted == volume.metadata.name)
            and class_name(volume) == class_name(claim)
            and modes <= set(map(str, list_at(volume.document, "spec", "accessModes")))
            and _mode(volume) == _mode(claim)
            and size_of(volume) >= asked
            and (selector is None or selector.matches(volume.metadata.labels))
        )
        if fits:
            found.append(volume)
    return sorted(found, key=lambda v: (size_of(v), v.metadata.name))


def size_of(volume: Object) -> Decimal:
    """A volume's capacity in bytes."""
    return _size(mapping_at(volume.document, "spec", "capacity").get("storage"))


def _size(value: object) -> Decimal:
    return quantity(value) if isinstance(value, (str, int)) else Decimal(0)


def _mode(item: Object) -> str:
    return text_at(item.document, "spec", "volumeMode") or "Filesystem"
