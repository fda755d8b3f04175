"""The entry: a flow's every branch, walked, judged and told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from netsim.dataclass import dataclass
from netsim.net.address import parse_address
from netsim.net.packet import ICMPHeader, IPHeader, Packet, endpoint
from netsim.stack.network import Network
from netsim.stack.reasons import DropReason
from netsim.stack.steps import Chooser, Clock, Drop, LocalSend, Recorder
from netsim.topology.model import Topology
from netsim.trace.explore import BRANCH_LIMIT, Explored, SeededChooser, WalkChooser, explore, run_once
from netsim.trace.model import Branch, Flow, Leg, Trace
from netsim.trace.reasons import reason
from netsim.trace.recording import Recording, legs_of
from netsim.trace.selection import ALL, Selection, SelectionError
from netsim.trace.verdict import branch_of, judge
from netsim.trace.walk import ModelledNetwork, drive

NetworkFactory = Callable[[Topology, Recorder, Chooser, Clock], ModelledNetwork]
Legs = tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class StandingClock:
    """A time that does not pass: seconds since the world began."""

    seconds: float = 0.0

    def now(self) -> float:
        """Always the same."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every branch. ``prepare`` brings a fresh network to the state in which the flow begins."""

    topology: Topology
    flow: Flow
    one_way: bool
    expected: frozenset[str] | None
    clock: Clock
    network: NetworkFactory
    prepare: Callable[[ModelledNetwork], None] | None


def trace(
    topology: Topology,
    flow: Flow,
    *,
    source: str,
    target: str,
    selection: Selection = ALL,
    one_way: bool = False,
    expected: Collection[str] | None = None,
    clock: Clock | None = None,
    seed: int = 0,
    assumptions: Sequence[str] = (),
    limit: int = BRANCH_LIMIT,
    prepare: Callable[[ModelledNetwork], None] | None = None,
    network: NetworkFactory = Network,
) -> Trace:
    """Walk a flow there and back on every branch that chance may take, and say what becomes of it.

    ``source`` and ``target`` are what the user calls the two ends. ``expected`` names the namespaces in which the first packet
    may arrive (None: any). ``seed`` decides ports that a kernel picks at random, ``selection.seed`` also which branch is followed.
    More than ``limit`` branches are summed up as one UNKNOWN branch with the rest of the probability.
    Raises SelectionError where no branch is as selected.
    """
    wanted = None if expected is None else frozenset(expected)
    question = Question(topology, flow, one_way, wanted, clock or StandingClock(), network, prepare)
    branches, told, total = _select(question, selection, seed=seed, limit=limit)
    return Trace(flow, source, target, branches, (*assumptions, *told), total)


Selected = tuple[tuple[Branch, ...], tuple[str, ...], int | None]


def _select(question: Question, selection: Selection, *, seed: int, limit: int) -> Selected:
    def walk(chooser: WalkChooser) -> Legs:
        return _walk(question, chooser)

    if selection.seed is not None:
        drawn = run_once(walk, SeededChooser(selection.seed))
        return (_branch(question, drawn, 1),), _assumed(question.flow, [drawn]), None
    if selection.pick is not None:
        return _picked(question, explore(walk, seed=seed), selection.pick)
    explored = list(islice(explore(walk, seed=seed), limit))
    branches = tuple(_branch(question, branch, number) for number, branch in enumerate(explored, 1))
    rest = 1 - sum((branch.probability for branch in branches), start=Fraction(0))
    told = _assumed(question.flow, explored) + ((_bound(limit, rest),) if rest else ())
    total = None if rest else len(branches)
    if selection.backend is not None:
        return _towards(branches, selection), told, total
    return (*branches, *_remainder(rest, limit)), told, total


def _picked(question: Question, explored: Iterable[Explored[Legs]], number: int) -> Selected:
    count = 0
    for count, branch in enumerate(explored, 1):
        if count == number:
            return (_branch(question, branch, number),), _assumed(question.flow, [branch]), None
    raise SelectionError(f"there is no branch {number}", f"the flow has {count} branch{'es' if count > 1 else ''}")


def _towards(branches: tuple[Branch, ...], selection: Selection) -> tuple[Branch, ...]:
    assert selection.backend is not None
    found = tuple(branch for branch in branches if branch.backend == selection.backend)
    if found:
        return found
    seen = {branch.backend for branch in branches if branch.backend is not None}
    ordered = sorted(seen, key=lambda backend: (backend[0].version, int(backend[0]), backend[1]))
    known = ", ".join(endpoint(*backend) for backend in ordered) or "none"
    raise SelectionError(f"no branch goes to {endpoint(*selection.backend)}", f"the branches go to: {known}")


# --- one walk ------------------------------------------------------------------------------------------------------


def _walk(question: Question, chooser: WalkChooser) -> Legs:
    """One branch from a fresh network. With ``one_way`` what follows the first packet neither forks nor counts."""
    recording = Recording(chooser.settle if question.one_way else None)
    network = question.network(question.topology, recording, chooser, question.clock)
    if question.prepare is not None:
        question.prepare(network)
        recording.clear()
    if not drive(network, question.topology, question.flow, one_way=question.one_way):
        _record_unroutable(recording, question.flow)
    legs = legs_of(recording.entries, question.topology, question.flow)
    return legs[:1] if question.one_way else legs


def _record_unroutable(recording: Recording, flow: Flow) -> None:
    """What ``connect()`` says before there is a packet: ENETUNREACH."""
    unspecified = parse_address("0.0.0.0" if flow.destination.version == 4 else "::")
    packet = Packet(IPHeader(unspecified, flow.destination, flow.protocol, ttl=flow.ttl), ICMPHeader(0))
    recording.record(flow.netns, LocalSend(packet, flow.owner))
    recording.record(flow.netns, Drop(DropReason.IP_OUTNOROUTES, "connect()"))


def _branch(question: Question, explored: Explored[Legs], number: int) -> Branch:
    legs = explored.value
    branch = branch_of(
        question.flow,
        legs,
        judge(question.flow, legs, one_way=question.one_way, expected=question.expected),
        client=question.topology.namespaces[question.flow.netns].label,
        number=number,
        probability=explored.probability,
        choices=explored.choices,
    )
    first = legs[0]
    return replace(branch, legs=(_without_packet(first),)) if _never_made(first) else branch


def _never_made(leg: Leg) -> bool:
    return leg.sent is not None and leg.sent.ip.src.is_unspecified


def _without_packet(leg: Leg) -> Leg:
    hops = tuple(
        replace(hop, steps=tuple(step for step in hop.steps if not isinstance(step, LocalSend))) for hop in leg.hops
    )
    return replace(leg, name="no packet", sent=None, hops=hops)


# --- what is told beside the branches ------------------------------------------------------------------------------


def _assumed(flow: Flow, explored: Sequence[Explored[Legs]]) -> tuple[str, ...]:
    """What the walks took for granted, each line once."""
    lines = [
        f"{picked.description}: picked at random by the kernel from {picked.first}-{picked.last}; shown: {picked.port}"
        for branch in explored
        for picked in branch.picked
    ]
    lines += [
        f"only the first data segment of {leg.sent.payload} of {flow.payload} bytes is walked"
        for branch in explored
        for leg in branch.value
        if leg.name == "data" and not leg.reply and leg.sent is not None and leg.sent.payload < flow.payload
    ]
    return tuple(dict.fromkeys(lines))


def _bound(limit: int, rest: Fraction) -> str:
    return f"only the first {limit} branches were walked; the others have probability {rest} together"


def _remainder(rest: Fraction, limit: int) -> tuple[Branch, ...]:
    if not rest:
        return ()
    row = reason("NOT_EXPLORED")
    branch = Branch(
        probability=rest,
        choices=(),
        verdict=row.verdict,
        reason=row.code,
        where=None,
        sentence=_bound(limit, rest),
        advice=row.mend,
        delivered_to=None,
        backend=None,
        seen_source=None,
        legs=(),
        number=limit + 1,
    )
    return (branch,)
