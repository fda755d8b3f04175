"""Changes of Services between two syncs.

For one Service, changes accumulate: ``previous`` is what was last applied, ``current`` what stands now. A change that is
taken back before the sync is no change at all.
Ref: pkg/proxy/servicechangetracker.go (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.objects.core import Service
from proxy.names import NamespacedName, ServicePortName
from proxy.service_port import ServicePort, service_ports

_NO_PORTS: Mapping[ServicePortName, ServicePort] = {}


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """What a Service's ports were when it was last synced and what they are now."""

    previous: Mapping[ServicePortName, ServicePort]
    current: Mapping[ServicePortName, ServicePort]


class ServiceChangeTracker:
    """Collects what happened to Services since the last sync, for one address family."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._seen: dict[NamespacedName, Mapping[ServicePortName, ServicePort]] = {}
        self._changes: dict[NamespacedName, ServiceChange] = {}

    def update(self, name: NamespacedName, service: Service | None) -> bool:
        """Take in a Service as it stands now, None where it is gone. True where there is anything to sync."""
        before = self._seen.get(name, _NO_PORTS)
        current = service_ports(service, self._family) if service is not None else _NO_PORTS
        if current:
            self._seen[name] = current
        else:
            self._seen.pop(name, None)
        pending = self._changes.get(name)
        previous = pending.previous if pending is not None else before
        if previous == current:
            self._changes.pop(name, None)
        else:
            self._changes[name] = ServiceChange(previous, current)
        return bool(self._changes)

    def checkout(self) -> Mapping[NamespacedName, ServiceChange]:
        """Hand over the pending changes and forget them."""
        changes, self._changes = self._changes, {}
        return changes
