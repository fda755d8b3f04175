"""The rows of ``window_rows`` before this machine's kernel: raw segments, whose states leave as marks in their TTL."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from netsim.rules.conntrack.dump import insert_words
from netsim.rules.conntrack.parse import parse
from netsim.topology import sysctl
from tests.differential.kernel.router import Lab, lab_of
from tests.table.window_rows import ROWS, WindowRow, segments

pytestmark = pytest.mark.kernel

TTLS = {"NEW": 101, "EST": 102, "INV": 103}
RULES = "*mangle\n" + "".join(
    f"-A FORWARD -m conntrack --ctstate {state} -j TTL --ttl-set {TTLS[state[:3]]}\n"
    for state in ("NEW", "ESTABLISHED", "INVALID")
)
SLACK = 2  # seconds that a segment may have been on its way


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    for made in lab_of(f"nsim-window-{os.getpid()}"):
        made.load("iptables", RULES + "COMMIT\n")
        yield made


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_kernel_and_rows_agree(lab: Lab, row: WindowRow) -> None:
    lab.flush()
    for name, value in row.sysctls.items():
        lab.run("sysctl", "-qw", f"{name}={value}")
    try:
        for known in parse(row.known, "known"):
            lab.run("conntrack", *insert_words(known))
        got = []
        for segment in segments(row):
            near, far = (lab.client, lab.server) if segment.forth else (lab.server, lab.client)
            near.send(segment.packet)
            got.append(segment.text.replace(segment.state, _state(far.receive())))
        assert got == row.segments.split()
        _compare(lab.conntrack(), row.entry)
    finally:
        for name in row.sysctls:
            lab.run("sysctl", "-qw", f"{name}={sysctl.default(name)}")


def _state(data: str) -> str:
    if data == "nothing":
        return data
    ttl = bytes.fromhex(data)[22]
    return next((state for state, value in TTLS.items() if value == ttl), str(ttl))


def _compare(listed: list[str], entry: str) -> None:
    if not entry:
        assert listed == []
        return
    (line,) = listed
    _, _, seconds, state = line.split()[:4]
    assert state == entry.split()[0]
    assert int(entry.split()[1]) - SLACK <= int(seconds) <= int(entry.split()[1])
