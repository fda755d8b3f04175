"""Nothing that a walk may read is forgotten: flows of ``flow_class_rows`` are told what single traces tell, whoever is asked first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from netsim.flows import Classes, Surveyor, outcome_of
from netsim.flows.cone import Cone, Cones
from netsim.matrix.ends import Ends
from netsim.scenario.build import load_world
from netsim.scenario.every_flow import Front
from netsim.scenario.sources import find_sources
from netsim.trace.trace import trace
from tests.table.flow_class_rows import ROWS, Row


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_classes_tell_what_traces_tell(row: Row) -> None:
    walked = {flow: outcome_of(trace(row.topology, flow, source="", target="")) for flow in row.alike}
    for flows in (row.alike, row.alike[::-1]):
        classes = Classes(row.topology)
        assert {flow: classes.outcome(flow) for flow in flows} == walked


def test_rows_have_names_of_their_own() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)


LACKING: dict[str, Callable[[Cone], Cone]] = {
    "addresses": lambda cone: replace(cone, addresses=()),
    "ports": lambda cone: replace(cone, ports=()),
    "machines": lambda cone: replace(cone, machines=()),
}


@pytest.mark.parametrize("lacking", LACKING)
def test_a_walk_with_names_beyond_its_cone_is_walked_alone(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cone asked for too little, every flow and every sender has an answer of its own."""
    world, _ = load_world(find_sources(("default",), {}))
    ends, whole = Ends(world), Cones.of
    monkeypatch.setattr(Cones, "of", lambda self, flow, expected: LACKING[lacking](whole(self, flow, expected)))
    surveyor = Surveyor(Classes(world.topology), ends.senders())
    asked = next(ends.asked(each) for each in ends.destinations() if each.front is Front.CLUSTER_IP and not each.closed)
    shares = surveyor.shares(asked)
    assert len(shares) == sum(len(share.senders) for share in shares) > 1
    for share in shares:
        flow = asked.flow_of(share.senders[0])
        walked = outcome_of(trace(world.topology, flow, source="", target="", expected=asked.expected))
        assert share.flow_class.alone == surveyor.classes.outcome(flow, asked.expected) == walked
