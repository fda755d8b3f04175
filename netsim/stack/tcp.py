"""TCP as its peers see it: handshakes of listeners, segments for connections, and resets for what belongs to none.

Windows, retransmission and options other than MSS are not modelled; a segment of a known connection is taken whatever its numbers.
Ref: net/ipv4/tcp_ipv4.c:tcp_v4_rcv(), tcp_v4_send_reset(), net/ipv4/tcp_input.c:tcp_rcv_state_process() (v6.12); RFC 9293 §3.10.7.
"""

from __future__ import annotations

from netsim.net.packet import Packet, TCPFlags, TCPHeader
from netsim.stack.answer import answer, link_of
from netsim.stack.dst import advertised_mss, route_output
from netsim.stack.namespace import Arrival, ArrivalKind, Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.sockets import Connection
from netsim.stack.steps import SocketLookup
from netsim.topology.model import Listener

LISTENER_SEQUENCE = 500_000
DEFAULT_MSS = 1460


def tcp_rcv(ns: Namespace, skb: SkBuff) -> None:
    """A segment for this host."""
    packet = skb.packet
    segment = packet.l4
    assert isinstance(segment, TCPHeader)
    if skb.pkt_type is not PacketType.HOST:
        ns.drop(DropReason.NO_SOCKET, "tcp_v4_rcv", "TCP takes nothing that came in a broadcast frame")
        return
    connection = Connection.receiving(packet)
    if _established(ns, connection, packet, segment):
        return
    listener = ns.sockets.listener(packet.ip.protocol, packet.ip.dst, segment.dport)
    if listener is None:
        _no_socket(ns, skb, connection, segment)
    else:
        _listen(ns, skb, listener, segment)


def _established(ns: Namespace, connection: Connection, packet: Packet, segment: TCPHeader) -> bool:
    sockets = ns.sockets
    owner = sockets.clients.get(connection)
    if owner is not None:
        ns.record(SocketLookup(packet, owner))
        ns.network.arrived(Arrival(ns.name, packet, owner, ArrivalKind.CLIENT))
        return True
    listener = sockets.accepted.get(connection)
    if listener is None or _opens(segment):
        return False
    ns.record(SocketLookup(packet, listener.owner))
    if segment.flags & TCPFlags.RST:
        del sockets.accepted[connection]
    ns.network.arrived(Arrival(ns.name, packet, listener.owner, ArrivalKind.LISTENER))
    return True


def _opens(segment: TCPHeader) -> bool:
    wanted = TCPFlags.SYN | TCPFlags.ACK | TCPFlags.RST | TCPFlags.FIN
    return segment.flags & wanted == TCPFlags.SYN


def _listen(ns: Namespace, skb: SkBuff, listener: Listener, segment: TCPHeader) -> None:
    """TCP_LISTEN: a SYN is answered, an ACK is reset, the rest is ignored. Ref: tcp_input.c:tcp_rcv_state_process() (v6.12)."""
    packet = skb.packet
    if segment.flags & TCPFlags.ACK and not segment.flags & TCPFlags.RST:
        _refuse(ns, skb, segment, "the listener has no connection that this segment belongs to")
    elif not _opens(segment):
        ns.record(SocketLookup(packet, None))
        ns.drop(DropReason.TCP_INVALID, "tcp_rcv_state_process", "a listener takes nothing but a SYN")
    elif skb.nexthop is not None and skb.nexthop.broadcast:
        ns.record(SocketLookup(packet, None))
        ns.drop(DropReason.NO_SOCKET, "tcp_v4_conn_request", f"{packet.ip.dst} is a broadcast address")
    else:
        ns.record(SocketLookup(packet, listener.owner, answer="SYN-ACK"))
        ns.sockets.accepted[Connection.receiving(packet)] = listener
        ns.network.arrived(Arrival(ns.name, packet, listener.owner, ArrivalKind.LISTENER))
        answer(ns, skb, _syn_ack(ns, skb, segment), by="tcp", owner=listener.owner)


def _syn_ack(ns: Namespace, skb: SkBuff, syn: TCPHeader) -> TCPHeader:
    packet = skb.packet
    way = route_output(ns, OutputKey(packet.ip.src, packet.ip.dst, oif=link_of(skb))).nexthop
    mss = advertised_mss(ns, way, packet.family) if way is not None else DEFAULT_MSS
    flags = TCPFlags.SYN | TCPFlags.ACK
    taken = syn.seq + 1 + packet.payload
    return TCPHeader(syn.dport, syn.sport, flags, LISTENER_SEQUENCE, taken, mss=mss)


def _no_socket(ns: Namespace, skb: SkBuff, connection: Connection, segment: TCPHeader) -> None:
    if _opens(segment):
        _refuse(
            ns, skb, segment, f"no socket listens on {skb.packet.ip.dst} port {segment.dport}", DropReason.NO_SOCKET
        )
        return
    detail = f"no connection of this host is with {skb.packet.ip.src} port {segment.sport}"
    if ns.sockets.expects_another_peer(connection):
        detail += f"; the socket on port {segment.dport} expects another peer"
    _refuse(ns, skb, segment, detail)


def _refuse(
    ns: Namespace, skb: SkBuff, segment: TCPHeader, detail: str, reason: DropReason = DropReason.TCP_INVALID
) -> None:
    """Drop a segment; reset it, unless it is a reset itself or was no unicast. Ref: tcp_ipv4.c:tcp_v4_send_reset() (v6.12)."""
    silent = bool(segment.flags & TCPFlags.RST) or (skb.nexthop is not None and skb.nexthop.broadcast)
    ns.record(SocketLookup(skb.packet, None, answer="" if silent else "RST"))
    ns.drop(reason, "tcp_v4_rcv", detail)
    if not silent:
        answer(ns, skb, reset(skb.packet, segment), by="tcp")


def reset(packet: Packet, segment: TCPHeader) -> TCPHeader:
    """The segment that resets another. RFC 9293 §3.10.7.1."""
    if segment.flags & TCPFlags.ACK:
        return TCPHeader(segment.dport, segment.sport, TCPFlags.RST, segment.ack, window=0)
    length = packet.payload + bool(segment.flags & TCPFlags.SYN) + bool(segment.flags & TCPFlags.FIN)
    return TCPHeader(segment.dport, segment.sport, TCPFlags.RST | TCPFlags.ACK, 0, segment.seq + length, window=0)
