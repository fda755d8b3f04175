"""What becomes of a flow through tunnels, macvlan devices, routing rules and odd neighbours, in the model."""

from __future__ import annotations

import pytest

from netsim.topology.validate import Severity, validate
from netsim.trace.trace import trace
from tests.unit.link_cases import CASES, UNBUILT, Case


@pytest.mark.parametrize("case", [*CASES, *UNBUILT], ids=lambda case: case.id)
def test_the_answer(case: Case):
    found = trace(case.world, case.flow(), source=case.src, target=case.dst)
    assert {branch.reason for branch in found.branches} == {case.answer}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_world_is_sound(case: Case):
    assert [str(problem) for problem in validate(case.world) if problem.severity is Severity.ERROR] == []
