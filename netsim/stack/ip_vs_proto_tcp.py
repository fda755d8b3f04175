"""What IPVS thinks of a TCP connection, and how long an entry lives in each state.

Ref: net/netfilter/ipvs/ip_vs_proto_tcp.c:tcp_states[], tcp_timeouts[], tcp_state_active_table[], set_tcp_state() (v6.12).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from netsim.net.packet import TCPFlags


class IpVsTcpState(Enum):
    """``enum ip_vs_tcp_states`` in the kernel's order: a state's column is its place."""

    NONE = 0
    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT = 4
    TIME_WAIT = 5
    CLOSE = 6
    CLOSE_WAIT = 7
    LAST_ACK = 8
    LISTEN = 9
    SYNACK = 10


_S = IpVsTcpState
TIMEOUTS: Mapping[IpVsTcpState, int] = {
    # seconds
    _S.NONE: 2,
    _S.ESTABLISHED: 15 * 60,
    _S.SYN_SENT: 2 * 60,
    _S.SYN_RECV: 60,
    _S.FIN_WAIT: 2 * 60,
    _S.TIME_WAIT: 2 * 60,
    _S.CLOSE: 10,
    _S.CLOSE_WAIT: 60,
    _S.LAST_ACK: 30,
    _S.LISTEN: 2 * 60,
    _S.SYNACK: 120,
}

ACTIVE = frozenset({_S.ESTABLISHED, _S.SYN_SENT, _S.SYN_RECV, _S.SYNACK})
"""States in which a connection counts as active (since v4.18; before only ESTABLISHED did)."""

_NAMES = {
    "NO": _S.NONE,
    "ES": _S.ESTABLISHED,
    "SS": _S.SYN_SENT,
    "SR": _S.SYN_RECV,
    "FW": _S.FIN_WAIT,
    "TW": _S.TIME_WAIT,
    "CL": _S.CLOSE,
    "CW": _S.CLOSE_WAIT,
    "LA": _S.LAST_ACK,
    "LI": _S.LISTEN,
    "SA": _S.SYNACK,
}


def _row(text: str) -> tuple[IpVsTcpState, ...]:
    return tuple(_NAMES[name] for name in text.split())


INPUT, OUTPUT, INPUT_ONLY = "input", "output", "input only"
TRANSITIONS: Mapping[tuple[str, str], tuple[IpVsTcpState, ...]] = {
    # (direction, segment): the next state from NO ES SS SR FW TW CL CW LA LI SA
    (INPUT, "syn"): _row("SR ES ES SR SR SR SR SR SR SR SR"),
    (INPUT, "fin"): _row("CL CW SS TW TW TW CL CW LA LI TW"),
    (INPUT, "ack"): _row("ES ES SS ES FW TW CL CW CL LI ES"),
    (INPUT, "rst"): _row("CL CL CL SR CL CL CL CL LA LI SR"),
    (OUTPUT, "syn"): _row("SS ES SS SR SS SS SS SS SS LI SR"),
    (OUTPUT, "fin"): _row("TW FW SS TW FW TW CL TW LA LI TW"),
    (OUTPUT, "ack"): _row("ES ES SS ES FW TW CL CW LA ES ES"),
    (OUTPUT, "rst"): _row("CL CL SS CL CL TW CL CL CL CL CL"),
    (INPUT_ONLY, "syn"): _row("SR ES ES SR SR SR SR SR SR SR SR"),
    (INPUT_ONLY, "fin"): _row("CL FW SS TW FW TW CL CW LA LI TW"),
    (INPUT_ONLY, "ack"): _row("ES ES SS ES FW TW CL CW CL LI ES"),
    (INPUT_ONLY, "rst"): _row("CL CL CL SR CL CL CL CL LA LI CL"),
}


def next_state(state: IpVsTcpState, direction: str, flags: TCPFlags) -> IpVsTcpState:
    """The state after a segment. Ref: tcp_state_idx(): RST before SYN before FIN before ACK; none of them closes."""
    for bit, kind in ((TCPFlags.RST, "rst"), (TCPFlags.SYN, "syn"), (TCPFlags.FIN, "fin"), (TCPFlags.ACK, "ack")):
        if flags & bit:
            return TRANSITIONS[direction, kind][state.value]
    return IpVsTcpState.CLOSE
