"""DefaultStorageClass: a claim that names no class gets the default one.

Ref: plugin/pkg/admission/storage/storageclass/setdefault/admission.go, pkg/volume/util/storageclass.go (v1.37).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.cluster.admission.plugin import with_document
from netsim.cluster.documents import mapping_at, with_value
from netsim.cluster.storage import CLASS_ANNOTATION, DEFAULT_CLASS
from netsim.objects.meta import Object

if TYPE_CHECKING:
    from netsim.cluster.store import Store

_BETA_DEFAULT = "storageclass.beta.kubernetes.io/is-default-class"


def default_storage_class(item: Object, store: Store) -> Object:
    """The newest of the default classes, the first name among equals; a claim that says ``""`` wants none."""
    spec = mapping_at(item.document, "spec")
    if (
        item.kind != "PersistentVolumeClaim"
        or "storageClassName" in spec
        or item.metadata.annotations.get(CLASS_ANNOTATION)
    ):
        return item
    classes = [c for c in store.list("StorageClass").items if _is_default(c)]
    if not classes:
        return item
    newest = max(c.metadata.creation_timestamp or "" for c in classes)
    chosen = min(c.metadata.name for c in classes if (c.metadata.creation_timestamp or "") == newest)
    return with_document(item, with_value(item.document, ("spec", "storageClassName"), chosen))


def _is_default(item: Object) -> bool:
    return "true" in (item.metadata.annotations.get(DEFAULT_CLASS), item.metadata.annotations.get(_BETA_DEFAULT))
