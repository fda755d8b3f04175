"""What IPVS thinks of an SCTP association, and how long an entry lives in each state.

States are as the real server sees them. A chunk that a row does not name for a state leaves it as it is.
Ref: net/netfilter/ipvs/ip_vs_proto_sctp.c:sctp_states[], sctp_timeouts[], set_sctp_state() (v6.12); RFC 9260 §4.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from netsim.net.packet import SCTPChunk
from netsim.stack.ip_vs_proto_tcp import INPUT, INPUT_ONLY, OUTPUT


class IpVsSctpState(Enum):
    """``enum ip_vs_sctp_states``, by the names that ``ipvsadm -Lnc`` prints."""

    NONE = "NONE"
    INIT1 = "INIT1"
    INIT = "INIT"
    COOKIE_SENT = "C-SENT"
    COOKIE_REPLIED = "C-REPLIED"
    COOKIE_WAIT = "C-WAIT"
    COOKIE = "COOKIE"
    COOKIE_ECHOED = "C-ECHOED"
    ESTABLISHED = "ESTABLISHED"
    SHUTDOWN_SENT = "S-SENT"
    SHUTDOWN_RECEIVED = "S-RECEIVED"
    SHUTDOWN_ACK_SENT = "S-ACK-SENT"
    REJECTED = "REJECTED"
    CLOSED = "CLOSED"


_S = IpVsSctpState
_MAX_RTO = 61
_SHORT = {_S.NONE: 2, _S.INIT1: 4, _S.REJECTED: 4, _S.ESTABLISHED: 15 * 60}
TIMEOUTS: Mapping[IpVsSctpState, int] = {state: _SHORT.get(state, _MAX_RTO) for state in IpVsSctpState}
"""Seconds."""

_NAMES = {
    "NO": _S.NONE,
    "I1": _S.INIT1,
    "IN": _S.INIT,
    "CS": _S.COOKIE_SENT,
    "CR": _S.COOKIE_REPLIED,
    "CW": _S.COOKIE_WAIT,
    "CO": _S.COOKIE,
    "CE": _S.COOKIE_ECHOED,
    "ES": _S.ESTABLISHED,
    "SS": _S.SHUTDOWN_SENT,
    "SR": _S.SHUTDOWN_RECEIVED,
    "SA": _S.SHUTDOWN_ACK_SENT,
    "RJ": _S.REJECTED,
    "CL": _S.CLOSED,
}
_C = SCTPChunk

MOVES: Mapping[tuple[str, SCTPChunk], str] = {
    # (direction, chunk): states and what they become
    (INPUT, _C.DATA): "NO>ES",
    (INPUT, _C.INIT): "NO>I1 I1,RJ,CL>IN",
    (INPUT, _C.INIT_ACK): "NO,I1,IN>CW CW>CO",
    (INPUT, _C.COOKIE_ECHO): "NO,CS>CR I1>IN",
    (INPUT, _C.COOKIE_ACK): "NO,CE>ES",
    (INPUT, _C.SHUTDOWN): "NO,ES>SR",
    (INPUT, _C.ABORT): "NO,I1,IN,CS,CR,CO,CE,ES,SS,SR,SA,RJ>CL CW>RJ",
    (OUTPUT, _C.DATA): "NO>ES",
    (OUTPUT, _C.INIT): "NO,I1,IN,CS,CR,CO,CE,SS,SR,SA,RJ,CL>CW",
    (OUTPUT, _C.INIT_ACK): "NO,I1,IN>CS",
    (OUTPUT, _C.COOKIE_ECHO): "NO,I1,IN,CS,CR,CW,CO>CE",
    (OUTPUT, _C.COOKIE_ACK): "NO,I1,IN,CS,CR,CW,CO,CE>ES",
    (OUTPUT, _C.SHUTDOWN): "NO,I1,IN,CS,CR,CW,CO,CE,ES>SS",
    (OUTPUT, _C.ABORT): "NO,IN,CS,CR,CW,CO,CE,ES,SS,SR,SA,RJ>CL I1>RJ",
    (INPUT_ONLY, _C.DATA): "NO,CW>ES",
    (INPUT_ONLY, _C.INIT): "NO>I1 I1,CS,CR,CW,RJ,CL>IN",
    (INPUT_ONLY, _C.INIT_ACK): "NO,I1,IN,CS,CR,CW>CE",
    (INPUT_ONLY, _C.COOKIE_ECHO): "NO,I1,IN,CS,CR,CW>ES",
    (INPUT_ONLY, _C.COOKIE_ACK): "NO,CS,CR,CO,CE>ES",
    (INPUT_ONLY, _C.SHUTDOWN): "NO,ES>SR",
    (INPUT_ONLY, _C.ABORT): "NO,I1,IN,CS,CR,CO,CE,ES,SS,SR,SA,RJ>CL CW>RJ",
}


def next_state(state: IpVsSctpState, direction: str, chunk: SCTPChunk) -> IpVsSctpState:
    """The state after a packet, by its first chunk."""
    for move in MOVES[direction, chunk].split():
        before, _, after = move.partition(">")
        if state in (_NAMES[name] for name in before.split(",")):
            return _NAMES[after]
    return state
