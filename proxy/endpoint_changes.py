"""Changes of EndpointSlices between two syncs, and the merging of a Service's slices into endpoints per port.

An endpoint may stand in two slices while it moves from one to the other, so what is pending is kept slice by slice and
merged when it is checked out. An address may also be that of two pods, when it was given to a new one before the old one
was gone: of duplicates the last one wins that is not terminating. Slices are walked by name here, by kube-proxy in no
fixed order, so that two which are not terminating may come out the other way round there.
Ref: pkg/proxy/endpointschangetracker.go, pkg/proxy/endpointslicecache.go:esDataChanged(), addEndpoints() (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.objects.core import EndpointHints, EndpointSlice, SliceEndpoint
from proxy.addresses import canonical_text, is_family
from proxy.endpoint import Endpoint, endpoint_text
from proxy.names import NamespacedName, ServicePortName

EndpointsByPort = Mapping[ServicePortName, tuple[Endpoint, ...]]


@dataclass(frozen=True, slots=True)
class EndpointsChange:
    """A Service's endpoints by port, as they were last synced and as they are now."""

    previous: EndpointsByPort
    current: EndpointsByPort


@dataclass(frozen=True, slots=True)
class _Slice:
    """A slice, and what a proxier uses of it: its ports (name, protocol, number) and its endpoints, in order."""

    item: EndpointSlice
    ports: tuple[tuple[str, str, int], ...]
    endpoints: tuple[Endpoint, ...]


@dataclass(slots=True)
class _Slices:
    """The slices of one Service by name; a pending None is a slice that is gone."""

    applied: dict[str, _Slice] = field(default_factory=dict)
    pending: dict[str, _Slice | None] = field(default_factory=dict)
    merged: EndpointsByPort = field(default_factory=dict)


class EndpointsChangeTracker:
    """Collects what happened to EndpointSlices since the last sync, for one address family and one node."""

    def __init__(self, family: Family, node: str) -> None:
        self._family = family
        self._node = node
        self._services: dict[NamespacedName, _Slices] = {}
        self._pending: dict[NamespacedName, None] = {}

    def update(self, item: EndpointSlice, *, removed: bool = False) -> bool:
        """Take in a slice as it stands now, or its removal. True where this made a change that is to be synced.

        A slice of the other family, or without the label that names its Service, is not looked at. Slices are compared
        whole: one whose annotations alone differ is a change, and its Service will be written anew.
        """
        if item.address_type != self._family.kubernetes or not item.service_name:
            return False
        service = NamespacedName(item.metadata.namespace, item.service_name)
        slices = self._services.setdefault(service, _Slices())
        name = item.metadata.name
        known = slices.pending[name] if name in slices.pending else slices.applied.get(name)
        changed = (known.item if known is not None else None) != (None if removed else item)
        if changed:
            slices.pending[name] = None if removed else self._reduce(item)
            self._pending[service] = None
        elif not slices.applied and not slices.pending:
            del self._services[service]
        return changed

    def checkout(self) -> Mapping[NamespacedName, EndpointsChange]:
        """Hand over the pending changes by Service, and count them as applied."""
        changes: dict[NamespacedName, EndpointsChange] = {}
        for service in self._pending:
            slices = self._services[service]
            previous = slices.merged
            _apply(slices)
            slices.merged = _merge(service, slices.applied)
            changes[service] = EndpointsChange(previous, slices.merged)
            if not slices.applied:
                del self._services[service]
        self._pending = {}
        return changes

    def _reduce(self, item: EndpointSlice) -> _Slice:
        """What proxiers use of a slice; its endpoints have port 0 until they meet a port.

        A port without a number (or 0) would mean every port, which kube-proxy passes over.
        """
        ports = tuple((p.name, p.protocol, p.port) for p in item.ports if p.port)
        addressed = ((e, _address(e, self._family)) for e in item.endpoints)
        return _Slice(item, ports, tuple(_endpoint(e, ip, self._node) for e, ip in addressed if ip))


def _apply(slices: _Slices) -> None:
    for name, current in slices.pending.items():
        if current is None:
            slices.applied.pop(name, None)
        else:
            slices.applied[name] = current
    slices.pending = {}


_NO_HINTS: frozenset[str] = frozenset()


def _address(item: SliceEndpoint, family: Family) -> str:
    """The text of an endpoint's address, which is the first; empty where it has none of the family."""
    text = canonical_text(item.addresses[0]) if item.addresses else ""
    return text if text and is_family(text, family) else ""


def _endpoint(item: SliceEndpoint, ip: str, node: str) -> Endpoint:
    """An endpoint of a slice. A condition that is not given reads as ready and serving, and as not terminating."""
    conditions = item.conditions
    hints = item.hints
    return Endpoint(
        ip=ip,
        port=0,
        text="",
        local=bool(node) and item.node_name == node,
        ready=conditions.ready is not False,
        serving=conditions.serving is not False,
        terminating=conditions.terminating is True,
        zone_hints=_zone_hints(hints) if hints is not None else _NO_HINTS,
        node_hints=_node_hints(hints) if hints is not None else _NO_HINTS,
    )


def _zone_hints(hints: EndpointHints) -> frozenset[str]:
    return frozenset(zone.name for zone in hints.for_zones)


def _node_hints(hints: EndpointHints) -> frozenset[str]:
    return frozenset(node.name for node in hints.for_nodes)


def _merge(service: NamespacedName, slices: Mapping[str, _Slice]) -> EndpointsByPort:
    by_port: dict[ServicePortName, dict[str, Endpoint]] = {}
    for name in sorted(slices):
        item = slices[name]
        for port_name, protocol, number in item.ports:
            key = ServicePortName(service.namespace, service.name, port_name, protocol)
            _add(by_port.setdefault(key, {}), item.endpoints, number)
    return {key: tuple(found[text] for text in sorted(found)) for key, found in by_port.items() if found}


def _add(found: dict[str, Endpoint], endpoints: tuple[Endpoint, ...], port: int) -> None:
    for e in endpoints:
        text = endpoint_text(e.ip, port)
        if text not in found or not e.terminating:
            found[text] = Endpoint(
                e.ip, port, text, e.local, e.ready, e.serving, e.terminating, e.zone_hints, e.node_hints
            )
