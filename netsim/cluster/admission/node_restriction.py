"""NodeRestriction: a kubelet writes what is its own, and of that only what a kubelet has to say.

It stands outside the chain, which does not ask who writes. CSINodes, ResourceSlices and the node's ``configSource`` are not looked at.
Ref: plugin/pkg/admission/noderestriction/admission.go, staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go (v1.37).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from netsim.cluster.access.node import LEASES, names_in
from netsim.cluster.admission.plugin import forbidden
from netsim.cluster.documents import list_at, mapping_at, text_at, without
from netsim.cluster.podstate import MIRROR
from netsim.cluster.scheduling.claims import claim_names
from netsim.dataclass import dataclass
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object

if TYPE_CHECKING:
    from netsim.cluster.access.users import User
    from netsim.cluster.watch_cache import WatchCache

KUBELET_LABELS = frozenset(
    {
        *("kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch"),
        *("topology.kubernetes.io/zone", "topology.kubernetes.io/region", "node.kubernetes.io/instance-type"),
        *("beta.kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type"),
        *("failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"),
    }
)
"""The labels of Kubernetes' own domains that a kubelet may set on its node, beside all of ``KUBELET_DOMAINS``."""

KUBELET_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
RESTRICTED_DOMAIN = "node-restriction.kubernetes.io"


class Operation(Enum):
    """What a write does, as messages call it."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was authorized. ``after`` is what is to be stored (None: a deletion), ``before`` what is (None: a creation)."""

    operation: Operation
    after: Object | None = None
    before: Object | None = None
    subresource: str = ""

    @property
    def subject(self) -> Object:
        """The object that is written."""
        found = self.before or self.after
        assert found is not None
        return found


def restrict_node(user: User, write: Write, store: WatchCache) -> None:
    """Raises Forbidden where a kubelet writes what is not its own; of everybody else nothing is asked."""
    node = user.node_name
    if node is None:
        return
    if not node:
        raise forbidden(write.subject, f"could not determine node from user {json.dumps(user.name)}")
    check = _CHECKS.get(write.subject.kind)
    why = check(node, write, store) if check else ""
    if why:
        raise forbidden(write.subject, why)


def restrict_token(user: User, account: Object, request: Document, store: WatchCache) -> None:
    """Raises Forbidden where a kubelet asks for a token that is not for a pod of its own; of everybody else nothing is asked."""
    if user.node_name is None:
        return
    why = _token(user.node_name, account, mapping_at(request, "spec", "boundObjectRef"), store)
    if why:
        raise forbidden(account, why)


# --- each answers why not, empty where it may -----------------------------------------------------------------------


def _pod(node: str, write: Write, store: WatchCache) -> str:
    match write.subresource, write.operation:
        case "", Operation.CREATE:
            return _mirror_pod(node, write.subject, store)
        case "", Operation.DELETE:
            mine = _node_of(write.subject) == node
            return "" if mine else f'node "{node}" can only delete pods with spec.nodeName set to itself'
        case "status", Operation.UPDATE:
            return _pod_status(node, write)
        case "eviction", Operation.CREATE:
            mine = _node_of(write.subject) == node
            return "" if mine else f"node {node} can only evict pods with spec.nodeName set to itself"
        case "" | "status" | "eviction", operation:
            what = f', node "{node}" can only create and delete mirror pods' if not write.subresource else ""
            return f'unexpected operation "{operation.value}"{what}'
        case subresource, _:
            return f"unexpected pod subresource \"{subresource}\", only 'status' and 'eviction' are allowed"


def _mirror_pod(node: str, pod: Object, store: WatchCache) -> str:
    if MIRROR not in pod.metadata.annotations:
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    if _node_of(pod) != node:
        return f'node "{node}" can only create pods with spec.nodeName set to itself'
    return _owned_by_itself(node, pod, store) or _refers_to_nothing(node, pod)


def _owned_by_itself(node: str, pod: Object, store: WatchCache) -> str:
    owners = list_at(pod.document, "metadata", "ownerReferences")
    if len(owners) > 1:
        return f'node "{node}" can only create pods with a single owner reference set to itself'
    owner = owners[0] if owners else None
    itself = {"apiVersion": "v1", "kind": "Node", "name": node}
    if not isinstance(owner, Mapping) or any(owner.get(field) != value for field, value in itself.items()):
        return f'node "{node}" can only create pods with an owner reference set to itself'
    if owner.get("controller") is not True:
        return f'node "{node}" can only create pods with a controller owner reference set to itself'
    if owner.get("blockOwnerDeletion") is True:
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    uid = store.get(Key("Node", "", node)).metadata.uid
    return "" if owner.get("uid") == uid else f"node {node} UID mismatch: expected {owner.get('uid', '')} got {uid}"


def _refers_to_nothing(node: str, pod: Object) -> str:
    spec = mapping_at(pod.document, "spec")
    refers: tuple[tuple[str, object], ...] = (
        ("a service account", text_at(spec, "serviceAccountName")),
        ("secrets", tuple(names_in(spec, "secrets"))),
        ("configmaps", tuple(names_in(spec, "configmaps"))),
        ("persistentvolumeclaims", tuple(claim_names(pod))),
    )
    what = next((what for what, found in refers if found), "")
    return f'node "{node}" can not create pods that reference {what}' if what else ""


def _pod_status(node: str, write: Write) -> str:
    before, after = write.before, write.after
    assert before is not None
    assert after is not None
    if _node_of(before) != node:
        return f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
    if before.metadata.labels != after.metadata.labels:
        return f'node "{node}" cannot update labels through pod status'
    claims = (list_at(item.document, "status", "resourceClaimStatuses") for item in (before, after))
    return "" if next(claims) == next(claims) else f'node "{node}" cannot update resource claim statues'


def _node(node: str, write: Write, store: WatchCache) -> str:
    del store
    subject, before, after = write.subject, write.before, write.after
    if subject.metadata.name != node:
        return f'node "{node}" is not allowed to modify node "{subject.metadata.name}"'
    if after is None:
        return ""
    if before is None:
        labels = _forbidden_labels({}, after.metadata.labels)
        return f'node "{node}" is not allowed to set the following labels: {labels}' if labels else ""
    if list_at(before.document, "spec", "taints") != list_at(after.document, "spec", "taints"):
        return f'node "{node}" is not allowed to modify taints'
    if before.metadata.owner_references != after.metadata.owner_references:
        return f'node "{node}" is not allowed to modify ownerReferences'
    labels = _forbidden_labels(before.metadata.labels, after.metadata.labels)
    return f"is not allowed to modify labels: {labels}" if labels else ""


def _forbidden_labels(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    changed = (key for key in sorted({*before, *after}) if before.get(key) != after.get(key))
    return ", ".join(key for key in changed if not _kubelet_may_set(key))


def _kubelet_may_set(key: str) -> bool:
    domain = key.rpartition("/")[0]
    if _within(domain, RESTRICTED_DOMAIN):
        return False
    own = _within(domain, "kubernetes.io") or _within(domain, "k8s.io")
    return not own or key in KUBELET_LABELS or any(_within(domain, each) for each in KUBELET_DOMAINS)


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


def _claim(node: str, write: Write, store: WatchCache) -> str:
    del store
    if write.subresource != "status":
        return "may only update PVC status"
    assert write.before is not None
    assert write.after is not None
    if _without_what_grows(write.before) == _without_what_grows(write.after):
        return ""
    return f'node "{node}" is not allowed to update fields other than status.capacity and status.conditions'


def _without_what_grows(claim: Object) -> Document:
    document = claim.document
    for path in (
        *(("metadata", name) for name in ("resourceVersion", "managedFields")),
        *(("status", name) for name in ("capacity", "conditions", "allocatedResources", "allocatedResourceStatuses")),
    ):
        document = without(document, path)
    return document


def _lease(node: str, write: Write, store: WatchCache) -> str:
    del store
    if write.subject.metadata.namespace != LEASES:
        return f'can only access leases in the "{LEASES}" system namespace'
    mine = write.subject.metadata.name == node
    return "" if mine else "can only access node lease with the same name as the requesting node"


def _token(node: str, account: Object, bound: Document, store: WatchCache) -> str:
    name, uid = text_at(bound, "name"), text_at(bound, "uid")
    if (text_at(bound, "apiVersion"), text_at(bound, "kind")) != ("v1", "Pod") or not name:
        return "node requested token not bound to a pod"
    if not uid:
        return "node requested token with a pod binding without a uid"
    pod = store.get(Key("Pod", account.metadata.namespace, name))
    if pod.metadata.uid != uid:
        return (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
    return "" if _node_of(pod) == node else "node requested token bound to a pod scheduled on a different node"


def _node_of(pod: Object) -> str:
    return text_at(pod.document, "spec", "nodeName")


_CHECKS: Mapping[str, Callable[[str, Write, WatchCache], str]] = {
    "Pod": _pod,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "Lease": _lease,
}
