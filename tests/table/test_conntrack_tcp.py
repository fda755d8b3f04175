"""Conntrack's TCP states, segment by segment, as Linux 6.18 has them.

Each row was sent through a real router (raw segments, ``nf_conntrack_tcp_be_liberal=1``); after each segment its
``--ctstate`` was read from counters and the entry from ``conntrack -L``. ``>`` goes from the client, ``<`` to it.
``?`` marks an entry that is UNREPLIED, ``!`` one that is ASSURED, ``^`` one whose original direction is now the other
one, ``-`` no entry. States by the letters of the kernel's table (``sSS`` …).
"""

from __future__ import annotations

import pytest

from netsim.net.packet import TCPFlags
from netsim.stack.nf_conntrack_core import CtStatus, Direction, NfConn, TCPState
from netsim.stack.nf_conntrack_proto_tcp import STATES, TIMEOUTS, TRANSITIONS, flag_of
from netsim.stack.steps import ConntrackStep
from netsim.topology import sysctl
from tests.unit.netfilter_world import rules, tcp, walk

MEASURED = [
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! >AP:EST:ES! <A:EST:ES! >FA:EST:FW! <FA:EST:LA! >A:EST:TW!",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! <FA:EST:FW! >A:EST:CW! >FA:EST:LA! <A:EST:TW! >S:NEW:SS? <SA:EST:SR",
    ">S:NEW:SS? >S:NEW:SS? <SA:EST:SR <SA:EST:SR >A:EST:ES!",
    ">S:NEW:SS? <RA:EST:-",
    ">S:NEW:SS? <SA:EST:SR >R:EST:CL >S:NEW:SS? <SA:EST:SR",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! <R:EST:CL! >S:EST:CL!",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! >S:EST:ES! <A:EST:ES!",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! >S:EST:ES! <SA:EST:SR! >A:EST:ES!",
    ">S:NEW:SS? <S:EST:S2 >SA:EST:SR <A:EST:ES!",
    ">S:NEW:SS? <A:EST:SS >R:EST:CL",
    ">S:NEW:SS? >A:INV:SS?",
    ">S:NEW:SS? <F:INV:SS?",
    ">S:NEW:SS? <FA:INV:SS?",
    ">A:NEW:ES? <A:EST:ES >A:EST:ES!",
    ">A:NEW:ES? <SA:EST:ES",
    ">A:NEW:ES? <RA:EST:-",
    "<SA:INV:-",
    ">FA:INV:-",
    ">RA:INV:-",
    ">S:NEW:SS? <SA:EST:SR >SA:EST:SR",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! >SA:INV:ES!",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! >FA:EST:FW! <A:EST:CW! <FA:EST:LA! >A:EST:TW! <S:NEW:SS?^",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! >FA:EST:FW! <A:EST:CW! <FA:EST:LA! >A:EST:TW! <SA:EST:TW!",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! >SF:INV:ES!",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! >APU:EST:ES!",
    ">S:NEW:SS? <SA:EST:SR >FA:EST:FW <FA:EST:LA >A:EST:TW",
    ">S:NEW:SS? <SA:EST:SR >A:EST:ES! >FA:EST:FW! >FA:EST:LA! <FA:EST:LA! <FA:EST:LA! >A:EST:TW! >A:EST:TW!",
    ">S:NEW:SS? <S:EST:S2 >SA:EST:SR <A:EST:ES! >A:EST:ES! <A:EST:ES!",
    ">S:NEW:SS? <S:EST:S2 <SA:EST:SR >A:EST:ES!",
    ">S:NEW:SS? <S:EST:S2 >A:INV:S2 <A:EST:S2",
]


@pytest.mark.parametrize(
    "row", MEASURED, ids=[" ".join(part.split(":")[0] for part in row.split()) for row in MEASURED]
)
def test_segments(row: str) -> None:
    world, netfilter = rules("-A FORWARD -m conntrack --ctstate NEW")
    got = []
    for part in row.split():
        step = part.split(":")[0]
        forth = step[0] == ">"
        packet = tcp(flags=step[1:]) if forth else tcp("10.2.0.2", "10.1.0.2", 80, 40000, step[1:])
        assert walk(netfilter, packet, back=not forth) is not None
        state = next(each.state for each in reversed(world.of(ConntrackStep)) if each.action != "confirm")
        got.append(f"{step}:{state[:3]}:{_entry(list(netfilter.conntrack))}")
    assert got == row.split()


SHORT = {state: short for short, state in STATES.items()}


def _entry(entries: list[NfConn]) -> str:
    if not entries:
        return "-"
    (ct,) = entries
    assured = "!" if ct.has(CtStatus.ASSURED) else ""
    unreplied = "" if ct.has(CtStatus.SEEN_REPLY) else "?"
    return f"{SHORT[ct.tcp]}{assured}{unreplied}{'' if ct.original.sport == 40000 else '^'}"


def test_a_challenge_ack_acknowledges_no_fin() -> None:
    """RFC 5961. Ref: nf_conntrack_tcp_packet(), IP_CT_EXP_CHALLENGE_ACK; not measured."""
    _, netfilter = rules("-A FORWARD -m conntrack --ctstate NEW")
    for step in (">S", "<SA", ">A", ">FA", "<FA", ">S", "<A"):
        packet = tcp(flags=step[1:]) if step[0] == ">" else tcp("10.2.0.2", "10.1.0.2", 80, 40000, step[1:])
        walk(netfilter, packet)
    (ct,) = netfilter.conntrack
    assert ct.tcp is TCPState.LAST_ACK
    walk(netfilter, tcp("10.2.0.2", "10.1.0.2", 80, 40000, "A"))
    assert ct.tcp is TCPState.TIME_WAIT


def test_the_table_has_a_cell_for_every_state_and_flag() -> None:
    flags = ["syn", "synack", "fin", "ack", "rst", "none"]
    for direction in Direction:
        assert list(TRANSITIONS[direction]) == flags
        assert {len(row) for row in TRANSITIONS[direction].values()} == {len(TCPState)}


def test_every_state_has_a_timeout_that_is_a_sysctl() -> None:
    assert set(TIMEOUTS) == set(TCPState) - {TCPState.NONE}
    for name in TIMEOUTS.values():
        assert int(sysctl.default(f"net.netfilter.nf_conntrack_{name}")) > 0


@pytest.mark.parametrize(
    ("flags", "row"),
    [
        (TCPFlags.SYN, "syn"),
        (TCPFlags.SYN | TCPFlags.ACK, "synack"),
        (TCPFlags.FIN | TCPFlags.ACK, "fin"),
        (TCPFlags.RST | TCPFlags.SYN, "rst"),
        (TCPFlags.ACK | TCPFlags.PSH, "ack"),
        (TCPFlags.PSH, "none"),
    ],
)
def test_row_of_flags(flags: TCPFlags, row: str) -> None:
    assert flag_of(flags) == row


# segments | the entry's life after them, seconds
LIVES = [
    (">S", 120),
    (">S <SA", 60),
    (">S <SA >A", 432000),
    (">S <SA >A >FA", 120),
    (">S <SA >A >FA <A", 60),
    (">S <SA >A >FA <A <FA", 30),
    (">S <SA >A >FA <A <FA >A", 120),
    (">S <SA >A <R", 10),
    (">A", 300),  # picked up in its middle, not answered yet
    (">A <A", 300),
    (">A <A >A", 432000),
]


@pytest.mark.parametrize(("steps", "seconds"), LIVES)
def test_life_of_an_entry(steps: str, seconds: int) -> None:
    world, netfilter = rules("-A FORWARD -m conntrack --ctstate NEW")
    for step in steps.split():
        world.time += 1
        walk(netfilter, tcp(flags=step[1:]) if step[0] == ">" else tcp("10.2.0.2", "10.1.0.2", 80, 40000, step[1:]))
    (ct,) = netfilter.conntrack
    assert ct.deadline - world.time == seconds


def test_a_repeated_syn_does_not_prolong_the_entry() -> None:
    world, netfilter = rules("-A FORWARD -m conntrack --ctstate NEW")
    walk(netfilter, tcp())
    world.time = 100
    walk(netfilter, tcp())
    world.time = 120
    assert len(netfilter.conntrack) == 0
