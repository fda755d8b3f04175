"""Forwarding: TTL, MTU, a redirect to the sender where it had better ask the next hop itself, then FORWARD.

Ref: net/ipv4/ip_forward.c:ip_forward() (v6.12); RFC 1812 §5.3.1.
"""

from __future__ import annotations

from netsim.net.address import Family
from netsim.stack.dev import skb_len
from netsim.stack.dst import dst_mtu
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip_output import ip_output, too_big
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.redirect import ip_rt_send_redirect
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Hook, TTLStep


def ip_forward(ns: Namespace, skb: SkBuff) -> None:
    """Send a packet on that is not for this host; ``skb.nexthop`` says where."""
    nexthop = skb.nexthop
    assert nexthop is not None
    if ns.ipvs is not None:
        from netsim.stack.ip_vs_ctl import tell_missed

        tell_missed(ns, Hook.PREROUTING, skb.packet)
    if skb.pkt_type is not PacketType.HOST:
        ns.drop(DropReason.OTHERHOST, "ip_forward", f"it came in a {skb.pkt_type.value} frame")
        return
    ttl = skb.packet.ip.ttl
    if ttl <= 1:
        ns.drop(DropReason.TTL_EXCEEDED, "ip_forward", f"the TTL is {ttl}")
        icmp_unreachable(ns, skb, Unreachable.TIME_EXCEEDED)
        return
    mtu = dst_mtu(ns, nexthop, Family.IPV4, forwarding=True)
    if skb_len(skb.packet) > mtu and skb.packet.ip.dont_fragment and not skb.ignore_df:
        too_big(ns, skb, mtu, "ip_forward")
        return
    skb.packet = skb.packet.with_ip(ttl=ttl - 1)
    ns.record(TTLStep(ttl, ttl - 1))
    ns.network.routed()
    if nexthop.redirect:
        ip_rt_send_redirect(ns, skb)
    skb.oif = nexthop.device
    if ns.nf_hook(Hook.FORWARD, skb):
        ip_output(ns, skb)
