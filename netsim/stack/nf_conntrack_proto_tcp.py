"""Conntrack's view of TCP.

The transition tables are the kernel's; a segment that they allow must also lie in the window (``nf_conntrack_tcp``).

Ref: net/netfilter/nf_conntrack_proto_tcp.c:tcp_conntracks, nf_conntrack_tcp_packet() (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import TCPFlags, TCPHeader
from netsim.stack.nf_conntrack_entry import CtStatus
from netsim.stack.nf_conntrack_proto import Tracked, Tracking
from netsim.stack.nf_conntrack_tcp import InWindow, TCPState, before
from netsim.stack.nf_conntrack_tuple import Direction

# Columns: the state the entry is in, in the order of TCPState. Cells: the state it goes to;
# IG: let the segment pass and change nothing; IV: the segment is INVALID.
TRANSITIONS: dict[Direction, dict[str, tuple[str, ...]]] = {
    Direction.ORIGINAL: {
        # flag:     NO    SS    SR    ES    FW    CW    LA    TW    CL    S2
        "syn": ("SS", "SS", "IG", "IG", "IG", "IG", "IG", "SS", "SS", "S2"),  # TW, CL: opened anew (RFC 1122)
        "synack": ("IV", "IV", "SR", "IV", "IV", "IV", "IV", "IV", "IV", "SR"),  # SR, S2: simultaneous open
        "fin": ("IV", "IV", "FW", "FW", "LA", "LA", "LA", "TW", "CL", "IV"),  # SS: no SYN-ACK yet
        "ack": ("ES", "IV", "ES", "ES", "CW", "CW", "TW", "TW", "CL", "IV"),  # NO: picked up in the middle
        "rst": ("IV", "CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL"),
        "none": ("IV",) * 10,
    },
    Direction.REPLY: {
        "syn": ("IV", "S2", "IV", "IV", "IV", "IV", "IV", "SS", "IV", "S2"),  # TW: the server opens anew
        "synack": ("IV", "SR", "IG", "IG", "IG", "IG", "IG", "IG", "IG", "SR"),
        "fin": ("IV", "IV", "FW", "FW", "LA", "LA", "LA", "TW", "CL", "IV"),
        "ack": ("IV", "IG", "SR", "ES", "CW", "CW", "TW", "TW", "CL", "IG"),  # SS: may be half open
        "rst": ("IV", "CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL"),
        "none": ("IV",) * 10,
    },
}

STATES = {
    "SS": TCPState.SYN_SENT,
    "SR": TCPState.SYN_RECV,
    "ES": TCPState.ESTABLISHED,
    "FW": TCPState.FIN_WAIT,
    "CW": TCPState.CLOSE_WAIT,
    "LA": TCPState.LAST_ACK,
    "TW": TCPState.TIME_WAIT,
    "CL": TCPState.CLOSE,
    "S2": TCPState.SYN_SENT2,
}

# Flag combinations that a TCP may send; PSH, ECE and CWR do not count. Ref: tcp_valid_flags.
_F = TCPFlags
VALID_FLAGS = frozenset(
    {
        _F.SYN,
        _F.SYN | _F.URG,
        _F.SYN | _F.ACK,
        _F.RST,
        _F.RST | _F.ACK,
        _F.FIN | _F.ACK,
        _F.FIN | _F.ACK | _F.URG,
        _F.ACK,
        _F.ACK | _F.URG,
    }
)

TIMEOUTS: dict[TCPState, str] = {
    TCPState.SYN_SENT: "tcp_timeout_syn_sent",
    TCPState.SYN_RECV: "tcp_timeout_syn_recv",
    TCPState.ESTABLISHED: "tcp_timeout_established",
    TCPState.FIN_WAIT: "tcp_timeout_fin_wait",
    TCPState.CLOSE_WAIT: "tcp_timeout_close_wait",
    TCPState.LAST_ACK: "tcp_timeout_last_ack",
    TCPState.TIME_WAIT: "tcp_timeout_time_wait",
    TCPState.CLOSE: "tcp_timeout_close",
    TCPState.SYN_SENT2: "tcp_timeout_syn_sent",
}


def flag_of(flags: TCPFlags) -> str:
    """The row of the table. Ref: get_conntrack_index()."""
    if flags & TCPFlags.RST:
        return "rst"
    if flags & TCPFlags.SYN:
        return "synack" if flags & TCPFlags.ACK else "syn"
    if flags & TCPFlags.FIN:
        return "fin"
    return "ack" if flags & TCPFlags.ACK else "none"


CLOSING = frozenset(
    # a tuple in these states may have been used anew since; Ref: tcp_can_early_drop()
    {TCPState.FIN_WAIT, TCPState.LAST_ACK, TCPState.TIME_WAIT, TCPState.CLOSE, TCPState.CLOSE_WAIT}
)
ESTABLISHED = CLOSING - {TCPState.CLOSE} | {TCPState.ESTABLISHED}  # Ref: nf_conntrack_tcp_established()
LEAST_SHORTENED = 120  # seconds: an entry that lives less is not shortened


def tcp_packet(t: Tracking) -> Tracked:
    """Take a segment. Ref: nf_conntrack_tcp_packet(), tcp_new()."""
    header = _header(t)
    flag = flag_of(header.flags)
    if header.flags & ~(_F.PSH | _F.ECE | _F.CWR) not in VALID_FLAGS:
        return Tracked.INVALID
    if not t.ct.confirmed and not _starts(t, flag):
        return Tracked.INVALID
    old = t.ct.tcp
    cell = TRANSITIONS[t.ctinfo.direction][flag][old.value]
    if cell == "IV":
        return Tracked.INVALID
    if cell == "SS" and old in (TCPState.TIME_WAIT, TCPState.CLOSE):
        if _was_closed(t):
            return Tracked.REPEAT
        cell = "IG"
    if cell == "IG":
        if not _answers_ignored_syn(t, flag):
            return _ignore(t, flag)
        t.ct.windows.resume(t.ctinfo.direction.opposite)
        old, cell = TCPState.SYN_SENT, "SR"
    if cell == "TW" and _is_challenge_ack(t, flag):
        t.ct.challenge_expected = False
        return Tracked.ACCEPT
    new = _after_simultaneous_open(t, flag, STATES[cell])
    return _reset(t, old) if flag == "rst" and new is TCPState.CLOSE else _in_window(t, old, new, flag)


def _starts(t: Tracking, flag: str) -> bool:
    """Ref: tcp_new(): a segment that is no SYN starts an entry only where ``nf_conntrack_tcp_loose`` is set."""
    first = TRANSITIONS[Direction.ORIGINAL][flag][TCPState.NONE.value]
    if first == "IV" or (first != "SS" and not t.timeout("tcp_loose")):
        return False
    t.ct.windows.begin(t.packet, syn=first == "SS")
    return True


def _was_closed(t: Tracking) -> bool:
    """True where a SYN may replace the entry: it was closed by a FIN, or the last segment of this direction was a RST."""
    last = t.ct.windows
    return bool(t.ct.closed_by) or (last.last_flag == "rst" and last.last_direction is t.ctinfo.direction)


def _answers_ignored_syn(t: Tracking, flag: str) -> bool:
    """True for the SYN-ACK that acknowledges a SYN which was let pass: both ends are in step, and conntrack is not."""
    last = t.ct.windows
    after_syn = last.last_flag == "syn" and last.last_direction is t.ctinfo.direction.opposite
    return flag == "synack" and after_syn and _header(t).ack == last.last_end


def _ignore(t: Tracking, flag: str) -> Tracked:
    """Let a segment pass that may be right, and remember it: the answer tells. A SYN may bring a challenge ACK (RFC 5961)."""
    windows, direction = t.ct.windows, t.ctinfo.direction
    opening = flag == "syn" and direction is Direction.ORIGINAL
    windows.last_flag, windows.last_direction = flag, direction
    windows.annotate(t.packet, opening=opening)
    if opening:
        t.ct.challenge_expected = t.ct.tcp is TCPState.LAST_ACK
        t.ct.simultaneous_open = False
    if flag == "ack" and direction is Direction.REPLY and t.ct.tcp is TCPState.SYN_SENT:
        windows.last_ack = _header(t).ack
    return Tracked.ACCEPT


def _is_challenge_ack(t: Tracking, flag: str) -> bool:
    """An ACK that answers an ignored SYN acknowledges no FIN."""
    last = t.ct.windows
    answers = last.last_flag == "syn" and last.last_direction is t.ctinfo.direction.opposite
    return t.ct.challenge_expected and t.ct.tcp is TCPState.LAST_ACK and flag == "ack" and answers


def _after_simultaneous_open(t: Tracking, flag: str, new: TCPState) -> TCPState:
    """Two SYNs that crossed: the reply's ACK ends the handshake, which the table alone does not know."""
    if new is TCPState.SYN_SENT2:
        t.ct.simultaneous_open = True
    acknowledged = t.ctinfo.direction is Direction.REPLY and flag == "ack" and t.ct.simultaneous_open
    return TCPState.ESTABLISHED if new is TCPState.SYN_RECV and acknowledged else new


def _reset(t: Tracking, old: TCPState) -> Tracked:
    """A RST counts where its number is the one that its receiver expects; one beyond may bring a challenge ACK, one before is INVALID."""
    windows, header, new = t.ct.windows, _header(t), TCPState.CLOSE
    if old in CLOSING:
        return _enter(t, old, new, "rst")
    expected = windows.seen[t.ctinfo.direction.opposite].maxack
    if expected is not None and windows.last_flag != "syn" and not (header.seq == 0 and old not in ESTABLISHED):
        if before(header.seq, expected) and not t.timeout("tcp_ignore_invalid_rst"):
            return Tracked.INVALID
        if _beyond(t, old, expected):
            new = old
        else:
            return _in_window(t, old, new, "rst")
    half_open = _half_open(t, header) or (
        old is TCPState.SYN_SENT
        and (windows.last_flag, windows.last_direction) == ("ack", Direction.REPLY)
        and header.seq == windows.last_ack
    )
    return _enter(t, old, new, "rst") if half_open else _in_window(t, old, new, "rst")


def _beyond(t: Tracking, old: TCPState, expected: int) -> bool:
    """True for a RST that does not exactly follow what was acknowledged, nor what its sender sent last."""
    windows, seq = t.ct.windows, _header(t).seq
    train = (windows.last_flag, windows.last_direction) == ("ack", t.ctinfo.direction) and seq == windows.last_end
    return old in ESTABLISHED and seq != expected and not train


def _half_open(t: Tracking, header: TCPHeader) -> bool:
    """True for the RST that answers a SYN or ACK which was let pass."""
    last = t.ct.windows
    let_pass = (t.ct.has(CtStatus.SEEN_REPLY) and last.last_flag == "syn") or (
        not t.ct.has(CtStatus.ASSURED) and last.last_flag == "ack"
    )
    return let_pass and header.ack == last.last_end


def _in_window(t: Tracking, old: TCPState, new: TCPState, flag: str) -> Tracked:
    direction = t.ctinfo.direction
    liberal = bool(t.timeout("tcp_be_liberal"))
    match t.ct.windows.check(t.packet, direction, t.ct.tcp, liberal=liberal):
        case InWindow.ACCEPT:
            return _enter(t, old, new, flag)
        case InWindow.IGNORE:
            return Tracked.ACCEPT
        case InWindow.INVALID:
            _shorten(t, flag)
            return Tracked.INVALID


def _shorten(t: Tracking, flag: str) -> None:
    """Both ends closed by segments out of window: the entry need not live for days. Ref: nf_tcp_handle_invalid()."""
    ct, windows = t.ct, t.ct.windows
    if flag not in ("rst", "fin") or not ct.has(CtStatus.ASSURED) or ct.has(CtStatus.FIXED_TIMEOUT):
        return
    if windows.last_direction is t.ctinfo.direction or windows.last_flag not in ("rst", "fin"):
        windows.last_flag, windows.last_direction = flag, t.ctinfo.direction
    elif ct.deadline - t.now >= LEAST_SHORTENED:
        ct.deadline = min(ct.deadline, t.now + t.timeout("tcp_timeout_unacknowledged"))


def _enter(t: Tracking, old: TCPState, new: TCPState, flag: str) -> Tracked:
    ct = t.ct
    ct.windows.last_flag, ct.windows.last_direction, ct.tcp = flag, t.ctinfo.direction, new
    if old is not new and new is TCPState.FIN_WAIT:
        ct.closed_by |= {t.ctinfo.direction}
    seconds = _seconds(t, new, flag)
    if not ct.has(CtStatus.SEEN_REPLY):
        if flag == "rst":
            return Tracked.KILL
        if flag == "syn" and old is TCPState.SYN_SENT:
            return Tracked.ACCEPT  # a retransmitted SYN does not make the entry live longer
        if new is TCPState.ESTABLISHED:
            seconds = min(seconds, t.timeout("tcp_timeout_unacknowledged"))
    elif old in (TCPState.SYN_RECV, TCPState.ESTABLISHED) and new is TCPState.ESTABLISHED:
        ct.status |= CtStatus.ASSURED
    t.refresh(seconds)
    return Tracked.ACCEPT


def _seconds(t: Tracking, state: TCPState, flag: str) -> int:
    """How long the entry lives: less where a peer does not acknowledge, repeats itself, or has no room."""
    windows, whole = t.ct.windows, t.timeout(TIMEOUTS[state])
    retransmitted = t.timeout("tcp_timeout_max_retrans")
    if windows.retrans >= t.timeout("tcp_max_retrans") and whole > retransmitted:
        return retransmitted
    if flag == "rst":
        return t.timeout("tcp_timeout_close")
    unacknowledged = t.timeout("tcp_timeout_unacknowledged")
    if any(sender.unacknowledged for sender in windows.seen.values()) and whole > unacknowledged:
        return unacknowledged
    return min(whole, retransmitted) if windows.last_win == 0 else whole


def _header(t: Tracking) -> TCPHeader:
    assert isinstance(t.packet.l4, TCPHeader)
    return t.packet.l4
