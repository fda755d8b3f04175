"""Does a topology hang together? What a set of real namespaces could not be, or would not be on purpose."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.topology.graph import loops, segments
from netsim.topology.model import (
    IPIP,
    MAIN_TABLE,
    Bridge,
    Device,
    Endpoint,
    Listener,
    Loopback,
    Macvlan,
    Netns,
    Route,
    RouteType,
    Topology,
    Veth,
    Vlan,
    Vxlan,
    table_name,
)
from netsim.topology.naming import IFNAMSIZ
from netsim.topology.sysctl import check

_DEVICE_NAME = re.compile(r"[^\s/:]+")
ROUTES_WITHOUT_DEVICE = frozenset({RouteType.BLACKHOLE, RouteType.UNREACHABLE, RouteType.PROHIBIT, RouteType.THROW})


class Severity(Enum):
    """An ERROR cannot be built; a NOTICE can, and is worth knowing."""

    ERROR = "error"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. ``where`` is a namespace or ``namespace/device``."""

    severity: Severity
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def validate(topology: Topology) -> list[Problem]:
    """All findings, namespace by namespace and then segment by segment; empty where the topology is sound."""
    problems: list[Problem] = []
    for key, netns in topology.namespaces.items():
        if key != netns.name:
            problems.append(_error(key, f"is the namespace {netns.name!r} under another name"))
        for check_one in (
            _device_names,
            _links,
            _stacked,
            _ports,
            _routes,
            _rules,
            _fdb,
            _neighbours,
            _sysctls,
            _listeners,
        ):
            problems += check_one(netns, topology)
    for group in segments(topology):
        problems += _segment(group, topology)
    return problems + [_loop(way) for way in loops(topology)]


def _error(where: object, message: str) -> Problem:
    return Problem(Severity.ERROR, str(where), message)


# --- one namespace ----------------------------------------------------------------------------------------------


def _device_names(netns: Netns, _: Topology) -> Iterator[Problem]:
    for name, times in Counter(device.name for device in netns.devices).items():
        if times > 1:
            yield _error(netns.name, f"has {times} devices named {name}")
        if len(name.encode()) > IFNAMSIZ or name in (".", "..") or not _DEVICE_NAME.fullmatch(name):
            yield _error(
                f"{netns.name}/{name}", f"is no device name (1 to {IFNAMSIZ} bytes, no white space, slash or colon)"
            )


def _links(netns: Netns, topology: Topology) -> Iterator[Problem]:
    for device in netns.devices:
        here = Endpoint(netns.name, device.name)
        if not isinstance(device.kind, Loopback | IPIP) and (device.mac.is_multicast or device.mac.value == 0):
            yield _error(here, f"{device.mac} is no unicast address of a device")
        if isinstance(device.kind, Veth) and (message := _peer(here, device.kind.peer, topology)) is not None:
            yield _error(here, message)


def _stacked(netns: Netns, topology: Topology) -> Iterator[Problem]:
    """What devices on top of others, and tunnels, need."""
    vnis = Counter((d.kind.vni, d.kind.port, d.kind.version) for d in netns.devices if isinstance(d.kind, Vxlan))
    for (vni, port, _), times in vnis.items():
        if times > 1:
            yield _error(netns.name, f"has {times} vxlan devices with the identifier {vni} on port {port}")
    for device in netns.devices:
        here = Endpoint(netns.name, device.name)
        match device.kind:
            case Vlan(parent=parent, id=number):
                if netns.device(parent) is None:
                    yield _error(here, f"its parent {parent} does not exist")
                if not 1 <= number <= 4094:
                    yield _error(here, f"{number} is no VLAN identifier from 1 to 4094")
            case Macvlan(parent=end):
                below = _device(topology, end)
                if below is None or below.port is not None:
                    why = "does not exist" if below is None else "is a bridge port"
                    yield _error(here, f"its parent {end} {why}")
            case Vxlan(vni=vni, device=str(below_name)) if netns.device(below_name) is None:
                yield _error(here, f"the underlay device {below_name} does not exist")
            case Vxlan(vni=vni) if not 0 <= vni < 1 << 24:
                yield _error(here, f"{vni} is no identifier from 0 to 16777215")
            case _:
                continue


def _peer(here: Endpoint, there: Endpoint, topology: Topology) -> str | None:
    other = _device(topology, there)
    if other is None:
        return f"its peer {there} does not exist"
    if there == here:
        return "is its own peer"
    if not isinstance(other.kind, Veth):
        return f"its peer {there} is no veth"
    return None if other.kind.peer == here else f"its peer {there} has another peer, {other.kind.peer}"


def _ports(netns: Netns, _: Topology) -> Iterator[Problem]:
    for device in netns.devices:
        if device.port is None:
            continue
        master = netns.device(device.port.master)
        if master is None:
            yield _error(f"{netns.name}/{device.name}", f"its master {device.port.master} does not exist")
        elif not isinstance(master.kind, Bridge):
            yield _error(f"{netns.name}/{device.name}", f"its master {device.port.master} is no bridge")
        if isinstance(device.kind, Bridge | Loopback | IPIP):
            what = "no bridge and no loopback" if not isinstance(device.kind, IPIP) else "no ipip device"
            yield _error(f"{netns.name}/{device.name}", f"the kernel makes {what} a bridge port")


def _routes(netns: Netns, _: Topology) -> Iterator[Problem]:
    for (to, metric, table), times in Counter((r.to, r.metric, r.table) for r in netns.routes).items():
        if times > 1:
            where = "" if table == MAIN_TABLE else f" in table {table_name(table)}"
            yield _error(netns.name, f"has {times} routes to {to} with metric {metric}{where}")
    for route in netns.routes:
        if (message := _route(route, netns)) is not None:
            yield _error(netns.name, f"route to {route.to}: {message}")


def _route(route: Route, netns: Netns) -> str | None:
    if route.type in ROUTES_WITHOUT_DEVICE:
        return None
    if route.nexthops:
        hops = (replace(route, device=h.device, via=h.via, onlink=h.onlink, nexthops=()) for h in route.nexthops)
        return next((message for hop in hops if (message := _route(hop, netns)) is not None), None)
    if route.device is None and route.via is None:
        return "names neither a gateway nor a device"
    if route.device is not None and netns.device(route.device) is None:
        return f"the device {route.device} does not exist"
    if route.source is not None and all(
        route.source != address.ip for device in netns.devices for address in device.addresses
    ):
        return f"the source {route.source} is no address of this namespace"
    beside = [device for device in netns.devices if route.device in (None, device.name)]
    if (
        route.via is None
        or route.onlink
        or _reaches(route.via, beside)
        or (route.via.is_link_local and route.device is not None)
    ):
        return None
    return f"the gateway {route.via} is on no network of {route.device or 'this namespace'}"


def _reaches(address: Address, devices: Sequence[Device]) -> bool:
    networks = (own.network for device in devices for own in device.addresses)
    return any(network.version == address.version and address in network for network in networks)


def _neighbours(netns: Netns, _: Topology) -> Iterator[Problem]:
    for neighbour in netns.neighbours:
        if netns.device(neighbour.device) is None:
            yield _error(netns.name, f"neighbour {neighbour.address}: the device {neighbour.device} does not exist")


def _rules(netns: Netns, _: Topology) -> Iterator[Problem]:
    for rule in netns.rules:
        if not 0 <= rule.priority <= 0xFFFFFFFF:
            yield _error(netns.name, f"rule {rule}: no priority from 0 to 4294967295")
        if rule.src is not None and rule.dst is not None and rule.src.version != rule.dst.version:
            yield _error(netns.name, f"rule {rule}: from and to are of different families")
    for rule, times in Counter(netns.rules).items():
        if times > 1:
            yield _error(netns.name, f"has {times} times the rule {rule}")


def _fdb(netns: Netns, _: Topology) -> Iterator[Problem]:
    for entry in netns.fdb:
        device = netns.device(entry.device)
        if device is None:
            yield _error(netns.name, f"FDB entry {entry.mac}: the device {entry.device} does not exist")
        elif entry.dst is not None and not isinstance(device.kind, Vxlan):
            yield _error(netns.name, f"FDB entry {entry.mac}: {entry.device} is no vxlan device, so it has no endpoint")
        elif entry.dst is None and device.port is None:
            yield _error(
                netns.name,
                f"FDB entry {entry.mac}: {entry.device} is neither a bridge port nor has the entry an endpoint",
            )


def _sysctls(netns: Netns, _: Topology) -> Iterator[Problem]:
    for name, value in netns.sysctls.items():
        if (problem := check(name, value)) is not None:
            yield _error(netns.name, problem.message)


def _listeners(netns: Netns, _: Topology) -> Iterator[Problem]:
    held: dict[tuple[int, int], list[Listener]] = {}
    for listener in netns.listeners:
        others = held.setdefault((listener.protocol, listener.port), [])
        clash = next(
            (
                other
                for other in others
                if None in (other.address, listener.address) or other.address == listener.address
            ),
            None,
        )
        if clash is not None:
            what = f"{listener.protocol.name.lower()} port {listener.port}"
            yield _error(
                netns.name, f"{listener.owner or 'a listener'} and {clash.owner or 'another'} both listen on {what}"
            )
        others.append(listener)


# --- one layer 2 segment ----------------------------------------------------------------------------------------


def _segment(group: Sequence[Endpoint], topology: Topology) -> Iterator[Problem]:
    devices = [(endpoint, device) for endpoint in group if (device := _device(topology, endpoint)) is not None]
    yield from _shared("MAC address", ((device.mac, endpoint) for endpoint, device in devices))
    yield from _shared(
        "address", ((address.ip, endpoint) for endpoint, device in devices for address in device.addresses)
    )


def _shared(what: str, holders: Iterable[tuple[object, Endpoint]]) -> Iterator[Problem]:
    first: dict[object, Endpoint] = {}
    for value, endpoint in holders:
        if value in first:
            yield _error(endpoint, f"has the {what} {value} of {first[value]} on the same segment")
        first.setdefault(value, endpoint)


def _loop(way: Sequence[Endpoint]) -> Problem:
    circle = " – ".join(str(endpoint) for endpoint in way)
    return Problem(Severity.NOTICE, str(way[0]), f"a layer 2 loop without spanning tree: {circle}")


def _device(topology: Topology, endpoint: Endpoint) -> Device | None:
    netns = topology.namespaces.get(endpoint.netns)
    return None if netns is None else netns.device(endpoint.device)
