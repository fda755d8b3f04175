"""The way in: a packet for this host's MAC passes PREROUTING, is routed, and goes to a socket or on.

Ref: net/ipv4/ip_input.c:ip_rcv(), ip_rcv_finish_core(), ip_local_deliver(); net/ipv4/route.c:ip_error() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable

from netsim.net.packet import Protocol
from netsim.stack.icmp import icmp_rcv
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip_forward import ip_forward
from netsim.stack.ip_fragment import is_fragment
from netsim.stack.ipip import tunnel4_rcv
from netsim.stack.namespace import Arrival, ArrivalKind, Namespace, reassembled
from netsim.stack.reasons import DropReason
from netsim.stack.route import InputKey, Martian, Routed, RouteError, ip_route_input, record_input
from netsim.stack.sctp import sctp_rcv
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Hook
from netsim.stack.tcp import tcp_rcv
from netsim.stack.udp import udp_rcv
from netsim.topology.model import Device, Loopback, Role

INET_PROTOCOLS: dict[Protocol, Callable[[Namespace, SkBuff], None]] = {
    # net/ipv4/af_inet.c:inet_init(), net/sctp/protocol.c
    Protocol.TCP: tcp_rcv,
    Protocol.UDP: udp_rcv,
    Protocol.SCTP: sctp_rcv,
    Protocol.ICMP: icmp_rcv,
    Protocol.IPIP: tunnel4_rcv,
}


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
    ip_rcv_finish(ns, device, skb)


def ip_rcv_bridged(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """A packet that a bridge passes up, and that passed PREROUTING there already: it does not pass it twice.

    What the size of its fragments was is forgotten here: ``ip_rcv_core()`` clears ``IPCB()``.
    Ref: net/bridge/br_netfilter_hooks.c:ip_sabotage_in() (v6.12).
    """
    skb.iif, skb.frag_max_size = device.name, 0
    if _wanted(ns, device, skb):
        ip_rcv_finish(ns, device, skb)


def _wanted(ns: Namespace, device: Device, skb: SkBuff) -> bool:
    if skb.pkt_type is PacketType.OTHERHOST:
        ns.drop(DropReason.OTHERHOST, "ip_rcv_core", f"the frame is for {skb.dst_mac}, {device.name} is {device.mac}")
        return False
    if ns.spec.role is Role.OUTSIDE and not isinstance(device.kind, Loopback):
        ns.network.arrived(Arrival(ns.name, skb.packet, "", ArrivalKind.OUTSIDE))
        return False
    return True


def ip_rcv_finish(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """Route the packet unless that was done, and follow the route."""
    if skb.nexthop is None and not _route(ns, device, skb):
        return
    assert skb.nexthop is not None
    if skb.nexthop.local:
        ip_local_deliver(ns, skb)
    else:
        ip_forward(ns, skb)


def ip_local_deliver(ns: Namespace, skb: SkBuff) -> None:
    """INPUT, then the transport protocol. Ref: also net/ipv4/ip_fragment.c:ip_defrag() (v6.12)."""
    if is_fragment(skb.packet) and not reassembled(ns, skb, "ip_local_deliver"):
        return
    if not ns.nf_hook(Hook.INPUT, skb):
        return
    handler = INET_PROTOCOLS.get(skb.packet.ip.protocol)
    if handler is not None:
        handler(ns, skb)
        return
    ns.drop(DropReason.PROTO_NOT_SUPPORTED, "ip_protocol_deliver_rcu", f"protocol {skb.packet.ip.protocol}")
    icmp_unreachable(ns, skb, Unreachable.PROTOCOL)


def _route(ns: Namespace, device: Device, skb: SkBuff) -> bool:
    key = InputKey.of(skb, device)
    return follow_input(ns, skb, key, ip_route_input(ns, key))


def follow_input(ns: Namespace, skb: SkBuff, key: InputKey, routed: Routed | Martian) -> bool:
    """Record an input look-up and take its way; False where the packet ended."""
    if isinstance(routed, Martian):
        ns.drop(routed.reason, routed.where, routed.detail)
        return False
    record_input(ns, key, routed)
    if routed.nexthop is None:
        ip_error(ns, skb, key.device, routed)
        return False
    skb.nexthop = routed.nexthop
    return True


_ERRORS = {
    # dst.error: reason, message to the sender. Ref: net/ipv4/route.c:ip_error() (v6.12)
    RouteError.ENETUNREACH: (DropReason.IP_INNOROUTES, Unreachable.NET),
    RouteError.EHOSTUNREACH: (DropReason.IP_INADDRERRORS, Unreachable.HOST),
    RouteError.EACCES: (DropReason.IP_INADDRERRORS, Unreachable.ADMIN_PROHIBITED),
    RouteError.EINVAL: (DropReason.ROUTE_BLACKHOLE, None),
}


def ip_error(ns: Namespace, skb: SkBuff, device: Device, routed: Routed) -> None:
    """The route is an error: tell the sender, unless this host does not forward at all."""
    dst = skb.packet.ip.dst
    if not ns.sysctls.forwarding(device.name):
        ns.drop(
            DropReason.IP_FORWARDING_OFF,
            "ip_error",
            f"{dst} is not here, and {device.name} does not forward (ip_forward is 0)",
        )
        return
    assert routed.error is not None
    reason, message = _ERRORS[routed.error]
    ns.drop(reason, "ip_error", f"{dst}: {routed.error.value}")
    if message is not None:
        icmp_unreachable(ns, skb, message)
