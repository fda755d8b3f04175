"""The IPv4 forwarding information base: the tables of one network namespace, and the look-up that its rules make in them.

Local, broadcast and connected routes follow from the addresses of devices that are up; static routes and rules are the topology's.
IPv6's is ``ip6_fib``.

Ref: net/ipv4/fib_frontend.c:fib_add_ifaddr(), net/ipv4/fib_semantics.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from netsim.net.address import Address, Family, Prefix
from netsim.rules.xtables.ast import AddressType
from netsim.stack.fib_rules import FlowKey, RulePath
from netsim.stack.fib_trie import FibEntry, FibNexthop, RouteKind, Scope, Table
from netsim.topology.model import (
    LOCAL_TABLE,
    MAIN_TABLE,
    Device,
    Loopback,
    MultipathHop,
    Netns,
    Route,
    RouteScope,
    RouteType,
    table_name,
)

_MULTICAST = IPv4Network("224.0.0.0/4")


class Fib:
    """The tables of one namespace. ``refused`` are static routes that the kernel would not install, with its reason."""

    def __init__(self, netns: Netns, devices: Mapping[str, Device], skipped: Iterable[str] = ()) -> None:
        self.local = Table()
        self.main = Table()
        self.tables = {LOCAL_TABLE: self.local, MAIN_TABLE: self.main}
        self.custom_local_routes = any(route.table == LOCAL_TABLE for route in netns.routes)
        self._path = RulePath(netns.rules, self.tables, frozenset(skipped))
        self._when_added = RulePath((), self.tables, frozenset())
        """Routes are there before the topology's rules are, so their gateways are looked for without them."""
        self._devices = devices
        self._owners: dict[Address, str] = {}
        for device in devices.values():
            self._add_addresses(device)
        four = (route for route in netns.routes if route.to.version == 4)
        self.refused = tuple(refusal for route in four if (refusal := self._add_route(route)) is not None)

    def lookup(self, address: Address, oif: str | None = None) -> FibEntry | None:
        """What the rules find for a packet of which only the destination is known."""
        return self._path.lookup(FlowKey(address, oif=oif))

    def resolve(self, key: FlowKey) -> FibEntry | None:
        """What the rules find; None for "Network is unreachable". The entry names a rule where a rule itself decided."""
        return self._path.lookup(key)

    def custom_rules(self, family: Family) -> bool:
        """True where there is a rule beside the kernel's own (``fib4_has_custom_rules()``)."""
        return self._path.custom(family)

    def owner(self, address: Address) -> str | None:
        """The device that has this very address (``__ip_dev_find()`` of a configured address), None where none has."""
        return self._owners.get(address)

    def is_local(self, address: Address) -> bool:
        """True where a packet to the address is delivered here."""
        found = self.local.lookup(address)
        return found is not None and found.kind is RouteKind.LOCAL

    def address_type(self, address: Address, device: str | None = None) -> AddressType:
        """``inet_addr_type()``; with a device ``inet_dev_addr_type()``. Ref: net/ipv4/fib_frontend.c:__inet_dev_addr_type() (v6.12)."""
        if address.is_unspecified or int(address) == 0xFFFFFFFF:
            return AddressType.BROADCAST
        if address in _MULTICAST:
            return AddressType.MULTICAST
        found = self.local.lookup(address)
        if found is None or device not in (None, found.device):
            return AddressType.UNICAST
        return AddressType.LOCAL if found.kind is RouteKind.LOCAL else AddressType.BROADCAST

    def select_source(self, device: str, towards: Address, scope: Scope = Scope.UNIVERSE) -> Address | None:
        """The address of a device for a packet to ``towards``; another device's where it has none.

        The first address on the destination's subnet, else the first whose scope reaches. An all-zero ``towards`` is no preference.
        Ref: net/ipv4/devinet.c:inet_select_addr() (v6.12).
        """
        own = [a for a in self._addresses(device) if address_scope(a).value <= scope.value]
        on_subnet = [a for a in own if towards in a.network and not a.ip.is_unspecified]
        if int(towards) and on_subnet:
            return on_subnet[0].ip
        if own:
            return own[0].ip
        for name in self._devices:
            for address in self._addresses(name):
                if address_scope(address) is Scope.UNIVERSE:
                    return address.ip
        return None

    def is_gateway(self, address: Address, device: str) -> bool:
        """True where a route goes by this gateway on the device. Ref: net/ipv4/fib_semantics.c:ip_fib_check_default() (v6.12)."""
        entries = [entry for table in self.tables.values() for entry in table]
        hops = [hop for entry in entries for hop in entry.nexthops]
        return (device, address) in {(way.device, way.gateway) for way in entries} | {
            (h.device, h.gateway) for h in hops
        }

    def has_addresses(self, device: str) -> bool:
        """True where the device has an address (``in_dev->ifa_list``)."""
        return bool(self._addresses(device))

    def _addresses(self, name: str) -> tuple[IPv4Interface, ...]:
        device = self._devices.get(name)
        return addresses_of(device) if device is not None else ()

    def _add_addresses(self, device: Device) -> None:
        primaries: dict[Prefix, IPv4Interface] = {}
        for interface in addresses_of(device):
            secondary = interface.network in primaries
            primary = primaries.setdefault(interface.network, interface)
            self._owners.setdefault(interface.ip, device.name)
            self._add_local(device, interface, primary)
            if device.up:
                self._add_prefix(device, interface, primary, secondary=secondary)

    def _add_local(self, device: Device, interface: IPv4Interface, primary: IPv4Interface) -> None:
        host = _host(interface.ip)
        self.local.add(
            FibEntry(RouteKind.LOCAL, host, "local", device.name, None, primary.ip, scope=Scope.HOST, kernel=True)
        )

    def _add_prefix(self, device: Device, interface: IPv4Interface, primary: IPv4Interface, *, secondary: bool) -> None:
        network = interface.network
        if secondary or (network.prefixlen == network.max_prefixlen and network.network_address == interface.ip):
            return
        source = primary.ip
        if isinstance(device.kind, Loopback):
            self.local.add(
                FibEntry(RouteKind.LOCAL, network, "local", device.name, None, source, scope=Scope.HOST, kernel=True)
            )
        elif not device.noprefixroute:
            entry = FibEntry(
                RouteKind.UNICAST, network, "main", device.name, None, source, scope=Scope.LINK, kernel=True
            )
            self.main.add(entry)
        if network.prefixlen < 31:
            broadcast = _host(network.broadcast_address)
            self.local.add(
                FibEntry(
                    RouteKind.BROADCAST, broadcast, "local", device.name, None, source, scope=Scope.LINK, kernel=True
                )
            )

    def _add_route(self, route: Route) -> tuple[Route, str] | None:
        kind = RouteKind(route.type.value)
        name = table_name(route.table)
        table = self.tables.setdefault(route.table, Table())
        if route.type is not RouteType.UNICAST and route.type is not RouteType.LOCAL:
            table.add(FibEntry(kind, route.to, name, metric=route.metric))
            return None
        hops = route.nexthops or (MultipathHop(route.device, route.via, onlink=route.onlink),)
        found: list[FibNexthop] = []
        for hop in hops:
            nexthop = self._nexthop(hop)
            if isinstance(nexthop, str):
                return route, nexthop
            found.append(nexthop)
        single = found[0]
        entry = FibEntry(
            kind,
            route.to,
            name,
            source=route.source,
            metric=route.metric,
            scope=_scope_of(route, single),
            mtu=route.mtu,
            mtu_locked=route.mtu_lock,
            advmss=route.advmss,
        )
        if len(found) == 1:
            table.add(replace(entry, device=single.device, gateway=single.gateway, onlink=single.onlink))
        else:
            table.add(replace(entry, nexthops=tuple(found)))
        return None

    def _nexthop(self, hop: MultipathHop) -> FibNexthop | str:
        """A way that the kernel takes, or what it says. Ref: net/ipv4/fib_semantics.c:fib_check_nh() (v6.12)."""
        device = hop.device or self._device_towards(hop.via)
        if device is None:
            return "Nexthop has invalid gateway."
        if device not in self._devices:
            return f'Cannot find device "{device}"'
        if not self._devices[device].up:
            return "Network is down"
        if hop.via is not None and not hop.onlink and self._device_towards(hop.via, device) != device:
            return "Nexthop has invalid gateway."
        return FibNexthop(device, hop.via, hop.weight, hop.onlink)

    def _device_towards(self, gateway: Address | None, oif: str | None = None) -> str | None:
        """The device on whose link a gateway is, or that has it as an own address.

        Ref: net/ipv4/fib_semantics.c:fib_check_nh_v4_gw() (v6.12).
        """
        if gateway is None:
            return None
        found = self._when_added.lookup(FlowKey(gateway, oif=oif))
        if found is None or found.kind not in _GATEWAYS or found.scope is Scope.UNIVERSE:
            return None
        return found.device


_GATEWAYS = frozenset({RouteKind.UNICAST, RouteKind.LOCAL})
_SCOPES = {RouteScope.GLOBAL: Scope.UNIVERSE, RouteScope.LINK: Scope.LINK, RouteScope.HOST: Scope.HOST}


def _scope_of(route: Route, nexthop: FibNexthop) -> Scope:
    """The scope that was asked for, else iproute2's choice. Ref: iproute2 ip/iproute.c:iproute_modify()."""
    if route.scope is not None:
        return _SCOPES[route.scope]
    if route.type is RouteType.LOCAL:
        return Scope.HOST
    return Scope.UNIVERSE if nexthop.gateway is not None else Scope.LINK


def addresses_of(device: Device) -> tuple[IPv4Interface, ...]:
    """A device's IPv4 addresses, with the one that the kernel gives ``lo`` when it comes up.

    Ref: net/ipv4/devinet.c:inetdev_event() NETDEV_UP (v6.12).
    """
    given = tuple(address for address in device.addresses if isinstance(address, IPv4Interface))
    if not isinstance(device.kind, Loopback) or not device.up or _LOOPBACK in given:
        return given
    return (_LOOPBACK, *given)


_LOOPBACK = IPv4Interface("127.0.0.1/8")


def address_scope(interface: IPv4Interface) -> Scope:
    """The scope that ``ip address add`` gives an address: host for loopback, else universe."""
    return Scope.HOST if interface.ip.is_loopback else Scope.UNIVERSE


def _host(address: IPv4Address) -> IPv4Network:
    return IPv4Network((int(address), 32))
