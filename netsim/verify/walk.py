"""One form for what the model foretells of a flow and what the kernel showed: a walk.

A walk is what can be seen from outside: each packet on each device, each rule it matched and each policy that decided, the conntrack
entries at the end, and what both ends got. It keeps one line of events for each packet of the exchange and each namespace, since
copies of a flooded frame have no order among each other.

Left out on both sides: ARP; the acknowledgement of data, with which the model's exchange is over; frames given to a device without
carrier, which a kernel drops before it would be seen; and a bridged frame with DNAT on the bridge device, which it passes unless the
neighbour's header is cached (``net/bridge/br_netfilter_hooks.c:br_nf_pre_routing_finish_bridge()``, v6.12).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netsim.net.packet import (
    VXLAN,
    Frame,
    ICMPHeader,
    IPIPHeader,
    Packet,
    Protocol,
    SCTPHeader,
    TCPFlags,
    TCPHeader,
    UDPHeader,
)
from netsim.trace.recording import leg_name
from netsim.verify.decode import VXLAN_PORTS

_PORT = re.compile(r"\b(sport|dport|id)=(\d+)")
TUNNEL = "tunnel"
ANY_PORT = "port"
"""The source port of a tunnel's datagram: a hash. All machines are one kernel here, whose hash gives both directions the same one."""

_PORTS_OF_TUNNELS = "|".join(map(str, sorted(VXLAN_PORTS)))
_TUNNEL_PORTS = (
    re.compile(rf"sport=(?P<any>\d+) dport=({_PORTS_OF_TUNNELS})\b"),
    re.compile(rf"sport=({_PORTS_OF_TUNNELS}) dport=(?P<any>\d+)"),
)
NO_PORTS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Passing:
    """A packet on a device."""

    leg: str
    netns: str
    device: str
    outgoing: bool
    packet: Packet


@dataclass(frozen=True, slots=True)
class Matched:
    """A rule that matched, or (``index`` None) the policy that decided, with its verdict."""

    leg: str
    netns: str
    family: int
    table: str
    chain: str
    index: int | None
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A packet was dropped in a namespace. ``names`` are what the kernel may call the reason; of the kernel's own walk it is one."""

    leg: str
    netns: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """What was seen of a flow. ``ends`` are what listeners took and what the client got, as text; ``conntrack`` entries by namespace.

    ``ipvs`` are connections of IPVS like those. ``ended`` is None where
    the kernel does not tell of drops. ``ports`` are those of the walk that a kernel picks at random: they stand for any port.
    """

    frames: tuple[Passing, ...]
    matched: tuple[Matched, ...]
    conntrack: tuple[tuple[str, str], ...]
    ends: tuple[str, ...]
    ports: frozenset[int] = NO_PORTS
    ipvs: tuple[tuple[str, str], ...] = ()
    ended: tuple[Ended, ...] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line of a walk was seen: the packet of the exchange, and the namespace. Empty leg: at the end."""

    leg: str
    netns: str


Lines = dict[Place, tuple[str, ...]]


def leg_of(packet: Packet, *, answering: bool) -> str:
    """What a captured packet is called in the exchange. Datagrams look alike, so whether they answer is told.

    A tunnel's outer packets have a name of their own: a rule's trace does not show what they carry.
    """
    if is_tunnel(packet):
        return TUNNEL
    return leg_name(packet, reply=answering)


def is_tunnel(packet: Packet) -> bool:
    """True for the outer packet of a tunnel."""
    return isinstance(packet.l4, IPIPHeader) or (isinstance(packet.l4, UDPHeader) and packet.dport in VXLAN_PORTS)


def lines(walk: Walk, names: PortNames) -> Lines:
    """The walk as text, line by line, by place; places in the order of their first line.

    Fragments, and ICMP errors about them, follow each other so closely that who is first says nothing: theirs are sorted.
    """
    found: dict[Place, list[str]] = {}
    parts: dict[Place, list[str]] = {}
    for frame in walk.frames:
        way = "out of" if frame.outgoing else "in on"
        place, text = Place(frame.leg, frame.netns), f"{way} {frame.device}: {packet_text(frame.packet, names)}"
        found.setdefault(place, [])
        (parts if _is_part(frame.packet) else found).setdefault(place, []).append(text)
    mixed = {Place(frame.leg, frame.netns) for frame in walk.frames if _is_about_part(frame.packet)}
    for place, texts in parts.items():
        found[place] += sorted(texts)
    for match in walk.matched:
        what = f"policy {match.policy}" if match.index is None else f"rule {match.index + 1}"
        family = "" if match.family == 4 else "ip6 "
        found.setdefault(Place(match.leg, match.netns), []).append(f"{family}{match.table} {match.chain}: {what}")
    for place in mixed:
        found[place].sort()
    for end in walk.ended or ():
        place, text = Place(end.leg, end.netns), f"dropped: {end.names[0]}"
        if text not in found.setdefault(place, []):
            found[place].append(text)
    for kind, known in (("conntrack", walk.conntrack), ("ipvs", walk.ipvs)):
        entries = [(netns, _without_tunnel_ports(entry)) for netns, entry in known]
        for netns, entry in sorted(entries, key=lambda each: (each[0], names.masked(each[1]))):
            found.setdefault(Place("", netns), []).append(f"{kind}: {names.replace(entry)}")
    found[Place("", "")] = [names.replace(end) for end in walk.ends]
    return {place: tuple(text) for place, text in found.items()}


def _without_tunnel_ports(entry: str) -> str:
    """A conntrack entry without the source port of a tunnel's datagrams."""
    for pattern in _TUNNEL_PORTS:
        entry = pattern.sub(lambda found: found[0].replace(f"={found['any']}", f"={ANY_PORT}", 1), entry)
    return entry


class PortNames:
    """Names for ports that chance picked, in the order in which they are met: ``port-1``, ``port-2``."""

    def __init__(self, random: Iterable[int]) -> None:
        self._random = frozenset(random)
        self._names: dict[int, str] = {}

    def of(self, port: int) -> str:
        """The port's name, or the port itself where chance did not pick it."""
        if port not in self._random:
            return str(port)
        return self._names.setdefault(port, f"port-{len(self._names) + 1}")

    def replace(self, text: str) -> str:
        """A text in which ports and echo identifiers stand as conntrack prints them, with names in their place."""
        return _PORT.sub(lambda found: f"{found[1]}={self.of(int(found[2]))}", text)

    def masked(self, text: str) -> str:
        """The text with one word in place of every random port: a key to sort by."""
        return _PORT.sub(lambda found: f"{found[1]}={'?' if int(found[2]) in self._random else found[2]}", text)


# --- packets as text ---------------------------------------------------------------------------------------------


def is_told_by_rules(packet: Packet) -> bool:
    """True where a rule's trace has enough of a packet to know it by: not of a later fragment, nor of any of IPv6's."""
    if packet.ip.dst.version == 6:
        return not packet.ip.more_fragments and not packet.ip.fragment_offset
    return not packet.ip.fragment_offset


def _is_part(packet: Packet) -> bool:
    """True for a fragment, and for a tunnel's packet that carries one."""
    match packet.inner:
        case (Packet() as inner) | VXLAN(frame=Frame(payload=Packet() as inner)) if _is_part(inner):
            return True
        case _:
            return packet.ip.more_fragments or packet.ip.fragment_offset > 0


def _is_about_part(packet: Packet) -> bool:
    """True for an ICMP error about a later fragment; one about the first of them is sent at the same time."""
    return (
        isinstance(packet.l4, ICMPHeader) and packet.l4.quoted is not None and packet.l4.quoted.ip.fragment_offset > 0
    )


def packet_text(packet: Packet, names: PortNames) -> str:
    """Everything of a packet that model and kernel must agree on: addresses, ports, TTL, Don't Fragment, flags, lengths."""
    ip = packet.ip
    words = [f"{_end(packet, names, source=True)} → {_end(packet, names, source=False)}", _transport(packet, names)]
    words.append(f"ttl {ip.ttl}")
    words += ["DF"] if ip.dont_fragment and ip.dst.version == 4 else []
    words += [f"fragment at {ip.fragment_offset}"] if _is_part(packet) else []
    words += [f"{packet.payload} bytes"] if packet.payload else []
    return ", ".join(words)


def _end(packet: Packet, names: PortNames, *, source: bool) -> str:
    address = packet.ip.src if source else packet.ip.dst
    port = packet.sport if source else packet.dport
    text = f"[{address}]" if address.version == 6 and port is not None else str(address)
    if port is not None and source and is_tunnel(packet):
        return f"{text}:{ANY_PORT}"
    return text if port is None else f"{text}:{names.of(port)}"


def _transport(packet: Packet, names: PortNames) -> str:
    match packet.l4:
        case TCPHeader(flags=flags):
            return f"TCP {_flags(flags)}"
        case UDPHeader():
            return "UDP"
        case SCTPHeader(chunk=chunk):
            return f"SCTP {chunk.name}"
        case IPIPHeader():
            return "IPIP"
        case ICMPHeader(quoted=None) as header:
            echo = f" id {names.of(header.identifier)}" if header.identifier else ""
            return f"ICMP {header.type}/{header.code}{echo}"
        case ICMPHeader(quoted=quoted) as header:
            assert quoted is not None
            mtu = f" mtu {header.mtu}" if header.mtu else ""
            return f"ICMP {header.type}/{header.code}{mtu} about {_quoted(quoted, names)}, ttl {quoted.ip.ttl}"


def _quoted(packet: Packet, names: PortNames) -> str:
    """Whom the packet of an error was from and for; only a first fragment tells ports."""
    if packet.ip.fragment_offset:
        return f"{packet.ip.src} → {packet.ip.dst}, fragment at {packet.ip.fragment_offset}"
    return f"{_end(packet, names, source=True)} → {_end(packet, names, source=False)}"


def _flags(flags: TCPFlags) -> str:
    order = (TCPFlags.SYN, TCPFlags.FIN, TCPFlags.RST, TCPFlags.PSH, TCPFlags.URG, TCPFlags.ACK)
    return "-".join(flag.name or "" for flag in order if flags & flag) or "none"


def ports_of(frames: Iterable[Passing], conntrack: Iterable[tuple[str, str]]) -> Iterator[int]:
    """Every port and echo identifier in the frames, quoted ones too, and in the conntrack entries."""
    for frame in frames:
        yield from _ports(frame.packet)
    for _, entry in conntrack:
        yield from (int(number) for _, number in _PORT.findall(entry))


def _ports(packet: Packet) -> Iterator[int]:
    match packet.l4:
        case ICMPHeader(quoted=None, identifier=identifier):
            yield identifier
        case ICMPHeader(quoted=quoted):
            assert quoted is not None
            yield from () if quoted.ip.fragment_offset else _ports(quoted)
        case IPIPHeader():
            return
        case header:
            yield header.sport
            yield header.dport


def is_bare_acknowledgement(packet: Packet) -> bool:
    """True for a segment that says nothing but ACK, in a tunnel too, and for an ICMP error about one."""
    if isinstance(packet.l4, ICMPHeader) and packet.l4.quoted is not None:
        return is_bare_acknowledgement(packet.l4.quoted)
    match packet.inner:
        case Packet() as inner:
            return is_bare_acknowledgement(inner)
        case VXLAN(frame=Frame(payload=Packet() as inner)):
            return is_bare_acknowledgement(inner)
        case _:
            pass
    return packet.ip.protocol is Protocol.TCP and (
        isinstance(packet.l4, TCPHeader) and packet.l4.flags == TCPFlags.ACK and not packet.payload
    )
