"""The addresses and node ports of a cluster's Services: who has which, and what a new one gets.

Ref: pkg/registry/core/service/storage/{alloc,storage}.go, pkg/registry/core/service/strategy.go (v1.37).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from netsim.cluster.documents import list_at, mapping_at, without
from netsim.cluster.watch import EventType, Watch
from netsim.cluster.watch_cache import WatchCache
from netsim.net.address import Prefix
from netsim.objects.defaults import default_document
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.objects.path import Problem
from netsim.objects.service_allocation import Allocations


class ServiceAddresses:
    """Keeps count of what Services have, as they come; where one changes or goes, it counts anew."""

    def __init__(self, store: WatchCache, service_cidrs: Sequence[Prefix]) -> None:
        self._store = store
        self._cidrs = tuple(service_cidrs)
        self._pools: Allocations | None = None
        self._watch: Watch | None = None

    def allocate(self, item: Object) -> tuple[Object, list[Problem]]:
        """A Service with its addresses and ports, none of which another one has, or what it cannot have."""
        changes = self._store.find(item.key) is not None
        pools = self._counted(without=item if changes else None)
        draft = default_document(item.document)
        problems = [*pools.reserve(item.key, draft, first=True)] or [*pools.allocate(item.key, draft)]
        if problems or changes:
            self.forget()
        return Object.of(draft), list(dict.fromkeys(problems))

    def forget(self) -> None:
        """Count anew the next time: what was allocated last is not stored."""
        self._pools = self._watch = None

    def _counted(self, *, without: Object | None) -> Allocations:
        if without is not None or self._pools is None or self._watch is None or not self._follow(self._watch):
            self._pools = Allocations.of(self._cidrs)
            self._watch = self._store.watch("Service", resource_version=self._store.resource_version)
            for other in self._store.list("Service").items:
                if without is None or other.key != without.key:
                    _reserve(self._pools, other)
        return self._pools

    def _follow(self, watch: Watch) -> bool:
        """Take over new Services. False where something else happened, or it is too long ago."""
        if self._pools is None or watch.expired:
            return False
        events = watch.events()
        if any(event.type is not EventType.ADDED for event in events):
            return False
        for event in events:
            _reserve(self._pools, event.object)
        return True


def _reserve(pools: Allocations, item: Object) -> None:
    list(pools.reserve(item.key, copy.deepcopy(default_document(item.document))))


def with_addresses_of(before: Object, after: Object) -> Object:
    """A change with what it leaves out of what was allocated; one that names another ``clusterIP`` alone means ``clusterIPs`` too.

    Ref: pkg/registry/core/service/storage/storage.go:{patchAllocatedValues,normalizeClusterIPs}() (v1.37).
    """
    spec, old = mapping_at(after.document, "spec"), mapping_at(before.document, "spec")
    if "ExternalName" in (spec.get("type"), old.get("type")):
        return Object.of({**after.document, "spec": _without_what_a_type_has(old, spec)})
    kept = {
        k: old[k] for k in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy") if k in old and not spec.get(k)
    }
    merged = {**spec, **kept}
    if merged.get("clusterIP") != old.get("clusterIP") and merged.get("clusterIPs") == old.get("clusterIPs"):
        merged["clusterIPs"] = [merged.get("clusterIP")]
    return Object.of({**after.document, "spec": _without_what_a_type_has(old, merged)})


_ADDRESSES = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def _without_what_a_type_has(old: Document, new: Document) -> Document:
    """A changed spec without what only its type before has, if it is left as it was.

    Ref: pkg/registry/core/service/strategy.go:dropTypeDependentFields() (v1.37).
    """
    gone: tuple[str, ...] = ()
    if old.get("type") != "ExternalName" and new.get("type") == "ExternalName":
        gone += _ADDRESSES
    if old.get("type") == "LoadBalancer" != new.get("type"):
        gone += ("allocateLoadBalancerNodePorts", "loadBalancerClass")
    if _checked(old) and not _checked(new):
        gone += ("healthCheckNodePort",)
    if _outside(old) and not _outside(new):
        gone += ("externalTrafficPolicy",)
    left = {k: v for k, v in new.items() if k not in gone or v != old.get(k)}
    if new.get("type") == "ExternalName":
        left.pop("internalTrafficPolicy", None)
    with_ports = ("NodePort", "LoadBalancer")
    if old.get("type") in with_ports and new.get("type") not in with_ports and _node_ports(old) == _node_ports(new):
        ports = [without(p, ("nodePort",)) if isinstance(p, Mapping) else p for p in list_at(new, "ports")]
        left["ports"] = ports
    return left


def _node_ports(spec: Document) -> set[Json]:
    return {p.get("nodePort") for p in list_at(spec, "ports") if isinstance(p, Mapping)}


def _checked(spec: Document) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _outside(spec: Document) -> bool:
    kind = spec.get("type")
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(list_at(spec, "externalIPs")))
