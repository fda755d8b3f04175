"""dummy: takes every packet and sends none.

Not compared with a running kernel: the reference kernel has no dummy. Ref: drivers/net/dummy.c:dummy_xmit() (v6.12).
"""

from __future__ import annotations

from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.topology.model import Device


def dummy_xmit(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """The end of a packet."""
    ns.drop(DropReason.DUMMY_DEVICE, "dummy_xmit", f"{device.name} sends nothing: {skb.packet.ip.dst} is not behind it")
