"""NamespaceLifecycle: nothing is made in a namespace that is not there or is going.

Ref: staging/src/k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go (v1.37).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.cluster.admission.plugin import forbidden
from netsim.cluster.documents import with_value
from netsim.cluster.errors import NotFound
from netsim.objects.meta import Key, Object

if TYPE_CHECKING:
    from netsim.cluster.store import Store

IMMORTAL_NAMESPACES = ("default", "kube-public", "kube-system")


def namespace_lifecycle(item: Object, store: Store) -> Object:
    """A Namespace gets the finalizer that its controller takes away; anything else needs one that stays."""
    place = item.metadata.namespace
    if item.kind == "Namespace":  # its own strategy's doing: a namespace goes when its controller has emptied it
        return Object.of(with_value(item.document, ("spec", "finalizers"), ["kubernetes"]))
    if not place:
        return item
    namespace = store.find(Key("Namespace", "", place))
    if namespace is None:
        raise NotFound.of("namespaces", place)
    if namespace.metadata.deletion_timestamp is not None:
        why = f"unable to create new content in namespace {place} because it is being terminated"
        raise forbidden(item, why)
    return item
