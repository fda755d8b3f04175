"""Devices: how a packet leaves through one, and what a device thinks of a frame that reaches it.

Ref: net/core/dev.c:__dev_queue_xmit(), net/ethernet/eth.c:eth_type_trans() (v6.12).
"""

from __future__ import annotations

from netsim.net.address import MAC
from netsim.net.packet import Packet
from netsim.stack.namespace import Namespace, NotModelledError
from netsim.stack.reasons import DropReason
from netsim.stack.skb_len import skb_len
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Receive, Transmit
from netsim.topology.model import Device

__all__ = ["dev_queue_xmit", "is_skb_forwardable", "packet_type", "record_receive", "skb_len"]

VLAN_HEADER = 4


def dev_queue_xmit(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Send a packet with its link-layer addresses set out of a device."""
    if not device.up:
        skb.refused = True
        ns.drop(DropReason.DEV_DOWN, "__dev_queue_xmit", f"{device.name} is down")
        return
    if ns.spec.nftables:
        from netsim.stack.nf_netdev import nf_netdev

        if not nf_netdev(ns, device, skb, egress=True):
            return
    transmit = ns.network.device_ops.get(type(device.kind))
    if transmit is None:
        raise NotModelledError(f"a device of kind {type(device.kind).__name__}", "__dev_queue_xmit")
    ns.record(Transmit(device.name, skb.packet, skb.src_mac, skb.dst_mac))
    transmit(ns, device, skb)


def record_receive(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Record that a device took a frame."""
    ns.record(Receive(device.name, skb.packet, skb.src_mac, skb.dst_mac))


def packet_type(device: Device, dst: MAC) -> PacketType:
    """To whom a frame is addressed, as the receiving device sees it. Ref: net/ethernet/eth.c:eth_type_trans() (v6.12)."""
    if dst == device.mac:
        return PacketType.HOST
    if dst.is_broadcast:
        return PacketType.BROADCAST
    return PacketType.MULTICAST if dst.is_multicast else PacketType.OTHERHOST


def is_skb_forwardable(device: Device, packet: Packet) -> bool:
    """Whether a veth or a bridge port takes a packet of that length; a VLAN tag's worth more than the MTU is let through.

    Ref: include/linux/netdevice.h:__is_skb_forwardable() (v6.12).
    """
    return skb_len(packet) <= device.mtu + VLAN_HEADER
