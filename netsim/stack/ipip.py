"""IPIP: IPv4 packets in IPv4 packets.

Without a remote of its own the tunnel sends to the next hop of the inner packet's route, as flannel's and Calico's do.
Not compared with a running kernel: the reference kernel has no ipip.
Ref: net/ipv4/ip_tunnel.c:ip_tunnel_xmit(), tnl_update_pmtu(), ip_tunnel_lookup(), net/ipv4/tunnel4.c:tunnel4_rcv() (v6.12); RFC 2003.
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.net.packet import IPHeader, IPIPHeader, Packet, Protocol
from netsim.stack.dev import skb_len
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip_tunnel_core import iptunnel_xmit
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey, Routed, ip_route_output, record_output
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Decapsulation, Encapsulation
from netsim.topology.model import IPIP, Device

OUTER_HEADER = 20
MOST_TUNNELS = 8


def ipip_tunnel_xmit(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """A packet leaves through an ipip device (``ndo_start_xmit``)."""
    kind = _kind(device)
    inner = skb.packet
    if inner.family.value == 6:
        ns.drop(DropReason.PROTO_NOT_SUPPORTED, "ipip_tunnel_xmit", f"{device.name} carries IPv4 only")
        return
    if _depth(inner) >= MOST_TUNNELS:
        ns.drop(DropReason.FORWARDING_LOOP, "__dev_queue_xmit", f"{device.name} would send through itself")
        return
    remote, found = _remote(kind, skb)
    source = kind.local or type(remote)(0)
    header = IPHeader(
        source, remote, Protocol.IPIP, inner.ip.ttl, dont_fragment=kind.pmtudisc or inner.ip.dont_fragment
    )
    outer = Packet(header, IPIPHeader(), skb_len(inner), inner)
    key = OutputKey(remote, kind.local, oif=kind.device, packet=outer)
    routed = ip_route_output(ns, key)
    if routed.nexthop is not None and kind.local is None and routed.nexthop.source is not None:
        outer = outer.with_ip(src=routed.nexthop.source)
    ns.record(Encapsulation(device.name, "ipip", inner, outer, detail=found))
    record_output(ns, key, routed)
    if _sendable(ns, device, skb, routed):
        iptunnel_xmit(ns, SkBuff(outer, mark=skb.mark, nexthop=routed.nexthop))


def _remote(kind: IPIP, skb: SkBuff) -> tuple[Address, str]:
    if kind.remote is not None:
        return kind.remote, "the tunnel's remote"
    gateway = skb.nexthop.gateway if skb.nexthop is not None else None
    if gateway is not None:
        return gateway, "the next hop of its route"
    return skb.packet.ip.dst, "its own destination, as its route has no next hop"


def _sendable(ns: Namespace, device: Device, skb: SkBuff, routed: Routed) -> bool:
    nexthop = routed.nexthop
    if nexthop is None:
        error = routed.error.value if routed.error is not None else "no route"
        ns.drop(DropReason.IP_OUTNOROUTES, "ip_tunnel_xmit", f"{device.name} has no way to the endpoint: {error!r}")
        icmp_unreachable(ns, skb, Unreachable.HOST)
        return False
    if nexthop.device == device.name:
        ns.drop(DropReason.FORWARDING_LOOP, "ip_tunnel_xmit", f"the endpoint is behind {device.name} itself")
        return False
    return _fits(ns, device, skb, ns.oif(nexthop).mtu)


def _fits(ns: Namespace, device: Device, skb: SkBuff, outer_mtu: int) -> bool:
    """With DF on the outer header a packet that must not be fragmented has to fit. Ref: tnl_update_pmtu()."""
    mtu = outer_mtu - OUTER_HEADER if _kind(device).pmtudisc else device.mtu
    length = skb_len(skb.packet)
    if not skb.packet.ip.dont_fragment or length <= mtu:
        return True
    detail = (
        f"{length} bytes and {OUTER_HEADER} of the outer header are more than the underlay takes, {mtu + OUTER_HEADER}"
    )
    ns.drop(DropReason.PKT_TOO_BIG, "tnl_update_pmtu", detail)
    icmp_unreachable(ns, skb, Unreachable.FRAG_NEEDED, mtu=mtu)
    return False


def tunnel4_rcv(ns: Namespace, skb: SkBuff) -> None:
    """A packet of protocol 4 for this host. Where no ipip device was ever made, the protocol itself is unknown."""
    inner = skb.packet.inner
    device = _tunnel(ns, skb.packet)
    if device is None or not isinstance(inner, Packet):
        detail = f"no ipip device takes packets from {skb.packet.ip.src} to {skb.packet.ip.dst}"
        ns.drop(DropReason.PROTO_NOT_SUPPORTED, "tunnel4_rcv", detail)
        handled = any(isinstance(d.kind, IPIP) for d in ns.devices.values())
        icmp_unreachable(ns, skb, Unreachable.PORT if handled else Unreachable.PROTOCOL)
        return
    ns.record(Decapsulation(device.name, "ipip", skb.packet, inner))
    ns.network.frame_in_flight(ns.name, device.name, SkBuff(inner, pkt_type=PacketType.HOST, mark=skb.mark))


def _tunnel(ns: Namespace, packet: Packet) -> Device | None:
    """The device that a packet belongs to: both ends fit, then the remote, then the local one, then neither is set."""
    up = [d for d in ns.devices.values() if isinstance(d.kind, IPIP) and d.up]
    here, there = packet.ip.dst, packet.ip.src
    for local, remote in ((here, there), (None, there), (here, None), (None, None)):
        for device in up:
            if (_kind(device).local, _kind(device).remote) == (local, remote):
                return device
    return None


def _kind(device: Device) -> IPIP:
    assert isinstance(device.kind, IPIP)
    return device.kind


def _depth(packet: Packet) -> int:
    inside = packet.inner
    return 1 + _depth(inside) if isinstance(inside, Packet) else 0
