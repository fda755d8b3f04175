"""Two worlds compared flow by flow, and each change put down to the part that makes it: proved by changing that part alone."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.dataclass import dataclass
from netsim.difference.flows import Ending, Found, Pair, Surveyor, versions
from netsim.difference.parts import Part, parts
from netsim.manifest import Loaded, LoadError
from netsim.scenario.build import world_of
from netsim.scenario.world import World
from proxy.config.model import ProxyMode

MOST_PARTS = 24
"""Parts that are tried one by one for what they change; each is a whole load."""


@dataclass(frozen=True, slots=True)
class Change:
    """Pairs whose flows changed alike. ``before`` or ``after`` empty: there was, or is, no such pair.

    ``by`` are the parts each of which alone changes the first world so; of pairs that came those without which the second world does not
    have them. Empty: it takes several, or none was tried.
    """

    pairs: tuple[Pair, ...]
    before: frozenset[Ending]
    after: frozenset[Ending]
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The whole answer. ``compared`` counts the pairs that are in both worlds."""

    parts: tuple[Part, ...]
    compared: int
    changes: tuple[Change, ...]


def difference(one: Loaded, other: Loaded, mode: ProxyMode | None = None) -> Difference:
    """Which flows change from one load to the other, and by what. Raises LoadError."""
    apart = parts(one, other)
    first, second = world_of(one, mode=mode), world_of(other, mode=mode)
    before, after = _surveyed(first), _surveyed(second)
    proofs = _Proofs(one, mode, apart)
    undone = _Proofs(other, mode, parts(other, one))
    grouped: dict[tuple[frozenset[Ending], frozenset[Ending], tuple[str, ...]], list[Pair]] = {}
    for pair in sorted({*before, *after}):
        was, now = before.get(pair), after.get(pair)
        if was is None or now is None or was.endings != now.endings:
            old, new = was.endings if was else frozenset(), now.endings if now else frozenset()
            by = proofs.changing(was, now) if was and now else (proofs if was else undone).ending(pair)
            grouped.setdefault((old, new, by), []).append(pair)
    changes = tuple(Change(tuple(pairs), old, new, by) for (old, new, by), pairs in grouped.items())
    return Difference(apart, len(before.keys() & after.keys()), changes)


def _surveyed(world: World) -> dict[Pair, Found]:
    surveyor = Surveyor(world)
    return {pair: found for version in versions(world) for pair, found in surveyor.survey(version).found.items()}


class _Proofs:
    """A world with one part of another, for each part; made when it is first asked for."""

    def __init__(self, one: Loaded, mode: ProxyMode | None, apart: tuple[Part, ...]) -> None:
        self._one, self._mode = one, mode
        self._parts = apart[:MOST_PARTS]
        self._surveyors: dict[str, Surveyor | None] = {}

    def changing(self, was: Found, now: Found) -> tuple[str, ...]:
        """The parts that alone change a flow of the world to what the other makes of it."""
        return tuple(part.name for part in self._changing(was, now))

    def ending(self, pair: Pair) -> tuple[str, ...]:
        """The parts that alone leave the world without such a pair."""
        tried = ((part, self._surveyor(part)) for part in self._parts)
        return tuple(part.name for part, surveyor in tried if surveyor is not None and not surveyor.has(pair))

    def _changing(self, was: Found, now: Found) -> Iterator[Part]:
        for part in self._parts:
            surveyor = self._surveyor(part)
            if surveyor is not None and surveyor.knows(was.witness):
                found = surveyor.endings(was.witness)
                if found <= now.endings and not found <= was.endings:
                    yield part

    def _surveyor(self, part: Part) -> Surveyor | None:
        """None where the part alone cannot be loaded: it needs another."""
        if part.name not in self._surveyors:
            try:
                self._surveyors[part.name] = Surveyor(world_of(part.put(self._one), mode=self._mode))
            except LoadError:
                self._surveyors[part.name] = None
        return self._surveyors[part.name]
