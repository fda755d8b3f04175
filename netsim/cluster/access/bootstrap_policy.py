"""The ClusterRoles and bindings that an API server makes when it starts, and those that kubeadm and the addons add.

A rule is written ``verbs | group | resources``; ``-`` is the core group.
Ref: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go and its testdata (v1.37);
cmd/kubeadm/app/phases/{bootstraptoken,addons,kubeconfig} (v1.37); flannel's kube-flannel.yml (v0.27).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from netsim.cluster.access.controller_policy import CONTROLLERS, EVENTS, GROUP, READ
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object

WRITE: Final = "create delete deletecollection patch update"

# --- users' roles -----------------------------------------------------------------------------------------------

_VIEWED = (
    (
        f"{READ} | - | configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers"
        " replicationcontrollers/scale serviceaccounts services services/status"
    ),
    (
        f"{READ} | - | bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status"
        " resourcequotas resourcequotas/status"
    ),
    f"{READ} | - | namespaces",
    f"{READ} | discovery.k8s.io | endpointslices",
    (
        f"{READ} | apps | controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status"
        " replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status"
    ),
    f"{READ} | autoscaling | horizontalpodautoscalers horizontalpodautoscalers/status",
    f"{READ} | batch | cronjobs cronjobs/status jobs jobs/status",
    f"{READ} | policy | poddisruptionbudgets poddisruptionbudgets/status",
    f"{READ} | networking.k8s.io | ingresses ingresses/status networkpolicies",
)
_EDITED = (
    f"{READ} | - | pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
    "impersonate | - | serviceaccounts",
    f"{WRITE} | - | pods pods/attach pods/exec pods/portforward pods/proxy",
    "create | - | pods/eviction",
    (
        f"{WRITE} | - | configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets"
        " serviceaccounts services services/proxy"
    ),
    "create | - | serviceaccounts/token",
    (
        f"{WRITE} | apps | daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale"
        " statefulsets statefulsets/scale"
    ),
    f"{WRITE} | autoscaling | horizontalpodautoscalers",
    f"{WRITE} | batch | cronjobs jobs",
    f"{WRITE} | policy | poddisruptionbudgets",
    f"{WRITE} | networking.k8s.io | ingresses networkpolicies",
    f"{READ} {WRITE} | coordination.k8s.io | leases",
)
_ADMINISTERED = (
    "create | authorization.k8s.io | localsubjectaccessreviews",
    f"{READ} {WRITE} | {GROUP} | rolebindings roles",
)
AGGREGATED: Final[Mapping[str, str]] = {"admin": "admin", "edit": "edit", "view": "view"}
"""ClusterRoles whose rules are those of the ClusterRoles with the label ``rbac.authorization.k8s.io/aggregate-to-…``."""

_AGGREGATES = {"admin": _ADMINISTERED, "edit": _EDITED, "view": _VIEWED}
_AGGREGATED_TO = {"admin": "admin", "edit": "admin", "view": "edit"}
"""``system:aggregate-to-edit`` has the label of ``edit``; ``edit`` itself that of ``admin``."""

_DISCOVERY = "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"

# --- the system's roles -----------------------------------------------------------------------------------------

NODE: Final = (
    "create | authentication.k8s.io | tokenreviews",
    "create | authorization.k8s.io | localsubjectaccessreviews subjectaccessreviews",
    f"{READ} | - | services",
    "create get list watch | - | nodes",
    "patch update | - | nodes/status",
    "patch update | - | nodes",
    *EVENTS,
    f"{READ} | - | pods",
    "create delete | - | pods",
    "patch update | - | pods/status",
    "create | - | pods/eviction",
    f"{READ} | - | configmaps secrets",
    "get | - | persistentvolumeclaims persistentvolumes",
    "get | - | endpoints",
    "create get list watch | certificates.k8s.io | certificatesigningrequests",
    "create delete get patch update | coordination.k8s.io | leases",
    "get | storage.k8s.io | volumeattachments",
    "create | - | serviceaccounts/token",
    "get patch update | - | persistentvolumeclaims/status",
    f"{READ} | storage.k8s.io | csidrivers",
    "create delete get patch update | storage.k8s.io | csinodes",
    f"{READ} | node.k8s.io | runtimeclasses",
    "get | resource.k8s.io | resourceclaims",
    "deletecollection get list watch create update patch delete | resource.k8s.io | resourceslices",
)
_LEADER = ("create | coordination.k8s.io | leases", "get update | coordination.k8s.io | leases")
_SYSTEM: Mapping[str, tuple[str, ...]] = {
    "cluster-admin": ("* | * | *",),
    "system:auth-delegator": (
        "create | authentication.k8s.io | tokenreviews",
        "create | authorization.k8s.io | subjectaccessreviews",
    ),
    "system:basic-user": (
        "create | authorization.k8s.io | selfsubjectaccessreviews selfsubjectrulesreviews",
        "create | authentication.k8s.io | selfsubjectreviews",
    ),
    "system:coredns": (
        "list watch | - | endpoints namespaces pods services",
        "list watch | discovery.k8s.io | endpointslices",
    ),
    "system:kube-controller-manager": (
        *EVENTS,
        *_LEADER,
        "create | - | secrets serviceaccounts",
        "delete | - | secrets",
        "get | - | configmaps namespaces secrets serviceaccounts",
        "update | - | secrets serviceaccounts",
        "create | authentication.k8s.io | tokenreviews",
        "create | authorization.k8s.io | subjectaccessreviews",
        "list watch | * | *",
        "create | - | serviceaccounts/token",
    ),
    "system:kube-scheduler": (
        *EVENTS,
        *_LEADER,
        f"{READ} | - | nodes",
        f"delete {READ} | - | pods",
        "create | - | bindings pods/binding",
        "patch update | - | pods/status",
        f"{READ} | - | replicationcontrollers services",
        f"{READ} | apps | replicasets statefulsets",
        f"{READ} | policy | poddisruptionbudgets",
        f"{READ} | - | persistentvolumeclaims persistentvolumes",
        "create | authentication.k8s.io | tokenreviews",
        "create | authorization.k8s.io | subjectaccessreviews",
        f"{READ} | storage.k8s.io | csidrivers csinodes csistoragecapacities",
        f"{READ} | - | namespaces",
    ),
    "system:node": NODE,
    "system:node-bootstrapper": ("create get list watch | certificates.k8s.io | certificatesigningrequests",),
    "system:node-problem-detector": ("get | - | nodes", "patch | - | nodes/status", *EVENTS),
    "system:node-proxier": (
        "list watch | - | services",
        f"{READ} | - | nodes",
        *EVENTS,
        "list watch | discovery.k8s.io | endpointslices",
        "list watch | networking.k8s.io | servicecidrs",
    ),
    "system:persistent-volume-provisioner": (
        "create delete get list watch | - | persistentvolumes",
        "get list update watch | - | persistentvolumeclaims",
        f"{READ} | storage.k8s.io | storageclasses",
        "watch | - | events",
        *EVENTS,
    ),
    "system:volume-scheduler": (
        "get list patch update watch | - | persistentvolumes",
        f"{READ} | storage.k8s.io | storageclasses",
        "get list patch update watch | - | persistentvolumeclaims",
    ),
    # kubeadm's and the addons'
    "kubeadm:get-nodes": ("get | - | nodes",),
    "flannel": ("get | - | pods", f"{READ} | - | nodes", "patch | - | nodes/status"),
}
_URLS: Mapping[str, tuple[str, str]] = {
    "cluster-admin": ("*", "*"),
    "system:discovery": ("get", _DISCOVERY),
    "system:monitoring": ("get", "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"),
    "system:public-info-viewer": ("get", "/healthz /livez /readyz /version /version/"),
    "system:service-account-issuer-discovery": ("get", "/.well-known/openid-configuration /openid/v1/jwks"),
}

_BINDINGS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    # binding: (its ClusterRole, its subjects)
    "cluster-admin": ("cluster-admin", ("Group system:masters",)),
    "kubeadm:cluster-admins": ("cluster-admin", ("Group kubeadm:cluster-admins",)),
    "kubeadm:get-nodes": ("kubeadm:get-nodes", ("Group system:bootstrappers:kubeadm:default-node-token",)),
    "kubeadm:kubelet-bootstrap": (
        "system:node-bootstrapper",
        ("Group system:bootstrappers:kubeadm:default-node-token",),
    ),
    "kubeadm:node-proxier": ("system:node-proxier", ("ServiceAccount kube-system/kube-proxy",)),
    "flannel": ("flannel", ("ServiceAccount kube-flannel/flannel",)),
    "system:basic-user": ("system:basic-user", ("Group system:authenticated",)),
    "system:coredns": ("system:coredns", ("ServiceAccount kube-system/coredns",)),
    "system:discovery": ("system:discovery", ("Group system:authenticated",)),
    "system:kube-controller-manager": (
        "system:kube-controller-manager",
        ("User system:kube-controller-manager",),
    ),
    "system:kube-scheduler": ("system:kube-scheduler", ("User system:kube-scheduler",)),
    "system:monitoring": ("system:monitoring", ("Group system:monitoring",)),
    "system:node": ("system:node", ()),  # nobody: the Node authorizer took its place
    "system:node-proxier": ("system:node-proxier", ("User system:kube-proxy",)),
    "system:public-info-viewer": (
        "system:public-info-viewer",
        ("Group system:authenticated", "Group system:unauthenticated"),
    ),
    "system:service-account-issuer-discovery": (
        "system:service-account-issuer-discovery",
        ("Group system:serviceaccounts",),
    ),
    "system:volume-scheduler": ("system:volume-scheduler", ("User system:kube-scheduler",)),
}


def rule(text: str) -> dict[str, Json]:
    """A ``PolicyRule`` of one line of the tables."""
    verbs, groups, resources = (part.split() for part in text.split("|"))
    return {
        "apiGroups": ["" if group == "-" else group for group in groups],
        "resources": list(resources),
        "verbs": list(verbs),
    }


@cache
def objects() -> tuple[Object, ...]:
    """Every ClusterRole and ClusterRoleBinding that is there before anybody applies anything: the same in every cluster."""
    return tuple(_objects())


def _objects() -> Iterator[Object]:
    for name in sorted({*_SYSTEM, *_URLS}):
        verbs, urls = _URLS.get(name, ("", ""))
        paths: list[Json] = [{"nonResourceURLs": urls.split(), "verbs": verbs.split()}] if urls else []
        yield _role(name, [*map(rule, _SYSTEM.get(name, ())), *paths])
    for name, lines in _AGGREGATES.items():
        yield _role(f"system:aggregate-to-{name}", [rule(line) for line in lines], _aggregates_to(name))
        label = _aggregates_to(_AGGREGATED_TO[name]) if name != "admin" else {}
        selectors: list[Json] = [{"matchLabels": _aggregates_to(name)}]
        yield _role(name, [], label, {"aggregationRule": {"clusterRoleSelectors": selectors}})
    for name, lines in CONTROLLERS.items():
        full = f"system:controller:{name}"
        yield _role(full, [rule(line) for line in lines])
        yield _binding(full, full, (f"ServiceAccount kube-system/{name}",))
    for name, (role, subjects) in _BINDINGS.items():
        yield _binding(name, role, subjects)


def _aggregates_to(name: str) -> dict[str, Json]:
    return {f"{GROUP}/aggregate-to-{name}": "true"}


def _metadata(name: str, labels: Mapping[str, Json]) -> dict[str, Json]:
    if name.startswith(("kubeadm:", "flannel", "system:coredns")):
        return {"name": name}
    return {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **labels},
        "annotations": {f"{GROUP}/autoupdate": "true"},
    }


def _role(
    name: str, rules: list[Json], labels: Mapping[str, Json] | None = None, more: Mapping[str, Json] | None = None
) -> Object:
    document: Document = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": _metadata(name, labels or {}),
        **(more or {}),
        "rules": rules,
    }
    return Object.of(document)


def _binding(name: str, role: str, subjects: tuple[str, ...]) -> Object:
    document: dict[str, Json] = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _metadata(name, {}),
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
    }
    if subjects:
        document["subjects"] = [_subject(text) for text in subjects]
    return Object.of(document)


def _subject(text: str) -> dict[str, Json]:
    kind, _, name = text.partition(" ")
    if kind == "ServiceAccount":
        namespace, _, account = name.partition("/")
        return {"kind": kind, "name": account, "namespace": namespace}
    return {"apiGroup": GROUP, "kind": kind, "name": name}
