"""From a topology to the operations that build it from real network namespaces. Pure: nothing is done here.

The order of the operations is the order in which they can be carried out: namespaces, links, bridge ports, addresses,
state, sysctls (those of a device exist once the device does), routes, kube-ipvs0's addresses, neighbours, rules, and listeners last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from netsim.net.address import InterfaceAddress
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.rules.ipset.ast import IPSets
from netsim.rules.ipvs.ast import VirtualServers
from netsim.rules.nft.ast import Ruleset as NftRuleset
from netsim.rules.xtables.ast import Ruleset
from netsim.topology.model import (
    Bridge,
    Device,
    Dummy,
    FdbEntry,
    Listener,
    Loopback,
    Macvlan,
    Neighbour,
    Netns,
    PolicyRule,
    ProxyNeighbour,
    Route,
    Topology,
    Veth,
    Vlan,
    Vxlan,
)


@dataclass(frozen=True, slots=True)
class AddNetns:
    """Make a namespace."""

    netns: str


@dataclass(frozen=True, slots=True)
class AddVeth:
    """Make both ends of a veth pair, each in its namespace."""

    netns: str
    device: Device
    peer_netns: str
    peer: Device


@dataclass(frozen=True, slots=True)
class AddBridge:
    """Make a bridge without STP and multicast snooping."""

    netns: str
    device: Device


@dataclass(frozen=True, slots=True)
class AddLink:
    """Make a device of another kind: dummy, vlan, macvlan, vxlan, ipip. What it stands on is there."""

    netns: str
    device: Device


@dataclass(frozen=True, slots=True)
class SetPort:
    """Make a device a port of a bridge, with the port's flags."""

    netns: str
    device: Device


@dataclass(frozen=True, slots=True)
class AddAddress:
    """Give a device an address, with or without the route to its network."""

    netns: str
    device: str
    address: InterfaceAddress
    noprefixroute: bool = False


@dataclass(frozen=True, slots=True)
class SetState:
    """Set a device up or leave it down."""

    netns: str
    device: str
    up: bool


@dataclass(frozen=True, slots=True)
class SetSysctl:
    """Write one sysctl, by dotted name."""

    netns: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AddRoute:
    """Add a route to its table."""

    netns: str
    route: Route


@dataclass(frozen=True, slots=True)
class AddRule:
    """Add a rule to the routing policy database."""

    netns: str
    rule: PolicyRule


@dataclass(frozen=True, slots=True)
class AddFdb:
    """Add a static forwarding entry to a bridge port or a vxlan device."""

    netns: str
    entry: FdbEntry


@dataclass(frozen=True, slots=True)
class AddNeighbour:
    """Add a neighbour entry, or an address to answer for in another's stead."""

    netns: str
    neighbour: Neighbour | ProxyNeighbour


@dataclass(frozen=True, slots=True)
class LoadXtables:
    """Load one family's iptables rules."""

    netns: str
    ruleset: Ruleset


@dataclass(frozen=True, slots=True)
class LoadNftables:
    """Load rules of nftables, once those of iptables stand."""

    netns: str
    ruleset: NftRuleset


@dataclass(frozen=True, slots=True)
class LoadIPSets:
    """Make a namespace's ipsets, which its rules ask for by name."""

    netns: str
    sets: IPSets


@dataclass(frozen=True, slots=True)
class MakeVirtualServers:
    """Make a namespace's IPVS virtual servers, once its rules stand."""

    netns: str
    servers: VirtualServers


@dataclass(frozen=True, slots=True)
class SeedConntrack:
    """Make the connections that a namespace knows beforehand, once its rules hold conntrack."""

    netns: str
    entries: tuple[ConntrackEntry, ...]


@dataclass(frozen=True, slots=True)
class Listen:
    """Open a socket that answers."""

    netns: str
    listener: Listener


Operation: TypeAlias = (
    AddNetns
    | AddVeth
    | AddBridge
    | AddLink
    | SetPort
    | AddAddress
    | SetState
    | SetSysctl
    | AddRoute
    | AddRule
    | AddFdb
    | AddNeighbour
    | LoadIPSets
    | LoadXtables
    | LoadNftables
    | MakeVirtualServers
    | SeedConntrack
    | Listen
)


def operations(topology: Topology) -> tuple[Operation, ...]:
    """What to do, in order, to have the topology as real namespaces."""
    namespaces = tuple(topology.namespaces.values())
    return (
        *(AddNetns(netns.name) for netns in namespaces),
        *_links(topology, namespaces),
        *_stacked(namespaces),
        *(step for netns in namespaces for step in _layer2(netns)),
        *(step for netns in namespaces for step in _layer3(netns)),
        *(LoadIPSets(netns.name, netns.ipsets) for netns in namespaces if netns.ipsets.sets),
        *(LoadXtables(netns.name, ruleset) for netns in namespaces for ruleset in netns.xtables),
        *(LoadNftables(netns.name, ruleset) for netns in namespaces for ruleset in netns.nftables),
        *(MakeVirtualServers(netns.name, netns.ipvs) for netns in namespaces if netns.ipvs.servers),
        *(SeedConntrack(netns.name, netns.conntrack) for netns in namespaces if netns.conntrack),
        *(Listen(netns.name, listener) for netns in namespaces for listener in netns.listeners),
    )


def _links(topology: Topology, namespaces: Iterable[Netns]) -> Iterator[Operation]:
    made: set[tuple[str, str]] = set()
    for netns in namespaces:
        for device in netns.devices:
            match device.kind:
                case Bridge():
                    yield AddBridge(netns.name, device)
                case Veth(peer=end):
                    if (netns.name, device.name) in made:
                        continue
                    made.add((end.netns, end.device))
                    peer = topology.namespaces[end.netns].device(end.device)
                    if peer is None:
                        raise ValueError(f"{netns.name}/{device.name}: its peer {end} does not exist")
                    yield AddVeth(netns.name, device, end.netns, peer)
                case _:
                    pass


def _stacked(namespaces: Iterable[Netns]) -> Iterator[Operation]:
    """Devices that are neither loopback, bridge nor veth; those that stand on another one last."""
    links = [
        AddLink(netns.name, device)
        for netns in namespaces
        for device in netns.devices
        if not isinstance(device.kind, Loopback | Bridge | Veth)
    ]
    yield from sorted(links, key=lambda link: isinstance(link.device.kind, Vlan | Macvlan | Vxlan))


def _layer2(netns: Netns) -> Iterator[Operation]:
    for device in netns.devices:
        if device.port is not None:
            yield SetPort(netns.name, device)
    yield from _addresses(netns, after_routes=False)
    for device in netns.devices:
        yield SetState(netns.name, device.name, device.up)


def _addresses(netns: Netns, *, after_routes: bool) -> Iterator[Operation]:
    """Those of a dummy device that is down come after the routes, as kube-proxy gives kube-ipvs0 its own on a node that runs already.

    The kernel would refuse a route of IPv6 by a gateway that is one of them. Ref: net/ipv6/route.c:ip6_validate_gw() (v6.12).
    """
    for device in netns.devices:
        for address in device.addresses:
            late = isinstance(device.kind, Dummy) and not device.up
            if late is after_routes and _is_given(device, address):
                yield AddAddress(netns.name, device.name, address, device.noprefixroute)


def _is_given(device: Device, address: InterfaceAddress) -> bool:
    """False for what ``lo`` has by itself, and for an IPv6 address of a device that is down: it would wait there, tentative, for good.

    Here duplicates are not looked for, which would make it usable. A dummy device has no ARP, and so its addresses are usable.
    Ref: net/ipv6/addrconf.c:addrconf_dad_begin() (v6.12).
    """
    if isinstance(device.kind, Loopback):
        return not address.ip.is_loopback
    return address.version == 4 or device.up or isinstance(device.kind, Dummy)


def _layer3(netns: Netns) -> Iterator[Operation]:
    for name, value in sorted(netns.sysctls.items(), key=lambda each: (_resets(each[0]), each)):
        yield SetSysctl(netns.name, name, value)
    for route in _gateways_first(netns.routes):
        yield AddRoute(netns.name, route)
    yield from _addresses(netns, after_routes=True)
    for rule in netns.rules:
        yield AddRule(netns.name, rule)
    for entry in netns.fdb:
        yield AddFdb(netns.name, entry)
    for neighbour in netns.neighbours:
        yield AddNeighbour(netns.name, neighbour)
    for proxy in netns.proxies:
        yield AddNeighbour(netns.name, proxy)


def _resets(name: str) -> int:
    """The place of a sysctl in the order of writing: one that resets others, as ``ip_forward`` does each device's, comes before them.

    Ref: net/ipv4/devinet.c:inet_forward_change(), net/ipv6/addrconf.c:addrconf_fixup_forwarding() (v6.12).
    """
    order = ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding", "net.ipv6.conf.all.forwarding")
    return order.index(name) if name in order else len(order)


def _gateways_first(routes: Iterable[Route]) -> list[Route]:
    """Routes without a gateway first: a gateway must be reachable when its route is added."""
    return sorted(routes, key=lambda route: route.via is not None or bool(route.nexthops))
