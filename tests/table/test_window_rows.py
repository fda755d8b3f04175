"""The rows of ``window_rows`` before the model."""

from __future__ import annotations

import pytest

from netsim.stack.nf_conntrack_core import NfConn
from netsim.stack.steps import ConntrackStep
from tests.table.window_rows import ROWS, WindowRow, segments
from tests.unit.netfilter_world import World, rules, walk

TRACK = "-A FORWARD -m conntrack --ctstate NEW"


def entry(ct: NfConn, now: float) -> str:
    return f"{ct.tcp.name} {int(ct.deadline - now)}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_states_of_segments(row: WindowRow) -> None:
    world, netfilter = rules(TRACK, world=World(sysctls=row.sysctls), conntrack=row.known)
    got = []
    for segment in segments(row):
        assert walk(netfilter, segment.packet, back=not segment.forth) is not None
        state = next(step.state for step in reversed(world.of(ConntrackStep)) if step.action != "confirm")
        got.append(segment.text.replace(segment.state, state[:3]))
    assert got == row.segments.split()
    assert [entry(ct, 0) for ct in netfilter.conntrack] == ([row.entry] if row.entry else [])
