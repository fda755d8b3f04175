"""The recording of a walk, and how it is cut into legs and hops.

The stack records one step after the other, in one line. Whatever makes a packet (a process, the kernel's answer, REJECT, an ICMP error)
begins with a ``LocalSend`` step, so a leg goes from one ``LocalSend`` to the next. A hop is an unbroken stay in one namespace.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from netsim.dataclass import dataclass
from netsim.net.packet import (
    ICMPHeader,
    IPIPHeader,
    Packet,
    Protocol,
    SCTPChunk,
    SCTPHeader,
    TCPFlags,
    TCPHeader,
    UDPHeader,
)
from netsim.stack.icmp_send import is_icmp_error
from netsim.stack.steps import Drop, LocalSend, SocketLookup, Step
from netsim.topology.model import Topology
from netsim.trace.model import Flow, Hop, Leg


@dataclass(frozen=True, slots=True)
class Entry:
    """One step, and the namespace it happened in."""

    netns: str
    step: Step


class Recording:
    """Takes the steps of one walk. ``on_answer`` is called once, before the first step of the second packet."""

    def __init__(self, on_answer: Callable[[], None] | None = None) -> None:
        self.entries: list[Entry] = []
        self._on_answer = on_answer
        self._packets = 0

    def record(self, netns: str, step: Step) -> None:
        """Take one step that happened in the namespace."""
        if isinstance(step, LocalSend):
            self._packets += 1
            if self._packets == 2 and self._on_answer is not None:
                self._on_answer()
        self.entries.append(Entry(netns, step))

    def clear(self) -> None:
        """Forget what was recorded so far."""
        self.entries.clear()
        self._packets = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """The entries of one packet; ``made`` is None for steps that precede any packet."""

    made: LocalSend | None
    netns: str
    entries: tuple[Entry, ...]


def cut(entries: list[Entry]) -> list[Piece]:
    """One piece for each packet. What was recorded before the first packet (its routing) belongs to the first packet."""
    pieces: list[list[Entry]] = []
    for entry in entries:
        opens = isinstance(entry.step, LocalSend) and bool(pieces) and _made(pieces[-1]) is not None
        if opens or not pieces:
            pieces.append([])
        pieces[-1].append(entry)
    return [_piece(piece) for piece in pieces]


def _made(entries: list[Entry]) -> Entry | None:
    return next((entry for entry in entries if isinstance(entry.step, LocalSend)), None)


def _piece(entries: list[Entry]) -> Piece:
    made = _made(entries)
    if made is None:
        return Piece(None, entries[0].netns, tuple(entries))
    assert isinstance(made.step, LocalSend)
    return Piece(made.step, made.netns, tuple(entries))


def legs_of(entries: list[Entry], topology: Topology, flow: Flow) -> tuple[Leg, ...]:
    """The legs of a walk, in the order in which the packets were made, but for redirects that never leave their host."""
    pieces = [piece for piece in cut(entries) if not _stillborn(piece)]
    replies: list[bool] = []
    for position, piece in enumerate(pieces):
        replies.append(_is_reply(pieces, replies, position, flow) if piece.made else False)
    return tuple(_leg(piece, topology, reply=reply) for piece, reply in zip(pieces, replies, strict=True))


def _stillborn(piece: Piece) -> bool:
    """A redirect that NAT on its own host drops, as it does with all that are about translated connections: nobody ever sees it."""
    if not _redirects(piece):
        return False
    last = piece.entries[-1].step
    return isinstance(last, Drop) and last.where == "nf_nat_icmp_reply_translation"


def _redirects(piece: Piece) -> bool:
    """True for a redirect, which nothing answers."""
    made = piece.made.packet.l4 if piece.made is not None else None
    return isinstance(made, ICMPHeader) and made.gateway is not None


def _is_reply(pieces: list[Piece], replies: list[bool], position: int, flow: Flow) -> bool:
    """An answer goes against the packet that caused it: the latest before it that was in the same namespace, redirects aside."""
    piece = pieces[position]
    assert piece.made is not None
    if position == 0:
        return False
    if piece.netns == flow.netns and piece.made.by == flow.owner and flow.protocol is not Protocol.UDP:
        return False  # of datagrams the asker sends one: a second one of the same process answers it
    causes = [earlier for earlier in range(position) if not _redirects(pieces[earlier])]
    for earlier in reversed(causes):
        if any(entry.netns == piece.netns for entry in pieces[earlier].entries):
            return replies[earlier] if _passes_on(piece, pieces[earlier]) else not replies[earlier]
    return not replies[causes[-1]]


def _passes_on(piece: Piece, cause: Piece) -> bool:
    """True for an ICMP error because of another one, which is no answer to it: IPVS tells a client of an error in its tunnel."""
    return all(each.made is not None and is_icmp_error(each.made.packet) for each in (piece, cause))


def _leg(piece: Piece, topology: Topology, *, reply: bool) -> Leg:
    sent = piece.made.packet if piece.made else None
    taken = (
        entry.step for entry in piece.entries if isinstance(entry.step, SocketLookup) and entry.step.owner is not None
    )
    first = next(taken, None)
    return Leg(
        name=leg_name(sent, reply=reply) if sent else "no packet",
        reply=reply,
        sent=sent,
        received=first.packet if first else None,
        hops=hops_of(piece.entries, topology),
    )


def hops_of(entries: tuple[Entry, ...], topology: Topology) -> tuple[Hop, ...]:
    """The stays of one packet, in order."""
    hops = []
    for name, stay in groupby(entries, key=lambda entry: entry.netns):
        netns = topology.namespaces[name]
        steps = tuple(entry.step for entry in stay)
        hops.append(Hop(netns=name, label=netns.label, role=netns.role, node=netns.node, steps=steps))
    return tuple(hops)


# --- names -------------------------------------------------------------------------------------------------------

_ICMP_NAMES: dict[tuple[Protocol, int, int | None], str] = {
    # (protocol, type, code; None for any): name. RFC 792, RFC 1812 §5.2.7, RFC 4443
    (Protocol.ICMP, 8, None): "echo request",
    (Protocol.ICMP, 0, None): "echo reply",
    (Protocol.ICMP, 3, 0): "ICMP network unreachable",
    (Protocol.ICMP, 3, 1): "ICMP host unreachable",
    (Protocol.ICMP, 3, 2): "ICMP protocol unreachable",
    (Protocol.ICMP, 3, 3): "ICMP port unreachable",
    (Protocol.ICMP, 3, 4): "ICMP fragmentation needed",
    (Protocol.ICMP, 3, 9): "ICMP network prohibited",
    (Protocol.ICMP, 3, 10): "ICMP host prohibited",
    (Protocol.ICMP, 3, 13): "ICMP administratively prohibited",
    (Protocol.ICMP, 5, None): "ICMP redirect",
    (Protocol.ICMP, 11, None): "ICMP time exceeded",
    (Protocol.ICMPV6, 128, None): "echo request",
    (Protocol.ICMPV6, 129, None): "echo reply",
    (Protocol.ICMPV6, 1, 0): "ICMPv6 no route",
    (Protocol.ICMPV6, 1, 1): "ICMPv6 administratively prohibited",
    (Protocol.ICMPV6, 1, 3): "ICMPv6 address unreachable",
    (Protocol.ICMPV6, 1, 4): "ICMPv6 port unreachable",
    (Protocol.ICMPV6, 2, None): "ICMPv6 packet too big",
    (Protocol.ICMPV6, 3, None): "ICMPv6 time exceeded",
    (Protocol.ICMPV6, 137, None): "ICMPv6 redirect",
}


def leg_name(packet: Packet, *, reply: bool) -> str:
    """What a packet is called: ``SYN-ACK``, ``query``, ``echo reply``, ``ICMP port unreachable``."""
    match packet.l4:
        case TCPHeader(flags=flags):
            return _tcp_name(flags, packet.payload)
        case UDPHeader():
            return "answer" if reply else "query"
        case SCTPHeader(chunk=chunk):
            return SCTPChunk(chunk).name.replace("_", "-")
        case ICMPHeader():
            return _icmp_name(packet.ip.protocol, packet.l4)
        case IPIPHeader():
            return "IPIP packet"


def _tcp_name(flags: TCPFlags, payload: int) -> str:
    if flags & TCPFlags.RST:
        return "RST"
    if payload and flags & TCPFlags.ACK:
        return "data"
    named = [
        flag.name or ""
        for flag in (TCPFlags.SYN, TCPFlags.FIN, TCPFlags.PSH, TCPFlags.URG, TCPFlags.ACK)
        if flags & flag
    ]
    return "-".join(named) or "segment without flags"


def _icmp_name(protocol: Protocol, header: ICMPHeader) -> str:
    for code in (header.code, None):
        name = _ICMP_NAMES.get((protocol, header.type, code))
        if name is not None:
            return name
    return f"{'ICMPv6' if protocol is Protocol.ICMPV6 else 'ICMP'} type {header.type} code {header.code}"


def is_consequence(leg: Leg) -> bool:
    """True for a reset, an ICMP error and a redirect: what they tell was decided where they were made."""
    if leg.sent is None:
        return False
    match leg.sent.l4:
        case TCPHeader(flags=flags):
            return bool(flags & TCPFlags.RST)
        case ICMPHeader(quoted=quoted):
            return quoted is not None
        case SCTPHeader(chunk=chunk):
            return chunk is SCTPChunk.ABORT
        case UDPHeader() | IPIPHeader():
            return False
