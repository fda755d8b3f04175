"""The outer packet of a tunnel on its way out: shown to OUTPUT like any packet made here, then sent.

Ref: net/ipv4/ip_tunnel_core.c:iptunnel_xmit(), net/ipv6/ip6_udp_tunnel.c:udp_tunnel6_xmit_skb() (v6.12).
"""

from __future__ import annotations

from netsim.stack.ip_output import ip_output
from netsim.stack.namespace import Namespace
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook


def iptunnel_xmit(ns: Namespace, skb: SkBuff) -> None:
    """Send a packet that is routed already; it has no socket and no conntrack entry of its own yet."""
    assert skb.nexthop is not None
    skb.oif = skb.nexthop.device
    if ns.nf_hook(Hook.OUTPUT, skb):
        ip_output(ns, skb)
