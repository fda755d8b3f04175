"""The forwarding information base: the local and main tables of one network namespace, and the look-up in them.

Local, broadcast and connected routes follow from the addresses of devices that are up; static routes are the topology's. Rules are the
kernel's first two, ``local`` and ``main``. One form for both families.

Ref: net/ipv4/fib_frontend.c:fib_add_ifaddr(), net/ipv4/fib_trie.c:fib_table_lookup(), net/ipv4/fib_semantics.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from netsim.net.address import Address, Family, InterfaceAddress, Prefix, family_of, parse_interface, parse_prefix
from netsim.rules.xtables.ast import AddressType
from netsim.topology.model import Device, Loopback, Netns, Route, RouteType

_MULTICAST = {Family.IPV4: parse_prefix("224.0.0.0/4"), Family.IPV6: parse_prefix("ff00::/8")}


class RouteKind(Enum):
    """``RTN_*``: what an entry does with a packet; the value is iproute2's word."""

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    MULTICAST = "multicast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    THROW = "throw"


class Scope(Enum):
    """How far a destination is. Ref: include/uapi/linux/rtnetlink.h RT_SCOPE_*."""

    UNIVERSE = 0
    LINK = 253
    HOST = 254


@dataclass(frozen=True, slots=True)
class FibEntry:
    """One route. ``device`` of a local entry is the device that has the address; ``source`` is ``fib_prefsrc``."""

    kind: RouteKind
    prefix: Prefix
    table: str
    device: str | None = None
    gateway: Address | None = None
    source: Address | None = None
    metric: int = 0
    scope: Scope = Scope.UNIVERSE
    kernel: bool = False
    onlink: bool = False

    def __str__(self) -> str:
        """The entry as ``ip route`` (``ip route show table local``) prints it."""
        words = [] if self.kind is RouteKind.UNICAST else [self.kind.value]
        words.append(_destination(self.prefix))
        words += [f"via {self.gateway}"] if self.gateway is not None else []
        words += [f"dev {self.device}"] if self.device is not None else []
        words += ["proto kernel"] if self.kernel else []
        if self.prefix.version == 4 and self.scope is not Scope.UNIVERSE:
            words.append(f"scope {self.scope.name.lower()}")
        words += [f"src {self.source}"] if self.source is not None else []
        words += [f"metric {self.metric}"] if self.metric or self.prefix.version == 6 else []
        words += ["onlink"] if self.onlink else []
        words += ["pref medium"] if self.prefix.version == 6 else []
        return " ".join(words)


class Table:
    """One routing table: a longest prefix match for each family."""

    def __init__(self) -> None:
        self._by_length: dict[Family, dict[int, dict[int, list[FibEntry]]]] = {family: {} for family in Family}
        self._lengths: dict[Family, tuple[tuple[int, dict[int, list[FibEntry]]], ...]] = dict.fromkeys(Family, ())
        """For each length, longest first: the number of host bits, and the entries by network."""

    def add(self, entry: FibEntry) -> None:
        """Insert; the same prefix with a smaller metric comes first, and the first of equal ones stays first."""
        family = family_of(entry.prefix)
        lengths = self._by_length[family]
        new_length = entry.prefix.prefixlen not in lengths
        bucket = lengths.setdefault(entry.prefix.prefixlen, {})
        entries = bucket.setdefault(int(entry.prefix.network_address), [])
        if any(known.metric == entry.metric and known.kind is entry.kind for known in entries):
            return
        entries.append(entry)
        if len(entries) > 1:
            entries.sort(key=lambda known: known.metric)
        if new_length:
            ordered = sorted(lengths, reverse=True)
            self._lengths[family] = tuple((family.bits - length, lengths[length]) for length in ordered)

    def lookup(self, address: Address, oif: str | None = None) -> FibEntry | None:
        """The entry of the longest prefix that holds the address, and whose device is ``oif`` where one is given."""
        number = int(address)
        for shift, bucket in self._lengths[family_of(address)]:
            for entry in bucket.get(number >> shift << shift, ()):
                if oif is None or entry.device == oif:
                    return entry
        return None

    def __iter__(self) -> Iterator[FibEntry]:
        for lengths in self._by_length.values():
            for length in sorted(lengths):
                for network in sorted(lengths[length]):
                    yield from lengths[length][network]


class Fib:
    """The tables of one namespace. ``refused`` are static routes that the kernel would not install, with its reason."""

    def __init__(self, netns: Netns, devices: Mapping[str, Device]) -> None:
        self.local = Table()
        self.main = Table()
        self._devices = devices
        self._owners: dict[Address, str] = {}
        for device in devices.values():
            self._add_addresses(device)
        self.refused = tuple(refusal for route in netns.routes if (refusal := self._add_route(route)) is not None)

    def lookup(self, address: Address, oif: str | None = None) -> FibEntry | None:
        """What the rules find: the local table, then main; None for "Network is unreachable" (a ``throw`` route says so too).

        Ref: net/ipv4/fib_rules.c:__fib_lookup() (v6.12).
        """
        found = self.local.lookup(address, oif) or self.main.lookup(address, oif)
        return None if found is None or found.kind is RouteKind.THROW else found

    def owner(self, address: Address) -> str | None:
        """The device that has this very address (``__ip_dev_find()`` of a configured address), None where none has."""
        return self._owners.get(address)

    def is_local(self, address: Address) -> bool:
        """True where a packet to the address is delivered here."""
        found = self.local.lookup(address)
        return found is not None and found.kind is RouteKind.LOCAL

    def address_type(self, address: Address, device: str | None = None) -> AddressType:
        """``inet_addr_type()``; with a device ``inet_dev_addr_type()``. Ref: net/ipv4/fib_frontend.c:__inet_dev_addr_type() (v6.12)."""
        if address.version == 4 and (address.is_unspecified or int(address) == 0xFFFFFFFF):
            return AddressType.BROADCAST
        if address in _MULTICAST[family_of(address)]:
            return AddressType.MULTICAST
        found = self.local.lookup(address)
        if found is None or device not in (None, found.device):
            return AddressType.UNICAST
        return AddressType.LOCAL if found.kind is RouteKind.LOCAL else AddressType.BROADCAST

    def select_source(self, device: str, towards: Address, scope: Scope = Scope.UNIVERSE) -> Address | None:
        """The address of a device for a packet to ``towards``; another device's where it has none.

        The first address on the destination's subnet, else the first whose scope reaches. An all-zero ``towards`` is no preference.
        Ref: net/ipv4/devinet.c:inet_select_addr() (v6.12). IPv6 takes the first address (RFC 6724 is not modelled).
        """
        family = family_of(towards)
        own = [a for a in self._addresses(device) if family_of(a) is family and address_scope(a).value <= scope.value]
        on_subnet = [a for a in own if towards in a.network and not a.ip.is_unspecified]
        if int(towards) and on_subnet:
            return on_subnet[0].ip
        if own:
            return own[0].ip
        for name in self._devices:
            for address in self._addresses(name):
                if family_of(address) is family and address_scope(address) is Scope.UNIVERSE:
                    return address.ip
        return None

    def has_addresses(self, device: str, family: Family) -> bool:
        """True where the device has an address of the family (``in_dev->ifa_list``)."""
        return any(family_of(address) is family for address in self._addresses(device))

    def _addresses(self, name: str) -> tuple[InterfaceAddress, ...]:
        device = self._devices.get(name)
        return addresses_of(device) if device is not None else ()

    def _add_addresses(self, device: Device) -> None:
        primaries: dict[Prefix, InterfaceAddress] = {}
        for interface in addresses_of(device):
            secondary = interface.network in primaries
            primary = primaries.setdefault(interface.network, interface)
            self._owners.setdefault(interface.ip, device.name)
            self._add_local(device, interface, primary)
            if device.up:
                self._add_prefix(device, interface, primary, secondary=secondary)
        if device.up and not isinstance(device.kind, Loopback) and any(a.version == 6 for a in device.addresses):
            multicast = FibEntry(
                RouteKind.MULTICAST, _MULTICAST[Family.IPV6], "local", device.name, metric=256, kernel=True
            )
            self.local.add(multicast)

    def _add_local(self, device: Device, interface: InterfaceAddress, primary: InterfaceAddress) -> None:
        host = _host(interface.ip)
        source = primary.ip if interface.version == 4 else None
        self.local.add(
            FibEntry(RouteKind.LOCAL, host, "local", device.name, None, source, scope=Scope.HOST, kernel=True)
        )

    def _add_prefix(
        self, device: Device, interface: InterfaceAddress, primary: InterfaceAddress, *, secondary: bool
    ) -> None:
        network = interface.network
        four = interface.version == 4
        if secondary or (network.prefixlen == network.max_prefixlen and network.network_address == interface.ip):
            return
        source = primary.ip if four else None
        if isinstance(device.kind, Loopback):
            self.local.add(
                FibEntry(RouteKind.LOCAL, network, "local", device.name, None, source, scope=Scope.HOST, kernel=True)
            )
        else:
            metric = 0 if four else 256
            entry = FibEntry(
                RouteKind.UNICAST, network, "main", device.name, None, source, metric, Scope.LINK, kernel=True
            )
            self.main.add(entry)
        if four and network.prefixlen < 31:
            broadcast = _host(network.broadcast_address)
            self.local.add(
                FibEntry(
                    RouteKind.BROADCAST, broadcast, "local", device.name, None, source, scope=Scope.LINK, kernel=True
                )
            )

    def _add_route(self, route: Route) -> tuple[Route, str] | None:
        kind = RouteKind(route.type.value)
        metric = route.metric or (1024 if route.to.version == 6 else 0)
        if route.type is not RouteType.UNICAST:
            self.main.add(FibEntry(kind, route.to, "main", metric=metric))
            return None
        device = route.device or self._device_towards(route.via)
        if device is None:
            return route, "Nexthop has invalid gateway."
        if device not in self._devices:
            return route, f'Cannot find device "{device}"'
        if not self._devices[device].up:
            return route, "Network is down"
        if route.via is not None and not route.onlink and self._device_towards(route.via, device) != device:
            return route, "Nexthop has invalid gateway."
        scope = Scope.UNIVERSE if route.via is not None else Scope.LINK
        entry = FibEntry(kind, route.to, "main", device, route.via, route.source, metric, scope, onlink=route.onlink)
        self.main.add(entry)
        return None

    def _device_towards(self, gateway: Address | None, oif: str | None = None) -> str | None:
        """The device on whose link a gateway is. Ref: net/ipv4/fib_semantics.c:fib_check_nh_v4_gw() (v6.12)."""
        if gateway is None:
            return None
        found = self.lookup(gateway, oif)
        if found is None or found.kind is not RouteKind.UNICAST or found.scope is Scope.UNIVERSE:
            return None
        return found.device


def addresses_of(device: Device) -> tuple[InterfaceAddress, ...]:
    """A device's addresses, with those that the kernel gives ``lo`` when it comes up.

    Ref: net/ipv4/devinet.c:inetdev_event() NETDEV_UP, net/ipv6/addrconf.c:init_loopback() (v6.12).
    """
    if not isinstance(device.kind, Loopback) or not device.up:
        return device.addresses
    implied = tuple(a for a in _LOOPBACK_ADDRESSES if a not in device.addresses)
    return (*implied, *device.addresses)


_LOOPBACK_ADDRESSES = (parse_interface("127.0.0.1/8"), parse_interface("::1/128"))


def address_scope(interface: InterfaceAddress) -> Scope:
    """The scope that ``ip address add`` gives an address: host for loopback, else universe (link for fe80::/10)."""
    if interface.ip.is_loopback:
        return Scope.HOST
    return Scope.LINK if interface.version == 6 and interface.ip.is_link_local else Scope.UNIVERSE


def _host(address: Address) -> Prefix:
    if isinstance(address, IPv4Address):
        return IPv4Network((int(address), 32))
    return IPv6Network((int(address), 128))


def _destination(prefix: Prefix) -> str:
    if prefix.prefixlen == 0:
        return "default"
    return str(prefix.network_address) if prefix.prefixlen == prefix.max_prefixlen else str(prefix)
