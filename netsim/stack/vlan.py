"""vlan: a device that tags what it sends through another one, and takes what comes in there with its tag.

Not compared with a running kernel: the reference kernel has no vlan.
Ref: net/8021q/vlan_dev.c:vlan_dev_hard_start_xmit(), net/8021q/vlan_core.c:vlan_do_receive() (v6.12).
"""

from __future__ import annotations

from netsim.stack.dev import dev_queue_xmit
from netsim.stack.namespace import Namespace
from netsim.stack.skbuff import SkBuff
from netsim.stack.wiring import Wiring
from netsim.topology.model import Device, Vlan


def vlan_xmit(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Tag a frame and send it through the device below."""
    assert isinstance(device.kind, Vlan)
    skb.vlan = device.kind.id
    dev_queue_xmit(ns, ns.devices[device.kind.parent], skb)


def vlan_of(wiring: Wiring, netns: str, device: Device, number: int) -> Device | None:
    """The vlan device that takes frames with a tag from the device below it; None where there is none, or it is down."""
    for upper in wiring.of(netns).devices.values():
        if isinstance(upper.kind, Vlan) and (upper.kind.parent, upper.kind.id) == (device.name, number):
            return upper if upper.up else None
    return None
