"""The typed form of conntrack entries. Ref: conntrack(8) 1.4.7; include/uapi/linux/netfilter/nf_conntrack_common.h (v6.12)."""

from __future__ import annotations

from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, family_of
from netsim.rules.source import Origin

ICMP, ICMPV6 = 1, 58


@dataclass(frozen=True, slots=True)
class EntryTuple:
    """One direction of an entry. Ports are 0 where the protocol has none; type, code and identifier are ICMP's."""

    src: Address
    dst: Address
    sport: int = 0
    dport: int = 0
    type: int = 0
    code: int = 0
    identifier: int = 0


@dataclass(frozen=True, slots=True)
class ConntrackEntry:
    """A connection. ``seconds`` is how long it lives yet; ``state`` is that of TCP or SCTP.

    ``zone_direction`` is ``ORIGINAL`` or ``REPLY`` where the zone counts in one direction only. ``by_ipvs`` says that IPVS put the real
    server into the reply: no list tells that its packets are not translated.
    """

    protocol: int
    seconds: int
    original: EntryTuple
    reply: EntryTuple
    state: str | None = None
    seen_reply: bool = True
    assured: bool = False
    mark: int = 0
    zone: int = 0
    zone_direction: str | None = None
    by_ipvs: bool = False
    origin: Origin | None = field(default=None, compare=False)

    @property
    def family(self) -> Family:
        """The family of its addresses."""
        return family_of(self.original.src)


NAMES = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 47: "gre", 58: "icmpv6", 132: "sctp", 136: "udplite"}
"""Protocols by the names that conntrack prints; any other is ``unknown``."""
