"""The way in, in both families: a packet for this host's MAC passes PREROUTING, is routed, and goes to a socket or on.

What IPv6 alone asks of a packet's addresses stands in ``ip6_input``.
Ref: net/ipv4/ip_input.c:ip_rcv(), ip_rcv_finish_core(), ip_local_deliver(); net/ipv4/route.c:ip_error(); net/ipv6/ip6_input.c:
ip6_rcv_core(), ip6_rcv_finish_core(), ip6_input(); net/ipv6/route.c:ip6_pkt_drop() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netsim.net.address import Family
from netsim.net.packet import Protocol
from netsim.stack.dst import route_input
from netsim.stack.icmp import icmp_rcv
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip6_forward import ip6_forward
from netsim.stack.ip6_input import ip6_acceptable, ip6_mc_joined
from netsim.stack.ip_forward import ip_forward
from netsim.stack.ip_fragment import is_fragment
from netsim.stack.ipip import tunnel4_rcv
from netsim.stack.namespace import Arrival, ArrivalKind, Namespace, reassembled
from netsim.stack.ndisc import is_ndisc
from netsim.stack.reasons import DropReason
from netsim.stack.route import InputKey, Martian, Routed, RouteError, record_input
from netsim.stack.sctp import sctp_rcv
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Hook
from netsim.stack.tcp import tcp_rcv
from netsim.stack.udp import udp_rcv
from netsim.topology.model import Device, Loopback, Role

_BOTH: Mapping[Protocol, Callable[[Namespace, SkBuff], None]] = {
    Protocol.TCP: tcp_rcv,
    Protocol.UDP: udp_rcv,
    Protocol.SCTP: sctp_rcv,
}
PROTOCOLS: Mapping[Family, Mapping[Protocol, Callable[[Namespace, SkBuff], None]]] = {
    # net/ipv4/af_inet.c:inet_init(), net/ipv6/af_inet6.c:inet6_init(), net/sctp/protocol.c, net/sctp/ipv6.c
    Family.IPV4: {**_BOTH, Protocol.ICMP: icmp_rcv, Protocol.IPIP: tunnel4_rcv},
    Family.IPV6: {**_BOTH, Protocol.ICMPV6: icmp_rcv},
}
_CORE = {Family.IPV4: "ip_rcv_core", Family.IPV6: "ip6_rcv_core"}
_DEFRAG = {Family.IPV4: "ip_local_deliver", Family.IPV6: "ipv6_frag_rcv"}
_DELIVER = {Family.IPV4: "ip_protocol_deliver_rcu", Family.IPV6: "ip6_protocol_deliver_rcu"}


def ip_rcv(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """An IP packet came in on a device."""
    skb.iif = device.name
    if not _wanted(ns, device, skb):
        return
    dst = skb.packet.ip.dst
    if not ns.nf_hook(Hook.PREROUTING, skb):
        return
    if skb.packet.ip.dst != dst:
        skb.nexthop = None
    _finish(ns, device, skb)


def ip_rcv_bridged(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """A packet that a bridge passes up, and that passed PREROUTING there already: it does not pass it twice.

    What the size of its fragments was is forgotten here: ``ip_rcv_core()`` clears ``IPCB()``.
    Ref: net/bridge/br_netfilter_hooks.c:ip_sabotage_in() (v6.12).
    """
    skb.iif, skb.frag_max_size = device.name, 0
    if _wanted(ns, device, skb):
        _finish(ns, device, skb)


def _wanted(ns: Namespace, device: Device, skb: SkBuff) -> bool:
    family = skb.packet.family
    if skb.pkt_type is PacketType.OTHERHOST:
        detail = f"the frame is for {skb.dst_mac}, {device.name} is {device.mac}"
        ns.drop(DropReason.OTHERHOST, _CORE[family], detail)
        return False
    loopback = isinstance(device.kind, Loopback)
    if ns.spec.role is Role.OUTSIDE and not loopback and not is_ndisc(skb.packet):
        ns.network.arrived(Arrival(ns.name, skb.packet, "", ArrivalKind.OUTSIDE))
        return False
    return family is Family.IPV4 or ip6_acceptable(ns, device, skb.packet)


def _finish(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Route the packet unless that was done, and follow the route."""
    if skb.nexthop is None and not _route(ns, device, skb):
        return
    assert skb.nexthop is not None
    six = skb.packet.family is Family.IPV6
    if not skb.nexthop.local:
        if six:
            ip6_forward(ns, device, skb)
        else:
            ip_forward(ns, skb)
    elif not six or ip6_mc_joined(ns, device, skb.packet):
        _local_deliver(ns, skb)


def _local_deliver(ns: Namespace, skb: SkBuff) -> None:
    """INPUT, then the transport protocol. In IPv6 a fragment passes INPUT before it waits for the others, in IPv4 after.

    Ref: also net/ipv4/ip_fragment.c:ip_defrag(), net/ipv6/reassembly.c:ipv6_frag_rcv() (v6.12).
    """
    family = skb.packet.family
    if family is Family.IPV4 and not _whole(ns, skb):
        return
    if not ns.nf_hook(Hook.INPUT, skb):
        return
    if family is Family.IPV6 and not _whole(ns, skb):
        return
    handler = PROTOCOLS[family].get(skb.packet.ip.protocol)
    if handler is not None:
        handler(ns, skb)
        return
    ns.drop(DropReason.PROTO_NOT_SUPPORTED, _DELIVER[family], f"protocol {skb.packet.ip.protocol}")
    icmp_unreachable(ns, skb, Unreachable.PROTOCOL)


def _whole(ns: Namespace, skb: SkBuff) -> bool:
    return not is_fragment(skb.packet) or reassembled(ns, skb, _DEFRAG[skb.packet.family])


# --- routes -----------------------------------------------------------------------------------------------------


def _route(ns: Namespace, device: Device, skb: SkBuff) -> bool:
    key = InputKey.of(skb, device)
    return follow_input(ns, skb, key, route_input(ns, key))


def follow_input(ns: Namespace, skb: SkBuff, key: InputKey, routed: Routed | Martian) -> bool:
    """Record an input look-up and take its way; False where the packet ended."""
    if isinstance(routed, Martian):
        ns.drop(routed.reason, routed.where, routed.detail)
        return False
    record_input(ns, key, routed)
    if routed.nexthop is None:
        _error(ns, skb, key.device, routed)
        return False
    skb.nexthop = routed.nexthop
    return True


_REASONS = {
    # dst.error: why the packet ends
    RouteError.ENETUNREACH: DropReason.IP_INNOROUTES,
    RouteError.EHOSTUNREACH: DropReason.IP_INADDRERRORS,
    RouteError.EACCES: DropReason.IP_INADDRERRORS,
    RouteError.EINVAL: DropReason.ROUTE_BLACKHOLE,
}
_MESSAGES = {
    # dst.error: what the sender is told; in IPv6 an unreachable route says "no route". A blackhole says nothing.
    # Ref: net/ipv4/route.c:ip_error(), net/ipv6/route.c:ip6_rt_init_dst_reject() (v6.12)
    Family.IPV4: {
        RouteError.ENETUNREACH: Unreachable.NET,
        RouteError.EHOSTUNREACH: Unreachable.HOST,
        RouteError.EACCES: Unreachable.ADMIN_PROHIBITED,
    },
    Family.IPV6: {
        RouteError.ENETUNREACH: Unreachable.NET,
        RouteError.EHOSTUNREACH: Unreachable.NET,
        RouteError.EACCES: Unreachable.ADMIN_PROHIBITED,
    },
}


def _error(ns: Namespace, skb: SkBuff, device: Device, routed: Routed) -> None:
    """The route is an error: tell the sender; in IPv4 only a host that forwards does so."""
    dst, family = skb.packet.ip.dst, skb.packet.family
    if family is Family.IPV4 and not ns.sysctls.forwarding(device.name):
        detail = f"{dst} is not here, and {device.name} does not forward (ip_forward is 0)"
        ns.drop(DropReason.IP_FORWARDING_OFF, "ip_error", detail)
        return
    assert routed.error is not None
    where = "ip_error" if family is Family.IPV4 else "ip6_pkt_drop"
    ns.drop(_REASONS[routed.error], where, f"{dst}: {routed.error.value}")
    message = _MESSAGES[family].get(routed.error)
    if message is not None:
        icmp_unreachable(ns, skb, message)
