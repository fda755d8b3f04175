"""IPv6 routing: which way a packet goes that came in, or that is made here.

IPv6 has no martian tables and no reverse path filter of its own; what ``ip6_rcv_core()`` refuses stands in ``ip6_input``.
Ref: net/ipv6/route.c:ip6_route_input(), ip6_route_output_flags(), ip6_rt_init_dst(), net/ipv6/ip6_output.c:ip6_dst_lookup_tail() (v6.12).
"""

from __future__ import annotations

from dataclasses import replace

from netsim.net.address import Address
from netsim.stack.fib_rules import FlowKey
from netsim.stack.fib_trie import FibEntry, RouteKind
from netsim.stack.namespace import Namespace
from netsim.stack.route import InputKey, OutputKey, Routed, RouteError, error_of, one_way, way_of
from netsim.stack.skbuff import Nexthop

LOCAL_KINDS = (RouteKind.LOCAL, RouteKind.ANYCAST)


def ip6_route_input(ns: Namespace, key: InputKey) -> Routed:
    """Where a packet that came in on a device goes. Nothing is recorded.

    A packet to a group is delivered here where somebody joined it (``Nexthop.broadcast``).
    """
    name = key.device.name
    oif = name if is_strict(key.dst) else None
    entry = ns.fib6.resolve(FlowKey(key.dst, key.src, iif=name, oif=oif, mark=key.mark).about(key.packet))
    failed = _failure(entry)
    if failed is not None:
        return failed
    assert entry is not None
    if entry.kind in LOCAL_KINDS:
        return Routed(Nexthop("lo", None, None, local=True, broadcast=entry.kind is RouteKind.ANYCAST), entry, "local")
    if entry.kind is RouteKind.MULTICAST:
        return Routed(Nexthop("lo", None, None, local=True, broadcast=True), entry, "multicast")
    entry = one_way(ns, entry, key.packet, came_in=True)
    return Routed(way_of(ns, entry, entry.gateway, key.dst), entry, "unicast")


def ip6_route_output(ns: Namespace, key: OutputKey) -> Routed:
    """Where a packet that is made here goes, and from which source. Nothing is recorded."""
    if key.src is not None and not key.any_source and not _may_bind(ns, key.src):
        return Routed(None, None, "unreachable", RouteError.EADDRNOTAVAIL)
    if is_strict(key.dst) and key.oif is None:
        return Routed(None, None, "unreachable", RouteError.EINVAL)
    entry = _resolve(ns, key)
    if key.src is None and _failure(entry) is not None and ns.fib6.custom_rules():
        entry = _resolve(ns, replace(key, src=ns.fib6.select_source(None, key.dst)))
    failed = _failure(entry)
    if failed is not None:
        return failed
    assert entry is not None
    if entry.kind in LOCAL_KINDS:
        source = key.src or entry.source or ns.fib6.select_source(entry.device, key.dst)
        return Routed(Nexthop("lo", None, source, local=True), entry, "local")
    entry = one_way(ns, entry, key.packet, came_in=False)
    assert entry.device is not None
    source = key.src or entry.source or ns.fib6.select_source(entry.device, key.dst)
    if source is None:
        return Routed(None, entry, entry.kind.value, RouteError.EADDRNOTAVAIL)
    if entry.kind is RouteKind.MULTICAST:
        return Routed(Nexthop(entry.device, None, source, broadcast=True), entry, "multicast")
    return Routed(way_of(ns, entry, entry.gateway, key.dst, source), entry, entry.kind.value)


def is_strict(address: Address) -> bool:
    """True for a destination that means something on one link only. Ref: net/ipv6/route.c:rt6_need_strict() (v6.12)."""
    return address.version == 6 and (address.is_link_local or address.is_multicast)


def _resolve(ns: Namespace, key: OutputKey) -> FibEntry | None:
    return ns.fib6.resolve(key.flow)


def _failure(entry: FibEntry | None) -> Routed | None:
    error = error_of(entry)
    return None if error is None else Routed(None, entry, "unreachable" if entry is None else entry.kind.value, error)


def _may_bind(ns: Namespace, source: Address) -> bool:
    """Ref: net/ipv6/af_inet6.c:__inet6_bind() (v6.12)."""
    return ns.fib6.is_local(source) or bool(ns.sysctls.get("net.ipv6.ip_nonlocal_bind"))
