"""The explorer of forks: a walk is run once for each combination of what chance may decide.

The walk itself keeps no branches. It asks a chooser; the chooser replays the choices of a script, takes the first option that
can be taken at every choice point after it, and remembers what it saw. The explorer then moves the last choice that still has an
untaken option on to it, and runs the walk again: depth first, as an odometer counts. So branches come in the order of the options,
the memory needed is one script, and the branches' probabilities (products of exact fractions) add up to exactly 1.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field, replace
from fractions import Fraction
from typing import Generic, TypeVar

from netsim.dataclass import dataclass
from netsim.stack.steps import Choice

T = TypeVar("T")

BRANCH_LIMIT = 4096


class ReplayError(RuntimeError):
    """A walk that was run again came to another choice than before: it depends on something besides its chooser."""


@dataclass(frozen=True, slots=True)
class PickedPort:
    """A port that a kernel picks at random: what was shown, and of what range."""

    description: str
    first: int
    last: int
    port: int


def draw(seed: int, description: str, number: int) -> int:
    """A number of 64 bits that depends on nothing but the three arguments."""
    digest = hashlib.blake2b(f"{seed}\0{number}\0{description}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


@dataclass(slots=True)
class PortPicker:
    """Ports for one walk: by seed and description; a second question with the same description gets another port."""

    seed: int
    picked: list[PickedPort] = field(default_factory=list)
    _asked: dict[str, int] = field(default_factory=dict)

    def port(self, description: str, first: int, last: int) -> int:
        """A port, first ≤ port ≤ last."""
        number = self._asked.get(description, 0)
        self._asked[description] = number + 1
        port = first + draw(self.seed, description, number) % (last - first + 1)
        self.picked.append(PickedPort(description, first, last, port))
        return port


@dataclass(frozen=True, slots=True)
class Taken:
    """A choice of a walk, and how likely it is that the walk came so far and took it."""

    choice: Choice
    likelihood: Fraction


class WalkChooser(ABC):
    """Decides for one walk and remembers what it decided.

    A choice with only one possible option is no choice and is not remembered. After ``settle()`` nothing forks any more: what
    follows is not looked at, and its choices do not count.
    """

    def __init__(self, *, seed: int) -> None:
        self.taken: list[Taken] = []
        self._settled = False
        self._ports = PortPicker(seed)

    def choose(self, description: str, options: Sequence[tuple[str, Fraction]]) -> int:
        """The index of the option taken; ValueError where the options do not add up to 1."""
        if sum(chance for _, chance in options) != 1:
            raise ValueError(f"the options of {description!r} do not add up to 1")
        possible = tuple(index for index, (_, chance) in enumerate(options) if chance > 0)
        if len(possible) == 1 or self._settled:
            return possible[0]
        index = self._take(description, options, possible)
        self.taken.append(Taken(Choice(description, tuple(options), index), self.likelihood * options[index][1]))
        return index

    def port(self, description: str, first: int, last: int) -> int:
        """A port by the seed."""
        return self._ports.port(description, first, last)

    def settle(self) -> None:
        """Fork no more."""
        self._settled = True

    @property
    def likelihood(self) -> Fraction:
        """How likely it is that a walk comes so far: the product of what was taken."""
        return self.taken[-1].likelihood if self.taken else Fraction(1)

    @property
    def picked(self) -> tuple[PickedPort, ...]:
        """The ports that were asked for."""
        return tuple(self._ports.picked)

    @abstractmethod
    def _take(self, description: str, options: Sequence[tuple[str, Fraction]], possible: Sequence[int]) -> int:
        """The index of one of the possible options."""


class ScriptedChooser(WalkChooser):
    """Replays what an earlier walk took, then takes the first option that has a chance.

    Raises ReplayError where the walk comes to another choice than the earlier one.
    """

    def __init__(self, script: Sequence[Taken] = (), *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._script = script

    @property
    def replayed(self) -> bool:
        """True where the whole script was played."""
        return len(self.taken) >= len(self._script)

    def choose(self, description: str, options: Sequence[tuple[str, Fraction]]) -> int:
        """The index of the option taken."""
        place = len(self.taken)
        if place >= len(self._script) or self._settled:
            return super().choose(description, options)
        scripted = self._script[place]
        expected = scripted.choice
        if description == expected.description and tuple(options) == expected.options:
            self.taken.append(scripted)
            return expected.index
        if any(chance == 1 for _, chance in options):
            return super().choose(description, options)
        raise ReplayError(f"the walk came to {description!r}, where it had come to {expected.description!r} before")

    def _take(self, description: str, options: Sequence[tuple[str, Fraction]], possible: Sequence[int]) -> int:
        del description, options
        return possible[0]


class SeededChooser(WalkChooser):
    """Draws every choice by a seed, each option as often as its probability says."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed)
        self._seed = seed

    def _take(self, description: str, options: Sequence[tuple[str, Fraction]], possible: Sequence[int]) -> int:
        left = Fraction(draw(self._seed, description, len(self.taken)), 1 << 64)
        for index in possible:
            if left < options[index][1]:
                return index
            left -= options[index][1]
        raise AssertionError("a draw is below 1, and the options add up to 1")


@dataclass(frozen=True, slots=True)
class Explored(Generic[T]):
    """One branch: what its walk gave, what was chosen, and how likely that is."""

    value: T
    choices: tuple[Choice, ...]
    probability: Fraction
    picked: tuple[PickedPort, ...]


def run_once(walk: Callable[[WalkChooser], T], chooser: WalkChooser) -> Explored[T]:
    """One walk with a chooser."""
    value = walk(chooser)
    return Explored(value, tuple(taken.choice for taken in chooser.taken), chooser.likelihood, chooser.picked)


def explore(walk: Callable[[WalkChooser], T], *, seed: int = 0) -> Iterator[Explored[T]]:
    """Every branch of a walk, in the order of the options; ``seed`` is that of ports, not of choices.

    ``walk`` must depend on nothing but the chooser; ReplayError where it is seen not to.
    """
    script: Sequence[Taken] | None = ()
    while script is not None:
        chooser = ScriptedChooser(script, seed=seed)
        branch = run_once(walk, chooser)
        if not chooser.replayed:
            raise ReplayError(
                f"the walk came to {len(chooser.taken)} choices, where it had come to {len(script)} before"
            )
        yield branch
        script = _next_script(chooser.taken)


def _next_script(taken: Sequence[Taken]) -> Sequence[Taken] | None:
    """The last choice that has an option left, moved on to it; None where none has."""
    for position in range(len(taken) - 1, -1, -1):
        choice = taken[position].choice
        for index in range(choice.index + 1, len(choice.options)):
            chance = choice.options[index][1]
            if chance > 0:
                before = taken[position - 1].likelihood if position else Fraction(1)
                return [*taken[:position], Taken(replace(choice, index=index), before * chance)]
    return None
