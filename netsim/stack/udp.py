"""UDP: datagrams to connected sockets, to listeners, or to nobody.

A listener answers from the address it was asked on, as servers that use IP_PKTINFO do.
Ref: net/ipv4/udp.c:__udp4_lib_rcv(), __udp4_lib_lookup() (v6.12); RFC 1122 §4.1.3.1.
"""

from __future__ import annotations

from netsim.net.packet import UDPHeader
from netsim.stack.answer import answer, link_of
from netsim.stack.dst import route_output
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.namespace import Arrival, ArrivalKind, Namespace
from netsim.stack.nf_conntrack_core import nf_reset_ct
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey
from netsim.stack.skb_len import skb_len
from netsim.stack.skbuff import SkBuff
from netsim.stack.sockets import Connection
from netsim.stack.steps import SocketLookup
from netsim.stack.vxlan import vxlan_rcv

SMALL = 512
"""Bytes of payload that fit every link."""


def udp_rcv(ns: Namespace, skb: SkBuff) -> None:
    """A datagram for this host."""
    if vxlan_rcv(ns, skb):
        return
    packet = skb.packet
    datagram = packet.l4
    assert isinstance(datagram, UDPHeader)
    connection = Connection.receiving(packet)
    owner = ns.sockets.clients.get(connection)
    if owner is not None:
        ns.record(SocketLookup(packet, owner))
        ns.network.arrived(Arrival(ns.name, packet, owner, ArrivalKind.CLIENT))
        return
    listener = ns.sockets.listener(packet.ip.protocol, packet.ip.dst, datagram.dport)
    if listener is None:
        _unreachable(ns, skb, connection)
        return
    broadcast = _to_all(skb)
    ns.record(SocketLookup(packet, listener.owner, answer="" if broadcast else "answer"))
    ns.network.arrived(Arrival(ns.name, packet, listener.owner, ArrivalKind.LISTENER))
    if not broadcast:
        header = UDPHeader(datagram.dport, datagram.sport)
        by = listener.owner or "listener"
        answer(ns, skb, header, by=by, owner=listener.owner, payload=packet.payload, dont_fragment=_fits(ns, skb))


def _to_all(skb: SkBuff) -> bool:
    """True for a broadcast or a multicast, which no ICMP error answers. Ref: net/ipv4/icmp.c:__icmp_send() (v6.12)."""
    return (skb.nexthop is not None and skb.nexthop.broadcast) or skb.packet.ip.dst.is_multicast


def _fits(ns: Namespace, skb: SkBuff) -> bool:
    """Whether an answer as large as the query fits the way back: a socket sets DF then, and else lets it be cut (IP_PMTUDISC_WANT).

    Ref: net/ipv4/ip_output.c:__ip_make_skb() (v6.12).
    """
    packet = skb.packet
    if packet.payload <= SMALL:
        return True
    way = route_output(ns, OutputKey(packet.ip.src, packet.ip.dst, oif=link_of(skb))).nexthop
    return way is None or skb_len(packet) <= ns.oif(way).mtu


def _unreachable(ns: Namespace, skb: SkBuff, connection: Connection) -> None:
    """No socket wants it. The error finds its conntrack entry by itself, as the datagram's is forgotten before (``nf_reset_ct()``)."""
    address, port = connection.local
    ns.record(SocketLookup(skb.packet, None, answer="" if _to_all(skb) else "ICMP port unreachable"))
    if ns.sockets.expects_another_peer(connection):
        detail = f"the socket on port {port} expects another peer than {connection.peer[0]} port {connection.peer[1]}"
        ns.drop(DropReason.UDP_UNEXPECTED_PEER, "__udp4_lib_rcv", detail)
    else:
        ns.drop(DropReason.NO_SOCKET, "__udp4_lib_rcv", f"no socket listens on {address} port {port}")
    nf_reset_ct(skb)
    icmp_unreachable(ns, skb, Unreachable.PORT)
