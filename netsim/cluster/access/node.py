"""The Node authorizer: a kubelet reads what its own pods need, and writes what is its own.

The graph of pods, claims and volumes is read from the store when it is asked for. ResourceClaims, ResourceSlices, VolumeAttachments
and clustertrustbundles are left to the rules that every node has. Ref: plugin/pkg/auth/authorizer/node/node_authorizer.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from netsim.cluster.access.attributes import Attributes, Decision, Opinion
from netsim.cluster.access.bootstrap_policy import NODE, rule
from netsim.cluster.access.rbac import Rule
from netsim.cluster.documents import mapping_at, text_at
from netsim.cluster.scheduling.claims import claim_names
from netsim.cluster.watch_cache import WatchCache
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

_EVERY_NODE = tuple(Rule.of(rule(line)) for line in NODE)
LEASES = "kube-node-lease"
_REFERENCES: Mapping[str, tuple[str, ...]] = {
    # what is read: the keys in a pod's spec under which its name stands
    "secrets": ("secret", "secretRef", "secretKeyRef", "imagePullSecrets", "nodePublishSecretRef"),
    "configmaps": ("configMap", "configMapRef", "configMapKeyRef"),
}


class NodeAuthorizer:
    """Allows kubelets what they need; of everybody else it has no opinion."""

    name = "Node"

    def __init__(self, store: WatchCache) -> None:
        self._store = store
        self._checks: Mapping[tuple[str, str], Callable[[str, Attributes], str]] = {
            ("", "secrets"): self._read,
            ("", "configmaps"): self._read,
            ("", "persistentvolumeclaims"): self._get,
            ("", "persistentvolumes"): self._get,
            ("", "serviceaccounts"): self._token,
            ("coordination.k8s.io", "leases"): self._lease,
            ("storage.k8s.io", "csinodes"): self._csi_node,
            ("", "nodes"): self._node,
            ("", "pods"): self._pod,
        }

    def authorize(self, request: Attributes) -> Decision:
        """Whether a kubelet may do what it asks for."""
        node = request.user.node_name
        if node is None:
            return Decision(Opinion.NO_OPINION, self.name)
        if not node:
            return Decision(Opinion.NO_OPINION, self.name, f'unknown node for user "{request.user.name}"')
        check = self._checks.get((request.group, request.resource))
        if check is not None:
            why = check(node, request)
            return Decision(Opinion.NO_OPINION if why else Opinion.ALLOW, self.name, "" if why == _NO else why)
        allowed = any(each.allows(request) for each in _EVERY_NODE)
        return Decision(Opinion.ALLOW if allowed else Opinion.NO_OPINION, self.name)

    # --- each answers why not, empty where it may -------------------------------------------------------------------

    def _read(self, node: str, request: Attributes) -> str:
        if request.verb not in ("get", "list", "watch"):
            return "can only read resources of this type"
        if request.subresource:
            return "cannot read subresource"
        if not request.namespace:
            return "can only read namespaced object of this type"
        return self._related(node, request)

    def _get(self, node: str, request: Attributes) -> str:
        if request.subresource == "status" and request.resource == "persistentvolumeclaims":
            return "" if request.verb in ("update", "patch") else "can only get/update/patch this type"
        if request.verb != "get":
            return "can only get individual resources of this type"
        return "cannot get subresource" if request.subresource else self._related(node, request)

    def _token(self, node: str, request: Attributes) -> str:
        if request.verb != "create" or not request.name:
            return "can only create tokens for individual service accounts"
        if request.subresource != "token":
            return "can only create token subresource of serviceaccount"
        return self._related(node, request)

    def _lease(self, node: str, request: Attributes) -> str:
        if request.verb not in ("get", "create", "update", "patch", "delete"):
            return "can only get, create, update, patch, or delete a node lease"
        if request.namespace != LEASES:
            return f'can only access leases in the "{LEASES}" system namespace'
        if request.verb != "create" and request.name != node:
            return "can only access node lease with the same name as the requesting node"
        return ""

    def _csi_node(self, node: str, request: Attributes) -> str:
        if request.verb not in ("get", "create", "update", "patch", "delete"):
            return "can only get, create, update, patch, or delete a CSINode"
        if request.subresource:
            return "cannot authorize CSINode subresources"
        if request.verb != "create" and request.name != node:
            return "can only access CSINode with the same name as the requesting node"
        return ""

    def _node(self, node: str, request: Attributes) -> str:
        match request.subresource, request.verb:
            case ("", "create" | "update" | "patch") | ("status", "update" | "patch"):
                return ""  # of itself only: that is NodeRestriction's to say
            case "", "get" | "list" | "watch":
                if request.name == node:
                    return ""
                what = f"'{request.name}'" if request.name else "all nodes"
                return f"node '{node}' cannot read {what}, only its own Node object"
            case _:
                return _NO

    def _pod(self, node: str, request: Attributes) -> str:
        match request.subresource, request.verb:
            case ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create"):
                return ""
            case "", "get":
                return self._related(node, request)
            case "", "list" | "watch":
                if f"spec.nodeName={node}" in request.fields.split(","):
                    return ""
                if request.name:
                    return self._related(node, request)
                return "can only list/watch pods with spec.nodeName field selector"
            case _:
                return _NO

    def _related(self, node: str, request: Attributes) -> str:
        if not request.name:
            return "No Object name found"
        if any(self._uses(pod, request) for pod in self._pods_of(node)):
            return ""
        return f"no relationship found between node '{node}' and this object"

    # --- the graph --------------------------------------------------------------------------------------------------

    def _pods_of(self, node: str) -> tuple[Object, ...]:
        return self._store.list("Pod", field_selector=f"spec.nodeName={node}").items

    def _uses(self, pod: Object, request: Attributes) -> bool:
        spec, place = mapping_at(pod.document, "spec"), pod.metadata.namespace
        if request.namespace not in ("", place):
            return False
        match request.resource:
            case "pods":
                return pod.metadata.name == request.name
            case "serviceaccounts":
                return (text_at(spec, "serviceAccountName") or "default") == request.name
            case "persistentvolumeclaims":
                return request.name in claim_names(pod)
            case "persistentvolumes":
                claims = (self._store.find(Key("PersistentVolumeClaim", place, name)) for name in claim_names(pod))
                return any(c is not None and text_at(c.document, "spec", "volumeName") == request.name for c in claims)
            case _:
                return request.name in set(names_in(spec, request.resource))


_NO = "no"


def names_in(spec: Document, resource: str) -> Iterator[str]:
    """The names of the ``secrets`` or ``configmaps`` that a pod's spec refers to."""
    yield from _named(spec, _REFERENCES[resource])


def _named(value: Json, keys: tuple[str, ...], *, inside: bool = False) -> Iterator[str]:
    """Every name that stands under one of some keys, anywhere in a pod's spec."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if inside and key in ("name", "secretName") and isinstance(inner, str):
                yield inner
            elif not isinstance(inner, str):
                yield from _named(inner, keys, inside=inside or key in keys)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _named(item, keys, inside=inside)
