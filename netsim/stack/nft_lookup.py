"""Look-ups in sets, maps and verdict maps, named and anonymous. Ref: net/netfilter/nft_lookup.c:nft_lookup_eval() (v6.12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from netsim.dataclass import dataclass
from netsim.rules.nft.ast import AnonymousMap, AnonymousSet, Data, Jump, NamedSet, Statement, Verdict
from netsim.rules.nft.write import write_data
from netsim.stack.nft_data import Bounds, key_bounds
from netsim.stack.nft_limit import stateful
from netsim.stack.nft_registers import Register
from netsim.stack.nft_set import Member, MemberTable, named_members
from netsim.stack.nft_state import SetState
from netsim.stack.x_tables import RuleNotModelledError, XtContext

MapData: TypeAlias = Verdict | Jump | tuple[Bounds, ...] | None


@dataclass(frozen=True, slots=True)
class Found:
    """An element that holds a key: what belongs to it (None for a set's), its comment, and what to call it."""

    data: MapData
    comment: str = ""
    label: str = ""


class Mapping(Protocol):
    """A set or map that can be asked."""

    def find(self, ctx: XtContext, key: Register) -> Found | None:
        """The element that holds a key, None where there is none."""


class AnonymousMapping:
    """``{ … }`` in a rule; ``kinds`` are the key's datatypes, ``data_kinds`` those of what belongs to it."""

    def __init__(
        self, source: AnonymousMap | AnonymousSet, kinds: tuple[str, ...], data_kinds: tuple[str, ...]
    ) -> None:
        self._data_kinds = data_kinds
        if isinstance(source, AnonymousSet):
            self._table = MemberTable(kinds, (Member(key, None) for key in source.elements))
        else:
            self._table = MemberTable(kinds, (Member(key, data) for key, data in source.elements))

    def find(self, ctx: XtContext, key: Register) -> Found | None:
        """The element that holds a key."""
        del ctx
        member = self._table.find(key)
        return None if member is None else _found(member, self._data_kinds)


class NamedMapping:
    """``@name``: the elements of the rule set, and those that packets added. ``place`` is family, table, set."""

    def __init__(self, place: tuple[str, str, str], named: NamedSet) -> None:
        self.place = place
        self.named = named
        self._table = MemberTable(named.key, named_members(named))

    def find(self, ctx: XtContext, key: Register) -> Found | None:
        """The element that holds a key and has not run out."""
        now = ctx.env.clock.now()
        state = ctx.state.nft.sets.get(self.place)
        if state is not None:
            live = state.live(key, now)
            if live is not None:
                return Found(None if live.data is None else _register_bounds(live.data))
            if key in state.deleted:
                return None
        member = self._table.find(key)
        if member is None or (member.lives_s is not None and member.lives_s <= now):
            return None
        return _found(member, self.named.data)

    def count(self, state: SetState, now: float) -> int:
        """How many elements there are."""
        own = sum(1 for member in self._table.members if member.lives_s is None or member.lives_s > now)
        return own + sum(1 for key in list(state.added) if state.live(key, now) is not None)


def passes_element(ctx: XtContext, mapping: NamedMapping, key: Register, statements: Sequence[Statement]) -> bool:
    """What the statements that an element has for itself say of a packet, one after the other. Ref: nft_set_elem_update_expr()."""
    if not statements:
        return True
    generation = ctx.state.nft.of_set(mapping.place).generations.get(key, 0)
    return all(
        stateful(statement, (mapping.place, key, generation, number))(ctx)
        for number, statement in enumerate(statements)
    )


def _found(member: Member, data_kinds: tuple[str, ...]) -> Found:
    data: MapData = None
    match member.data:
        case None | Verdict() | Jump():
            data = member.data
        case literals:
            data = _data_bounds(literals, data_kinds)
    return Found(data, member.comment, label_of(member.data))


def _data_bounds(literals: Data, kinds: tuple[str, ...]) -> tuple[Bounds, ...]:
    assert isinstance(literals, tuple)
    found = key_bounds(literals, kinds)
    known = tuple(part for part in found if part is not None)
    if len(known) != len(found):
        raise RuleNotModelledError("a map whose data is *")
    return known


def _register_bounds(data: Register) -> tuple[Bounds, ...]:
    parts = data if isinstance(data, tuple) else (data,)
    return tuple(Bounds(part, part) for part in parts)


def label_of(data: Data | None) -> str:
    """What an element leads to, in a person's words: a chain's name, a verdict, a value."""
    match data:
        case None:
            return "a member"
        case Jump(chain):
            return chain
        case _:
            return write_data(data, ("",))
