"""Fields that may not change, and what the API server says to who tries. Ref: pkg/apis/*/validation/validation.go (v1.37).

Where the API server adds the difference of its inner structures to its answer, nothing is added here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from netsim.cluster.documents import list_at, mapping_at, without
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.validation.findings import forbidden, invalid
from netsim.objects.validation.service_families import check_service_change

Check: TypeAlias = Callable[[Document, Document], Iterator[Problem]]

_POD = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)"
)
_CLAIM = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
_SEALED = "field is immutable when `immutable` is set"

FIRST = frozenset({"Service", "ConfigMap", "Secret"})
"""The kinds of which the API server tells what may not change before what is wrong; of the others after it."""


def changes_refused(before: Object, after: Object) -> Iterator[Problem]:
    """What of a change is not allowed; nothing where all is."""
    check = _CHECKS.get(after.kind)
    if check is not None:
        yield from check(before.document, after.document)


def _field(*path: str) -> Check:
    def check(before: Document, after: Document) -> Iterator[Problem]:
        old, new = (mapping_at(d, *path[:-1]).get(path[-1]) for d in (before, after))
        if old != new:
            yield invalid(path, new, "field is immutable")

    return check


def _several(*checks: Check) -> Check:
    def check(before: Document, after: Document) -> Iterator[Problem]:
        for each in checks:
            yield from each(before, after)

    return check


def _pod(before: Document, after: Document) -> Iterator[Problem]:
    old, new = mapping_at(before, "spec"), mapping_at(after, "spec")
    for group in ("containers", "initContainers"):
        if len(list_at(old, group)) != len(list_at(new, group)):
            yield forbidden(("spec", group), "pod updates may not add or remove containers")
            return
    given, wanted = list_at(old, "tolerations"), list_at(new, "tolerations")
    if any(_but_seconds(toleration) not in map(_but_seconds, wanted) for toleration in given):
        yield forbidden(("spec", "tolerations"), "existing toleration can not be modified except its tolerationSeconds")
    if _fixed(old) != _fixed(new):
        yield forbidden(("spec",), _POD)


def _but_seconds(toleration: Json) -> Json:
    return without(toleration, ("tolerationSeconds",)) if isinstance(toleration, Mapping) else toleration


def _fixed(spec: Document) -> Document:
    free = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")
    left: dict[str, Json] = {key: value for key, value in spec.items() if key not in free}
    for group in ("containers", "initContainers"):
        items = list_at(spec, group)
        if items:
            left[group] = [without(c, ("image",)) if isinstance(c, Mapping) else c for c in items]
    return left


def _service(before: Document, after: Document) -> Iterator[Problem]:
    yield from check_service_change(mapping_at(before, "spec"), mapping_at(after, "spec"))


def _claim(before: Document, after: Document) -> Iterator[Problem]:
    free = ("volumeAttributesClassName", "volumeName", "storageClassName")
    old, new = (
        {k: v for k, v in mapping_at(d, "spec").items() if k not in free and (k != "resources" or not _bound(before))}
        for d in (before, after)
    )
    names = [mapping_at(d, "spec") for d in (before, after)]
    filled = all(not names[0].get(k) or names[0].get(k) == names[1].get(k) for k in ("volumeName", "storageClassName"))
    if old != new or not filled:
        yield forbidden(("spec",), _CLAIM)


def _bound(claim: Document) -> bool:
    return mapping_at(claim, "status").get("phase") == "Bound"


_VOLUME_FREE = (
    # of a volume's spec, all but its source
    *("accessModes", "capacity", "claimRef", "mountOptions", "persistentVolumeReclaimPolicy", "storageClassName"),
    *("nodeAffinity", "volumeMode", "volumeAttributesClassName"),
)


def _volume(before: Document, after: Document) -> Iterator[Problem]:
    old, new = mapping_at(before, "spec"), mapping_at(after, "spec")
    sources = ({k: v for k, v in spec.items() if k not in _VOLUME_FREE} for spec in (old, new))
    if next(sources) != next(sources):
        at: Path = ("spec", "persistentvolumesource")
        yield forbidden(("spec",), "spec.persistentvolumesource is immutable after creation", at=at)
    if old.get("volumeMode") != new.get("volumeMode"):
        yield invalid(("spec", "volumeMode"), new.get("volumeMode"), "field is immutable")


def _node(before: Document, after: Document) -> Iterator[Problem]:
    old, new = (list_at(d, "spec", "podCIDRs") for d in (before, after))
    if old and old != new:
        yield forbidden(("spec", "podCIDRs"), 'node updates may not change podCIDR except from "" to valid')


def _sealed(before: Document, after: Document) -> Iterator[Problem]:
    if before.get("immutable") is True:
        if after.get("immutable") is not True:
            yield forbidden(("immutable",), _SEALED)
        for field in ("data", "binaryData"):
            if before.get(field) != after.get(field):
                yield forbidden((field,), _SEALED)


def _completions(before: Document, after: Document) -> Iterator[Problem]:
    """An indexed Job may grow, if as many run at once. Ref: batch/validation:validateCompletions()."""
    old, new = mapping_at(before, "spec"), mapping_at(after, "spec")
    elastic = old.get("completionMode") == "Indexed" and new.get("completions") == new.get("parallelism")
    if not elastic:
        yield from _field("spec", "completions")(before, after)


def _slice(before: Document, after: Document) -> Iterator[Problem]:
    if before.get("addressType") != after.get("addressType"):
        yield invalid(("addressType",), None, "field is immutable")


_SELECTOR = _field("spec", "selector")
_CHECKS: Mapping[str, Check] = {
    "Pod": _pod,
    "Service": _service,
    "Deployment": _SELECTOR,
    "ReplicaSet": _SELECTOR,
    "DaemonSet": _SELECTOR,
    "StatefulSet": _several(
        *(_field("spec", name) for name in ("selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy"))
    ),
    "Job": _several(_completions, *(_field("spec", name) for name in ("selector", "template", "completionMode"))),
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "Node": _node,
    "ConfigMap": _sealed,
    "Secret": _several(_field("type"), _sealed),
    "EndpointSlice": _slice,
    "StorageClass": _several(
        *(_field(name) for name in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"))
    ),
    "PriorityClass": _several(_field("value"), _field("preemptionPolicy")),
    "RoleBinding": _field("roleRef"),
    "ClusterRoleBinding": _field("roleRef"),
}
