"""One proxier: the planner of a family and the backend of a mode, and when a sync must be full.

A proxier takes in objects, and on ``sync`` hands its backend what changed. It holds no clock; times are nanoseconds on
a clock of the caller's, which must not go back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from netsim.net.address import Family
from netsim.objects.core import ZONE_LABEL, EndpointSlice, Node, Service
from proxy.categorize import Place
from proxy.config.duration import HOUR
from proxy.names import NamespacedName, ServicePortName
from proxy.node import ProxyNode
from proxy.plan import PlanUpdate, ServicePlan
from proxy.planner import Planner

FULL_SYNC_PERIOD = HOUR
"""How long partial syncs may follow each other, in nanoseconds. Ref: pkg/proxy/util/utils.go:FullSyncPeriod."""

S_co = TypeVar("S_co", covariant=True)
S = TypeVar("S")


class Backend(Protocol[S_co]):
    """A mode: turns what changed into what is programmed. It keeps what it needs to know of what it programmed before."""

    def sync(self, update: PlanUpdate, now: int) -> S_co:
        """Program an update. ``now`` in nanoseconds."""
        ...


class Proxier(Generic[S]):
    """A proxier of one family on one node."""

    def __init__(self, family: Family, node: ProxyNode, backend: Backend[S]) -> None:
        self.family = family
        self._node_name = node.name
        self._place = node.place
        self._planner = Planner(family, node.place, node.ips[family])
        self._backend = backend
        self._need_full = True
        self._last_full = 0

    @property
    def plans(self) -> Mapping[ServicePortName, ServicePlan]:
        """The plans as they were at the last sync."""
        return self._planner.plans

    def on_service(self, name: NamespacedName, service: Service | None) -> bool:
        """A Service as it stands now, None where it is gone. True where a sync is due."""
        return self._planner.on_service(name, service)

    def on_endpoint_slice(self, item: EndpointSlice, *, removed: bool = False) -> bool:
        """An EndpointSlice as it stands now, or its removal. True where a sync is due."""
        return self._planner.on_endpoint_slice(item, removed=removed)

    def on_node(self, node: Node) -> bool:
        """The proxy's own Node as it stands now. Another zone means a full sync, since hints depend on it."""
        place = Place(node.metadata.name, node.metadata.labels.get(ZONE_LABEL, ""))
        if node.metadata.name != self._node_name or place == self._place:
            return False
        self._place = place
        self._planner.on_place(place)
        self._need_full = True
        return True

    def on_service_cidrs(self, cidrs: tuple[str, ...]) -> bool:
        """The prefixes of all ServiceCIDRs. They wait for the next sync."""
        self._planner.on_service_cidrs(cidrs)
        return False

    def force_full_sync(self) -> None:
        """Program everything anew at the next sync: something else touched the rules, or a sync failed."""
        self._need_full = True

    def sync(self, now: int = 0) -> S:
        """Program what changed since the last sync, or everything where that is due."""
        full = self._need_full or now - self._last_full > FULL_SYNC_PERIOD
        result = self._backend.sync(self._planner.advance(full=full), now)
        if full:
            self._need_full = False
            self._last_full = now
        return result
