"""Conntrack's view of TCP.

The transition tables are the kernel's. Not modelled: windows and sequence numbers (``tcp_in_window()``), so a segment is
never INVALID for its numbers, a RST is always believed, and a SYN-ACK after an ignored SYN is taken to answer it;
retransmission counting.

Ref: net/netfilter/nf_conntrack_proto_tcp.c:tcp_conntracks, nf_conntrack_tcp_packet() (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import TCPFlags, TCPHeader
from netsim.stack.nf_conntrack_entry import CtStatus, TCPState
from netsim.stack.nf_conntrack_proto import Tracked, Tracking
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


def tcp_packet(t: Tracking) -> Tracked:
    """Take a segment. Ref: nf_conntrack_tcp_packet(), tcp_new()."""
    assert isinstance(t.packet.l4, TCPHeader)
    flag = flag_of(t.packet.l4.flags)
    if t.packet.l4.flags & ~(_F.PSH | _F.ECE | _F.CWR) not in VALID_FLAGS:
        return Tracked.INVALID
    if not t.ct.confirmed and not _may_start(t, flag):
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
        old, cell = TCPState.SYN_SENT, "SR"
    if cell == "TW" and _is_challenge_ack(t, flag):
        t.ct.challenge_expected = False
        return Tracked.ACCEPT
    return _enter(t, old, _after_simultaneous_open(t, flag, STATES[cell]), flag)


def _may_start(t: Tracking, flag: str) -> bool:
    """Ref: tcp_new(): a segment that is no SYN starts an entry only where ``nf_conntrack_tcp_loose`` is set."""
    first = TRANSITIONS[Direction.ORIGINAL][flag][TCPState.NONE.value]
    return first == "SS" or (first != "IV" and bool(t.timeout("tcp_loose")))


def _was_closed(t: Tracking) -> bool:
    """True where a SYN may replace the entry: it was closed by a FIN, or the last segment of this direction was a RST."""
    aborted = t.ct.last_flag == "rst" and t.ct.last_direction is t.ctinfo.direction
    return bool(t.ct.closed_by) or aborted


def _answers_ignored_syn(t: Tracking, flag: str) -> bool:
    return flag == "synack" and t.ct.last_flag == "syn" and t.ct.last_direction is t.ctinfo.direction.opposite


def _ignore(t: Tracking, flag: str) -> Tracked:
    """Let a segment pass that may be right, and remember it: the answer tells. A SYN may bring a challenge ACK (RFC 5961)."""
    t.ct.last_flag, t.ct.last_direction = flag, t.ctinfo.direction
    if flag == "syn" and t.ctinfo.direction is Direction.ORIGINAL:
        t.ct.challenge_expected = t.ct.tcp is TCPState.LAST_ACK
        t.ct.simultaneous_open = False
    return Tracked.ACCEPT


def _is_challenge_ack(t: Tracking, flag: str) -> bool:
    """An ACK that answers an ignored SYN acknowledges no FIN."""
    answers = t.ct.last_flag == "syn" and t.ct.last_direction is t.ctinfo.direction.opposite
    return t.ct.challenge_expected and t.ct.tcp is TCPState.LAST_ACK and flag == "ack" and answers


def _after_simultaneous_open(t: Tracking, flag: str, new: TCPState) -> TCPState:
    """Two SYNs that crossed: the reply's ACK ends the handshake, which the table alone does not know."""
    if new is TCPState.SYN_SENT2:
        t.ct.simultaneous_open = True
    acknowledged = t.ctinfo.direction is Direction.REPLY and flag == "ack" and t.ct.simultaneous_open
    return TCPState.ESTABLISHED if new is TCPState.SYN_RECV and acknowledged else new


def _enter(t: Tracking, old: TCPState, new: TCPState, flag: str) -> Tracked:
    ct = t.ct
    ct.last_flag, ct.last_direction, ct.tcp = flag, t.ctinfo.direction, new
    if old is not new and new is TCPState.FIN_WAIT:
        ct.closed_by |= {t.ctinfo.direction}
    seconds = t.timeout("tcp_timeout_close" if flag == "rst" else TIMEOUTS[new])
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
