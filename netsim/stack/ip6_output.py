"""The way out of an IPv6 packet: made here or forwarded, it passes its hooks and is handed to a neighbour.

A forwarder never fragments, but for what conntrack joined there. Redirects are not sent.
Ref: net/ipv6/ip6_output.c:ip6_xmit(), ip6_output(), ip6_finish_output2(), ip6_forward() (v6.12); RFC 8200 §5, RFC 4443 §3.2.
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.net.packet import Packet, Protocol
from netsim.stack.addrconf import IPV6_MIN_MTU
from netsim.stack.dev import dev_queue_xmit, skb_len
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip6_route import ip6_route_output, is_strict
from netsim.stack.ip_output import do_fragment
from netsim.stack.namespace import LocalOut, Namespace, NotModelledError
from netsim.stack.neighbour import neigh_output
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey, Routed, record_output
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Hook, LocalSend, TTLStep
from netsim.topology.model import Device


def ip6_local_out(ns: Namespace, out: LocalOut) -> None:
    """Send a packet that is made here: route it, then OUTPUT, then on its way out.

    ``prepared.oif`` is the device that a link-local destination is on.
    """
    skb = out.prepared
    packet = skb.packet
    src = None if packet.ip.src.is_unspecified else packet.ip.src
    oif = skb.oif if is_strict(packet.ip.dst) else None
    key = OutputKey(packet.ip.dst, src, any_source=out.any_source, mark=skb.mark, oif=oif, packet=packet)
    routed = ip6_route_output(ns, key)
    if src is None and routed.nexthop is not None and routed.nexthop.source is not None:
        skb.packet = packet.with_ip(src=routed.nexthop.source)
    skb.socket_owner, skb.made_by = out.owner or None, out.by
    ns.record(LocalSend(skb.packet, out.by))
    if out.through_port is not None:
        dev_queue_xmit(ns, ns.devices[out.through_port], skb)
        return
    record_output(ns, key, routed)
    if not _sendable(ns, skb.packet, routed):
        return
    assert routed.nexthop is not None
    skb.nexthop = routed.nexthop
    skb.oif = routed.nexthop.device
    if ns.nf_hook(Hook.OUTPUT, skb):
        ip6_output(ns, skb)


def ip6_output(ns: Namespace, skb: SkBuff) -> None:
    """POSTROUTING, then to the neighbour (``dst_output()``)."""
    nexthop = skb.nexthop
    assert nexthop is not None
    skb.oif = nexthop.device
    if not ns.nf_hook(Hook.POSTROUTING, skb):
        return
    device = ns.oif(nexthop)
    next_hop = nexthop.gateway or skb.packet.ip.dst
    length = skb_len(skb.packet)
    if length <= min(device.mtu, skb.frag_max_size or device.mtu):
        neigh_output(ns, skb, device, next_hop)
    elif skb.ignore_df or (skb.iif is None and not skb.packet.ip.dont_fragment):
        do_fragment(ns, skb, device, lambda part: neigh_output(ns, part, device, next_hop))
    else:
        _too_big(ns, skb, device.mtu, "ip6_fragment")


def ip6_forward(ns: Namespace, came_in: Device, skb: SkBuff) -> None:
    """Send a packet on that is not for this host; ``skb.nexthop`` says where."""
    nexthop = skb.nexthop
    assert nexthop is not None
    if not _forwardable(ns, came_in, skb):
        return
    hop_limit = skb.packet.ip.ttl
    if hop_limit <= 1:
        ns.drop(DropReason.TTL_EXCEEDED, "ip6_forward", f"the hop limit is {hop_limit}")
        icmp_unreachable(ns, skb, Unreachable.TIME_EXCEEDED)
        return
    if nexthop.device != came_in.name and not _may_leave_link(ns, came_in, skb):
        return
    mtu = max(ns.oif(nexthop).mtu, IPV6_MIN_MTU)
    if _pkt_too_big(skb, mtu):
        _too_big(ns, skb, mtu, "ip6_forward")
        return
    skb.packet = skb.packet.with_ip(ttl=hop_limit - 1)
    ns.record(TTLStep(hop_limit, hop_limit - 1))
    ns.network.routed()
    skb.oif = nexthop.device
    if ns.nf_hook(Hook.FORWARD, skb):
        ip6_output(ns, skb)


def _pkt_too_big(skb: SkBuff, mtu: int) -> bool:
    """Ref: net/ipv6/ip6_output.c:ip6_pkt_too_big() (v6.12)."""
    if skb_len(skb.packet) <= mtu:
        return False
    return skb.frag_max_size > mtu or not skb.ignore_df


def _forwardable(ns: Namespace, came_in: Device, skb: SkBuff) -> bool:
    """Only ``conf.all.forwarding`` counts, not the device's. Ref: net/ipv6/ip6_output.c:ip6_forward() (v6.12)."""
    if not ns.sysctls.get("net.ipv6.conf.all.forwarding"):
        detail = f"{skb.packet.ip.dst} is not here, and this host does not forward (net.ipv6.conf.all.forwarding is 0)"
        ns.drop(DropReason.IP_FORWARDING_OFF, "ip6_forward", detail)
        return False
    if skb.pkt_type is not PacketType.HOST:
        ns.drop(DropReason.OTHERHOST, "ip6_forward", f"it came in a {skb.pkt_type.value} frame on {came_in.name}")
        return False
    return True


def _may_leave_link(ns: Namespace, came_in: Device, skb: SkBuff) -> bool:
    """Whether the source means anything on another link."""
    src: Address = skb.packet.ip.src
    if not (src.is_unspecified or src.is_multicast or src.is_loopback or src.is_link_local):
        return True
    detail = f"martian source: {src} means nothing beyond the link of {came_in.name}"
    ns.drop(DropReason.IP_INVALID_SOURCE, "ip6_forward", detail)
    if src.is_link_local:
        icmp_unreachable(ns, skb, Unreachable.BEYOND_SCOPE)
    return False


def _too_big(ns: Namespace, skb: SkBuff, mtu: int, where: str) -> None:
    assert skb.nexthop is not None
    length = skb_len(skb.packet)
    detail = f"{length} bytes are more than the MTU of {skb.nexthop.device}, {mtu}, and no router fragments IPv6"
    ns.drop(DropReason.PKT_TOO_BIG, where, detail)
    icmp_unreachable(ns, skb, Unreachable.FRAG_NEEDED, mtu=mtu)


def _sendable(ns: Namespace, packet: Packet, routed: Routed) -> bool:
    """What the system call refuses before there is a packet on its way."""
    if routed.error is not None or routed.nexthop is None:
        error = routed.error.value if routed.error is not None else "Network is unreachable"
        hint = ": a link-local address needs its device" if packet.ip.dst.is_link_local else ""
        ns.drop(DropReason.IP_OUTNOROUTES, "ip6_dst_lookup_tail", f"the sender gets {error!r}{hint}")
        return False
    if packet.ip.dst.is_multicast:
        if packet.ip.protocol is not Protocol.TCP:
            raise NotModelledError("sending to a multicast address", "ip6_finish_output2")
        detail = f"TCP does not connect to {packet.ip.dst}: the sender gets 'Network is unreachable'"
        ns.drop(DropReason.IP_OUTNOROUTES, "tcp_v6_connect", detail)
        return False
    mtu = ns.oif(routed.nexthop).mtu
    if skb_len(packet) > mtu and packet.ip.dont_fragment:
        detail = f"{skb_len(packet)} bytes are more than the MTU of {routed.nexthop.device}, {mtu}: the sender gets 'Message too long'"
        ns.drop(DropReason.PKT_TOO_BIG, "__ip6_append_data", detail)
        return False
    return True
