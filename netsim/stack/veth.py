"""veth: what goes into one end comes out of the other, in another namespace.

Ref: drivers/net/veth.c:veth_xmit(), net/core/dev.c:__dev_forward_skb(), net/core/skbuff.c:skb_scrub_packet() (v6.12).
"""

from __future__ import annotations

from netsim.stack.dev import is_skb_forwardable, packet_type, skb_len
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.topology.model import Device, Endpoint


def veth_xmit(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Hand a frame to the peer. Its conntrack entry stays behind, and so does its mark when it changes the namespace."""
    peer = ns.network.wiring.peer(device)
    refusal = _refusal(device, skb, peer)
    if refusal is not None:
        skb.refused = True
        ns.drop(*refusal)
        return
    assert peer is not None
    end, receiver = peer
    assert skb.src_mac is not None
    assert skb.dst_mac is not None
    crossed = SkBuff(skb.packet, skb.src_mac, skb.dst_mac, packet_type(receiver, skb.dst_mac), frag_list=skb.frag_list)
    if end.netns == ns.name:
        crossed.mark = skb.mark
    ns.network.frame_in_flight(end.netns, end.device, crossed)


def _refusal(device: Device, skb: SkBuff, peer: tuple[Endpoint, Device] | None) -> tuple[DropReason, str, str] | None:
    """Why the peer does not take a frame: reason, place, detail."""
    if peer is None:
        return DropReason.NO_PEER, "veth_xmit", f"{device.name} has no peer"
    end, receiver = peer
    if not receiver.up:
        return DropReason.NO_CARRIER, "veth_xmit", f"{end} is down"
    if not is_skb_forwardable(receiver, skb.packet):
        detail = f"{skb_len(skb.packet)} bytes are more than the MTU of {end}, {receiver.mtu}"
        return DropReason.PKT_TOO_BIG, "is_skb_forwardable", detail
    return None
