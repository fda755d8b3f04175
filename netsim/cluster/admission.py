"""Admission: the chain that every new object of a user or a controller goes through; any link may change it, and any may refuse it.

ServiceAccount does not mount tokens and lets a pod pass whose account is not there; PodSecurity, ValidatingAdmissionPolicy and webhooks are
not modelled. Ref: pkg/kubeapiserver/options/plugins.go (v1.37), plugin/pkg/admission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from netsim.cluster.documents import list_at, mapping_at, text_at, with_value
from netsim.cluster.errors import Forbidden, NotFound
from netsim.cluster.resources import resource_of
from netsim.cluster.scheduling.placement import quantities, quantity, requests_of
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

if TYPE_CHECKING:
    from netsim.cluster.store import Store

Plugin: TypeAlias = "Callable[[Object, Store], Object]"
"""Takes a new object and what is stored, and answers the object as it is to be stored. Raises StatusError."""

SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
IMMORTAL_NAMESPACES = ("default", "kube-public", "kube-system")
_UNREACHABLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def admit(item: Object, store: Store) -> Object:
    """The object as the whole chain leaves it. Raises StatusError where a link refuses it."""
    for plugin in CHAIN:
        item = plugin(item, store)
    return item


def _forbidden(item: Object, why: str) -> Forbidden:
    name = item.metadata.name or item.metadata.generate_name
    return Forbidden.of(resource_of(item.kind, item.api_version).qualified, name, why)


def _with(item: Object, document: Document) -> Object:
    """The object with another spec; its metadata stays, and need not be read again."""
    return Object(item.api_version, item.kind, item.metadata, document)


def namespace_lifecycle(item: Object, store: Store) -> Object:
    """Ref: apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go."""
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
        raise _forbidden(item, why)
    return item


def service_account(item: Object, store: Store) -> Object:
    """Ref: plugin/pkg/admission/serviceaccount/admission.go."""
    del store
    if item.kind != "Pod" or text_at(item.document, "spec", "serviceAccountName"):
        return item
    account = text_at(item.document, "spec", "serviceAccount") or "default"
    document = with_value(item.document, ("spec", "serviceAccountName"), account)
    return _with(item, with_value(document, ("spec", "serviceAccount"), account))


def limit_ranger(item: Object, store: Store) -> Object:
    """Container defaults, least and most of LimitRanges. Ref: plugin/pkg/admission/limitranger/admission.go."""
    if item.kind != "Pod":
        return item
    for limits in store.list("LimitRange", item.metadata.namespace).items:
        for limit in list_at(limits.document, "spec", "limits"):
            if isinstance(limit, Mapping) and limit.get("type") == "Container":
                item = _defaulted(item, limit)
                problems = list(_outside(item, limit))
                if problems:
                    raise _forbidden(item, problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    return item


def _defaulted(item: Object, limit: Document) -> Object:
    document = item.document
    for group in ("containers", "initContainers"):
        given = list_at(document, "spec", group)
        if given:
            filled = [_with_limits(c, limit) if isinstance(c, Mapping) else c for c in given]
            document = with_value(document, ("spec", group), filled)
    return _with(item, document)


def _with_limits(container: Document, limit: Document) -> Document:
    resources = mapping_at(container, "resources")
    limits = {**mapping_at(limit, "default"), **mapping_at(resources, "limits")}
    own = mapping_at(resources, "requests")
    from_limits = {k: v for k, v in mapping_at(resources, "limits").items() if k not in own}
    requests = {**mapping_at(limit, "defaultRequest"), **from_limits, **own}
    if not limits and not requests:
        return container
    return {**container, "resources": {**resources, "limits": limits, "requests": requests}}


def _outside(item: Object, limit: Document) -> Iterator[str]:
    for container in list_at(item.document, "spec", "containers"):
        if not isinstance(container, Mapping):
            continue
        requests, limits = (mapping_at(container, "resources", name) for name in ("requests", "limits"))
        for name, least in sorted(mapping_at(limit, "min").items()):
            if name not in requests:
                yield f"minimum {name} usage per Container is {least}.  No request is specified"
            elif quantity(requests[name]) < quantity(least):
                yield f"minimum {name} usage per Container is {least}, but request is {requests[name]}"
        for name, most in sorted(mapping_at(limit, "max").items()):
            if name not in limits:
                yield f"maximum {name} usage per Container is {most}.  No limit is specified"
            elif quantity(limits[name]) > quantity(most):
                yield f"maximum {name} usage per Container is {most}, but limit is {limits[name]}"


def priority(item: Object, store: Store) -> Object:
    """Ref: plugin/pkg/admission/priority/admission.go."""
    if item.kind != "Pod" or isinstance(mapping_at(item.document, "spec").get("priority"), int):
        return item
    name, policy = text_at(item.document, "spec", "priorityClassName"), ""
    value: Json = SYSTEM_PRIORITIES.get(name, 0)
    if name not in SYSTEM_PRIORITIES:
        classes = store.list("PriorityClass").items
        default = max(
            (c for c in classes if c.document.get("globalDefault") is True), key=lambda c: c.metadata.name, default=None
        )
        found = next((c for c in classes if c.metadata.name == name), None) if name else default
        if name and found is None:
            raise _forbidden(item, f"no PriorityClass with name {name} was found")
        if found is not None:
            name, value, policy = (
                found.metadata.name,
                found.document.get("value"),
                text_at(found.document, "preemptionPolicy"),
            )
    if not name and not value:
        return item
    spec = {**mapping_at(item.document, "spec"), "priorityClassName": name, "priority": value}
    if policy and "preemptionPolicy" not in spec:
        spec["preemptionPolicy"] = policy
    return _with(item, {**item.document, "spec": spec})


def default_toleration_seconds(item: Object, store: Store) -> Object:
    """Pods tolerate a node that is not heard of for five minutes. Ref: plugin/pkg/admission/defaulttolerationseconds/admission.go."""
    del store
    if item.kind != "Pod":
        return item
    given = list_at(item.document, "spec", "tolerations")
    known = [t for t in given if isinstance(t, Mapping) and t.get("effect") in (None, "", "NoExecute")]
    missing = [key for key in _UNREACHABLE if not any(t.get("key") in (None, "", key) for t in known)]
    if not missing:
        return item
    added: list[Json] = [
        {"key": k, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for k in missing
    ]
    return _with(item, with_value(item.document, ("spec", "tolerations"), [*given, *added]))


# --- quota ------------------------------------------------------------------------------------------------------

_COUNTED = {
    "Pod": "pods",
    "Service": "services",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ReplicationController": "replicationcontrollers",
    "ResourceQuota": "resourcequotas",
}


def resource_quota(item: Object, store: Store) -> Object:
    """Ref: apiserver/pkg/quota/v1, plugin/pkg/admission/resourcequota/controller.go:CheckRequest()."""
    place = item.metadata.namespace
    asked = usage(item) if place else {}
    for quota in store.list("ResourceQuota", place).items if asked else ():
        hard = quantities(mapping_at(quota.document, "spec", "hard"))
        if item.kind == "Pod":
            _must_say(item, quota, hard)
        used = used_of(hard, place, store)
        over = sorted(n for n in hard if asked.get(n, Decimal(0)) > 0 and used[n] + asked[n] > hard[n])
        if over:
            texts = (",".join(f"{n}={_written(amount[n])}" for n in over) for amount in (asked, used, hard))
            requested, known, limited = texts
            why = f"exceeded quota: {quota.metadata.name}, requested: {requested}, used: {known}, limited: {limited}"
            raise _forbidden(item, why)
    return item


def _must_say(item: Object, quota: Object, hard: Mapping[str, Decimal]) -> None:
    """A quota of cpu or memory makes every container say what it asks for. Ref: core/pods.go:Constraints()."""
    wanted = [n for n in hard if n in ("cpu", "memory") or n.partition(".")[2] in ("cpu", "memory")]
    for name in sorted(wanted):
        what, _, resource = name.rpartition(".")
        silent = [
            str(c.get("name"))
            for c in list_at(item.document, "spec", "containers")
            if isinstance(c, Mapping) and resource not in _asked(c, what or "requests")
        ]
        if silent:
            raise _forbidden(item, f"failed quota: {quota.metadata.name}: must specify {name} for: {','.join(silent)}")


def _asked(container: Document, what: str) -> Document:
    resources = mapping_at(container, "resources")
    return (
        mapping_at(resources, "limits")
        if what == "limits"
        else {**mapping_at(resources, "limits"), **mapping_at(resources, "requests")}
    )


def used_of(hard: Mapping[str, Decimal], namespace: str, store: Store) -> dict[str, Decimal]:
    """How much of each resource of a quota a namespace uses."""
    used = dict.fromkeys(hard, Decimal(0))
    for kind in (*_COUNTED, "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"):
        for item in store.list(kind, namespace).items:
            for name, amount in usage(item).items():
                if name in used:
                    used[name] += amount
    return used


def usage(item: Object) -> dict[str, Decimal]:
    """What an object counts for in a quota; a pod that has ended counts for nothing but its own number."""
    resource = resource_of(item.kind, item.api_version)
    found = {f"count/{resource.qualified}": Decimal(1)}
    if item.kind == "Pod" and text_at(item.document, "status", "phase") in ("Succeeded", "Failed"):
        return found
    if item.kind in _COUNTED:
        found[_COUNTED[item.kind]] = Decimal(1)
    spec = mapping_at(item.document, "spec")
    match item.kind:
        case "Pod":
            for name, amount in requests_of(spec).items():
                found[f"requests.{name}"] = found[name] = amount
            for name, amount in requests_of(spec, "limits").items():
                found[f"limits.{name}"] = amount
        case "Service":
            for kind, name in (("NodePort", "services.nodeports"), ("LoadBalancer", "services.loadbalancers")):
                found[name] = Decimal(spec.get("type") == kind)
        case "PersistentVolumeClaim":
            storage = mapping_at(spec, "resources", "requests").get("storage")
            found["requests.storage"] = quantity(storage) if storage is not None else Decimal(0)
    return found


def _written(amount: Decimal) -> str:
    if amount % 1:
        return f"{int(amount * 1000)}m"
    for suffix, size in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if amount and amount % size == 0:
            return f"{int(amount) // size}{suffix}"
    return str(int(amount))


CHAIN: tuple[Plugin, ...] = (
    namespace_lifecycle,  # first: nothing else needs to be asked where there is no place for the object
    limit_ranger,
    service_account,
    priority,
    default_toleration_seconds,
    resource_quota,  # last: it counts what the others have left of the object
)
