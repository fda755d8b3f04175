"""ICMP that reaches this host: echo requests are answered by the kernel, replies and errors go to the socket they are about.

Ref: net/ipv4/icmp.c:icmp_rcv(), icmp_echo(), icmp_unreach(), net/ipv4/ping.c:ping_lookup() (v6.12). ICMPv6 likewise.
"""

from __future__ import annotations

from netsim.net.address import Family
from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.stack.answer import answer
from netsim.stack.icmp_send import is_icmp_error
from netsim.stack.namespace import Arrival, ArrivalKind, Namespace, NotModelledError
from netsim.stack.ndisc import is_ndisc, ndisc_rcv
from netsim.stack.pmtu import is_too_big, update_pmtu
from netsim.stack.reasons import DropReason
from netsim.stack.redirect import REDIRECT_TYPES, do_redirect
from netsim.stack.skbuff import SkBuff
from netsim.stack.sockets import Connection
from netsim.stack.steps import SocketLookup

ECHO_REQUEST = {Protocol.ICMP: 8, Protocol.ICMPV6: 128}
ECHO_REPLY = {Protocol.ICMP: 0, Protocol.ICMPV6: 129}


def icmp_rcv(ns: Namespace, skb: SkBuff) -> None:
    """An ICMP message for this host."""
    packet = skb.packet
    message = packet.l4
    assert isinstance(message, ICMPHeader)
    if is_ndisc(packet):
        ndisc_rcv(ns, skb)
    elif message.type == ECHO_REQUEST[packet.ip.protocol]:
        _echo(ns, skb, message)
    elif message.type == ECHO_REPLY[packet.ip.protocol]:
        _echo_reply(ns, packet)
    elif message.quoted is not None and message.type == REDIRECT_TYPES[packet.ip.protocol]:
        _redirect(ns, skb, message, message.quoted)
    elif is_icmp_error(packet) and message.quoted is not None:
        _error(ns, packet, message, message.quoted)
    else:
        raise NotModelledError(f"{packet.ip.protocol.name} type {message.type}", "icmp_rcv")


def _echo(ns: Namespace, skb: SkBuff, request: ICMPHeader) -> None:
    packet = skb.packet
    ignored = _ignored(ns, skb)
    if ignored is not None:
        ns.record(SocketLookup(packet, None))
        ns.drop(DropReason.NO_SOCKET, ignored, "this host does not answer such an echo request (icmp_echo_ignore_*)")
        return
    ns.record(SocketLookup(packet, ns.name, answer="echo reply"))
    ns.network.arrived(Arrival(ns.name, packet, "", ArrivalKind.ICMP))
    reply = ICMPHeader(ECHO_REPLY[packet.ip.protocol], identifier=request.identifier, sequence=request.sequence)
    answer(ns, skb, reply, by="icmp", payload=packet.payload, dont_fragment=False)


def _ignored(ns: Namespace, skb: SkBuff) -> str | None:
    """Where the kernel decides not to answer an echo request; None where it answers."""
    if skb.packet.family is Family.IPV6:
        return "icmpv6_rcv" if ns.sysctls.get("net.ipv6.icmp.echo_ignore_all") else None
    broadcast = skb.nexthop is not None and skb.nexthop.broadcast
    if broadcast and ns.sysctls.get("net.ipv4.icmp_echo_ignore_broadcasts"):
        return "icmp_rcv"
    return "icmp_echo" if ns.sysctls.get("net.ipv4.icmp_echo_ignore_all") else None


def _echo_reply(ns: Namespace, packet: Packet) -> None:
    owner = ns.sockets.clients.get(Connection.receiving(packet))
    ns.record(SocketLookup(packet, owner))
    if owner is None:
        ns.drop(DropReason.ICMP_UNEXPECTED, "ping_rcv", f"nobody here waits for an echo reply from {packet.ip.src}")
    else:
        ns.network.arrived(Arrival(ns.name, packet, owner, ArrivalKind.CLIENT))


def _error(ns: Namespace, packet: Packet, message: ICMPHeader, quoted: Packet) -> None:
    """An error belongs to the socket that sent what it quotes. Ref: net/ipv4/tcp_ipv4.c:tcp_v4_err(), udp.c:__udp4_lib_err() (v6.12)."""
    owner = _sender(ns, quoted)
    ns.record(SocketLookup(packet, owner))
    if owner is None:
        ns.drop(DropReason.ICMP_UNEXPECTED, "icmp_unreach", f"no socket of this host sent {quoted}")
        return
    if is_too_big(packet, message):
        update_pmtu(ns, quoted, message.mtu)
    ns.network.arrived(Arrival(ns.name, packet, owner, ArrivalKind.ERROR))


def _redirect(ns: Namespace, skb: SkBuff, message: ICMPHeader, quoted: Packet) -> None:
    """A redirect is the kernel's: no process hears of it. Ref: net/ipv4/icmp.c:icmp_redirect() (v6.12)."""
    owner = _sender(ns, quoted)
    ns.record(SocketLookup(skb.packet, owner))
    if owner is None:
        ns.drop(DropReason.ICMP_UNEXPECTED, "icmp_redirect", f"no socket of this host sent {quoted}")
    else:
        do_redirect(ns, skb, message)


def _sender(ns: Namespace, quoted: Packet) -> str | None:
    """Whose socket sent a packet: a connected one, an accepted one, a UDP listener that answered, or a tunnel device's.

    Of a later fragment nobody knows. Ref: net/ipv6/exthdrs_core.c:ipv6_skip_exthdr() (v6.12).
    """
    if quoted.ip.fragment_offset:
        return None
    connection = Connection.sending(quoted)
    owner = ns.sockets.clients.get(connection)
    if owner is not None:
        return owner
    listener = ns.sockets.accepted.get(connection)
    if listener is None and quoted.ip.protocol is Protocol.UDP:
        listener = ns.sockets.listener(Protocol.UDP, *connection.local)
    return listener.owner if listener is not None else None
