"""Classes give what single traces give: every flow's outcome, told from its class's witness, is that of a trace of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsim.flows import Asked, Classes, Outcome, Share, Surveyor, outcome_of
from netsim.flows.senders import Sender
from netsim.matrix.ends import Destination, Ends
from netsim.scenario.every_flow import NamedFlow, every_flow
from netsim.scenario.random_world import Drawn, drawn_worlds
from netsim.scenario.world import World
from netsim.topology.model import Topology
from netsim.trace.trace import trace
from tests.property.alike_worlds import alike_worlds

MODES = ("iptables", "ipvs", "nftables")
QUICK = 5
"""Worlds of each mode in a default run: each takes a second. ``--hypothesis-profile thorough`` draws 500."""

PATIENT = settings(
    max_examples=QUICK if settings.get_profile("quick") == settings() else settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
)


def disagreements(world: World, topology: Topology, flows: Iterable[NamedFlow]) -> Iterator[str]:
    classes = Classes(topology)
    for each in flows:
        flow = each.flow
        expected = world.expected(flow.destination, flow.dport or None)
        told = classes.outcome(flow, expected)
        walked = outcome_of(trace(topology, flow, source="", target="", expected=expected))
        if told != walked:
            yield f"{each.source} → {each.target}: {flow}\n  class: {told}\n  trace: {walked}"


@pytest.mark.parametrize("mode", MODES)
@PATIENT
@given(data=st.data())
def test_drawn_flows(mode: str, data: st.DataObject) -> None:
    drawn: Drawn = data.draw(drawn_worlds(mode=mode))
    every = list(every_flow(drawn.world))
    first = data.draw(st.integers(0, 10))
    flows = [*drawn.flows, *every[first::11]]
    assert not list(disagreements(drawn.world, drawn.topology, flows))


@pytest.mark.parametrize("mode", MODES)
@PATIENT
@given(data=st.data())
def test_surveys_of_clusters_in_which_much_is_alike(mode: str, data: st.DataObject) -> None:
    text, world = data.draw(alike_worlds(mode))
    ends = Ends(world)
    destinations = list(ends.destinations())
    first, step = data.draw(st.integers(0, 6)), data.draw(st.sampled_from((1, 7)))
    chosen = destinations[first * step : first * step + 6 * step : step]
    wrong = list(_wrong(world, ends, chosen, pick=data.draw(st.integers(0, 2))))
    assert not wrong, text


def _wrong(world: World, ends: Ends, destinations: list[Destination], pick: int) -> Iterator[str]:
    surveyor = Surveyor(Classes(world.topology), ends.senders())
    for destination in destinations:
        asked = ends.asked(destination)
        for share in surveyor.shares(asked):
            for sender in share.senders[pick::3]:
                told = surveyor.classes.outcome(asked.flow_of(sender), asked.expected)
                walked = _walked(world, asked, sender)
                if told != walked or _bare(share) != _bare_of(walked):
                    yield f"{sender.netns} → {destination.label}\n  share: {share.flow_class}\n  class: {told}\n  trace: {walked}"


def _walked(world: World, asked: Asked, sender: Sender) -> Outcome:
    return outcome_of(trace(world.topology, asked.flow_of(sender), source="", target="", expected=asked.expected))


def _bare(share: Share) -> list[object]:
    return [(way.probability, way.verdict, way.reason) for way in share.flow_class.bare]


def _bare_of(outcome: Outcome) -> list[object]:
    return [(way.probability, way.verdict, way.reason) for way in outcome.ways]
