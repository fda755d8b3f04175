"""Fragments: a packet that is too large for its way is cut, and whoever needs it whole puts it together again.

A fragment after the first has no transport header; the model keeps the header with it all the same, and whoever looks at it asks
``IPHeader.fragment_offset`` first. A router cuts IPv4 packets without DF; IPv6 packets are cut by their sender alone.

Ref: net/ipv4/ip_output.c:ip_do_fragment(), net/ipv4/ip_fragment.c:ip_defrag(), net/ipv6/ip6_output.c:ip6_fragment(),
net/ipv6/reassembly.c, net/netfilter nf_defrag_ipv4.c, nf_defrag_ipv6_hooks.c (v6.12); RFC 791 §3.2, RFC 8200 §4.5.
"""

from __future__ import annotations

from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import Packet
from netsim.stack.skb_len import FRAGMENT_HEADER, IP_HEADER, skb_len

UNIT = 8
"""Bytes: every fragment but the last holds a multiple of it."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A packet put together from fragments, the largest of ``max_size`` bytes with its header (``frag_max_size``).

    ``lengths`` are the bytes that each of them held behind its headers.
    """

    packet: Packet
    lengths: tuple[int, ...]
    max_size: int


@dataclass(slots=True)
class FragmentQueues:
    """The fragments that wait for the others, by what tells one packet's from another's. Times do not run out in a walk."""

    waiting: dict[tuple[Address, Address, int, int], list[Packet]] = field(default_factory=dict)

    def add(self, fragment: Packet) -> Whole | None:
        """Take a fragment; the whole packet where it was the last one missing."""
        ip = fragment.ip
        key = (ip.src, ip.dst, int(ip.protocol), ip.identification)
        parts = [p for p in self.waiting.get(key, ()) if p.ip.fragment_offset != ip.fragment_offset]
        self.waiting[key] = parts = sorted([*parts, fragment], key=lambda part: part.ip.fragment_offset)
        if parts[-1].ip.more_fragments:
            return None
        reached = 0
        for part in parts:
            if part.ip.fragment_offset != reached:
                return None
            reached += data_len(part)
        del self.waiting[key]
        return Whole(_join(parts), tuple(map(data_len, parts)), max(map(skb_len, parts)))


def is_fragment(packet: Packet) -> bool:
    """``ip_is_fragment()``."""
    return packet.ip.more_fragments or packet.ip.fragment_offset > 0


def data_len(packet: Packet) -> int:
    """What follows the IP headers, in bytes."""
    header = IP_HEADER[packet.ip.dst.version]
    if packet.ip.dst.version == 6 and is_fragment(packet):
        header += FRAGMENT_HEADER
    return skb_len(packet) - header


def fragments(packet: Packet, mtu: int, identification: int, frag_list: tuple[int, ...] = ()) -> tuple[Packet, ...]:
    """The parts of a packet, each of at most ``mtu`` bytes with its headers.

    The fast path sends the buffers of ``frag_list`` as they are, if they fit; the slow one cuts evenly.
    """
    total = data_len(packet)
    transport = total - packet.payload
    base, given = packet.ip.fragment_offset, packet.ip.identification
    parts = []
    offset = 0
    for size in frag_list if frag_list and max(frag_list) <= _room(packet, mtu) else lengths(packet, mtu):
        part = packet.with_ip(
            identification=given or identification,
            fragment_offset=base + offset,
            more_fragments=packet.ip.more_fragments or offset + size < total,
        )
        parts.append(_with_payload(part, size if base + offset else size - transport))
        offset += size
    return tuple(parts)


def lengths(packet: Packet, mtu: int) -> tuple[int, ...]:
    """How many bytes behind its headers each part of a packet holds that is cut evenly."""
    room, total = _room(packet, mtu) // UNIT * UNIT, data_len(packet)
    return tuple(min(room, total - offset) for offset in range(0, total, room))


def _room(packet: Packet, mtu: int) -> int:
    six = packet.ip.dst.version == 6
    return mtu - IP_HEADER[packet.ip.dst.version] - (FRAGMENT_HEADER if six else 0)


def _join(parts: list[Packet]) -> Packet:
    first = parts[0]
    payload = first.payload + sum(part.payload for part in parts[1:])
    return _with_payload(first.with_ip(more_fragments=False, fragment_offset=0), payload)


def _with_payload(packet: Packet, payload: int) -> Packet:
    return Packet(packet.ip, packet.l4, payload, packet.inner)
