"""Verifies flows of one topology: builds it, sends each flow, compares.

A walk that differs from every branch must be seen twice before it counts as a disagreement: a packet that was still under way
when the observer looked (a busy machine) is seen whole the second time, and what an earlier flow taught a bridge is forgotten by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction

from netsim.topology.model import Topology
from netsim.trace.model import Flow, Trace
from netsim.verify.compare import Comparison, difference_text
from netsim.verify.expected import Expected
from netsim.verify.foretold import Foretold, foretell, is_unknown, outcome_of, refused_routes
from netsim.verify.frequency import ERROR, refused
from netsim.verify.namespaces import RealNetwork
from netsim.verify.observe import Observer
from netsim.verify.prepared import heeding_no_redirects

PATIENCE_S = 0.07
LONG_PATIENCE_S = 0.5
TRIES = 8
SENDS_FOR_EACH_BRANCH = 3
MOST_SENDS = 12
MOST_SENDS_OF_ONE = 200


@dataclass(frozen=True, slots=True)
class Case:
    """A flow to verify, and what people call its ends."""

    flow: Flow
    source: str
    target: str

    def __str__(self) -> str:
        flags = f" {str(self.flow.flags.name).lower()}" if self.flow.flags.name != "SYN" else ""
        return f"{self.source} → {self.target} {self.flow.protocol.name.lower()}{flags}"


class Answer(Enum):
    """What came of a case."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_MODELLED = "not modelled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``branches`` is how many the model has and ``seen`` how many of them the kernel took; ``difference`` is text where it differs.

    ``repeated`` counts walks that were only once seen to differ. ``without_reasons`` says why the kernel's reasons of drops were not
    compared; empty where they were.
    """

    case: Case
    answer: Answer
    trace: Trace
    branches: int = 0
    seen: int = 0
    sent: int = 0
    difference: str = ""
    repeated: int = 0
    without_reasons: str = ""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is sent. ``cover`` sends a flow until each branch was seen (within bounds); ``samples`` tests their frequencies."""

    cover: bool = True
    samples: int = 0


class BuildDisagreementError(RuntimeError):
    """The kernel does not take a topology as the model does."""


@dataclass(slots=True)
class _Tally:
    seen: set[int] = field(default_factory=set)
    sent: int = 0
    differing: list[Comparison] = field(default_factory=list)


def verify(
    topology: Topology, cases: Sequence[Case], *, legacy: bool = False, effort: Effort = Effort()
) -> Iterator[Outcome]:
    """Build the topology once and verify each case in it.

    Raises RuntimeError and OSError where it cannot be built, BuildDisagreementError where model and kernel do not refuse the same routes.
    """
    with RealNetwork(heeding_no_redirects(topology), legacy=legacy) as network, Observer(network) as observer:
        _compare_refusals(network)
        for case in cases:
            yield verify_case(observer, case, effort)


def _compare_refusals(network: RealNetwork) -> None:
    model = dict.fromkeys(refused_routes(network.topology))
    for (name, route), who, other in (
        *((found, "the kernel", "the model") for found in network.refused if found not in model),
        *((found, "the model", "the kernel") for found in model if found not in network.refused),
    ):
        raise BuildDisagreementError(f"{who} refuses a route of {name} that {other} takes: {route}")


def verify_case(observer: Observer, case: Case, effort: Effort) -> Outcome:
    """Send one case's flow in a real network that stands, and compare."""
    topology = observer.network.topology
    found, branches = foretell(topology, case.flow)
    if is_unknown(found):
        return Outcome(case, Answer.NOT_MODELLED, found)
    expected = Expected.of(topology, case.flow, branches)
    tally = _Tally()
    wanted = 1 if expected.persistent else _sends(branches, effort)
    while tally.sent < wanted and len(tally.seen) < len(branches) and not tally.differing:
        _send(observer, case, expected, tally, PATIENCE_S)
    while len(tally.differing) == 1 and tally.sent < wanted + TRIES:
        _send(observer, case, expected, tally, LONG_PATIENCE_S, afresh=True)
        if len(branches) == 1 and len(tally.differing) == 1:
            break
    difference = difference_text(tally.differing[-1]) if len(tally.differing) > 1 else ""
    if not difference and effort.samples and len(branches) > 1 and not expected.persistent:
        difference = "\n".join(_frequencies(observer, case, branches, effort.samples))
    return Outcome(
        case,
        Answer.DIFFERS if difference else Answer.AGREES,
        found,
        branches=len(branches),
        seen=len(tally.seen),
        sent=tally.sent,
        difference=difference,
        repeated=len(tally.differing) if not difference else 0,
        without_reasons=observer.without_reasons,
    )


def _sends(branches: Sequence[Foretold], effort: Effort) -> int:
    """How often a flow is sent at most, to see each branch; with samples it is as often as makes a miss less likely than ``ERROR``."""
    if len(branches) == 1 or not effort.cover:
        return 1
    if not effort.samples:
        return min(MOST_SENDS, SENDS_FOR_EACH_BRANCH * len(branches))
    sends = SENDS_FOR_EACH_BRANCH * len(branches)
    while sends < MOST_SENDS_OF_ONE and sum((1 - branch.probability) ** sends for branch in branches) > ERROR:
        sends += 1
    return sends


def _send(
    observer: Observer,
    case: Case,
    expected: Expected,
    tally: _Tally,
    patience_s: float,
    *,
    afresh: bool = False,
) -> None:
    earlier = tally.sent - len(tally.differing) if expected.by_turns else 0
    seen = observer.observe(case.flow, patience_s=patience_s, afresh=afresh, earlier=earlier)
    compared = expected.compare(observer.network.topology, seen, earlier=earlier)
    tally.sent += 1
    if compared.agrees:
        tally.seen.add(compared.branch.branch.number)
    else:
        tally.differing.append(compared)


def _frequencies(observer: Observer, case: Case, branches: Sequence[Foretold], samples: int) -> tuple[str, ...]:
    """Only exchanges that begin with chance are counted: a sample has another source port, which decides nothing else."""
    expected: dict[str, Fraction] = {}
    for branch in branches:
        name = outcome_of(branch.branch, case.flow)
        expected[name] = expected.get(name, Fraction(0)) + branch.probability
    if len(expected) == 1:
        return ()
    return refused(observer.sample(replace(case.flow), samples, patience_s=PATIENCE_S), expected)
