"""Conntrack's view of ICMP and ICMPv6.

A query makes an entry; an error belongs to the entry of the packet that it quotes.
Ref: net/netfilter/nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.stack.nf_conntrack_proto import Tracked, Tracking

# Types that may start an entry. Ref: valid_new.
QUERIES: dict[int, frozenset[int]] = {
    Protocol.ICMP: frozenset({8, 13, 15, 17}),  # echo, timestamp, information, address mask
    Protocol.ICMPV6: frozenset({128, 139}),  # echo, node information
}

# Types that quote a packet. Ref: icmp_is_err(); ICMPv6 types below 128 are errors (RFC 4443 §2.1).
ERRORS_V4 = frozenset({3, 4, 5, 11, 12})

# ICMPv6 types that are never tracked: multicast listener and neighbour discovery. Ref: noct_valid_new.
UNTRACKED_V6 = frozenset({130, 131, 132, 133, 134, 135, 136, 137, 143})

NR_ICMP_TYPES = 18  # a higher ICMPv4 type is INVALID


def icmp_packet(t: Tracking) -> Tracked:
    """Take a query or its answer. Ref: nf_conntrack_icmp_packet(), nf_conntrack_icmpv6_packet()."""
    protocol = t.ct.original.protocol
    if t.ct.original.icmp_type not in QUERIES[protocol]:
        return Tracked.INVALID
    t.refresh(t.timeout("icmp_timeout" if protocol == Protocol.ICMP else "icmpv6_timeout"))
    return Tracked.ACCEPT


def is_error(packet: Packet) -> bool:
    """True for an ICMP error message."""
    if not isinstance(packet.l4, ICMPHeader):
        return False
    if packet.ip.protocol == Protocol.ICMP:
        return packet.l4.type in ERRORS_V4
    return packet.l4.type < 128


def is_untracked(packet: Packet) -> bool:
    """True for the ICMPv6 messages that conntrack lets pass as UNTRACKED."""
    if not isinstance(packet.l4, ICMPHeader) or packet.ip.protocol != Protocol.ICMPV6:
        return False
    return packet.l4.type in UNTRACKED_V6
