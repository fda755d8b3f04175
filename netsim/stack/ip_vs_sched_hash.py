"""IPVS's schedulers that hash: sh (source), dh (destination) and mh (Maglev). The same client always gets the same answer.

Ref: net/netfilter/ipvs/ip_vs_sh.c:ip_vs_sh_reassign(), ip_vs_dh.c, ip_vs_mh.c:ip_vs_mh_populate(), include/linux/hash.h:hash_32() (v6.12),
with the tables' default sizes (CONFIG_IP_VS_SH_TAB_BITS 8, CONFIG_IP_VS_DH_TAB_BITS 8, CONFIG_IP_VS_MH_TAB_INDEX 12).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import Packet
from netsim.stack.ip_vs_dest import Dest
from netsim.stack.siphash import hsiphash_1u32

_GOLDEN_RATIO = 0x61C88647
_TABLE_BITS = 8
_TABLE_SIZE = 1 << _TABLE_BITS
_MAGLEV_SIZE = 4093
_MAGLEV_BITS = 6
_MAGLEV_KEYS = ((2654435761, 2654435761), (2654446892, 2654446892))
FALLBACK, WITH_PORT = 1, 2
"""Numbers of the scheduler flags of sh and mh."""


def fold(address: Address) -> int:
    """The address as 32 bits: IPv6's four words over each other."""
    value, folded = int(address), 0
    while value:
        folded ^= value & 0xFFFFFFFF
        value >>= 32
    return folded


def hash_32(value: int, bits: int) -> int:
    """Ref: include/linux/hash.h:hash_32_generic()."""
    return ((value * _GOLDEN_RATIO) & 0xFFFFFFFF) >> (32 - bits)


def _port(packet: Packet, flags: frozenset[int]) -> int:
    return (packet.sport or 0) if WITH_PORT in flags else 0


@dataclass(frozen=True, slots=True)
class SourceHash:
    """sh: buckets are dealt to the real servers in turn, as many at a time as the weight says.

    A client whose bucket belongs to a real server of weight 0 is refused, unless the service has ``sh-fallback``.
    """

    buckets: tuple[Dest, ...]
    flags: frozenset[int]

    @classmethod
    def of(cls, dests: Sequence[Dest], flags: frozenset[int]) -> SourceHash:
        """The table for these real servers."""
        return cls(_dealt(dests, weighted=True), flags)

    def pick(self, packet: Packet) -> Dest | None:
        """Whose bucket the client's is."""
        if not self.buckets:
            return None
        start = hash_32(_port(packet, self.flags) + fold(packet.ip.src), _TABLE_BITS)
        found = self.buckets[start]
        if found.usable or FALLBACK not in self.flags:
            return found if found.usable else None
        for offset in range(_TABLE_SIZE):
            other = self.buckets[(start + (start + offset) % _TABLE_SIZE) % _TABLE_SIZE]
            if other.usable:
                return other
        return None


@dataclass(frozen=True, slots=True)
class DestinationHash:
    """dh: the virtual address decides, so everybody gets the same real server."""

    buckets: tuple[Dest, ...]
    dests: tuple[Dest, ...]

    @classmethod
    def of(cls, dests: Sequence[Dest]) -> DestinationHash:
        """The table for these real servers."""
        return cls(_dealt(dests, weighted=False), tuple(dests))

    def pick(self, packet: Packet) -> Dest | None:
        """Whose bucket the destination's is. Ref: ip_vs_dh.c:ip_vs_dh_schedule()."""
        if not self.buckets:
            return None
        found = self.buckets[hash_32(fold(packet.ip.dst), _TABLE_BITS)]
        return found if found.usable else None


def _dealt(dests: Sequence[Dest], *, weighted: bool) -> tuple[Dest, ...]:
    buckets: list[Dest] = []
    while dests and len(buckets) < _TABLE_SIZE:
        for dest in dests:
            buckets += [dest] * (max(dest.weight, 1) if weighted else 1)
    return tuple(buckets[:_TABLE_SIZE])


@dataclass(frozen=True, slots=True)
class Maglev:
    """mh: each real server has an order of preference over the places of a table, and they take places in turn."""

    places: tuple[Dest, ...]
    flags: frozenset[int]

    @classmethod
    def of(cls, dests: Sequence[Dest], flags: frozenset[int]) -> Maglev:
        """The table for these real servers."""
        return cls(_populated(dests), flags)

    def pick(self, packet: Packet) -> Dest | None:
        """Whose place the client's is; with ``mh-fallback`` that of another hash where its owner has weight 0."""
        if not self.places:
            return None
        port = _port(packet, self.flags)
        start = _maglev_hash(packet.ip.src, port, 0, 0) % _MAGLEV_SIZE
        found = self.places[start]
        if found.usable or FALLBACK not in self.flags:
            return found if found.usable else None
        for offset in range(_MAGLEV_SIZE):
            place = _maglev_hash(packet.ip.src, port, 0, (offset + start) % _MAGLEV_SIZE) % _MAGLEV_SIZE
            if self.places[place].usable:
                return self.places[place]
        return None


def _maglev_hash(address: Address, port: int, key: int, offset: int) -> int:
    return hsiphash_1u32((offset + port + fold(address)) & 0xFFFFFFFF, _MAGLEV_KEYS[key])


@dataclass(slots=True)
class _Preference:
    dest: Dest
    place: int
    skip: int
    turns: int


def _preferences(dests: Sequence[Dest]) -> list[_Preference]:
    """Ref: ip_vs_mh_permutate(), ip_vs_mh_shift_weight()."""
    divisor = gcd(*(dest.weight for dest in dests))
    shift = max(0, (max(dest.weight for dest in dests) // divisor).bit_length() - _MAGLEV_BITS)
    return [
        _Preference(
            dest,
            _maglev_hash(dest.spec.address, dest.spec.port, 0, 0) % _MAGLEV_SIZE,
            _maglev_hash(dest.spec.address, dest.spec.port, 1, 0) % (_MAGLEV_SIZE - 1) + 1,
            dest.weight // divisor >> shift or int(dest.weight != 0),
        )
        for dest in dests
    ]


def _populated(dests: Sequence[Dest]) -> tuple[Dest, ...]:
    """The places of the table. Weight 0 takes none. Ref: ip_vs_mh_populate()."""
    if not any(dest.weight for dest in dests):
        return ()
    preferences = _preferences(dests)
    places: dict[int, Dest] = {}
    while True:
        for preference in preferences:
            for _ in range(preference.turns):
                while preference.place in places:
                    preference.place = (preference.place + preference.skip) % _MAGLEV_SIZE
                places[preference.place] = preference.dest
                if len(places) == _MAGLEV_SIZE:
                    return tuple(places[place] for place in range(_MAGLEV_SIZE))
