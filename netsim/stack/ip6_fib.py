"""The IPv6 forwarding information base of one network namespace: its tables, and what its devices' addresses make of them.

Ref: net/ipv6/addrconf.c:addrconf_prefix_route(), addrconf_f6i_alloc(), addrconf_join_anycast(), net/ipv6/ip6_fib.c,
net/ipv6/route.c:ip6_route_add(), ip6_validate_gw() (v6.12).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Interface, IPv6Network

from netsim.net.address import Address, Family
from netsim.stack.addrconf import (
    ALL_NODES,
    ALL_ROUTERS,
    GLOBAL_SCOPE,
    has_ipv6,
    inet6_addresses,
    ipv6_addr_scope,
    ipv6_dev_get_saddr,
    solicited_node,
)
from netsim.stack.fib_rules import FlowKey, RulePath
from netsim.stack.fib_trie import FibEntry, FibNexthop, RouteKind, Scope, Table
from netsim.stack.sysctl import Sysctls
from netsim.topology.model import (
    LOCAL_TABLE,
    MAIN_TABLE,
    Device,
    Loopback,
    MultipathHop,
    Netns,
    Route,
    RouteType,
    table_name,
)

IP6_RT_PRIO_USER, IP6_RT_PRIO_ADDRCONF = 1024, 256
_MULTICAST = IPv6Network("ff00::/8")
_REJECTING = (RouteType.BLACKHOLE, RouteType.UNREACHABLE, RouteType.PROHIBIT, RouteType.THROW)


class Fib6:
    """The IPv6 tables of one namespace. ``refused`` are static routes that the kernel would not install, with its reason.

    ``addresses`` are each device's, in the kernel's order.
    """

    def __init__(
        self, netns: Netns, devices: Mapping[str, Device], sysctls: Sysctls, skipped: Iterable[str] = ()
    ) -> None:
        self.local = Table()
        self.main = Table()
        self.tables = {LOCAL_TABLE: self.local, MAIN_TABLE: self.main}
        self.addresses = {name: inet6_addresses(device, sysctls) for name, device in devices.items()}
        self._path = RulePath(netns.rules, self.tables, frozenset(skipped))
        self._devices = devices
        self._sysctls = sysctls
        self._anycast: dict[str, tuple[IPv6Address, ...]] = {}
        self._proxied: dict[str, tuple[IPv6Address, ...]] = {}
        for proxy in netns.proxies:
            if isinstance(proxy.address, IPv6Address):
                self._proxied[proxy.device] = (*self._proxied.get(proxy.device, ()), proxy.address)
        for name, device in devices.items():
            if has_ipv6(device, sysctls):
                self._add_device(name, device)
            else:
                for interface in self.addresses[name]:
                    self._insert(LOCAL_TABLE, _host(RouteKind.LOCAL, interface.ip, name))
        self._candidates = [(name, address) for name, own in self.addresses.items() for address in own]
        self._global = [each for each in self._candidates if ipv6_addr_scope(each[1].ip) == GLOBAL_SCOPE]
        six = (route for route in netns.routes if route.to.version == 6)
        self.refused = tuple((route, said) for route in six if (said := self._add_route(route)) is not None)

    # --- look-ups ------------------------------------------------------------------------------------------------

    def resolve(self, key: FlowKey) -> FibEntry | None:
        """What the rules find; None for "Network is unreachable". A link-local destination counts on its own device only."""
        return self._path.lookup(key)

    def lookup(self, address: Address, oif: str | None = None) -> FibEntry | None:
        """What the rules find for a packet of which only the destination is known."""
        return self._path.lookup(FlowKey(address, oif=oif))

    def custom_rules(self) -> bool:
        """True where there is a rule beside the kernel's own."""
        return self._path.custom(Family.IPV6)

    def is_local(self, address: Address) -> bool:
        """True where a packet to the address is delivered here."""
        found = self.local.lookup(address)
        return found is not None and found.kind is RouteKind.LOCAL

    def chk_addr(self, address: Address, device: str) -> bool:
        """True where the device has this very address. Ref: net/ipv6/addrconf.c:ipv6_chk_addr() with a device (v6.12)."""
        return any(own.ip == address for own in self.addresses.get(device, ()))

    def answers_for(self, address: Address, device: str) -> bool:
        """True where the device answers neighbour discovery for an address: its own, or one of its networks' router anycast."""
        return self.chk_addr(address, device) or address in self._anycast.get(device, ())

    def joined(self, group: Address, device: str) -> bool:
        """True where the device takes packets to a group. Ref: net/ipv6/mcast.c:ipv6_chk_mcast_addr() (v6.12)."""
        own = self.addresses.get(device, ())
        if not own:
            return False
        if group in ALL_NODES or (group in ALL_ROUTERS and self._forwards(device)):
            return True
        asked = (*(address.ip for address in own), *self._anycast.get(device, ()), *self._proxied.get(device, ()))
        return any(solicited_node(address) == group for address in asked)

    def select_source(self, device: str | None, towards: Address) -> IPv6Address | None:
        """The source for a packet to an address that leaves by a device, by RFC 6724; None where nobody has an address."""
        assert isinstance(towards, IPv6Address)
        if ipv6_addr_scope(towards) == GLOBAL_SCOPE and not towards.is_multicast and self._global:
            return ipv6_dev_get_saddr(self._global, device, towards)
        return ipv6_dev_get_saddr(self._candidates, device, towards)

    def link_local(self, device: str) -> IPv6Address | None:
        """The link-local address of a device. Ref: net/ipv6/addrconf.c:ipv6_get_lladdr() (v6.12)."""
        own = (address.ip for address in reversed(self.addresses.get(device, ())) if address.ip.is_link_local)
        return next(own, None)

    # --- what addresses make ---------------------------------------------------------------------------------------

    def _forwards(self, device: str) -> bool:
        return bool(self._sysctls.conf6(device, "forwarding"))

    def _add_device(self, name: str, device: Device) -> None:
        loopback = isinstance(device.kind, Loopback)
        routers = self._forwards(name)
        for interface in self.addresses[name]:
            self._insert(LOCAL_TABLE, _host(RouteKind.LOCAL, interface.ip, name))
            if loopback and interface.ip.is_loopback:
                continue
            prefix = FibEntry(
                RouteKind.UNICAST,
                interface.network,
                "main",
                name,
                metric=IP6_RT_PRIO_ADDRCONF,
                scope=Scope.LINK,
                kernel=True,
            )
            self._insert(MAIN_TABLE, prefix)
            if routers:
                self._join_anycast(name, interface)
        if not loopback:
            everyone = FibEntry(
                RouteKind.MULTICAST, _MULTICAST, "local", name, metric=IP6_RT_PRIO_ADDRCONF, kernel=True
            )
            self._insert(LOCAL_TABLE, everyone)

    def _join_anycast(self, device: str, interface: IPv6Interface) -> None:
        """A router is one of its network's routers (RFC 4291 §2.6.1), but not on point-to-point networks (RFC 6164)."""
        subnet = interface.network.network_address
        known = self._anycast.get(device, ())
        if interface.network.prefixlen >= 127 or subnet.is_unspecified or subnet in known:
            return
        self._anycast[device] = (*known, subnet)
        self._insert(LOCAL_TABLE, _host(RouteKind.ANYCAST, subnet, device))

    def _insert(self, table: int, entry: FibEntry) -> None:
        """Two addresses of one network on one device make one route."""
        if entry not in self.tables[table].of_prefix(entry.prefix):
            self.tables[table].append(entry)

    # --- static routes ---------------------------------------------------------------------------------------------

    def _add_route(self, route: Route) -> str | None:
        """Install a route, or say why the kernel does not. Ref: net/ipv6/route.c:ip6_route_info_create() (v6.12)."""
        metric = route.metric or IP6_RT_PRIO_USER
        entry = FibEntry(RouteKind(route.type.value), route.to, table_name(route.table), metric=metric)
        if route.type in _REJECTING:
            return self._add(route, replace(entry, device="lo"))
        hops = route.nexthops or (MultipathHop(route.device, route.via, onlink=route.onlink),)
        found: list[FibNexthop] = []
        for hop in hops:
            nexthop = self._nexthop(hop)
            if isinstance(nexthop, str):
                return nexthop
            found.append(nexthop)
        if route.source is not None and not self.is_local(route.source):
            return "Invalid source address."
        first = found[0]
        entry = replace(
            entry,
            source=route.source,
            scope=Scope.LINK if first.gateway is None else Scope.UNIVERSE,
            mtu=route.mtu,
            mtu_locked=route.mtu_lock,
            advmss=route.advmss,
        )
        if len(found) > 1:
            return self._add(route, replace(entry, nexthops=tuple(found)))
        return self._add(route, replace(entry, device=first.device, gateway=first.gateway, onlink=first.onlink))

    def _add(self, route: Route, entry: FibEntry) -> str | None:
        table = self.tables.setdefault(route.table, Table())
        if any(known.metric == entry.metric for known in table.of_prefix(entry.prefix)):
            return "File exists"
        table.append(entry)
        return None

    def _nexthop(self, hop: MultipathHop) -> FibNexthop | str:
        """A way that the kernel takes, or what it says. Ref: net/ipv6/route.c:fib6_nh_init(), ip6_validate_gw() (v6.12)."""
        if hop.device is not None and hop.device not in self._devices:
            return f'Cannot find device "{hop.device}"'
        device = hop.device or self._device_towards(hop.via)
        if device is None:
            link_local = hop.via is None or hop.via.is_link_local
            return "Egress device not specified." if link_local else "No route to host"
        if not has_ipv6(self._devices[device], self._sysctls):
            up = self._devices[device].up
            return "IPv6 is disabled on nexthop device." if up else "Network is down"
        if hop.via is not None and self.chk_addr(hop.via, device):
            return "Gateway can not be a local address."
        unreached = hop.via is not None and not hop.via.is_link_local and not hop.onlink
        if unreached and self._device_towards(hop.via, device) != device:
            return "No route to host"
        return FibNexthop(device, hop.via, hop.weight, hop.onlink)

    def _device_towards(self, gateway: Address | None, oif: str | None = None) -> str | None:
        """The device on whose link a gateway is. Ref: net/ipv6/route.c:ip6_route_check_nh() (v6.12)."""
        if gateway is None or gateway.is_link_local:
            return None
        found = self.lookup(gateway, oif)
        if found is None or found.kind is not RouteKind.UNICAST or found.gateway is not None:
            return None
        return found.device


def _host(kind: RouteKind, address: IPv6Address, device: str) -> FibEntry:
    return FibEntry(kind, IPv6Network((int(address), 128)), "local", device, scope=Scope.HOST, kernel=True)
