"""The addresses and node ports of a cluster's Services: who has which, and what a new one gets.

Ref: pkg/registry/core/service/storage/{alloc,storage}.go, pkg/registry/core/service/strategy.go (v1.37).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

from netsim.cluster.documents import mapping_at
from netsim.cluster.watch import EventType, Watch
from netsim.cluster.watch_cache import WatchCache
from netsim.net.address import Prefix
from netsim.objects.defaults import default_document
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
        problems = [*pools.reserve(item.key, draft), *pools.allocate(item.key, draft)]
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
    """A change that leaves out the addresses keeps them; one that names another ``clusterIP`` alone means ``clusterIPs`` too.

    Ref: pkg/registry/core/service/storage/storage.go:{patchAllocatedValues,normalizeClusterIPs}() (v1.37).
    """
    spec, old = mapping_at(after.document, "spec"), mapping_at(before.document, "spec")
    if "ExternalName" in (spec.get("type"), old.get("type")):
        return after
    kept = {
        k: old[k] for k in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy") if k in old and not spec.get(k)
    }
    merged = {**spec, **kept}
    if merged.get("clusterIP") != old.get("clusterIP") and merged.get("clusterIPs") == old.get("clusterIPs"):
        merged["clusterIPs"] = [merged.get("clusterIP")]
    return Object.of({**after.document, "spec": merged})
