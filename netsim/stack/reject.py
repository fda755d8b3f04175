"""What REJECT answers: an ICMP error, or a TCP reset.

Ref: net/ipv4/netfilter/nf_reject_ipv4.c:nf_send_unreach(), nf_send_reset(), nf_reject_ipv6.c:nf_send_unreach6(), nf_send_reset6() (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import ICMPHeader, Protocol, TCPFlags, TCPHeader
from netsim.stack.answer import answering
from netsim.stack.dst import route_input
from netsim.stack.icmp_send import Message, Unreachable, icmp_send
from netsim.stack.namespace import LocalOut, Namespace, NotModelledError
from netsim.stack.nf_conntrack_core import nf_ct_attach
from netsim.stack.nf_conntrack_tcp import TCPState
from netsim.stack.route import InputKey, Routed
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook
from netsim.stack.tcp import reset

TCP_RESET = "tcp-reset"
ECHO_REPLIES = {Protocol.ICMP: 0, Protocol.ICMPV6: 129}
_KINDS: dict[str, Message] = {
    # net/ipv4/netfilter/ipt_REJECT.c:reject_tg(), net/ipv6/netfilter/ip6t_REJECT.c:reject_tg6()
    "icmp-net-unreachable": Unreachable.NET.value[0],
    "icmp-host-unreachable": Unreachable.HOST.value[0],
    "icmp-proto-unreachable": Unreachable.PROTOCOL.value[0],
    "icmp-port-unreachable": Unreachable.PORT.value[0],
    "icmp-net-prohibited": Unreachable.NET_PROHIBITED.value[0],
    "icmp-host-prohibited": Unreachable.HOST_PROHIBITED.value[0],
    "icmp-admin-prohibited": Unreachable.ADMIN_PROHIBITED.value[0],
    "icmp6-no-route": Message(1, 0),
    "icmp6-adm-prohibited": Message(1, 1),
    "icmp6-addr-unreachable": Message(1, 3),
    "icmp6-port-unreachable": Message(1, 4),
    "icmp6-policy-fail": Message(1, 5),
    "icmp6-reject-route": Message(1, 6),
}


def send_reject(ns: Namespace, skb: SkBuff, hook: Hook, kind: str) -> None:
    """Queue the answer to a rejected packet. A reset is answered by nothing, and so is an ICMP error."""
    if hook is Hook.PREROUTING and skb.nexthop is None:
        _fill_route(ns, skb)
    if kind == TCP_RESET:
        _send_reset(ns, skb)
        return
    message = _KINDS.get(kind)
    if message is None:
        raise NotModelledError(f"REJECT --reject-with {kind}", "reject_tg")
    if not _icmp_is_busy(skb, hook):
        icmp_send(ns, skb, message, by="REJECT")


def _icmp_is_busy(skb: SkBuff, hook: Hook) -> bool:
    """True for an echo reply of this kernel: its one ICMP socket sends it just now, and so sends no error.

    Ref: net/ipv4/icmp.c:icmp_xmit_lock(), net/ipv6/icmp.c:icmpv6_xmit_lock() (v6.12).
    """
    message = skb.packet.l4
    is_reply = isinstance(message, ICMPHeader) and message.type == ECHO_REPLIES[skb.packet.ip.protocol]
    return hook is Hook.OUTPUT and is_reply


def _fill_route(ns: Namespace, skb: SkBuff) -> None:
    """In PREROUTING nobody has routed the packet yet. Ref: nf_reject_ipv4.c:nf_reject_fill_skb_dst() (v6.12)."""
    device = ns.devices.get(skb.iif) if skb.iif is not None else None
    if device is None:
        return
    routed = route_input(ns, InputKey(skb.packet.ip.src, skb.packet.ip.dst, device))
    skb.nexthop = routed.nexthop if isinstance(routed, Routed) else None


def _send_reset(ns: Namespace, skb: SkBuff) -> None:
    packet, segment = skb.packet, skb.packet.l4
    broadcast = (skb.nexthop is not None and skb.nexthop.broadcast) or packet.ip.dst.is_multicast
    if not isinstance(segment, TCPHeader) or segment.flags & TCPFlags.RST or broadcast:
        return
    answer = SkBuff(answering(ns, packet, reset(packet, segment)), oif=skb.iif)
    nf_ct_attach(answer, skb)
    _set_closing(ns, skb)
    through = _bridged(answer, skb)
    ns.network.local_out(ns.name, LocalOut(answer, "REJECT", owner="", any_source=True, through_port=through))


def _set_closing(ns: Namespace, skb: SkBuff) -> None:
    """The connection is over. Ref: net/netfilter/nf_conntrack_proto_tcp.c:nf_conntrack_tcp_set_closing() (v6.12)."""
    if skb.ct is not None and skb.ct.tcp is not TCPState.CLOSE:
        skb.ct.tcp = TCPState.CLOSE
        skb.ct.deadline = ns.now() + ns.sysctls.get("net.netfilter.nf_conntrack_tcp_timeout_close")


def _bridged(answer: SkBuff, skb: SkBuff) -> str | None:
    """A bridged packet's reset goes straight back out of its port, with the MACs swapped."""
    if skb.physindev is None:
        return None
    answer.src_mac, answer.dst_mac = skb.dst_mac, skb.src_mac
    return skb.physindev
