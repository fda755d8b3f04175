"""The search: change, load, trace again. What is told has delivered the packet, on every branch.

One change is better than two, so pairs are tried only where no single change helped: then the second is one that may mend what the first
left. What opens much more than the packet needs is tried last. Ref: none; the proof is the trace itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from netsim.dataclass import dataclass
from netsim.manifest import LoadError
from netsim.scenario.build import world_of
from netsim.scenario.mends.candidates import proposed
from netsim.scenario.mends.changes import Change
from netsim.scenario.mends.failure import Failure
from netsim.scenario.world import World
from netsim.trace.model import Flow, Mend, MendStep, Trace, Verdict
from netsim.trace.trace import trace

LARGE = 1000
"""Objects of a cluster for which nothing is tried unless it is asked for: a load of it takes tenths of a second."""

MOST_TOLD = 3
MOST_TRIED = 16
"""Changes tried at each depth; every one is a whole load."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What became of the flow after changes."""

    changes: tuple[Change, ...]
    world: World
    found: Trace

    @property
    def delivers(self) -> bool:
        return self.found.verdict is Verdict.DELIVERED


def with_mends(world: World, found: Trace) -> Trace:
    """The trace with the smallest changes that deliver the packet; as it is where it is delivered or nothing proposed helps."""
    if found.verdict in (Verdict.DELIVERED, Verdict.UNKNOWN):
        return found
    start = _Attempt((), world, found)
    singles = list(_tried([start], wide=False))
    left = [attempt for attempt in singles if _outcome(attempt) != _outcome(start)]
    stages = (singles, _tried(left, wide=False), _tried([start], wide=True))
    delivering = ([attempt for attempt in stage if attempt.delivers] for stage in stages)
    proved = next(filter(None, delivering), [])
    return replace(found, mends=tuple(_mend(attempt) for attempt in proved[:MOST_TOLD]))


def _outcome(attempt: _Attempt) -> tuple[str, object]:
    branch = attempt.found.decisive
    return branch.reason, branch.where


def _tried(starts: list[_Attempt], *, wide: bool) -> Iterator[_Attempt]:
    """Every start with one more change, as far as that can be loaded and traced."""
    changes = ((start, change) for start in starts for change in _proposed(start) if change.wide is wide)
    attempts = (_attempted(start, change) for start, change in changes)
    return islice((attempt for attempt in attempts if attempt is not None), MOST_TRIED)


def _proposed(start: _Attempt) -> Iterator[Change]:
    failure = Failure(start.world, start.found.flow, start.found.decisive)
    return (change for change in proposed(failure) if change not in start.changes)


def _attempted(start: _Attempt, change: Change) -> _Attempt | None:
    loaded = change.apply(start.world.loaded)
    if loaded is None:
        return None
    try:
        world = world_of(loaded, mode=start.world.mode)
    except LoadError:
        return None
    flow = start.found.flow
    if flow.netns not in world.topology.namespaces:
        return None
    return _Attempt((*start.changes, change), world, _traced(world, flow, start.found))


def _traced(world: World, flow: Flow, before: Trace) -> Trace:
    expected = world.expected(flow.destination, flow.dport or None)
    return trace(world.topology, flow, source=before.source, target=before.target, expected=expected)


def _mend(attempt: _Attempt) -> Mend:
    branch = attempt.found.decisive
    steps = tuple(MendStep(change.words, change.command) for change in attempt.changes)
    return Mend(steps, branch.verdict, f"{branch.verdict.value} to {branch.delivered_to}: {branch.sentence}")
