"""What conntrack keeps of a TCP connection, and whether a segment lies in its window.

Each direction has what was seen of its sender: the highest sequence number sent (``end``), how far its receiver lets it send
(``maxend``), and the largest window it offered (``maxwin``). A segment must begin before ``maxend``, and acknowledge nothing that
was not seen: else it is INVALID. What lies below, and what overshoots by less than a window, is let pass and changes nothing.

Numbers are those of the wire, modulo 2**32. Not modelled: SACK blocks (no segment of the model has any) and helpers that change lengths.
Ref: include/linux/netfilter/nf_conntrack_tcp.h, net/netfilter/nf_conntrack_proto_tcp.c:tcp_in_window(), tcp_init_sender(),
nf_tcp_log_invalid() (v6.12).
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.packet import Packet, TCPFlags, TCPHeader
from netsim.stack.nf_conntrack_tuple import Direction

MODULUS = 1 << 32
MOST_SCALE = 14  # RFC 7323 §2.3
LEAST_ACK_WINDOW = 66000  # MAXACKWINCONST: how old an acknowledgement may be, in bytes


class TCPState(Enum):
    """``enum tcp_conntrack``, in the kernel's order; its column in the transition table is its place here."""

    NONE = 0
    SYN_SENT = 1
    SYN_RECV = 2
    ESTABLISHED = 3
    FIN_WAIT = 4
    CLOSE_WAIT = 5
    LAST_ACK = 6
    TIME_WAIT = 7
    CLOSE = 8
    SYN_SENT2 = 9


OPENING = (TCPState.SYN_SENT, TCPState.SYN_RECV)
_INDEX = TCPFlags.SYN | TCPFlags.FIN | TCPFlags.RST | TCPFlags.ACK


class InWindow(Enum):
    """``ACCEPT``: it fits, and was taken into account. ``IGNORE``: let it pass, change nothing. ``INVALID``: it does not fit."""

    ACCEPT = "accept"
    IGNORE = "ignore"
    INVALID = "invalid"


@dataclass(slots=True)
class Sender:
    """What was seen of one direction: ``struct ip_ct_tcp_state``. ``maxwin`` 0: nothing yet. ``maxack`` None: no acknowledgement."""

    end: int = 0
    maxend: int = 0
    maxwin: int = 0
    maxack: int | None = None
    scale: int = 0
    scales: bool = False
    liberal: bool = False
    unacknowledged: bool = False

    def forget(self) -> None:
        """Ref: nf_ct_tcp_state_reset()."""
        self.end = self.maxend = self.maxwin = self.scale = 0
        self.maxack, self.scales, self.unacknowledged = None, False, False

    def options(self, header: TCPHeader) -> None:
        """Take the window scale of a SYN. Ref: tcp_options()."""
        if header.mss is None and header.wscale is None:
            return
        self.liberal = self.unacknowledged = False
        self.maxack = None
        self.scales = header.wscale is not None
        self.scale = min(header.wscale or 0, MOST_SCALE)


@dataclass(slots=True)
class Windows:
    """Both directions, and the last segment: ``struct ip_ct_tcp``. ``retrans`` counts equal acknowledgements in a row.

    ``last_flag`` is its row in the transition table; ``last_scale`` the window scale of a SYN that was let pass, None without one.
    """

    seen: dict[Direction, Sender] = field(default_factory=lambda: {each: Sender() for each in Direction})
    last_flag: str | None = None
    last_direction: Direction | None = None
    last_seq: int = 0
    last_ack: int = 0
    last_end: int = 0
    last_win: int = 0
    last_scale: int | None = None
    retrans: int = 0

    def begin(self, packet: Packet, *, syn: bool) -> None:
        """Take a connection's first segment; after one that is no SYN no numbers are held against its two ends. Ref: tcp_new()."""
        header = _header(packet)
        sender = self.seen[Direction.ORIGINAL]
        sender.end = end_of(packet)
        sender.maxwin = header.window or 1
        sender.maxend = sender.end
        if syn:
            sender.options(header)
        else:
            sender.maxend = _plus(sender.end, sender.maxwin)
            for each in self.seen.values():
                each.liberal = True

    def annotate(self, packet: Packet, *, opening: bool) -> None:
        """Remember a segment that was let pass unseen; ``opening``: it is the SYN of a client that may be in step with its server."""
        header = _header(packet)
        self.last_seq, self.last_end, self.last_win = header.seq, end_of(packet), header.window
        if opening:
            self.last_scale = header.wscale

    def resume(self, direction: Direction) -> None:
        """Begin anew with the SYN of a direction that was let pass: its peer acknowledged it."""
        sender = self.seen[direction]
        sender.end = sender.maxend = self.last_end
        sender.maxwin = self.last_win or 1
        sender.scales, sender.scale = self.last_scale is not None, min(self.last_scale or 0, MOST_SCALE)
        sender.maxack, sender.liberal, sender.unacknowledged = None, False, False
        self.seen[direction.opposite].forget()

    def check(self, packet: Packet, direction: Direction, state: TCPState, *, liberal: bool) -> InWindow:
        """Whether a segment fits a connection in a state, and take it into account where it does. ``liberal``: it is let pass anyway."""
        header, end = _header(packet), end_of(packet)
        sender, receiver = self.seen[direction], self.seen[direction.opposite]
        if self._initialise(header, end, direction, opening=state in OPENING):
            return InWindow.ACCEPT
        seq, ack = header.seq, header.ack
        if not header.flags & TCPFlags.ACK or (header.flags & TCPFlags.RST and ack == 0):
            ack = receiver.end
        if header.flags & TCPFlags.RST and seq == 0 and state is TCPState.SYN_SENT:
            seq = end = sender.end
        misfit = _misfit(_Numbers(seq, end, ack), sender, receiver)
        if misfit is not InWindow.ACCEPT:
            return InWindow.ACCEPT if liberal or sender.liberal else misfit
        _update(header, _Numbers(seq, end, ack), sender, receiver)
        if header.flags & _INDEX == TCPFlags.ACK:
            self._count(header, _Numbers(seq, end, ack), direction)
        return InWindow.ACCEPT

    def _initialise(self, header: TCPHeader, end: int, direction: Direction, *, opening: bool) -> bool:
        """Begin with a direction's first segment, or with the SYN that takes its place; True where nothing is left to compare."""
        sender, receiver = self.seen[direction], self.seen[direction.opposite]
        syn = bool(header.flags & TCPFlags.SYN)
        if syn and (sender.maxwin == 0 or (opening and _after(end, sender.end))):
            again = sender.maxwin != 0
            sender.end = sender.maxend = end
            sender.maxwin = header.window or 1
            sender.options(header)
            if direction is Direction.REPLY and not (sender.scales and receiver.scales):
                sender.scale = receiver.scale = 0
            return not header.flags & TCPFlags.ACK and (not again or direction is Direction.REPLY)
        if sender.maxwin == 0:
            sender.end = end
            sender.maxwin = header.window << sender.scale or 1
            sender.maxend = _plus(end, sender.maxwin)
            if receiver.maxwin == 0:
                receiver.end = receiver.maxend = header.ack
            elif header.ack == _plus(receiver.end, 1):
                receiver.end = header.ack  # answers a keep-alive
        return False

    def _count(self, header: TCPHeader, numbers: _Numbers, direction: Direction) -> None:
        """Count acknowledgements that say the same as the one before."""
        last = (self.last_direction, self.last_seq, self.last_end, self.last_ack, self.last_win)
        now = (direction, numbers.seq, numbers.end, numbers.ack, header.window)
        self.retrans = self.retrans + 1 if last == now else 0
        self.last_direction, self.last_seq, self.last_end, self.last_ack, self.last_win = now


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A segment's first sequence number, the one behind its last, and what it acknowledges."""

    seq: int
    end: int
    ack: int


def _misfit(n: _Numbers, sender: Sender, receiver: Sender) -> InWindow:
    seen = not _after(n.ack, receiver.end)
    recent = _after(n.ack, receiver.end - max(sender.maxwin, LEAST_ACK_WINDOW) - 1)
    wanted = not receiver.maxwin or _after(n.end, sender.end - receiver.maxwin - 1)
    if _after(n.seq, sender.maxend):
        overshot = (n.end - sender.maxend + 1) % MODULUS
        if not (receiver.maxwin and wanted and recent and seen and overshot <= receiver.maxwin):
            return InWindow.INVALID
        sender.end, sender.unacknowledged = n.end, True
        return InWindow.IGNORE
    if not seen:
        return InWindow.INVALID
    return InWindow.ACCEPT if wanted and recent else InWindow.IGNORE


def _update(header: TCPHeader, n: _Numbers, sender: Sender, receiver: Sender) -> None:
    window = header.window if header.flags & TCPFlags.SYN else header.window << sender.scale
    sender.maxwin = max(sender.maxwin, window)
    if _after(n.end, sender.end):
        sender.end, sender.unacknowledged = n.end, True
    if header.flags & TCPFlags.ACK and (sender.maxack is None or _after(n.ack, sender.maxack)):
        sender.maxack = n.ack
    if receiver.maxwin and _after(n.end, sender.maxend):
        receiver.maxwin += (n.end - sender.maxend) % MODULUS
    if _after(n.ack + window, receiver.maxend - 1):
        receiver.maxend = _plus(n.ack, window or 1)
    if n.ack == receiver.end:
        receiver.unacknowledged = False


def end_of(packet: Packet) -> int:
    """The sequence number behind a segment: SYN and FIN count as one byte each. Ref: segment_seq_plus_len()."""
    header = _header(packet)
    marks = bool(header.flags & TCPFlags.SYN) + bool(header.flags & TCPFlags.FIN)
    return _plus(header.seq, packet.payload + marks)


def before(one: int, other: int) -> bool:
    """True where a sequence number comes before another, around the circle. Ref: include/net/tcp.h:before()."""
    return (one - other) % MODULUS >= MODULUS // 2


def _after(one: int, other: int) -> bool:
    return before(other, one)


def _plus(number: int, length: int) -> int:
    return (number + length) % MODULUS


def _header(packet: Packet) -> TCPHeader:
    assert isinstance(packet.l4, TCPHeader)
    return packet.l4
