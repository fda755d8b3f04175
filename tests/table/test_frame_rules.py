"""What becomes of a flow past nftables rules that see frames, in the model. The real kernel walks the same rows in tests/differential."""

from __future__ import annotations

import pytest

from netsim.stack.steps import Hook, NeighbourResolution, NftChainPass
from netsim.trace.model import Trace
from netsim.trace.trace import trace
from tests.unit.frame_rule_cases import CASES, UNSEEN, ruled
from tests.unit.link_cases import Case


def found(case: Case) -> Trace:
    return trace(case.world, case.flow(), source=case.src, target=case.dst)


@pytest.mark.parametrize("case", [*CASES, *UNSEEN], ids=lambda case: case.id)
def test_the_answer(case: Case) -> None:
    assert {branch.reason for branch in found(case).branches} == {case.answer}


def test_who_drops_arp_is_said() -> None:
    case = Case("arp", ruled("arp", "input", "arp operation request drop", at="b"), "a", "10.244.0.3", "")
    steps = [step for hop in found(case).branches[0].forward for step in hop.steps]
    (asked,) = [step for step in steps if isinstance(step, NeighbourResolution)]
    assert "nftables table arp t, chain c drops ARP" in asked.detail


def test_frames_are_sent_elsewhere() -> None:
    case = Case(
        "fwd", ruled("netdev", 'ingress device "vetha"', 'ip daddr 10.244.0.3 fwd to "vethb"'), "a", "10.244.0.3", ""
    )
    walked = found(case)
    assert {branch.reason for branch in walked.branches} == {"DELIVERED"}
    passes = [step for hop in walked.branches[0].forward for step in hop.steps if isinstance(step, NftChainPass)]
    assert [(step.hook, step.verdict) for step in passes] == [(Hook.INGRESS, "FWD")]


def test_what_cannot_be_said_of_arp_is_unknown() -> None:
    case = Case("raw", ruled("netdev", 'ingress device "vetha"', "@nh,0,8 1 drop"), "a", "10.244.0.3", "")
    assert {branch.reason for branch in found(case).branches} == {"NOT_MODELLED"}
