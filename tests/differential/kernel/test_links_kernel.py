"""Tunnels, macvlan, policy routing, multipath, ARP and rules that see frames on the real kernel: packet by packet, hook by hook."""

from __future__ import annotations

import pytest

from netsim.verify.run import Answer, Effort, verify
from netsim.verify.run import Case as Verified
from tests.unit.frame_rule_cases import CASES as FRAMES
from tests.unit.link_cases import CASES, Case

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("case", [*CASES, *FRAMES], ids=lambda case: case.id)
def test_the_kernel_walks_the_same_way(case: Case):
    (outcome,) = verify(case.world, [Verified(case.flow(), case.src, case.dst)], effort=Effort())
    assert outcome.answer is Answer.AGREES, outcome.difference
