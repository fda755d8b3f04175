"""The way out, in both families: a packet made here is routed, shown to OUTPUT and POSTROUTING, and handed to a neighbour.

Ref: net/ipv4/ip_output.c:ip_queue_xmit(), __ip_local_out(), ip_output(), ip_finish_output2(); net/ipv6/ip6_output.c:ip6_xmit(),
ip6_output(), ip6_finish_output2() (v6.12); RFC 8200 §5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family
from netsim.net.packet import Packet, Protocol
from netsim.stack.dev import dev_queue_xmit, skb_len
from netsim.stack.dst import dst_mtu, route_output
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip6_route import is_strict
from netsim.stack.ip_fragment import fragments, lengths
from netsim.stack.namespace import LocalOut, Namespace, NotModelledError
from netsim.stack.neighbour import neigh_output
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey, Routed, record_output
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.steps import Fragmentation, Hook, LocalSend
from netsim.topology.model import IPIP, Device, Vxlan


@dataclass(frozen=True, slots=True)
class _Calls:
    """The functions of a family in which a packet ends, by what ends it."""

    lookup: str
    connect: str
    append: str
    multicast: str
    fragment: str


_CALLS = {
    Family.IPV4: _Calls("ip_route_output_key", "tcp_v4_connect", "__ip_append_data", "ip_mc_output", "ip_fragment"),
    Family.IPV6: _Calls(
        "ip6_dst_lookup_tail", "tcp_v6_connect", "__ip6_append_data", "ip6_finish_output2", "ip6_fragment"
    ),
}


def ip_local_out(ns: Namespace, out: LocalOut) -> None:
    """Send a packet that is made here: route it, then OUTPUT, then on its way out.

    ``prepared.oif`` is the device that a link-local destination is on.
    """
    skb = out.prepared
    packet = skb.packet
    src = None if packet.ip.src.is_unspecified else packet.ip.src
    oif = skb.oif if is_strict(packet.ip.dst) else None
    key = OutputKey(packet.ip.dst, src, any_source=out.any_source, mark=skb.mark, oif=oif, packet=packet)
    routed = route_output(ns, key)
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
    skb.frag_list = _appended(ns, skb.packet, routed.nexthop)
    if ns.nf_hook(Hook.OUTPUT, skb):
        ip_output(ns, skb)


def _appended(ns: Namespace, packet: Packet, nexthop: Nexthop) -> tuple[int, ...]:
    """A datagram that is too large is put into buffers of the size that fits the way it then has; NAT may give it another one.

    Ref: net/ipv4/ip_output.c:__ip_append_data(), net/ipv6/ip6_output.c:__ip6_append_data() (v6.12).
    """
    mtu = dst_mtu(ns, nexthop, packet.family, forwarding=False)
    return lengths(packet, mtu) if packet.ip.protocol is not Protocol.TCP and skb_len(packet) > mtu else ()


def ip_output(ns: Namespace, skb: SkBuff) -> None:
    """POSTROUTING, then to the neighbour (``dst_output()``)."""
    nexthop = skb.nexthop
    assert nexthop is not None
    skb.oif = nexthop.device
    if not ns.nf_hook(Hook.POSTROUTING, skb):
        return
    device = ns.oif(nexthop)
    next_hop = nexthop.gateway or skb.packet.ip.dst
    mtu = dst_mtu(ns, nexthop, skb.packet.family, forwarding=_forwarded(skb))
    if _fits(skb, mtu):
        neigh_output(ns, skb, device, next_hop)
    elif _may_be_cut(skb, mtu):
        queued = skb.socket_owner is None and (device.name, next_hop) not in ns.neighbours
        do_fragment(ns, skb, device, mtu, lambda part: _part_output(ns, part, device, next_hop, queued=queued))
    else:
        too_big(ns, skb, mtu, _CALLS[skb.packet.family].fragment)


def _part_output(ns: Namespace, part: SkBuff, device: Device, next_hop: Address, *, queued: bool) -> None:
    """Hand a part to the neighbour. ``queued`` are all parts that wait for its answer, which no softirq sees before it has done its work.

    A process that sends sees the answer before it sends the second part.
    """
    neigh_output(ns, part, device, next_hop)
    part.refused = part.refused and not queued


def _forwarded(skb: SkBuff) -> bool:
    """Whether a forwarder's MTU counts; at this place IPv6 takes what it knows for every packet. Ref: ip6_skb_dst_mtu()."""
    return skb.iif is not None and skb.packet.family is Family.IPV4


def _fits(skb: SkBuff, mtu: int) -> bool:
    """What IPv4's conntrack joined is cut again whatever its length. Ref: __ip_finish_output(), __ip6_finish_output()."""
    length, joined = skb_len(skb.packet), skb.frag_max_size
    if skb.packet.family is Family.IPV4:
        return length <= mtu and not joined
    return length <= min(mtu, joined or mtu)


def _may_be_cut(skb: SkBuff, mtu: int) -> bool:
    """Ref: net/ipv4/ip_output.c:ip_fragment(), net/ipv6/ip6_output.c:ip6_fragment() (v6.12)."""
    if skb.packet.family is Family.IPV6:
        return skb.ignore_df or (skb.iif is None and not skb.packet.ip.dont_fragment)
    unlocked = skb.nexthop is None or not skb.nexthop.mtu_locked or skb.iif is not None
    return not (skb.packet.ip.dont_fragment and unlocked) or (skb.ignore_df and skb.frag_max_size <= mtu)


def do_fragment(ns: Namespace, skb: SkBuff, device: Device, mtu: int, output: Callable[[SkBuff], None]) -> None:
    """Cut a packet to an MTU, or to the size that its fragments had before they were joined here, and send the parts.

    Fragments that were joined go out again as they came, if each of them fits and has room for the headers of the way out.
    Ref: net/ipv4/ip_output.c:ip_do_fragment(), net/ipv6/ip6_output.c:ip6_fragment() (v6.12).
    """
    size = min(mtu, skb.frag_max_size or mtu)
    came = () if _wants_headroom(ns, device) else skb.frag_list
    parts = fragments(skb.packet, size, ns.identification(), came)
    ns.record(Fragmentation(device.name, size, skb.packet, parts))
    for packet in parts:
        part = replace(skb, packet=packet, frag_max_size=0, frag_list=(), traversed=list(skb.traversed))
        output(part)
        if part.refused:  # the others are thrown away without a word
            break


def _wants_headroom(ns: Namespace, device: Device) -> bool:
    """Whether a device puts more than a link header before a packet (``needed_headroom``), itself or at a port of its own.

    Ref: include/linux/netdevice.h:LL_RESERVED_SPACE(), net/bridge/br_if.c:br_add_if() (v6.12).
    """
    tunnels = (Vxlan, IPIP)
    ports = (each.kind for each in ns.devices.values() if each.port is not None and each.port.master == device.name)
    return isinstance(device.kind, tunnels) or any(isinstance(kind, tunnels) for kind in ports)


def too_big(ns: Namespace, skb: SkBuff, mtu: int, where: str) -> None:
    """A packet is larger than the MTU (bytes) of its way out and must not be fragmented: its sender is told."""
    why = "DF is set" if skb.packet.family is Family.IPV4 else "no router fragments IPv6"
    way = skb.nexthop.device if skb.nexthop is not None else "the way out"
    detail = f"{skb_len(skb.packet)} bytes are more than the MTU of {way}, {mtu}, and {why}"
    ns.drop(DropReason.PKT_TOO_BIG, where, detail)
    icmp_unreachable(ns, skb, Unreachable.FRAG_NEEDED, mtu=mtu)


def _sendable(ns: Namespace, packet: Packet, routed: Routed) -> bool:
    """What the system call refuses before there is a packet on its way."""
    calls, nexthop = _CALLS[packet.family], routed.nexthop
    group = packet.ip.dst.is_multicast or (nexthop is not None and nexthop.broadcast and not nexthop.local)
    if group and packet.ip.protocol is Protocol.TCP:
        detail = f"TCP does not connect to {packet.ip.dst}: the sender gets 'Network is unreachable'"
        ns.drop(DropReason.SOCKET_REFUSED, calls.connect, detail)
        return False
    if routed.error is not None or nexthop is None:
        error = routed.error.value if routed.error is not None else "Network is unreachable"
        ns.drop(DropReason.IP_OUTNOROUTES, calls.lookup, f"the sender gets {error!r}{_hint(ns, packet)}")
        return False
    if packet.ip.dst.is_multicast:
        raise NotModelledError("sending to a multicast address", calls.multicast)
    if group:
        detail = f"{packet.ip.dst} is a broadcast address, and the socket has no SO_BROADCAST: the sender gets 'Permission denied'"
        ns.drop(DropReason.SOCKET_REFUSED, "ip4_datagram_connect", detail)
        return False
    return _short_enough(ns, packet, nexthop)


def _short_enough(ns: Namespace, packet: Packet, nexthop: Nexthop) -> bool:
    """A socket that wants DF on its packets sends none that the way to its peer, as far as this host knows it, does not take."""
    mtu = dst_mtu(ns, nexthop, packet.family, forwarding=False)
    length = skb_len(packet)
    if length <= mtu or not packet.ip.dont_fragment or nexthop.mtu_locked:
        return True
    whose = f"the path to {packet.ip.dst}" if nexthop.path_mtu == mtu else nexthop.device
    detail = f"{length} bytes are more than the MTU of {whose}, {mtu}: the sender gets 'Message too long'"
    ns.drop(DropReason.PKT_TOO_BIG, _CALLS[packet.family].append, detail)
    return False


def _hint(ns: Namespace, packet: Packet) -> str:
    source = packet.ip.src
    if packet.family is Family.IPV6:
        return ": a link-local address needs its device" if packet.ip.dst.is_link_local else ""
    if source.is_loopback:
        return f": the source {source} must not leave the host (route_localnet is 0)"
    own = ns.fib.is_local(source) or source.is_unspecified
    return "" if own else f": the source {source} is no address of this host"
