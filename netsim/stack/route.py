"""Routing: which way a packet goes that came in, or that is made here.

Ref: net/ipv4/route.c:ip_route_input_slow(), ip_route_output_key_hash_rcu(), net/ipv4/fib_frontend.c:fib_validate_source() (v6.12).
IPv6's look-ups are ``ip6_route``'s.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address, family_of, parse_address
from netsim.net.packet import Packet
from netsim.rules.xtables.ast import AddressType
from netsim.stack.fib import addresses_of
from netsim.stack.fib_rules import FlowKey
from netsim.stack.fib_select import fib_select_path, hash_keys
from netsim.stack.fib_trie import FibEntry, RouteKind
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.steps import RoutingDecision
from netsim.topology.model import Device, Loopback, RuleAction


class RouteError(Enum):
    """``dst.error``, by its errno's name."""

    EINVAL = "Invalid argument"
    ENETUNREACH = "Network is unreachable"
    EHOSTUNREACH = "No route to host"
    EACCES = "Permission denied"
    EADDRNOTAVAIL = "Cannot assign requested address"


ERROR_OF_KIND = {
    # net/ipv4/fib_semantics.c:fib_props (v6.12)
    RouteKind.BLACKHOLE: RouteError.EINVAL,
    RouteKind.UNREACHABLE: RouteError.EHOSTUNREACH,
    RouteKind.PROHIBIT: RouteError.EACCES,
}
ERROR_OF_ACTION = {
    # net/ipv4/fib_rules.c:fib4_rule_action() (v6.12): "unreachable" is not what the route of that name says
    RuleAction.BLACKHOLE: RouteError.EINVAL,
    RuleAction.UNREACHABLE: RouteError.ENETUNREACH,
    RuleAction.PROHIBIT: RouteError.EACCES,
}


_NO_PREFERENCE = parse_address("0.0.0.0")
"""A source is chosen without regard to a destination on the link. Ref: fib_semantics.c:fib_info_update_nhc_saddr() (v6.12)."""


def error_of(entry: FibEntry | None) -> RouteError | None:
    """``dst.error`` of what the look-up found; None where it is a way on."""
    if entry is None:
        return RouteError.ENETUNREACH
    return ERROR_OF_KIND.get(entry.kind) if entry.rule is None else ERROR_OF_ACTION[entry.rule.action]


@dataclass(frozen=True, slots=True)
class Routed:
    """A routing decision: a way on (``nexthop``), or an error that ``ip_error()`` or the sender's system call tells."""

    nexthop: Nexthop | None
    entry: FibEntry | None
    result: str
    error: RouteError | None = None


@dataclass(frozen=True, slots=True)
class Martian:
    """The packet is refused before any route counts."""

    reason: DropReason
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class InputKey:
    """What the input look-up asks for. ``packet`` is what multipath routes hash; without one they take their first nexthop."""

    src: Address
    dst: Address
    device: Device
    mark: int = 0
    packet: Packet | None = None

    @classmethod
    def of(cls, skb: SkBuff, device: Device) -> InputKey:
        """The key of a packet that came in on a device."""
        return cls(skb.packet.ip.src, skb.packet.ip.dst, device, skb.mark, skb.packet)


def ip_route_input(ns: Namespace, key: InputKey) -> Routed | Martian:
    """Where a packet that came in on a device goes. Nothing is recorded."""
    return _martian_addresses(ns, key) or _input_by_fib(ns, key)


def record_input(ns: Namespace, key: InputKey, routed: Routed) -> None:
    """Record what the input look-up found."""
    nexthop = routed.nexthop
    gateway = nexthop.gateway if nexthop is not None else None
    device = routed.entry.device if routed.entry is not None else None
    ns.record(_decision("input", key.dst, routed, device=device, gateway=gateway, source=None))


def _martian_addresses(ns: Namespace, key: InputKey) -> Martian | None:
    """The checks of ``ip_route_input_slow()`` that look at nothing but the addresses."""
    src, dst = key.src, key.dst
    if src.is_multicast or _is_limited_broadcast(src):
        return _martian_source(DropReason.IP_INVALID_SOURCE, f"{src} cannot be a source")
    if _is_limited_broadcast(dst) or (src.is_unspecified and dst.is_unspecified):
        return None
    if _is_zeronet(src):
        return _martian_source(DropReason.IP_INVALID_SOURCE, f"{src} cannot be a source")
    if _is_zeronet(dst):
        return Martian(DropReason.IP_INVALID_DEST, "ip_route_input_slow", f"{dst} is no destination")
    if (dst.is_loopback or src.is_loopback) and not ns.sysctls.any_conf(key.device.name, "route_localnet"):
        if dst.is_loopback:
            detail = f"{dst} cannot come from {key.device.name} while route_localnet is 0"
            return Martian(DropReason.IP_INVALID_DEST, "ip_route_input_slow", detail)
        return _martian_source(
            DropReason.IP_INVALID_SOURCE, f"{src} cannot come from {key.device.name} while route_localnet is 0"
        )
    return None


def _input_by_fib(ns: Namespace, key: InputKey) -> Routed | Martian:
    forwarding = ns.sysctls.forwarding(key.device.name)
    if _is_limited_broadcast(key.dst):
        return _broadcast(ns, key, None)
    entry = ns.fib.resolve(FlowKey(key.dst, key.src, iif=key.device.name, mark=key.mark).about(key.packet))
    error = error_of(entry)
    if error is not None:
        kind = "unreachable" if entry is None else entry.kind.value
        return Routed(None, entry, kind, error if forwarding else RouteError.EHOSTUNREACH)
    assert entry is not None
    if entry.kind is RouteKind.BROADCAST:
        return _broadcast(ns, key, entry)
    if entry.kind is RouteKind.LOCAL:
        return fib_validate_source(ns, key, None) or Routed(_here(broadcast=False), entry, "local")
    if not forwarding:
        return Routed(None, entry, entry.kind.value, RouteError.EHOSTUNREACH)
    entry = one_way(ns, entry, key.packet, came_in=True)
    if entry.kind is not RouteKind.UNICAST or entry.device is None:
        return Martian(DropReason.IP_INVALID_DEST, "ip_route_input_slow", f"{entry} takes no packet that came in")
    nexthop = way_of(ns, entry, _asked_for(ns, entry), key.dst)
    if _had_better_ask(ns, key, nexthop):
        nexthop = replace(nexthop, redirect=True)
    return fib_validate_source(ns, key, entry.device) or Routed(nexthop, entry, "unicast")


def way_of(
    ns: Namespace, entry: FibEntry, gateway: Address | None, destination: Address, source: Address | None = None
) -> Nexthop:
    """The nexthop of a unicast entry, with its metrics and with what was learnt of the destination."""
    assert entry.device is not None
    nexthop = Nexthop(entry.device, gateway, source, mtu=entry.mtu, mtu_locked=entry.mtu_locked, advmss=entry.advmss)
    return ns.exceptions.bind(nexthop, destination, ns.now())


def _had_better_ask(ns: Namespace, key: InputKey, nexthop: Nexthop) -> bool:
    """Whether the sender of a packet is beside the next hop: it leaves by the device that it came in by, from a source on that link.

    Ref: net/ipv4/route.c:__mkroute_input(), IPSKB_DOREDIRECT (v6.12).
    """
    name = key.device.name
    if nexthop.device != name or not ns.sysctls.any_conf(name, "send_redirects"):
        return False
    back = ns.fib.resolve(FlowKey(key.src, key.dst, iif=name).answering(key.packet))
    if back is None or not back.uses(name) or back.gateway is not None or any(n.gateway for n in back.nexthops):
        return False
    return ns.sysctls.any_conf(name, "shared_media") or on_link(key.device, key.src, nexthop.gateway)


def on_link(device: Device, address: Address, other: Address | None) -> bool:
    """Whether one of the device's networks has an address, and another one too. Ref: net/ipv4/devinet.c:inet_addr_onlink() (v6.12)."""
    return any(address in own.network and (other is None or other in own.network) for own in addresses_of(device))


def one_way(
    ns: Namespace, entry: FibEntry, packet: Packet | None, *, came_in: bool, src: Address | None = None
) -> FibEntry:
    """The entry with one nexthop, where it has several."""
    if not entry.nexthops or entry.device is not None:
        return entry
    if packet is None:
        return entry.through(entry.nexthops[0])
    return fib_select_path(ns, entry, hash_keys(ns, packet, came_in=came_in), src)


def _broadcast(ns: Namespace, key: InputKey, entry: FibEntry | None) -> Routed | Martian:
    refused = None if key.src.is_unspecified else fib_validate_source(ns, key, None)
    return refused or Routed(_here(broadcast=True), entry, "broadcast")


def fib_validate_source(ns: Namespace, key: InputKey, oif: str | None) -> Martian | None:
    """Whether the source may come from there: own addresses, and the reverse path where rp_filter says so; None where it may.

    ``oif`` is the way out of a forwarded packet. Ref: net/ipv4/fib_frontend.c:fib_validate_source() (v6.12).
    """
    name = key.device.name
    rp_filter = ns.sysctls.max_conf(name, "rp_filter")
    if rp_filter or (name == oif and ns.sysctls.any_conf(name, "send_redirects")):
        return _full_check(ns, key, rp_filter, oif)
    if ns.sysctls.any_conf(name, "accept_local"):
        return None
    if ns.fib.custom_local_routes or ns.fib.custom_rules(family_of(key.src)):
        return _full_check(ns, key, rp_filter, oif)
    if ns.fib.owner(key.src) is not None:
        return _martian_source(DropReason.IP_LOCAL_SOURCE, f"{key.src} is an address of {ns.fib.owner(key.src)} here")
    return None


def _full_check(ns: Namespace, key: InputKey, rp_filter: int, oif: str | None) -> Martian | None:
    """Ref: net/ipv4/fib_frontend.c:__fib_validate_source() (v6.12)."""
    name = key.device.name
    mark = key.mark if ns.sysctls.any_conf(name, "src_valid_mark") else 0
    back = ns.fib.resolve(FlowKey(key.src, key.dst, iif=oif, mark=mark).answering(key.packet))
    if back is None or error_of(back) is not None:
        return _reverse_path(key, back, rp_filter) if rp_filter else None
    if back.kind is RouteKind.LOCAL and not ns.sysctls.any_conf(name, "accept_local"):
        return _martian_source(DropReason.IP_LOCAL_SOURCE, f"{key.src} is an address of {back.device} here")
    if back.kind not in (RouteKind.UNICAST, RouteKind.LOCAL):
        return _martian_source(DropReason.IP_INVALID_SOURCE, f"{key.src} is a {back.kind.value} address here")
    if back.uses(name) or (back.kind is RouteKind.LOCAL and isinstance(key.device.kind, Loopback)):
        return None
    if not ns.fib.has_addresses(name):
        return _reverse_path(key, back, rp_filter) if rp_filter else None
    return _reverse_path(key, back, rp_filter) if rp_filter == 1 else None


def _reverse_path(key: InputKey, back: FibEntry | None, rp_filter: int) -> Martian:
    way = "there is no route back to it" if back is None else f"the route back is {back}"
    detail = f"rp_filter={rp_filter}: {key.src} came in on {key.device.name}, but {way}"
    return Martian(DropReason.IP_RPFILTER, "fib_validate_source", detail)


@dataclass(frozen=True, slots=True)
class OutputKey:
    """What the output look-up asks for. ``any_source`` is FLOWI_FLAG_ANYSRC: the source need not be this host's.

    ``packet`` is what multipath routes hash; without one they take their first nexthop. ``protocol`` and ``dport`` are what
    a socket that connects says before there is a packet.
    """

    dst: Address
    src: Address | None = None
    any_source: bool = False
    mark: int = 0
    oif: str | None = None
    packet: Packet | None = None
    protocol: int = 0
    dport: int = 0

    @property
    def flow(self) -> FlowKey:
        """What rules and tables look at."""
        said = FlowKey(self.dst, self.src, oif=self.oif, mark=self.mark, protocol=self.protocol, dport=self.dport)
        return said.about(self.packet)


def ip_route_output(ns: Namespace, key: OutputKey) -> Routed:
    """Where a packet that is made here goes, and from which source. Nothing is recorded."""
    if key.src is not None and (error := _source_error(ns, key)) is not None:
        return Routed(None, None, "unreachable", error)
    entry = ns.fib.resolve(key.flow)
    if entry is None and _is_limited_broadcast(key.dst):
        return Routed(None, None, "broadcast", RouteError.ENETUNREACH)
    error = error_of(entry)
    if entry is None or error is not None:
        return Routed(None, entry, "unreachable" if entry is None else entry.kind.value, error)
    if entry.kind is RouteKind.LOCAL:
        return Routed(Nexthop("lo", None, key.src or entry.source or key.dst, local=True), entry, "local")
    entry = one_way(ns, entry, key.packet, came_in=False, src=key.src)
    assert entry.device is not None
    source = key.src or entry.source or ns.fib.select_source(entry.device, entry.gateway or _NO_PREFERENCE, entry.scope)
    if _loopback_leaves(ns, source, entry.device):
        return Routed(None, entry, entry.kind.value, RouteError.EINVAL)
    if entry.kind is RouteKind.BROADCAST or _is_limited_broadcast(key.dst):
        return Routed(Nexthop(entry.device, None, source, broadcast=True), entry, "broadcast")
    return Routed(way_of(ns, entry, _asked_for(ns, entry), key.dst, source), entry, entry.kind.value)


def _asked_for(ns: Namespace, entry: FibEntry) -> Address | None:
    """The gateway whose MAC is asked for: an own address of the route's device is of scope host and is not used, the destination is asked.

    One of another device is found on the link all the same: a Service's address on kube-ipvs0 may be another node's.
    Ref: net/ipv4/route.c:rt_set_nexthop(), ``nhc->nhc_scope == RT_SCOPE_LINK``; fib_semantics.c:fib_check_nh_v4_gw() (v6.12).
    """
    own = entry.gateway is not None and ns.fib.address_type(entry.gateway, entry.device) is AddressType.LOCAL
    return None if own else entry.gateway


def record_output(ns: Namespace, key: OutputKey, routed: Routed) -> None:
    """Record what the output look-up found."""
    nexthop = routed.nexthop
    if nexthop is None:
        device = routed.entry.device if routed.entry is not None else None
        ns.record(_decision("output", key.dst, routed, device=device, gateway=None, source=key.src))
        return
    ns.record(
        _decision("output", key.dst, routed, device=nexthop.device, gateway=nexthop.gateway, source=nexthop.source)
    )


def _source_error(ns: Namespace, key: OutputKey) -> RouteError | None:
    src = key.src
    if src is None:
        return None
    if src.is_multicast or _is_limited_broadcast(src) or _is_zeronet(src):
        return RouteError.EINVAL
    return None if key.any_source or ns.fib.is_local(src) else RouteError.EINVAL


def _loopback_leaves(ns: Namespace, source: Address | None, device: str) -> bool:
    """A loopback source must not leave the host. Ref: net/ipv4/route.c:__mkroute_output() (v6.12)."""
    if source is None or not source.is_loopback or isinstance(ns.devices[device].kind, Loopback):
        return False
    return not ns.sysctls.any_conf(device, "route_localnet")


def _decision(
    stage: str, dst: Address, routed: Routed, *, device: str | None, gateway: Address | None, source: Address | None
) -> RoutingDecision:
    text = str(routed.entry) if routed.entry is not None else ""
    table = routed.entry.table if routed.entry is not None else ""
    return RoutingDecision(stage, dst, routed.result, text, table, device, gateway, source)


def _here(*, broadcast: bool) -> Nexthop:
    return Nexthop("lo", None, None, local=True, broadcast=broadcast)


def _martian_source(reason: DropReason, detail: str) -> Martian:
    return Martian(reason, "ip_route_input_slow", f"martian source: {detail}")


def _is_limited_broadcast(address: Address) -> bool:
    return address.version == 4 and int(address) == 0xFFFFFFFF


def _is_zeronet(address: Address) -> bool:
    """``ipv4_is_zeronet()``: since v5.3 only 0.0.0.0; the rest of 0.0.0.0/8 is ordinary unicast."""
    return address.version == 4 and address.is_unspecified
