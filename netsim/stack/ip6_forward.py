"""Forwarding in IPv6: hop limit, scope of the source, MTU, then FORWARD. A forwarder never fragments, but for what conntrack joined there.

Ref: net/ipv6/ip6_output.c:ip6_forward() (v6.12); RFC 8200 §5, RFC 4443 §3.2.
"""

from __future__ import annotations

from netsim.net.address import Address, Family
from netsim.stack.addrconf import IPV6_MIN_MTU
from netsim.stack.dev import skb_len
from netsim.stack.dst import dst_mtu
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip_output import ip_output, too_big
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.redirect import ndisc_send_redirect
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Hook, TTLStep
from netsim.topology.model import Device


def ip6_forward(ns: Namespace, came_in: Device, skb: SkBuff) -> None:
    """Send a packet on that is not for this host; ``skb.nexthop`` says where."""
    nexthop = skb.nexthop
    assert nexthop is not None
    if not _forwardable(ns, came_in, skb):
        return
    hop_limit = skb.packet.ip.ttl
    if hop_limit <= 1:
        ns.drop(DropReason.TTL_EXCEEDED, "ip6_forward", f"the hop limit is {hop_limit}")
        icmp_unreachable(ns, skb, Unreachable.TIME_EXCEEDED)
        return
    if nexthop.device == came_in.name:
        ndisc_send_redirect(ns, came_in, skb)
    elif not _may_leave_link(ns, came_in, skb):
        return
    mtu = max(dst_mtu(ns, nexthop, Family.IPV6, forwarding=True), IPV6_MIN_MTU)
    if _pkt_too_big(skb, mtu):
        too_big(ns, skb, mtu, "ip6_forward")
        return
    skb.packet = skb.packet.with_ip(ttl=hop_limit - 1)
    ns.record(TTLStep(hop_limit, hop_limit - 1))
    ns.network.routed()
    skb.oif = nexthop.device
    if ns.nf_hook(Hook.FORWARD, skb):
        ip_output(ns, skb)


def _pkt_too_big(skb: SkBuff, mtu: int) -> bool:
    """Ref: net/ipv6/ip6_output.c:ip6_pkt_too_big() (v6.12)."""
    if skb_len(skb.packet) <= mtu:
        return False
    return skb.frag_max_size > mtu or not skb.ignore_df


def _forwardable(ns: Namespace, came_in: Device, skb: SkBuff) -> bool:
    """Only ``conf.all.forwarding`` counts, not the device's. Ref: net/ipv6/ip6_output.c:ip6_forward() (v6.12)."""
    if not ns.sysctls.get("net.ipv6.conf.all.forwarding"):
        detail = f"{skb.packet.ip.dst} is not here, and this host does not forward (net.ipv6.conf.all.forwarding is 0)"
        ns.drop(DropReason.IP_FORWARDING_OFF, "ip6_forward", detail)
        return False
    if skb.pkt_type is not PacketType.HOST:
        ns.drop(DropReason.OTHERHOST, "ip6_forward", f"it came in a {skb.pkt_type.value} frame on {came_in.name}")
        return False
    return True


def _may_leave_link(ns: Namespace, came_in: Device, skb: SkBuff) -> bool:
    """Whether the source means anything on another link."""
    src: Address = skb.packet.ip.src
    if not (src.is_unspecified or src.is_multicast or src.is_loopback or src.is_link_local):
        return True
    detail = f"martian source: {src} means nothing beyond the link of {came_in.name}"
    ns.drop(DropReason.IP_INVALID_SOURCE, "ip6_forward", detail)
    if src.is_link_local:
        icmp_unreachable(ns, skb, Unreachable.BEYOND_SCOPE)
    return False
