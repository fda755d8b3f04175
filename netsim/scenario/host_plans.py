"""What the Cluster document says of a machine's links and routing, as the plan that a topology is built from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netsim.objects.cluster import MachineRouting, StaticRoute
from netsim.objects.wiring import StaticDevice
from netsim.topology.model import (
    Bridge,
    DeviceKind,
    Dummy,
    Endpoint,
    FdbEntry,
    Macvlan,
    MacvlanMode,
    MultipathHop,
    Neighbour,
    NeighbourState,
    PolicyRule,
    ProxyNeighbour,
    Route,
    RouteScope,
    RouteType,
    RuleAction,
    Vlan,
)
from netsim.topology.plan import DevicePlan


def routes_of(routes: Iterable[StaticRoute]) -> Iterator[Route]:
    """``routes``."""
    for route in routes:
        yield Route(
            route.to,
            device=route.device,
            via=route.via,
            source=route.source,
            metric=route.metric,
            type=RouteType(route.type),
            onlink=route.onlink,
            origin=route.origin,
            table=route.table,
            scope=RouteScope(route.scope) if route.scope is not None else None,
            nexthops=tuple(MultipathHop(hop.device, hop.via, hop.weight, hop.onlink) for hop in route.nexthops),
            mtu=route.mtu,
            mtu_lock=route.mtu_lock,
            advmss=route.advmss,
        )


def rules_of(routing: MachineRouting) -> Iterator[PolicyRule]:
    """``rules``."""
    for rule in routing.rules:
        mark, mask = rule.fwmark or (None, 0xFFFFFFFF)
        yield PolicyRule(
            rule.priority,
            rule.table,
            RuleAction(rule.action),
            rule.src,
            rule.dst,
            rule.iif,
            rule.oif,
            mark,
            mask,
            rule.suppress_prefixlength,
            rule.inverted,
            version=rule.version,
            origin=rule.origin,
            protocol=rule.protocol,
            sports=rule.sports,
            dports=rule.dports,
            tos=rule.tos,
            uids=rule.uids,
            target=rule.target,
        )


def neighbours_of(routing: MachineRouting) -> Iterator[Neighbour]:
    """``neighbours``, but for proxies."""
    for entry in routing.neighbours:
        if not entry.proxy:
            yield Neighbour(entry.device, entry.address, entry.mac, NeighbourState(entry.state), entry.origin)


def proxies_of(routing: MachineRouting) -> Iterator[ProxyNeighbour]:
    """``neighbours`` that the machine answers for."""
    return (ProxyNeighbour(entry.device, entry.address, entry.origin) for entry in routing.neighbours if entry.proxy)


def fdb_of(routing: MachineRouting) -> Iterator[FdbEntry]:
    """``fdb``."""
    return (FdbEntry(entry.device, entry.mac, entry.dst, entry.origin) for entry in routing.fdb)


def devices_of(routing: MachineRouting) -> Iterator[DevicePlan]:
    """``devices``."""
    for device in routing.devices:
        yield DevicePlan(
            name=device.name,
            kind=_kind(device),
            pod=_pod(device.pod) if device.pod is not None else None,
            addresses=device.addresses,
            mtu=device.mtu,
            mac=device.mac,
            up=device.up,
            carrier=device.carrier,
            master=device.master,
            hairpin=device.hairpin,
            isolated=device.isolated,
            learning=device.learning,
            origin=device.origin,
            places=device.places,
        )


def _kind(device: StaticDevice) -> DeviceKind | None:
    match device.kind:
        case "dummy":
            return Dummy()
        case "bridge":
            return Bridge() if device.ageing_s is None else Bridge(device.ageing_s)
        case "vlan":
            return Vlan(device.parent or "", device.vlan or 0)
        case "macvlan":
            return Macvlan(Endpoint("", device.parent or ""), MacvlanMode(device.mode))
        case _:
            return None


def _pod(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    return (namespace, name) if slash else ("default", text)
