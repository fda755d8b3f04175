"""The way out: a packet made here is routed, shown to OUTPUT and POSTROUTING, and handed to a neighbour.

Ref: net/ipv4/ip_output.c:ip_queue_xmit(), __ip_local_out(), ip_output(), ip_finish_output2() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netsim.net.packet import Packet, Protocol
from netsim.stack.dev import dev_queue_xmit, skb_len
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip_fragment import fragments
from netsim.stack.namespace import LocalOut, Namespace, NotModelledError
from netsim.stack.neighbour import neigh_output
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey, Routed, ip_route_output, record_output
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Fragmentation, Hook, LocalSend
from netsim.topology.model import Device


def ip_local_out(ns: Namespace, out: LocalOut) -> None:
    """Send a packet that is made here: route it, then OUTPUT, then on its way out."""
    skb = out.prepared
    packet = skb.packet
    unset = packet.ip.src.is_unspecified
    src = None if unset else packet.ip.src
    key = OutputKey(packet.ip.dst, src, any_source=out.any_source, mark=skb.mark, packet=packet)
    routed = ip_route_output(ns, key)
    if unset and routed.nexthop is not None and routed.nexthop.source is not None:
        skb.packet = packet.with_ip(src=routed.nexthop.source)
    skb.socket_owner, skb.made_by = out.owner or None, out.by
    ns.record(LocalSend(skb.packet, out.by))
    if out.through_port is not None:
        dev_queue_xmit(ns, ns.devices[out.through_port], skb)
        return
    record_output(ns, key, routed)
    if _sendable(ns, skb.packet, routed):
        skb.nexthop = routed.nexthop
        _local_out_hook(ns, skb)


def ip_output(ns: Namespace, skb: SkBuff) -> None:
    """POSTROUTING, then to the neighbour (``dst_output()``)."""
    nexthop = skb.nexthop
    assert nexthop is not None
    skb.oif = nexthop.device
    if not ns.nf_hook(Hook.POSTROUTING, skb):
        return
    device = ns.oif(nexthop)
    next_hop = nexthop.gateway or skb.packet.ip.dst
    if skb_len(skb.packet) <= device.mtu and not skb.frag_max_size:
        neigh_output(ns, skb, device, next_hop)
    elif skb.packet.ip.dont_fragment:
        frag_needed(ns, skb, device.mtu, "ip_fragment")
    else:
        do_fragment(ns, skb, device, lambda part: neigh_output(ns, part, device, next_hop))


def do_fragment(ns: Namespace, skb: SkBuff, device: Device, output: Callable[[SkBuff], None]) -> None:
    """Cut a packet to the MTU of a device, or to the size that its fragments had before they were joined here, and send the parts.

    Ref: net/ipv4/ip_output.c:ip_do_fragment(), net/ipv6/ip6_output.c:ip6_fragment() (v6.12).
    """
    mtu = min(device.mtu, skb.frag_max_size or device.mtu)
    parts = fragments(skb.packet, mtu, ns.identification())
    ns.record(Fragmentation(device.name, mtu, skb.packet, parts))
    for part in parts:
        output(replace(skb, packet=part, frag_max_size=0, traversed=list(skb.traversed)))


def frag_needed(ns: Namespace, skb: SkBuff, mtu: int, where: str) -> None:
    """A packet is larger than the MTU (bytes) of its way out and must not be fragmented: its sender is told."""
    length = skb_len(skb.packet)
    ns.drop(DropReason.PKT_TOO_BIG, where, f"{length} bytes are more than the MTU of {_way(skb)}, {mtu}, and DF is set")
    icmp_unreachable(ns, skb, Unreachable.FRAG_NEEDED, mtu=mtu)


def _way(skb: SkBuff) -> str:
    return skb.nexthop.device if skb.nexthop is not None else "the way out"


def _sendable(ns: Namespace, packet: Packet, routed: Routed) -> bool:
    """What the system call refuses before there is a packet on its way."""
    if routed.error is not None or routed.nexthop is None:
        error = routed.error.value if routed.error is not None else "Network is unreachable"
        ns.drop(DropReason.IP_OUTNOROUTES, "ip_route_output_key", f"the sender gets {error!r}{_hint(ns, packet)}")
        return False
    if routed.nexthop.broadcast or packet.ip.dst.is_multicast:
        return _broadcast(ns, packet)
    mtu = ns.oif(routed.nexthop).mtu
    if skb_len(packet) > mtu and packet.ip.dont_fragment:
        detail = f"{skb_len(packet)} bytes are more than the MTU of {routed.nexthop.device}, {mtu}: the sender gets 'Message too long'"
        ns.drop(DropReason.PKT_TOO_BIG, "__ip_append_data", detail)
        return False
    return True


def _broadcast(ns: Namespace, packet: Packet) -> bool:
    if packet.ip.protocol is not Protocol.TCP:
        raise NotModelledError("sending to a broadcast or multicast address", "ip_mc_output")
    detail = f"TCP does not connect to {packet.ip.dst}: the sender gets 'Network is unreachable'"
    ns.drop(DropReason.IP_OUTNOROUTES, "tcp_v4_connect", detail)
    return False


def _hint(ns: Namespace, packet: Packet) -> str:
    source = packet.ip.src
    if source.is_loopback:
        return f": the source {source} must not leave the host (route_localnet is 0)"
    return (
        "" if ns.fib.is_local(source) or source.is_unspecified else f": the source {source} is no address of this host"
    )


def _local_out_hook(ns: Namespace, skb: SkBuff) -> None:
    assert skb.nexthop is not None
    skb.oif = skb.nexthop.device
    if ns.nf_hook(Hook.OUTPUT, skb):
        ip_output(ns, skb)
