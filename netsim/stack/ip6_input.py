"""The way in of an IPv6 packet: what may come from the wire passes PREROUTING, is routed, and goes to a socket or on.

Ref: net/ipv6/ip6_input.c:ip6_rcv_core(), ip6_rcv_finish_core(), ip6_input(), ip6_mc_input(); net/ipv6/route.c:ip6_pkt_drop() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable

from netsim.net.address import Address
from netsim.net.packet import Protocol
from netsim.stack.icmp import icmp_rcv
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip6_forward import ip6_forward
from netsim.stack.ip6_route import ip6_route_input
from netsim.stack.ip_fragment import is_fragment
from netsim.stack.namespace import Arrival, ArrivalKind, Namespace, reassembled
from netsim.stack.ndisc import is_ndisc
from netsim.stack.reasons import DropReason
from netsim.stack.route import InputKey, Routed, RouteError, record_input
from netsim.stack.sctp import sctp_rcv
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Hook
from netsim.stack.tcp import tcp_rcv
from netsim.stack.udp import udp_rcv
from netsim.topology.model import Device, Loopback, Role

INET6_PROTOCOLS: dict[Protocol, Callable[[Namespace, SkBuff], None]] = {
    # net/ipv6/af_inet6.c:inet6_init(), net/sctp/ipv6.c
    Protocol.TCP: tcp_rcv,
    Protocol.UDP: udp_rcv,
    Protocol.SCTP: sctp_rcv,
    Protocol.ICMPV6: icmp_rcv,
}


def ipv6_rcv(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """An IPv6 packet came in on a device."""
    skb.iif = device.name
    if not _wanted(ns, device, skb):
        return
    dst = skb.packet.ip.dst
    if not ns.nf_hook(Hook.PREROUTING, skb):
        return
    if skb.packet.ip.dst != dst:
        skb.nexthop = None
    ip6_rcv_finish(ns, device, skb)


def ipv6_rcv_bridged(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """A packet that a bridge passes up, and that passed PREROUTING there already: it does not pass it twice.

    What the size of its fragments was is forgotten here: ``ip6_rcv_core()`` clears ``IP6CB()``.
    Ref: net/bridge/br_netfilter_hooks.c:ip_sabotage_in() (v6.12).
    """
    skb.iif, skb.frag_max_size = device.name, 0
    if _wanted(ns, device, skb):
        ip6_rcv_finish(ns, device, skb)


def _wanted(ns: Namespace, device: Device, skb: SkBuff) -> bool:
    """Ref: net/ipv6/ip6_input.c:ip6_rcv_core() (v6.12)."""
    if skb.pkt_type is PacketType.OTHERHOST:
        ns.drop(DropReason.OTHERHOST, "ip6_rcv_core", f"the frame is for {skb.dst_mac}, {device.name} is {device.mac}")
        return False
    loopback = isinstance(device.kind, Loopback)
    if ns.spec.role is Role.OUTSIDE and not loopback and not is_ndisc(skb.packet):
        ns.network.arrived(Arrival(ns.name, skb.packet, "", ArrivalKind.OUTSIDE))
        return False
    if not ns.fib6.addresses[device.name]:
        ns.drop(DropReason.IP_INVALID_DEST, "ip6_rcv_core", f"{device.name} takes no part in IPv6")
        return False
    return _valid(ns, device, skb.packet.ip.src, skb.packet.ip.dst, loopback=loopback)


def _valid(ns: Namespace, device: Device, src: Address, dst: Address, *, loopback: bool) -> bool:
    """Addresses that must not come from the wire. RFC 4291 §2.5.3, §2.7."""
    scope = int(dst) >> 112 & 0xF if dst.is_multicast else None
    if dst.is_loopback and not loopback:
        detail = f"{dst} cannot come from {device.name}"
    elif scope == 0 or (scope == 1 and not loopback):
        detail = f"{dst} is of a scope that does not leave a host"
    else:
        if not src.is_multicast and (loopback or not src.is_loopback):
            return True
        detail = f"martian source: {src} cannot come from {device.name}"
        ns.drop(DropReason.IP_INVALID_SOURCE, "ip6_rcv_core", detail)
        return False
    ns.drop(DropReason.IP_INVALID_DEST, "ip6_rcv_core", detail)
    return False


def ip6_rcv_finish(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Route the packet unless that was done, and follow the route."""
    if skb.nexthop is None and not _route(ns, device, skb):
        return
    nexthop = skb.nexthop
    assert nexthop is not None
    if not nexthop.local:
        ip6_forward(ns, device, skb)
    elif skb.packet.ip.dst.is_multicast and not ns.fib6.joined(skb.packet.ip.dst, device.name):
        ns.drop(
            DropReason.IP_INVALID_DEST, "ip6_mc_input", f"{device.name} has not joined the group {skb.packet.ip.dst}"
        )
    else:
        ip6_input(ns, skb)


def ip6_input(ns: Namespace, skb: SkBuff) -> None:
    """INPUT, then the transport protocol. Unlike in IPv4 a fragment passes INPUT before it waits for the others.

    Ref: also net/ipv6/reassembly.c:ipv6_frag_rcv() (v6.12).
    """
    if not ns.nf_hook(Hook.INPUT, skb):
        return
    if is_fragment(skb.packet) and not reassembled(ns, skb, "ipv6_frag_rcv"):
        return
    handler = INET6_PROTOCOLS.get(skb.packet.ip.protocol)
    if handler is not None:
        handler(ns, skb)
        return
    ns.drop(DropReason.PROTO_NOT_SUPPORTED, "ip6_protocol_deliver_rcu", f"protocol {skb.packet.ip.protocol}")
    icmp_unreachable(ns, skb, Unreachable.PROTOCOL)


def _route(ns: Namespace, device: Device, skb: SkBuff) -> bool:
    key = InputKey.of(skb, device)
    routed = ip6_route_input(ns, key)
    record_input(ns, key, routed)
    if routed.nexthop is None:
        ip6_pkt_drop(ns, skb, routed)
        return False
    skb.nexthop = routed.nexthop
    return True


_ERRORS = {
    # dst.error: reason, message to the sender. An unreachable route says "no route". Ref: net/ipv6/route.c:ip6_rt_init_dst_reject()
    RouteError.ENETUNREACH: (DropReason.IP_INNOROUTES, Unreachable.NET),
    RouteError.EHOSTUNREACH: (DropReason.IP_INADDRERRORS, Unreachable.NET),
    RouteError.EACCES: (DropReason.IP_INADDRERRORS, Unreachable.ADMIN_PROHIBITED),
    RouteError.EINVAL: (DropReason.ROUTE_BLACKHOLE, None),
}


def ip6_pkt_drop(ns: Namespace, skb: SkBuff, routed: Routed) -> None:
    """The route is an error: tell the sender, whether this host forwards or not."""
    assert routed.error is not None
    reason, message = _ERRORS[routed.error]
    ns.drop(reason, "ip6_pkt_drop", f"{skb.packet.ip.dst}: {routed.error.value}")
    if message is not None:
        icmp_unreachable(ns, skb, message)
