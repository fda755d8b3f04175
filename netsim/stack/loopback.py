"""``lo``: what goes out comes in again, with its conntrack entry and its route.

Ref: drivers/net/loopback.c:loopback_xmit() (v6.12).
"""

from __future__ import annotations

from netsim.stack.namespace import Namespace
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.topology.model import Device


def loopback_xmit(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Put the packet back into this namespace's receive path."""
    skb.pkt_type = PacketType.HOST
    skb.oif = None
    skb.physindev = skb.physoutdev = None
    skb.bridged = False
    skb.socket_owner, skb.made_by = None, ""
    ns.network.frame_in_flight(ns.name, device.name, skb)
