"""veth: what goes into one end comes out of the other, in another namespace.

Ref: drivers/net/veth.c:veth_xmit(), net/core/dev.c:__dev_forward_skb(), net/core/skbuff.c:skb_scrub_packet() (v6.12).
"""

from __future__ import annotations

from netsim.stack.dev import is_skb_forwardable, packet_type, skb_len
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.topology.model import Device


def veth_xmit(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Hand a frame to the peer. Its conntrack entry stays behind, and so does its mark when it changes the namespace."""
    peer = ns.network.wiring.peer(device)
    if peer is None:
        ns.drop(DropReason.NO_PEER, "veth_xmit", f"{device.name} has no peer")
        return
    end, receiver = peer
    if not receiver.up:
        ns.drop(DropReason.NO_CARRIER, "veth_xmit", f"{end} is down")
        return
    if not is_skb_forwardable(receiver, skb.packet):
        detail = f"{skb_len(skb.packet)} bytes are more than the MTU of {end}, {receiver.mtu}"
        ns.drop(DropReason.PKT_TOO_BIG, "is_skb_forwardable", detail)
        return
    assert skb.src_mac is not None
    assert skb.dst_mac is not None
    crossed = SkBuff(skb.packet, skb.src_mac, skb.dst_mac, packet_type(receiver, skb.dst_mac), frag_list=skb.frag_list)
    if end.netns == ns.name:
        crossed.mark = skb.mark
    ns.network.frame_in_flight(end.netns, end.device, crossed)
