"""What ip6tables asks of IPv6 routing.

Ref: net/ipv6/netfilter.c:ip6_route_me_harder(), net/netfilter/xt_addrtype.c:match_type6(), match_lookup_rt6() (v6.12).
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.rules.xtables.ast import AddressType
from netsim.stack.fib_rules import FlowKey
from netsim.stack.fib_trie import RouteKind
from netsim.stack.ip6_route import ip6_route_output, is_strict
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey, error_of, record_output
from netsim.stack.skbuff import SkBuff

_LOOKED_UP = frozenset({AddressType.ANYCAST, AddressType.LOCAL, AddressType.UNREACHABLE})


def ip6_route_me_harder(ns: Namespace, skb: SkBuff) -> bool:
    """Route a packet of OUTPUT again whose destination or mark changed. False: dropped, recorded."""
    packet = skb.packet
    oif = skb.oif if is_strict(packet.ip.dst) else None
    key = OutputKey(packet.ip.dst, packet.ip.src, any_source=True, mark=skb.mark, oif=oif, packet=packet)
    routed = ip6_route_output(ns, key)
    record_output(ns, key, routed)
    if routed.nexthop is None:
        error = routed.error.value if routed.error is not None else "no route"
        ns.drop(DropReason.IP_OUTNOROUTES, "ip6_route_me_harder", f"{packet.ip.dst}: {error!r}")
        return False
    skb.nexthop = routed.nexthop
    skb.oif = routed.nexthop.device
    return True


def match_type6(ns: Namespace, address: Address, wanted: frozenset[AddressType], device: str | None) -> bool:
    """Whether an address is of one of the types; what the address itself shows must all hold."""
    unicast = not address.is_multicast and not address.is_unspecified
    if AddressType.MULTICAST in wanted and not address.is_multicast:
        return False
    if AddressType.UNICAST in wanted and not unicast:
        return False
    if AddressType.UNSPEC in wanted and not address.is_unspecified:
        return False
    asked = wanted & _LOOKED_UP
    return not asked or bool(asked & _routed_types(ns, address, wanted, device))


def _routed_types(
    ns: Namespace, address: Address, wanted: frozenset[AddressType], device: str | None
) -> frozenset[AddressType]:
    found: set[AddressType] = set()
    if AddressType.LOCAL in wanted and (ns.fib6.chk_addr(address, device) if device else ns.fib6.is_local(address)):
        found.add(AddressType.LOCAL)
    entry = ns.fib6.resolve(FlowKey(address, oif=device))
    if error_of(entry) is not None:
        return frozenset({AddressType.UNREACHABLE})
    assert entry is not None
    if entry.kind is RouteKind.ANYCAST:
        found.add(AddressType.ANYCAST)
    if entry.kind is RouteKind.LOCAL and device is None:
        found.add(AddressType.LOCAL)
    return frozenset(found)


def nft_fib6_type(ns: Namespace, address: Address, device: str | None) -> AddressType:
    """``fib … type`` of an IPv6 address. Ref: net/ipv6/netfilter/nft_fib_ipv6.c:__nft_fib6_eval_type() (v6.12)."""
    if device is not None and ns.fib6.chk_addr(address, device):
        return AddressType.LOCAL
    entry = ns.fib6.resolve(FlowKey(address, oif=device))
    if error_of(entry) is not None:
        return _FAILED.get(entry.kind, AddressType.UNREACHABLE) if entry is not None else AddressType.UNREACHABLE
    assert entry is not None
    if entry.kind is RouteKind.ANYCAST:
        return AddressType.ANYCAST
    if entry.kind is RouteKind.LOCAL and device is None:
        return AddressType.LOCAL
    if address.is_multicast:
        return AddressType.MULTICAST
    return AddressType.UNSPEC if address.is_unspecified else AddressType.UNICAST


_FAILED = {RouteKind.BLACKHOLE: AddressType.BLACKHOLE, RouteKind.PROHIBIT: AddressType.PROHIBIT}
