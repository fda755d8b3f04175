"""Bridged frames lent to the IP hooks, where net.bridge.bridge-nf-call-iptables (IPv6: -ip6tables) is 1.

On the way in a frame passes PREROUTING as if it came in on the bridge device. Where DNAT changed its destination, it is routed: if the way
out is the bridge again, the frame stays bridged with the new neighbour's MAC ("bridged DNAT"), else it goes up to be routed.

Ref: net/bridge/br_netfilter_hooks.c:br_nf_pre_routing(), br_nf_pre_routing_finish(), br_nf_forward_ip(), br_nf_post_routing() (v6.12).
"""

from __future__ import annotations

from enum import Enum

from netsim.net.address import Family
from netsim.stack.dst import route_input
from netsim.stack.ip_input import follow_input
from netsim.stack.namespace import Namespace
from netsim.stack.neighbour import neigh_resolve
from netsim.stack.reasons import DropReason
from netsim.stack.route import InputKey, Martian, record_input
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Hook
from netsim.topology.model import Device

_CALL = {Family.IPV4: "net.bridge.bridge-nf-call-iptables", Family.IPV6: "net.bridge.bridge-nf-call-ip6tables"}


class PreRouting(Enum):
    """What becomes of a frame after the bridge's PREROUTING."""

    BRIDGE = "the bridge goes on with it"
    STOLEN = "it ended"


def calls_iptables(ns: Namespace, skb: SkBuff) -> bool:
    """Whether bridged frames of the packet's family pass the IP hooks here."""
    return bool(ns.sysctls.get(_CALL[skb.packet.family]))


def br_nf_pre_routing(ns: Namespace, bridge: Device, port: Device, skb: SkBuff) -> PreRouting:
    """PREROUTING for a frame that came in on a port; afterwards ``skb.dst_mac`` says where the bridge shall send it."""
    otherhost = skb.pkt_type is PacketType.OTHERHOST
    if otherhost:
        skb.pkt_type = PacketType.HOST
    skb.physindev = port.name
    skb.iif = bridge.name
    dst = skb.packet.ip.dst
    if not ns.nf_hook(Hook.PREROUTING, skb):
        return PreRouting.STOLEN
    if otherhost:
        skb.pkt_type = PacketType.OTHERHOST
    return PreRouting.BRIDGE if skb.packet.ip.dst == dst else _redirected(ns, bridge, skb)


def _redirected(ns: Namespace, bridge: Device, skb: SkBuff) -> PreRouting:
    """DNAT gave the frame another destination. A route that is an error goes up to be answered there; in IPv6 the frame ends.

    Ref: also net/bridge/br_netfilter_ipv6.c:br_nf_pre_routing_finish_ipv6() (v6.12).
    """
    key = InputKey.of(skb, bridge)
    routed = route_input(ns, key)
    if isinstance(routed, Martian):
        follow_input(ns, skb, key, routed)
        return PreRouting.STOLEN
    if routed.nexthop is None and skb.packet.family is Family.IPV6:
        record_input(ns, key, routed)
        ns.drop(DropReason.IP_INNOROUTES, "br_nf_pre_routing_finish_ipv6", f"no way to {key.dst}, and nobody is told")
        return PreRouting.STOLEN
    nexthop = routed.nexthop
    if nexthop is None or nexthop.local or nexthop.device != bridge.name:
        if nexthop is not None:
            record_input(ns, key, routed)
            skb.nexthop = nexthop
        skb.dst_mac = bridge.mac
        skb.pkt_type = PacketType.HOST
        return PreRouting.BRIDGE
    record_input(ns, key, routed)
    mac = neigh_resolve(ns, skb, bridge, nexthop.gateway or skb.packet.ip.dst)
    if mac is None:
        return PreRouting.STOLEN
    skb.dst_mac = mac
    return PreRouting.BRIDGE


def br_nf_forward(ns: Namespace, bridge: Device, port: Device, skb: SkBuff) -> bool:
    """FORWARD for a frame on its way to a port; False where it ended. Its TTL stays as it is."""
    if skb.physindev is None:
        return True
    _lend(skb, port)
    skb.iif = skb.oif = bridge.name
    return ns.nf_hook(Hook.FORWARD, skb)


def br_nf_post_routing(ns: Namespace, bridge: Device, skb: SkBuff) -> bool:
    """POSTROUTING for a bridged frame; what was routed here has passed it in the IP stack. False where it ended."""
    if skb.physindev is None or skb.physoutdev is None:
        return True
    skb.iif, skb.oif = None, bridge.name
    return ns.nf_hook(Hook.POSTROUTING, skb)


def _lend(skb: SkBuff, port: Device) -> None:
    skb.physoutdev = port.name
    skb.bridged = True
    if skb.pkt_type is PacketType.OTHERHOST:
        skb.pkt_type = PacketType.HOST
