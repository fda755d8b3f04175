"""What tells one connection from another: the conntrack tuple.

Ref: include/net/netfilter/nf_conntrack_tuple.h, net/netfilter/nf_conntrack_core.c:nf_ct_get_tuple(), nf_ct_invert_tuple() (v6.12).
"""

from __future__ import annotations

from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import ICMPHeader, Packet, Protocol

ICMP_PROTOCOLS = frozenset({int(Protocol.ICMP), int(Protocol.ICMPV6)})

# Which ICMP type answers which; a type that is not here has no reply and so no entry of its own.
# Ref: net/netfilter/nf_conntrack_proto_icmp.c:invmap, nf_conntrack_proto_icmpv6.c:invmap.
ICMP_INVERSE: dict[int, dict[int, int]] = {
    Protocol.ICMP: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17},
    Protocol.ICMPV6: {128: 129, 129: 128, 139: 140, 140: 139},
}


class Direction(Enum):
    """The direction of a packet against its entry's first packet."""

    ORIGINAL = "ORIGINAL"
    REPLY = "REPLY"

    __hash__ = object.__hash__  # each is one object, and a key of many tables

    @property
    def opposite(self) -> Direction:
        """The other direction."""
        return Direction.REPLY if self is Direction.ORIGINAL else Direction.ORIGINAL


@dataclass(frozen=True, slots=True)
class Zone:
    """A conntrack zone and the directions in which it counts; in the other one the entry is in zone 0.

    Ref: include/net/netfilter/nf_conntrack_zones.h:nf_ct_zone_id() (v6.12).
    """

    id: int = 0
    directions: tuple[Direction, ...] = (Direction.ORIGINAL, Direction.REPLY)

    def of(self, direction: Direction) -> int:
        """The zone's number for tuples of a direction."""
        return self.id if direction in self.directions else 0

    @property
    def numbers(self) -> tuple[int, ...]:
        """The zone's numbers in either direction, each once."""
        return (self.id, 0) if self.id and len(self.directions) == 1 else (self.id,)

    def __str__(self) -> str:
        if not self.id:
            return ""
        name = {2: "zone", 1: "zone-orig" if Direction.ORIGINAL in self.directions else "zone-reply"}
        return f"{name[len(self.directions)]}={self.id}"


DEFAULT_ZONE = Zone()


@dataclass(frozen=True, slots=True)
class ConntrackTuple:
    """Addresses, protocol number and the protocol's own part.

    ``sport`` and ``dport`` are ports; for ICMP ``sport`` is the identifier and ``dport`` is ``type << 8 | code``; 0 for a
    protocol that has neither.
    """

    src: Address
    dst: Address
    protocol: int
    sport: int = 0
    dport: int = 0

    def __hash__(self) -> int:
        return hash((int(self.src), int(self.dst), self.protocol, self.sport, self.dport))

    @property
    def icmp_type(self) -> int:
        """The ICMP type of an ICMP tuple."""
        return self.dport >> 8

    @property
    def icmp_code(self) -> int:
        """The ICMP code of an ICMP tuple."""
        return self.dport & 0xFF

    def invert(self) -> ConntrackTuple | None:
        """The tuple of the answer; None for an ICMP type that has no answer."""
        if self.protocol not in ICMP_PROTOCOLS:
            return ConntrackTuple(self.dst, self.src, self.protocol, self.dport, self.sport)
        answer = ICMP_INVERSE[self.protocol].get(self.icmp_type)
        if answer is None:
            return None
        return ConntrackTuple(self.dst, self.src, self.protocol, self.sport, answer << 8 | self.icmp_code)

    def __str__(self) -> str:
        head = f"src={self.src} dst={self.dst}"
        if self.protocol in ICMP_PROTOCOLS:
            return f"{head} type={self.icmp_type} code={self.icmp_code} id={self.sport}"
        if self.protocol in (Protocol.TCP, Protocol.UDP, Protocol.SCTP):
            return f"{head} sport={self.sport} dport={self.dport}"
        return head


def packet_tuple(packet: Packet) -> ConntrackTuple:
    """The tuple of a packet as it stands. Ref: nf_ct_get_tuple()."""
    ip, l4 = packet.ip, packet.l4
    if ip.protocol not in _TRACKED:
        return ConntrackTuple(ip.src, ip.dst, int(ip.protocol))
    if isinstance(l4, ICMPHeader):
        return ConntrackTuple(ip.src, ip.dst, int(ip.protocol), l4.identifier, l4.type << 8 | l4.code)
    return ConntrackTuple(ip.src, ip.dst, int(ip.protocol), packet.sport or 0, packet.dport or 0)


_TRACKED = frozenset({Protocol.TCP, Protocol.UDP, Protocol.SCTP, Protocol.ICMP, Protocol.ICMPV6})
