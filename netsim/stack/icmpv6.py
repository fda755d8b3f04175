"""ICMPv6 errors that the kernel makes: whether one is sent, and from which address.

Ref: net/ipv6/icmp.c:icmp6_send(), icmpv6_rt_has_prefsrc(), icmpv6_getfrag() (v6.12); RFC 4443 §2.4.
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.net.packet import ICMPHeader, IPHeader, Packet, Protocol
from netsim.stack.ip6_route import ip6_route_output, is_strict
from netsim.stack.namespace import LocalOut, Namespace
from netsim.stack.nf_conntrack_core import nf_ct_attach
from netsim.stack.route import OutputKey
from netsim.stack.skbuff import PacketType, SkBuff

HOP_LIMIT = 64
ERRORS_BELOW = 128


def icmp6_send(ns: Namespace, skb: SkBuff, error: ICMPHeader, by: str) -> None:
    """Queue an error about a packet to its sender, unless the rules of RFC 4443 forbid one or there is no way back.

    Unlike IPv4's it is sent about later fragments too. Ref: net/ipv6/icmp.c:is_ineligible() (v6.12).
    """
    ip, message = skb.packet.ip, skb.packet.l4
    about_error = ip.protocol is Protocol.ICMPV6 and isinstance(message, ICMPHeader) and message.type < ERRORS_BELOW
    if skb.pkt_type is not PacketType.HOST or ip.dst.is_multicast or (about_error and not ip.fragment_offset):
        return
    if ip.src.is_unspecified or ip.src.is_multicast:
        return
    oif = skb.iif if is_strict(ip.src) else None
    source = _source(ns, skb, oif)
    routed = ip6_route_output(ns, OutputKey(ip.src, source, any_source=True, oif=oif)).nexthop
    if routed is None or routed.source is None:
        return
    header = IPHeader(routed.source, ip.src, Protocol.ICMPV6, HOP_LIMIT, dont_fragment=True)
    answer = SkBuff(Packet(header, error), oif=oif)
    nf_ct_attach(answer, skb)
    ns.network.local_out(ns.name, LocalOut(answer, by, owner="", any_source=True))


def _source(ns: Namespace, skb: SkBuff, oif: str | None) -> Address | None:
    """The address the packet was for where it is ours; the route's own source; else the best of the device that the packet came in by.

    None leaves it to the route: a packet that was made here, or that a bridge lent to the IP hooks, came in by no device.
    """
    ip = skb.packet.ip
    if ns.fib6.is_local(ip.dst):
        return ip.dst
    routed = ip6_route_output(ns, OutputKey(ip.src, oif=oif))
    if routed.entry is not None and routed.entry.source is not None:
        return routed.entry.source
    if skb.iif is None or skb.physindev is not None:
        return None
    return ns.fib6.select_source(skb.iif, ip.src)
