"""A connection's way through IPVS and iptables against a kernel that has IPVS: every rule that counts, in every hook, and what is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from netsim.stack.steps import Drop
from tests.differential.kernel.uml.guest import answered_in_guest
from tests.table.ipvs_rows import ROWS, Row, modelled
from tests.unit.stack_world import Walk

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    told = answered_in_guest(Path(__file__).with_name("path_job.py"), [row.guest() for row in ROWS])
    return {row.name: answer for row, answer in zip(ROWS, told, strict=True)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("part", ["heard", "reached", "counted"])
def test_the_way_is_the_kernels(row: Row, part: str, answers: dict[str, dict[str, Any]]) -> None:
    assert modelled(row)[part] == answers[row.name][part]


def test_every_end_of_a_packet_is_recorded() -> None:
    for row in ROWS:
        walk = Walk(row.world()).tcp(row.netns, row.to, row.port)
        assert walk.of(Drop) or walk.heard, row.name
