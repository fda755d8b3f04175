"""VXLAN: Ethernet frames in UDP datagrams between tunnel endpoints.

What goes out of a vxlan device is looked up by its destination MAC, put into a datagram for the endpoint that is found there, and sent from
this very namespace: routed, shown to OUTPUT and POSTROUTING like any packet made here, with the mark that the inner packet had. At the
other end the datagram passes PREROUTING and INPUT, and the vxlan device with the port and the identifier takes the frame.

Ref: drivers/net/vxlan/vxlan_core.c:vxlan_xmit(), vxlan_xmit_one(), vxlan_rcv(), vxlan_snoop(), encap_bypass_if_local() (v6.18); RFC 7348.
"""

from __future__ import annotations

from collections.abc import Iterator

from netsim.net.address import Address
from netsim.net.packet import ARP, VXLAN, Frame, IPHeader, Packet, Protocol, UDPHeader
from netsim.stack.dev import packet_type, skb_len
from netsim.stack.dst import route_output
from netsim.stack.ip_tunnel_core import iptunnel_xmit
from netsim.stack.namespace import Namespace, NotModelledError, TunnelledFrame
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey, Routed, record_output
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Decapsulation, Encapsulation
from netsim.stack.vxlan_fdb import ALL_OTHERS, Learnt
from netsim.topology.model import Device, Vxlan

VXLAN_HEADER, ETHERNET_HEADER, ARP_LENGTH = 8, 14, 28
HEADROOM = {4: 20 + 8 + VXLAN_HEADER + ETHERNET_HEADER, 6: 40 + 8 + VXLAN_HEADER + ETHERNET_HEADER}
"""Bytes that encapsulation adds to an inner packet, by the outer version. Ref: include/net/vxlan.h vxlan_headroom() (v6.12)."""

LOCAL_PORTS = (32768, 60999)
"""The range of source ports (net.ipv4.ip_local_port_range). Ref: include/net/udp.h:udp_flow_src_port() (v6.12)."""

MOST_TUNNELS = 8
"""Tunnels in tunnels. Ref: net/core/dev.h XMIT_RECURSION_LIMIT (v6.12)."""


def vxlan_xmit(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """A frame leaves through a vxlan device (``ndo_start_xmit``)."""
    assert skb.src_mac is not None
    assert skb.dst_mac is not None
    send_frame(ns, device, Frame(skb.src_mac, skb.dst_mac, skb.packet), skb.mark)


def send_frame(ns: Namespace, device: Device, frame: Frame, mark: int = 0) -> None:
    """Send a frame to each endpoint that its MAC stands for."""
    kind = _kind(device)
    if sum(1 for _ in _layers(frame)) >= MOST_TUNNELS:
        ns.drop(DropReason.FORWARDING_LOOP, "__dev_queue_xmit", f"{device.name} would send through itself")
        return
    remotes, found = ns.vxlan(device.name).find(kind, frame.dst, ns.now())
    if not remotes:
        detail = f"the FDB of {device.name} has no entry for {frame.dst}"
        ns.drop(DropReason.NO_TX_TARGET, "vxlan_xmit", detail)
    for remote, oif in remotes:
        _xmit_one(ns, device, frame, remote, oif, mark, found)


def _xmit_one(
    ns: Namespace, device: Device, frame: Frame, remote: Address, oif: str | None, mark: int, found: str
) -> None:
    kind = _kind(device)
    port = _source_port(ns, frame)
    size = VXLAN_HEADER + ETHERNET_HEADER + _length(frame)
    ttl = ns.sysctls.get("net.ipv4.ip_default_ttl") if remote.version == 4 else 64
    header = IPHeader(kind.local or _unset(remote), remote, Protocol.UDP, ttl, dont_fragment=remote.version == 6)
    outer = Packet(header, UDPHeader(port, kind.port), size, VXLAN(kind.vni, frame))
    key = OutputKey(remote, kind.local, mark=mark, oif=oif, packet=outer)
    routed = route_output(ns, key)
    if routed.nexthop is not None and kind.local is None and routed.nexthop.source is not None:
        outer = outer.with_ip(src=routed.nexthop.source)
    if isinstance(frame.payload, Packet):
        ns.record(Encapsulation(device.name, "vxlan", frame.payload, outer, kind.vni, frame.src, frame.dst, found))
    record_output(ns, key, routed)
    if not _sendable(ns, device, frame, routed):
        return
    skb = SkBuff(outer, mark=mark, nexthop=routed.nexthop)
    iptunnel_xmit(ns, skb)


def _sendable(ns: Namespace, device: Device, frame: Frame, routed: Routed) -> bool:
    """Ref: vxlan_xmit_one() (v6.18)."""
    nexthop = routed.nexthop
    if nexthop is None:
        error = routed.error.value if routed.error is not None else "no route"
        ns.drop(DropReason.IP_OUTNOROUTES, "vxlan_xmit_one", f"{device.name} has no way to the endpoint: {error!r}")
        return False
    if nexthop.device == device.name:
        ns.drop(DropReason.FORWARDING_LOOP, "vxlan_xmit_one", f"the endpoint is behind {device.name} itself")
        return False
    if nexthop.local:
        _bypass(ns, device, frame)
        return False
    version = 4 if nexthop.source is None else nexthop.source.version
    if device.port is not None and _length(frame) > ns.oif(nexthop).mtu - HEADROOM[version]:
        raise NotModelledError("a bridged packet that is too large for a vxlan port", "skb_tunnel_check_pmtu")
    return True


def _bypass(ns: Namespace, device: Device, frame: Frame) -> None:
    """The endpoint is this very host: the frame comes in at once on the device of that identifier."""
    if not isinstance(frame.payload, Packet):
        return
    here = SkBuff(frame.payload, frame.src, frame.dst, PacketType.HOST)
    ns.network.frame_in_flight(ns.name, device.name, here)


# --- receiving --------------------------------------------------------------------------------------------------


def vxlan_rcv(ns: Namespace, skb: SkBuff) -> bool:
    """Take a datagram if it is for a vxlan device's socket, which exists while the device is up. False: it is for other sockets."""
    port, version = skb.packet.dport, skb.packet.family.value
    devices = [
        d
        for d in ns.devices.values()
        if isinstance(d.kind, Vxlan) and d.up and (d.kind.port, d.kind.version) == (port, version)
    ]
    if not devices:
        return False
    carried = skb.packet.inner
    if not isinstance(carried, VXLAN):
        ns.drop(DropReason.VXLAN_INVALID_HDR, "vxlan_rcv", "the datagram carries no frame")
        return True
    device = next((d for d in devices if _kind(d).vni == carried.vni), None)
    if device is None:
        detail = f"no vxlan device with port {skb.packet.dport} has the identifier {carried.vni}"
        ns.drop(DropReason.VXLAN_VNI_NOT_FOUND, "vxlan_rcv", detail)
    elif (refusal := _snoop(ns, device, carried.frame, skb.packet.ip.src)) is not None:
        ns.drop(refusal, "vxlan_set_mac", f"{carried.frame.src} from {skb.packet.ip.src}")
    else:
        _take(ns, device, carried, skb)
    return True


def _take(ns: Namespace, device: Device, carried: VXLAN, skb: SkBuff) -> None:
    frame = carried.frame
    if isinstance(frame.payload, ARP):
        ns.network.tunnelled.append(TunnelledFrame(ns.name, device, frame))
        return
    ns.record(Decapsulation(device.name, "vxlan", skb.packet, frame.payload, carried.vni))
    taken = SkBuff(frame.payload, frame.src, frame.dst, packet_type(device, frame.dst), mark=skb.mark)
    ns.network.frame_in_flight(ns.name, device.name, taken)


def _snoop(ns: Namespace, device: Device, frame: Frame, remote: Address) -> DropReason | None:
    """Learn who sends from a MAC; why the frame is refused, None where it is not."""
    kind, state = _kind(device), ns.vxlan(device.name)
    if frame.src == device.mac:
        return DropReason.LOCAL_MAC
    if not kind.learning:
        return None
    if frame.src.is_multicast or frame.src == ALL_OTHERS:
        return DropReason.MAC_INVALID_SOURCE
    given = state.static(frame.src)
    if given:
        return None if given[0] == remote else DropReason.VXLAN_ENTRY_EXISTS
    state.learnt[frame.src] = Learnt(remote, ns.now())
    return None


# --- the datagram -----------------------------------------------------------------------------------------------


def _kind(device: Device) -> Vxlan:
    assert isinstance(device.kind, Vxlan)
    return device.kind


def _source_port(ns: Namespace, frame: Frame) -> int:
    """A port from a hash of the inner flow, whose key a kernel draws at random; the same for all packets of a flow."""
    key = _flow(frame)
    port = ns.tunnel_ports.get(key)
    if port is None:
        port = ns.network.chooser.port(f"the VXLAN source port of a flow in {ns.name}", *LOCAL_PORTS)
        ns.tunnel_ports[key] = port
    return port


def _flow(frame: Frame) -> tuple[object, ...]:
    packet = frame.payload
    if isinstance(packet, ARP):
        return ("arp", *sorted((frame.src.value, frame.dst.value)))
    ends = sorted((int(packet.ip.src), int(packet.ip.dst)))
    return (*ends, int(packet.ip.protocol), *sorted((packet.sport or 0, packet.dport or 0)))


def _length(frame: Frame) -> int:
    return skb_len(frame.payload) if isinstance(frame.payload, Packet) else ARP_LENGTH


def _layers(frame: Frame) -> Iterator[Frame]:
    inside: Frame | None = frame
    while inside is not None:
        yield inside
        carried = inside.payload.inner if isinstance(inside.payload, Packet) else None
        inside = carried.frame if isinstance(carried, VXLAN) else None


def _unset(like: Address) -> Address:
    return type(like)(0)
