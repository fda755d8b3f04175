"""ResourceQuota: no more in a namespace than its quotas allow.

Ref: staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go, pkg/quota/v1/evaluator/core (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from netsim.cluster.admission.plugin import forbidden
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.resources import resource_of
from netsim.cluster.scheduling.placement import requests_of
from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.objects.quantity import quantities, quantity

if TYPE_CHECKING:
    from netsim.cluster.store import Store

_COUNTED = {
    "Pod": "pods",
    "Service": "services",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ReplicationController": "replicationcontrollers",
    "ResourceQuota": "resourcequotas",
}


def resource_quota(item: Object, store: Store) -> None:
    """Every quota of the namespace has room for the object. Ref: controller.go:CheckRequest()."""
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
            raise forbidden(item, why)


def _must_say(item: Object, quota: Object, hard: Mapping[str, Decimal]) -> None:
    """A quota of cpu or memory makes every container say what it asks for. Ref: core/pods.go:Constraints()."""
    wanted = [n for n in hard if n in ("cpu", "memory") or n.partition(".")[2] in ("cpu", "memory")]
    missing: list[str] = []
    for name in sorted(wanted):
        what, _, resource = name.rpartition(".")
        silent = {
            str(c.get("name"))
            for group in ("containers", "initContainers")
            for c in list_at(item.document, "spec", group)
            if isinstance(c, Mapping) and resource not in _asked(c, what or "requests")
        }
        if silent:
            missing.append(f"{name} for: {','.join(sorted(silent))}")
    if missing:
        raise forbidden(item, f"failed quota: {quota.metadata.name}: must specify {'; '.join(missing)}")


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
