"""SCTP as its peers see it: the four-way handshake of a listener, and ABORT for what belongs to no association.

Ref: net/sctp/input.c:sctp_rcv(), net/sctp/sm_statefuns.c:sctp_sf_do_5_1B_init(), sctp_sf_ootb() (v6.12); RFC 9260 §5.1, §8.4.
"""

from __future__ import annotations

from netsim.net.packet import SCTPChunk, SCTPHeader
from netsim.stack.answer import answer
from netsim.stack.namespace import Arrival, ArrivalKind, Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.stack.sockets import Connection
from netsim.stack.steps import SocketLookup
from netsim.topology.model import Listener

LISTENER_TAG = 500_000
_ANSWERS = {SCTPChunk.INIT: SCTPChunk.INIT_ACK, SCTPChunk.COOKIE_ECHO: SCTPChunk.COOKIE_ACK}


def sctp_rcv(ns: Namespace, skb: SkBuff) -> None:
    """An SCTP packet for this host."""
    packet = skb.packet
    header = packet.l4
    assert isinstance(header, SCTPHeader)
    connection = Connection.receiving(packet)
    owner = ns.sockets.clients.get(connection)
    if owner is not None:
        ns.record(SocketLookup(packet, owner))
        ns.network.arrived(Arrival(ns.name, packet, owner, ArrivalKind.CLIENT))
        return
    listener = ns.sockets.listener(packet.ip.protocol, packet.ip.dst, header.dport)
    known = connection in ns.sockets.accepted
    if listener is not None and (known or header.chunk in _ANSWERS):
        _accept(ns, skb, listener, header)
    else:
        _out_of_the_blue(ns, skb, header)


def _accept(ns: Namespace, skb: SkBuff, listener: Listener, header: SCTPHeader) -> None:
    """A listener keeps no state for INIT: the cookie that comes back makes the association. RFC 9260 §5.1.3."""
    chunk = _ANSWERS.get(header.chunk)
    if header.chunk is SCTPChunk.COOKIE_ECHO:
        ns.sockets.accepted[Connection.receiving(skb.packet)] = listener
    if header.chunk is SCTPChunk.ABORT:
        ns.sockets.accepted.pop(Connection.receiving(skb.packet), None)
    ns.record(
        SocketLookup(skb.packet, listener.owner, answer=chunk.name.replace("_", "-") if chunk is not None else "")
    )
    ns.network.arrived(Arrival(ns.name, skb.packet, listener.owner, ArrivalKind.LISTENER))
    if chunk is not None:
        header_back = SCTPHeader(header.dport, header.sport, chunk, LISTENER_TAG)
        answer(ns, skb, header_back, by="sctp", owner=listener.owner)


def _out_of_the_blue(ns: Namespace, skb: SkBuff, header: SCTPHeader) -> None:
    silent = header.chunk is SCTPChunk.ABORT or (skb.nexthop is not None and skb.nexthop.broadcast)
    opens = header.chunk in _ANSWERS
    ns.record(SocketLookup(skb.packet, None, answer="" if silent else "ABORT"))
    reason = DropReason.NO_SOCKET if opens else DropReason.TCP_INVALID
    ns.drop(reason, "sctp_rcv", f"no association or listener on {skb.packet.ip.dst} port {header.dport}")
    if not silent:
        answer(ns, skb, SCTPHeader(header.dport, header.sport, SCTPChunk.ABORT, header.verification_tag), by="sctp")
