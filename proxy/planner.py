"""From changes to plans: applies what the trackers collected and plans anew only what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from netsim.net.address import Address, Family, Prefix
from netsim.objects.core import EndpointSlice, Service
from proxy.addresses import prefixes_of_family
from proxy.categorize import Place
from proxy.endpoint import Endpoint
from proxy.endpoint_changes import EndpointsChange, EndpointsChangeTracker
from proxy.names import NamespacedName, ServicePortName
from proxy.plan import PlanUpdate, ServicePlan, plan_service
from proxy.service_changes import ServiceChange, ServiceChangeTracker
from proxy.service_port import ServicePort

_Ports = dict[ServicePortName, None]


class Planner:
    """The state that is common to all modes, for one family on one node."""

    def __init__(self, family: Family, place: Place, node_ip: Address) -> None:
        self._family = family
        self._place = place
        self._node_ip = node_ip
        self._services = ServiceChangeTracker(family)
        self._slices = EndpointsChangeTracker(family, place.node)
        self._ports: dict[ServicePortName, ServicePort] = {}
        self._port_names: dict[NamespacedName, _Ports] = {}
        self._endpoints: dict[ServicePortName, tuple[Endpoint, ...]] = {}
        self._plans: dict[ServicePortName, ServicePlan] = {}
        self._endpoint_count = 0
        self._service_cidrs: tuple[Prefix, ...] = ()
        self.plans: Mapping[ServicePortName, ServicePlan] = MappingProxyType(self._plans)

    def on_service(self, name: NamespacedName, service: Service | None) -> bool:
        """A Service as it stands now, None where it is gone. True where there is anything to sync."""
        return self._services.update(name, service)

    def on_endpoint_slice(self, item: EndpointSlice, *, removed: bool = False) -> bool:
        """An EndpointSlice as it stands now, or its removal. True where it is to be synced."""
        return self._slices.update(item, removed=removed)

    def on_place(self, place: Place) -> None:
        """The node's topology labels changed; the next update must be full."""
        self._place = place

    def on_service_cidrs(self, cidrs: tuple[str, ...]) -> None:
        """The prefixes of all ServiceCIDRs."""
        self._service_cidrs = prefixes_of_family(cidrs, self._family)

    def advance(self, *, full: bool) -> PlanUpdate:
        """Apply everything that happened since the last call."""
        services = self._services.checkout()
        slices = self._slices.checkout()
        removed = self._apply_services(services)
        self._apply_slices(slices)
        updated = frozenset(services) | frozenset(slices)
        names = self._ports if full else [port for service in updated for port in self._port_names.get(service, ())]
        return PlanUpdate(
            plans=self.plans,
            changed=tuple(self._plan(name) for name in sorted(names)),
            removed=tuple(sorted(removed)),
            updated_services=updated,
            full=full,
            endpoint_count=self._endpoint_count,
            service_cidrs=self._service_cidrs,
            stale_udp=_touches_udp(services.values()) or _touches_udp(slices.values()),
        )

    def _apply_services(self, changes: Mapping[NamespacedName, ServiceChange]) -> list[ServicePortName]:
        removed: list[ServicePortName] = []
        for service, change in changes.items():
            for name in change.previous:
                if name not in change.current:
                    removed.append(name)
                    del self._ports[name]
                    self._endpoint_count -= len(self._plans.pop(name).endpoints) if name in self._plans else 0
            self._ports.update(change.current)
            if change.current:
                self._port_names[service] = dict.fromkeys(change.current)
            else:
                self._port_names.pop(service, None)
        return removed

    def _apply_slices(self, changes: Mapping[NamespacedName, EndpointsChange]) -> None:
        for change in changes.values():
            for name in change.previous:
                self._endpoints.pop(name, None)
            self._endpoints.update(change.current)

    def _plan(self, name: ServicePortName) -> ServicePlan:
        before = self._plans.get(name)
        plan = plan_service(name, self._ports[name], self._endpoints.get(name, ()), self._place, self._node_ip)
        self._plans[name] = plan
        self._endpoint_count += len(plan.endpoints) - (len(before.endpoints) if before is not None else 0)
        return plan


def _touches_udp(changes: Iterable[ServiceChange | EndpointsChange]) -> bool:
    return any(
        name.protocol == "UDP" and change.previous.get(name) != change.current.get(name)
        for change in changes
        for name in change.previous
    )
