"""macvlan: devices with MACs of their own on top of one device, each maybe in another namespace.

What a macvlan device sends leaves through the device below, unless (mode bridge) it is for a sibling; what comes in below goes to the one
whose MAC it has. A host does not hear its own macvlan devices, nor they the host.

Ref: drivers/net/macvlan.c:macvlan_queue_xmit(), macvlan_handle_frame(), macvlan_broadcast() (v6.12).
"""

from __future__ import annotations

from netsim.net.address import MAC
from netsim.stack.dev import dev_queue_xmit, packet_type
from netsim.stack.namespace import Namespace
from netsim.stack.skbuff import SkBuff
from netsim.stack.wiring import Wiring
from netsim.topology.model import Device, Endpoint, Macvlan, MacvlanMode


def macvlan_xmit(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Send a frame to siblings and through the device below."""
    assert isinstance(device.kind, Macvlan)
    assert skb.dst_mac is not None
    wiring, end = ns.network.wiring, device.kind.parent
    for netns, sibling in siblings_for(wiring, ns.name, device, skb.dst_mac):
        if skb.dst_mac.is_multicast:
            ns.network.frame_in_flight(netns, sibling.name, _moved(ns, netns, sibling, skb))
        else:  # it comes in on the device below first, for whoever listens there
            below = ns.network.namespace(end.netns).devices[end.device]
            ns.network.frame_in_flight(end.netns, end.device, _moved(ns, end.netns, below, skb))
    if goes_out(wiring, ns.name, device, skb.dst_mac):
        base = ns.network.namespace(end.netns)
        dev_queue_xmit(base, base.devices[end.device], _moved(ns, end.netns, device, skb))


def macvlan_handle_frame(ns: Namespace, device: Device, skb: SkBuff) -> bool:
    """Give a frame that came in below to the macvlan devices it is for; True where it is for one of them alone."""
    assert skb.dst_mac is not None
    uppers = uppers_for(ns.network.wiring, ns.name, device, skb.dst_mac)
    for netns, upper in uppers:
        ns.network.frame_in_flight(netns, upper.name, _moved(ns, netns, upper, skb))
    return bool(uppers) and not skb.dst_mac.is_multicast


def _moved(ns: Namespace, netns: str, device: Device, skb: SkBuff) -> SkBuff:
    """The frame in the namespace of the receiving device; its mark stays behind where that is another one."""
    assert skb.dst_mac is not None
    mark = skb.mark if netns == ns.name else 0
    kind = packet_type(device, skb.dst_mac)
    return SkBuff(skb.packet, skb.src_mac, skb.dst_mac, kind, mark=mark, frag_list=skb.frag_list)


def siblings_for(wiring: Wiring, netns: str, device: Device, dst: MAC) -> list[tuple[str, Device]]:
    """Who of the other devices on the same parent hears a frame that a device sends."""
    assert isinstance(device.kind, Macvlan)
    if device.kind.mode is not MacvlanMode.BRIDGE:
        return []
    return [
        (name, other)
        for name, other in wiring.macvlans(device.kind.parent)
        if (name, other.name) != (netns, device.name) and _bridges(other) and (dst.is_multicast or other.mac == dst)
    ]


def goes_out(wiring: Wiring, netns: str, device: Device, dst: MAC) -> bool:
    """Whether a frame that a device sends leaves through the device below."""
    return dst.is_multicast or not siblings_for(wiring, netns, device, dst)


def uppers_for(wiring: Wiring, netns: str, device: Device, dst: MAC) -> list[tuple[str, Device]]:
    """Which macvlan devices take a frame that came in on the device below them."""
    if not wiring.has_macvlans:
        return []
    return [
        (name, upper)
        for name, upper in wiring.macvlans(Endpoint(netns, device.name))
        if upper.up and (dst.is_multicast or upper.mac == dst)
    ]


def _bridges(device: Device) -> bool:
    return device.up and isinstance(device.kind, Macvlan) and device.kind.mode is MacvlanMode.BRIDGE
