"""Nothing that a walk may read is forgotten: flows of ``flow_class_rows`` are told what single traces tell, whoever is asked first."""

from __future__ import annotations

import pytest

from netsim.flows import Classes, outcome_of
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
