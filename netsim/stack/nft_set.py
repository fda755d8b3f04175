"""Sets and maps: which element holds a key.

An element without intervals is found by a hash, one of a single interval by bisection; of concatenations with intervals those are
looked at whose other parts are equal. What a packet adds to a named set (``dynset``) stands beside the elements of the rule set.

Ref: net/netfilter/nft_set_hash.c, nft_set_rbtree.c, nft_set_pipapo.c, nft_set_catchall (nf_tables_api.c) (v6.12).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from netsim.rules.nft.ast import Data, Element, Key, NamedSet
from netsim.stack.nft_data import Bounds, flat, key_bounds
from netsim.stack.nft_registers import Register, Scalar


class Member(NamedTuple):
    """An element of a set as it is written; ``lives_s`` is how long from the beginning (seconds), None for ever."""

    key: Key
    data: Data | None
    comment: str = ""
    lives_s: float | None = None


class MemberTable:
    """The elements of one set, made ready to be looked up. Nothing in it changes."""

    def __init__(self, kinds: tuple[str, ...], members: Iterable[Member]) -> None:
        self.members = tuple(members)
        self._exact: dict[Register, Member] = {}
        self._ranges: dict[tuple[int, ...], dict[Register, list[tuple[tuple[Bounds, ...], Member]]]] = {}
        self._single: list[tuple[Bounds, Member]] = []
        self._any: Member | None = None
        for member in self.members:
            self._add(key_bounds(member.key, kinds), member)
        self._single.sort(key=lambda pair: (str(type(pair[0].first)), pair[0].first))
        self._starts: list[Scalar] = [span.first for span, _ in self._single]
        self._numbers = all(isinstance(start, int) for start in self._starts)

    def _add(self, parts: tuple[Bounds | None, ...], member: Member) -> None:
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            self._any = member
        elif all(part.single for part in known):
            self._exact.setdefault(flat(tuple(part.first for part in known)), member)
        elif len(known) == 1:
            self._single.append((known[0], member))
        else:
            places = tuple(index for index, part in enumerate(known) if part.single)
            fixed = tuple(known[index].first for index in places)
            self._ranges.setdefault(places, {}).setdefault(fixed, []).append((tuple(known), member))

    def find(self, key: Register) -> Member | None:
        """The element that holds a key; ``*`` where no other does."""
        found = self._exact.get(key)
        if found is None and self._single and not isinstance(key, tuple):
            found = self._in_interval(key)
        if found is None and self._ranges and isinstance(key, tuple):
            found = self._in_ranges(key)
        return found or self._any

    def _in_interval(self, value: Scalar) -> Member | None:
        """Intervals of one set do not overlap, but where a set without data merged them."""
        if not self._numbers or isinstance(value, str):
            return next((member for span, member in self._single if span.holds(value)), None)
        at = bisect_right(self._starts, value)
        for span, member in reversed(self._single[max(0, at - _NESTED) : at]):
            if span.holds(value):
                return member
        return None

    def _in_ranges(self, key: tuple[Scalar, ...]) -> Member | None:
        for places, groups in self._ranges.items():
            for parts, member in groups.get(tuple(key[index] for index in places), ()):
                if all(part.holds(value) for part, value in zip(parts, key, strict=False)):
                    return member
        return None


_NESTED = 64
"""How many intervals that begin before a value are looked at: more than one only where they lie within each other."""


def named_members(named: NamedSet) -> Iterator[Member]:
    """The elements of a named set, with the time that each has."""
    for key, element in named.elements.items():
        yield Member(key, element.data, element.comment, _lives(named, element))


def _lives(named: NamedSet, element: Element) -> float | None:
    milliseconds = element.timeout_ms if element.timeout_ms is not None else named.timeout_ms
    return milliseconds / 1000 if milliseconds else None
