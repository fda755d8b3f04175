"""Fields that may not change, and what the API server says to who tries. Ref: pkg/apis/*/validation/validation.go (v1.37)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from netsim.cluster.documents import canonical, list_at, mapping_at, without
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object

_POD = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)"
)
_STATEFUL_SET = (
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_SET_FREE = (
    *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit"),
    *("persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
)
_CLAIM = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def changes_refused(before: Object, after: Object) -> Iterator[str]:
    """What of a change is not allowed, as causes of an Invalid status; nothing where all is."""
    check = _CHECKS.get(after.kind)
    if check is not None:
        yield from check(before.document, after.document)


def _field(*path: str) -> Callable[[Document, Document], Iterator[str]]:
    def check(before: Document, after: Document) -> Iterator[str]:
        old, new = (mapping_at(d, *path[:-1]).get(path[-1]) for d in (before, after))
        if old != new:
            yield f"{'.'.join(path)}: Invalid value: {_shown(new)}: field is immutable"

    return check


def _several(*checks: Callable[[Document, Document], Iterator[str]]) -> Callable[[Document, Document], Iterator[str]]:
    def check(before: Document, after: Document) -> Iterator[str]:
        for each in checks:
            yield from each(before, after)

    return check


def _shown(value: Json) -> str:
    return canonical(value) if value is not None else "null"


def _pod(before: Document, after: Document) -> Iterator[str]:
    old, new = mapping_at(before, "spec"), mapping_at(after, "spec")
    if len(list_at(old, "containers")) != len(list_at(new, "containers")):
        yield "spec.containers: Forbidden: pod updates may not add or remove containers"
        return
    given, wanted = list_at(old, "tolerations"), list_at(new, "tolerations")
    if _fixed(old) != _fixed(new) or any(toleration not in wanted for toleration in given):
        yield _POD


def _fixed(spec: Document) -> Document:
    free = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName", "schedulingGates")
    left: dict[str, Json] = {key: value for key, value in spec.items() if key not in free}
    for group in ("containers", "initContainers"):
        items = list_at(spec, group)
        if items:
            left[group] = [without(c, ("image",)) if isinstance(c, Mapping) else c for c in items]
    return left


def _service(before: Document, after: Document) -> Iterator[str]:
    old, new = mapping_at(before, "spec"), mapping_at(after, "spec")
    if "ExternalName" in (old.get("type"), new.get("type")):
        return
    given, wanted = list_at(old, "clusterIPs"), list_at(new, "clusterIPs")
    if given and wanted and given[0] != wanted[0]:
        yield f"spec.clusterIPs[0]: Invalid value: {canonical(list(wanted))}: may not change once set"
    families, chosen = list_at(old, "ipFamilies"), list_at(new, "ipFamilies")
    if families and chosen and families[0] != chosen[0]:
        yield f"spec.ipFamilies[0]: Invalid value: {canonical(list(chosen))}: may not change once set"


def _stateful_set(before: Document, after: Document) -> Iterator[str]:
    old, new = (
        {k: v for k, v in mapping_at(d, "spec").items() if k not in _STATEFUL_SET_FREE} for d in (before, after)
    )
    if old != new:
        yield _STATEFUL_SET


def _claim(before: Document, after: Document) -> Iterator[str]:
    old, new = (
        {
            k: v
            for k, v in mapping_at(d, "spec").items()
            if k not in ("resources", "volumeAttributesClassName", "volumeName", "storageClassName")
        }
        for d in (before, after)
    )
    names = [mapping_at(d, "spec") for d in (before, after)]
    filled = all(not names[0].get(k) or names[0].get(k) == names[1].get(k) for k in ("volumeName", "storageClassName"))
    if old != new or not filled:
        yield _CLAIM


def _sealed(before: Document, after: Document) -> Iterator[str]:
    if before.get("immutable") is True:
        if after.get("immutable") is not True:
            yield "immutable: Forbidden: field is immutable when `immutable` is set"
        for field in ("data", "binaryData"):
            if before.get(field) != after.get(field):
                yield f"{field}: Forbidden: field is immutable when `immutable` is set"


def _class(before: Document, after: Document) -> Iterator[str]:
    for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        if before.get(field) != after.get(field):
            yield f"{field}: Forbidden: updates to {field} are forbidden."


_SELECTOR = _field("spec", "selector")
_CHECKS: Mapping[str, Callable[[Document, Document], Iterator[str]]] = {
    "Pod": _pod,
    "Service": _service,
    "Deployment": _SELECTOR,
    "ReplicaSet": _SELECTOR,
    "DaemonSet": _SELECTOR,
    "StatefulSet": _stateful_set,
    "Job": _several(_SELECTOR, _field("spec", "template"), _field("spec", "completionMode")),
    "PersistentVolumeClaim": _claim,
    "ConfigMap": _sealed,
    "Secret": _several(_sealed, _field("type")),
    "EndpointSlice": _field("addressType"),
    "StorageClass": _class,
    "PriorityClass": _several(_field("value"), _field("preemptionPolicy")),
    "RoleBinding": _field("roleRef"),
    "ClusterRoleBinding": _field("roleRef"),
}
