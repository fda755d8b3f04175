"""The rules that a packet was shown, in order: those that were evaluated one by one, and stretches that an index passed over.

A stretch is two numbers until somebody looks into it. To who reads them, evaluations are a sequence of ``RuleEvaluation`` as a scan
of every rule gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias, overload

from netsim.stack.steps import RuleEvaluation


class Chain(Protocol):
    """A chain that can tell what not matching one of its rules looks like."""

    def miss(self, number: int) -> RuleEvaluation:
        """The rule of that number (from 0), not matched."""


_Stretch: TypeAlias = tuple[Chain, int, int]


class Evaluations(Sequence[RuleEvaluation]):
    """Rules in the order in which the packet met them."""

    __slots__ = ("_parts", "_whole")

    def __init__(self) -> None:
        self._parts: list[RuleEvaluation | _Stretch] = []
        self._whole: tuple[RuleEvaluation, ...] | None = None

    def append(self, evaluation: RuleEvaluation) -> None:
        """Add one rule."""
        self._parts.append(evaluation)

    def passed_over(self, chain: Chain, first: int, end: int) -> None:
        """Add the rules of a chain from ``first`` up to ``end`` (not included), none of which matched."""
        if first < end:
            self._parts.append((chain, first, end))

    def matched(self) -> list[RuleEvaluation]:
        """Only the rules that matched, in order; stretches are not looked into."""
        return [part for part in self._parts if isinstance(part, RuleEvaluation) and part.matched]

    def _all(self) -> tuple[RuleEvaluation, ...]:
        if self._whole is None:
            self._whole = tuple(self._expanded())
        return self._whole

    def _expanded(self) -> Iterator[RuleEvaluation]:
        for part in self._parts:
            if isinstance(part, RuleEvaluation):
                yield part
            else:
                chain, first, end = part
                for number in range(first, end):
                    yield chain.miss(number)

    def __len__(self) -> int:
        return sum(1 if isinstance(part, RuleEvaluation) else part[2] - part[1] for part in self._parts)

    @overload
    def __getitem__(self, index: int) -> RuleEvaluation: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[RuleEvaluation]: ...

    def __getitem__(self, index: int | slice) -> RuleEvaluation | Sequence[RuleEvaluation]:
        return self._all()[index]

    def __iter__(self) -> Iterator[RuleEvaluation]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


def matched(evaluations: Sequence[RuleEvaluation]) -> list[RuleEvaluation]:
    """The rules that matched, in order."""
    if isinstance(evaluations, Evaluations):
        return evaluations.matched()
    return [evaluation for evaluation in evaluations if evaluation.matched]
