"""Conntrack's view of SCTP.

The transition tables are the kernel's. Not modelled: verification tags, and packets of several chunks (the first one counts).
Ref: net/netfilter/nf_conntrack_proto_sctp.c:sctp_conntracks, nf_conntrack_sctp_packet() (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import SCTPChunk, SCTPHeader
from netsim.stack.nf_conntrack_entry import CtStatus, SCTPState
from netsim.stack.nf_conntrack_proto import Tracked, Tracking
from netsim.stack.nf_conntrack_tuple import Direction

TRANSITIONS: dict[Direction, dict[int, tuple[str, ...]]] = {
    Direction.ORIGINAL: {
        # chunk:  NO    CL    CW    CE    ES    SS    SR    SA    HS
        1: ("CL", "CL", "CW", "CE", "ES", "CL", "CL", "SA", "CW"),  # INIT: CLOSED until INIT_ACK
        2: ("CL", "CL", "CW", "CE", "ES", "SS", "SR", "SA", "CL"),  # INIT_ACK
        6: ("CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL", "CL"),  # ABORT
        7: ("CL", "CL", "CW", "CE", "SS", "SS", "SR", "SA", "CL"),  # SHUTDOWN
        8: ("SA", "CL", "CW", "CE", "ES", "SA", "SA", "SA", "SA"),  # SHUTDOWN_ACK
        9: ("CL", "CL", "CW", "CE", "ES", "SS", "SR", "SA", "CL"),  # ERROR
        10: ("CL", "CL", "CE", "CE", "ES", "SS", "SR", "SA", "CL"),  # COOKIE_ECHO
        11: ("CL", "CL", "CW", "ES", "ES", "SS", "SR", "SA", "CL"),  # COOKIE_ACK
        14: ("CL", "CL", "CW", "CE", "ES", "SS", "SR", "CL", "CL"),  # SHUTDOWN_COMPLETE
    },
    Direction.REPLY: {
        1: ("IV", "CL", "CW", "CE", "ES", "SS", "SR", "SA", "IV"),
        2: ("IV", "CW", "CW", "CE", "ES", "SS", "SR", "SA", "IV"),
        6: ("IV", "CL", "CL", "CL", "CL", "CL", "CL", "CL", "IV"),
        7: ("IV", "CL", "CW", "CE", "SR", "SS", "SR", "SA", "IV"),
        8: ("IV", "CL", "CW", "CE", "ES", "SA", "SA", "SA", "IV"),
        9: ("IV", "CL", "CW", "CL", "ES", "SS", "SR", "SA", "IV"),
        10: ("IV", "CL", "CE", "CE", "ES", "SS", "SR", "SA", "IV"),
        11: ("IV", "CL", "CW", "ES", "ES", "SS", "SR", "SA", "IV"),
        14: ("IV", "CL", "CW", "CE", "ES", "SS", "SR", "CL", "IV"),
    },
}

_STATES = {
    "CL": SCTPState.CLOSED,
    "CW": SCTPState.COOKIE_WAIT,
    "CE": SCTPState.COOKIE_ECHOED,
    "ES": SCTPState.ESTABLISHED,
    "SS": SCTPState.SHUTDOWN_SENT,
    "SR": SCTPState.SHUTDOWN_RECD,
    "SA": SCTPState.SHUTDOWN_ACK_SENT,
    "HS": SCTPState.HEARTBEAT_SENT,
}

TIMEOUTS: dict[SCTPState, str] = {
    SCTPState.CLOSED: "sctp_timeout_closed",
    SCTPState.COOKIE_WAIT: "sctp_timeout_cookie_wait",
    SCTPState.COOKIE_ECHOED: "sctp_timeout_cookie_echoed",
    SCTPState.ESTABLISHED: "sctp_timeout_established",
    SCTPState.SHUTDOWN_SENT: "sctp_timeout_shutdown_sent",
    SCTPState.SHUTDOWN_RECD: "sctp_timeout_shutdown_recd",
    SCTPState.SHUTDOWN_ACK_SENT: "sctp_timeout_shutdown_ack_sent",
    SCTPState.HEARTBEAT_SENT: "sctp_timeout_heartbeat_sent",
}

# Chunks that may start an entry: INIT and SHUTDOWN_ACK. ABORT, COOKIE_ACK and SHUTDOWN_COMPLETE start nothing (RFC 9260 §8.4), and the
# verification tag of any other chunk is that of no known association.
MAY_START = frozenset({1, 8})


def sctp_packet(t: Tracking) -> Tracked:
    """Take a packet's first chunk. Ref: nf_conntrack_sctp_packet(), sctp_new()."""
    assert isinstance(t.packet.l4, SCTPHeader)
    ct, chunk = t.ct, int(t.packet.l4.chunk)
    row = TRANSITIONS[t.ctinfo.direction].get(chunk)
    if not ct.confirmed and (chunk not in MAY_START):
        return Tracked.INVALID
    old = new = ct.sctp
    if row is not None:
        if row[old.value] == "IV":
            return Tracked.INVALID
        new = _STATES[row[old.value]]
    ct.sctp = new
    if new is SCTPState.ESTABLISHED and old is not new:
        ct.status |= CtStatus.ASSURED
    repeated = chunk == SCTPChunk.INIT and old is new is SCTPState.CLOSED and ct.confirmed
    if not repeated:
        t.refresh(t.timeout(TIMEOUTS[new]))
    return Tracked.ACCEPT
