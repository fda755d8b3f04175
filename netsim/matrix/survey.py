"""The survey of a world, by one process or several: which senders of each destination fare alike, and how."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.flows.classes import Classes
from netsim.flows.outcome import Bare
from netsim.flows.survey import Surveyor
from netsim.matrix.ends import Destination, Ends, Question, asked_of
from netsim.scenario.every_flow import Asking
from netsim.scenario.world import World
from netsim.topology.model import Topology
from netsim.trace.model import Verdict

ORDER = list(Verdict)
Progress: TypeAlias = Callable[[int, int], None]


Ways: TypeAlias = tuple[Bare, ...]
"""How a flow fares, branch by branch; branches of one verdict and reason are one."""


def decisive(ways: Ways) -> Bare:
    """The first branch that has the worst verdict."""
    worst = max((way.verdict for way in ways), key=ORDER.index)
    return next(way for way in ways if way.verdict is worst)


def delivered(ways: Ways) -> Fraction:
    """The probability of the branches that are delivered."""
    return sum((way.probability for way in ways if way.verdict is Verdict.DELIVERED), start=Fraction(0))


@dataclass(frozen=True, slots=True)
class Share:
    """Senders (by namespace, in the order of the world's) that fare alike, and how."""

    ways: Ways
    senders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One destination, and how its senders fare."""

    destination: Destination
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Every sender to every destination. ``walked`` is how many flows were walked to know, which depends on the number of processes."""

    sources: Mapping[str, Asking]
    rows: tuple[Row, ...]
    walked: int

    @property
    def flows(self) -> int:
        """How many flows it tells of."""
        return sum(len(share.senders) for row in self.rows for share in row.shares)


@dataclass(frozen=True, slots=True)
class Field:
    """What each process needs to know once."""

    topology: Topology
    sources: Mapping[str, Asking]

    def surveyor(self) -> Surveyor:
        """A surveyor of the field."""
        return Surveyor(Classes(self.topology), [(source.netns, source.owner) for source in self.sources.values()])


Rows: TypeAlias = tuple[tuple[Share, ...], ...]


def survey(
    world: World,
    *,
    wanted: Callable[[Destination], bool] | None = None,
    asking: Callable[[Asking], bool] | None = None,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> Matrix:
    """How every sender that is asking fares with every wanted destination. ``progress`` is told how many are done, of how many."""
    ends = Ends(world)
    sources = {netns: source for netns, source in ends.sources.items() if asking is None or asking(source)}
    questions = [ends.question(each) for each in ends.destinations() if wanted is None or wanted(each)]
    field = Field(world.topology, sources)
    done: dict[int, tuple[Share, ...]] = {}
    walked = 0
    for numbers, answers, count in (workers or here)(field, questions):
        done.update(zip(numbers, answers, strict=True))
        walked += count
        if progress is not None:
            progress(len(done), len(questions))
    rows = (Row(question.destination, done[number]) for number, question in enumerate(questions))
    return Matrix(sources, tuple(row for row in rows if row.shares), walked)


Answered: TypeAlias = tuple[Sequence[int], Rows, int]
Workers: TypeAlias = Callable[[Field, Sequence[Question]], Iterable[Answered]]
"""Answers questions: their numbers, their rows, and how many flows were walked for them; in any order, each number once."""


def here(field: Field, questions: Sequence[Question]) -> Iterator[Answered]:
    """Answer in this process."""
    gc.freeze()  # what was built stays: the collector need not look at it again and again
    try:
        surveyor = field.surveyor()
        for number, question in enumerate(questions):
            before = surveyor.classes.walked
            shares = answer(surveyor, field, question)
            yield (number,), (shares,), surveyor.classes.walked - before
    finally:
        gc.unfreeze()


def answer(surveyor: Surveyor, field: Field, question: Question) -> tuple[Share, ...]:
    """How the senders fare with one destination. Shares that come to the same are one, whatever classes they were found by."""
    order = {netns: number for number, netns in enumerate(field.sources)}
    found: dict[Ways, list[str]] = {}
    for share in surveyor.shares(asked_of(question, field.sources)):
        found.setdefault(_summed(share.flow_class.bare), []).extend(sender.netns for sender in share.senders)
    shares = (Share(ways, tuple(sorted(senders, key=order.__getitem__))) for ways, senders in found.items())
    return tuple(sorted(shares, key=lambda share: order[share.senders[0]]))


def _summed(ways: Ways) -> Ways:
    """The branches of one verdict and reason as one, with their chances added up, best news first."""
    chances: dict[tuple[Verdict, str], Fraction] = {}
    for way in ways:
        chances[way.verdict, way.reason] = chances.get((way.verdict, way.reason), Fraction(0)) + way.probability
    ordered = sorted(chances.items(), key=lambda item: (ORDER.index(item[0][0]), item[0][1]))
    return tuple(Bare(chance, verdict, reason) for (verdict, reason), chance in ordered)


def chunks(questions: Sequence[Question], count: int) -> list[list[int]]:
    """The questions' numbers in at most so many parts, as they follow each other: those of a family stand in for each other."""
    size = max(1, -(-len(questions) // count))
    return [list(range(first, min(first + size, len(questions)))) for first in range(0, len(questions), size)]
