"""NAT's hands: the headers of a packet after a manipulation.

Ref: net/netfilter/nf_nat_proto.c:nf_nat_manip_pkt(), nf_nat_icmp_reply_translation(), nf_nat_icmpv6_reply_translation() (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import ICMPHeader, IPIPHeader, Packet, SCTPHeader, TCPHeader, UDPHeader
from netsim.stack.nf_conntrack_tuple import ConntrackTuple

# ICMP types whose identifier belongs to the tuple: queries and their answers.
WITH_IDENTIFIER = frozenset({0, 8, 13, 14, 15, 16, 17, 18})
WITH_IDENTIFIER_V6 = frozenset({128, 129})


def manip_packet(packet: Packet, target: ConntrackTuple, *, source: bool) -> Packet:
    """The packet with its source (or destination) taken from the target tuple.

    Ref: nf_nat_ipv4_manip_pkt(), nf_nat_ipv6_manip_pkt(), l4proto_manip_pkt().
    """
    packet = packet.with_ip(src=target.src) if source else packet.with_ip(dst=target.dst)
    match packet.l4:
        case TCPHeader() | UDPHeader() | SCTPHeader():
            return packet.with_l4(sport=target.sport) if source else packet.with_l4(dport=target.dport)
        case ICMPHeader() as icmp:
            known = WITH_IDENTIFIER if packet.ip.src.version == 4 else WITH_IDENTIFIER_V6
            return packet.with_l4(identifier=target.sport) if icmp.type in known else packet
        case IPIPHeader():
            return packet


def icmp_reply_translation(packet: Packet, other: ConntrackTuple, *, source: bool) -> Packet:
    """An ICMP error after NAT; ``other`` is the tuple of the direction opposite to the error's own.

    The quoted packet went the other way, so its other end is changed to what that direction's packets look like.
    """
    assert isinstance(packet.l4, ICMPHeader)
    assert packet.l4.quoted is not None
    inner = manip_packet(packet.l4.quoted, other, source=not source)
    packet = packet.with_l4(quoted=inner)
    return packet.with_ip(src=other.dst) if source else packet.with_ip(dst=other.src)
