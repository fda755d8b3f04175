"""The part of a machine's rules that packets between given addresses may meet, in an order that does not depend on names.

A walk through chains is followed as far as addresses can tell: a rule that is filed under an address which no packet has is left out
together with all that only it leads to. Of a machine with ten thousand Services some dozen rules are left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from netsim.flows.codes import LOOPBACK, Code, Ports, Span
from netsim.flows.rule_book import Chain, Member, Members, Place, RuleBook
from netsim.flows.shapes import Shape, chain_form


@dataclass(slots=True)
class Slice:
    """What packets may meet. ``form`` has holes for the constants, which are listed in the order of the holes.

    ``targets`` and ``target_ports`` are what packets may be translated to. ``met`` are the sets that were looked into.
    """

    form: Hashable = None
    exact: list[Code] = field(default_factory=list)
    spans: tuple[Span, ...] = ()
    ports: tuple[Ports, ...] = ()
    names: frozenset[str] = frozenset()
    targets: dict[Code, None] = field(default_factory=dict)
    target_ports: dict[int, None] = field(default_factory=dict)
    met: list[Members] = field(default_factory=list)
    filed: set[Code] = field(default_factory=set)
    bases: list[tuple[Hashable, Place]] = field(default_factory=list)
    opaque: str = ""
    literal_ports: bool = False
    rules: list[tuple[Place, tuple[Shape, ...]]] = field(default_factory=list)
    members: list[tuple[Place, tuple[Member, ...]]] = field(default_factory=list)
    constants: set[Code] = field(default_factory=set)
    common: int = 0

    def copy(self) -> Slice:
        """A slice to go on with."""
        return Slice(
            exact=self.exact.copy(),
            targets=self.targets.copy(),
            target_ports=self.target_ports.copy(),
            met=self.met.copy(),
            filed=self.filed.copy(),
            bases=self.bases,
            opaque=self.opaque,
            literal_ports=self.literal_ports,
            rules=self.rules.copy(),
            members=self.members.copy(),
            constants=self.constants.copy(),
            common=self.common,
        )

    def holds_in(self, book: RuleBook, common: Common, renaming: Renaming, ports: Mapping[int, int]) -> bool:
        """Whether another machine's rules say the same to the renamed addresses as these do to their own.

        Constants are compared as they are: none of them is a renamed address. ``common`` is what was found of the rules that every
        packet meets.
        """
        if self.opaque or not common.holds(renaming):
            return False
        for place, shapes in self.rules[self.common :]:
            chain = book.chain(place)
            if chain is None:
                return False
            there = met_rules(chain, renaming.after, ports)
            if len(there) != len(shapes) or not all(map(renaming.same, shapes, there)):
                return False
        return all(self._same_members(book.set_at(place), found, renaming, ports) for place, found in self.members)

    def _same_members(
        self, others: Members | None, mine: tuple[Member, ...], renaming: Renaming, ports: Mapping[int, int]
    ) -> bool:
        if others is None or others.opaque:
            return False
        theirs = others.met(renaming.after, ports)
        return len(theirs) == len(mine) and all(
            renaming.same(a.shape, b.shape) for a, b in zip(mine, theirs, strict=True)
        )

    def compared(self, other: Slice) -> Common:
        """What the rules that every packet meets have in common with another machine's."""
        mine, theirs = self.rules[: self.common], other.rules[: other.common]
        places = [place for place, _ in mine] == [place for place, _ in theirs]
        if (
            not places
            or self.bases != other.bases
            or any(len(a) != len(b) for (_, a), (_, b) in zip(mine, theirs, strict=True))
        ):
            return Common(possible=False)
        pairs = [pair for (_, a), (_, b) in zip(mine, theirs, strict=True) for pair in zip(a, b, strict=True)]
        spans = dict.fromkeys(span for one, other in pairs if one is other for span in one.spans)
        return Common(
            possible=True, spans=tuple(spans), pairs=tuple((one, other) for one, other in pairs if one is not other)
        )


@dataclass(frozen=True, slots=True)
class Common:
    """Rules that every packet meets on two machines: the spans of those that are the same, and the pairs of those that are not."""

    possible: bool
    spans: tuple[Span, ...] = ()
    pairs: tuple[tuple[Shape, Shape], ...] = ()

    def holds(self, renaming: Renaming) -> bool:
        """Whether the other machine's say to the renamed addresses what the one's say to their own."""
        return (
            self.possible
            and all(map(renaming.keeps, self.spans))
            and all(renaming.same(one, other) for one, other in self.pairs)
        )


@dataclass(frozen=True, slots=True)
class Renaming:
    """A flow's addresses in their order, ``before`` and ``after``; ``moved`` has the new ones by the old."""

    before: Mapping[Code, int]
    after: Mapping[Code, int]
    moved: Mapping[Code, Code]

    def same(self, one: Shape, other: Shape) -> bool:
        """Whether a shape says to the new addresses what another one says to the old."""
        if one is other:
            return not one.spans or all(map(self.keeps, one.spans))
        return (
            one.form == other.form
            and [self.moved.get(code, code) for code in one.exact] == other.exact
            and one.ports == other.ports
            and one.chains == other.chains
            and one.sets == other.sets
            and one.lists == other.lists
            and one.names == other.names
            and all(
                [code in mine for code in self.before] == [code in theirs for code in self.after]
                for mine, theirs in zip(one.spans, other.spans, strict=True)
            )
        )

    def keeps(self, span: Span) -> bool:
        """Whether a span holds of each new address what it does of the old."""
        first, last = span.first, span.last
        return all((first <= old <= last) == (first <= new <= last) for old, new in self.moved.items())


def met_rules(chain: Chain, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> tuple[Shape, ...]:
    """The rules of a chain that packets between these addresses and ports may meet."""
    shapes = map(chain.shape, chain.met(addresses, ports))
    return tuple([shape for shape in shapes if shape.asked_port is None or shape.asked_port in ports])


@dataclass(slots=True)
class _Slicing:
    """A slice under way: what is numbered so far, and the chains and sets that wait."""

    book: RuleBook
    addresses: Mapping[Code, int] = field(default_factory=dict)
    known_ports: Mapping[int, int] = field(default_factory=dict)
    result: Slice = field(default_factory=Slice)
    form: list[Hashable] = field(default_factory=list)
    spans: dict[Span, int] = field(default_factory=dict)
    ports: dict[Ports, int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    chains: dict[Place, int] = field(default_factory=dict)
    sets: dict[Place, int] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)
    waiting: deque[tuple[Place, bool]] = field(default_factory=deque)

    def begin(self) -> None:
        """Take in what every packet meets: the chains that hooks call, and what they jump to, as far as no rule asks for an address."""
        self.result.bases, self.result.opaque = self.book.bases, self.book.opaque
        self.form += [(kind, self._chain(place)) for kind, place in self.book.bases]
        later: list[tuple[Place, bool]] = []
        while self.waiting:
            place, is_set = self.waiting.popleft()
            chain = None if is_set else self.book.chain(place)
            if is_set or (chain is not None and not chain.plain):
                later.append((place, is_set))
            else:
                self.form.append(self._rules(place))
        self.waiting.extend(later)
        self.result.common = len(self.result.rules)

    def of(self, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> _Slicing:
        """A copy that goes on for packets between these addresses and ports."""
        return _Slicing(
            self.book,
            addresses,
            ports,
            self.result.copy(),
            self.form.copy(),
            self.spans.copy(),
            self.ports.copy(),
            self.names.copy(),
            self.chains.copy(),
            self.sets.copy(),
            self.lists.copy(),
            self.waiting.copy(),
        )

    def run(self) -> Slice:
        form = self.form
        while self.waiting:
            place, is_set = self.waiting.popleft()
            form.append(self._members(place) if is_set else self._rules(place))
        found = self.result
        found.form, found.names = tuple(form), frozenset(self.names)
        found.spans, found.ports = tuple(self.spans), tuple(self.ports)
        return found

    def _chain(self, place: Place) -> int:
        found = self.chains.get(place)
        if found is None:
            found = self.chains[place] = len(self.chains)
            self.waiting.append((place, False))
        return found

    def _rules(self, place: Place) -> Hashable:
        chain = self.book.chain(place)
        if chain is None:
            return "no such chain"
        result = self.result
        result.filed.update(chain.by_address)
        shapes = met_rules(chain, self.addresses, self.known_ports)
        result.rules.append((place, shapes))
        for shape in shapes:
            result.constants.update(shape.exact)
        return ("chain", chain_form(chain.name), tuple([self._filled(shape, chain.table) for shape in shapes]))

    def _members(self, place: Place) -> Hashable:
        table, _ = place
        members = self.book.set_at(place)
        if members is None:
            return "no such set"
        result = self.result
        result.met.append(members)
        result.opaque = result.opaque or members.opaque
        met = tuple(members.met(self.addresses, self.known_ports))
        result.members.append((place, met))
        for member in met:
            alone = len(member.key) == 1
            result.constants.update(member.shape.exact[member.asked :] if alone else member.shape.exact)
        return ("set", members.form, tuple([self._filled(member.shape, table) for member in met]))

    def _filled(self, shape: Shape, table: Hashable) -> Hashable:
        """A shape with its holes numbered in the slice."""
        result = self.result
        result.opaque = result.opaque or shape.opaque
        result.literal_ports = result.literal_ports or shape.literal_ports
        result.exact += shape.exact
        self.names.update(shape.names)
        if shape.to_self:
            result.targets.update(dict.fromkeys(LOOPBACK))
        if shape.translates:
            result.targets.update(dict.fromkeys(shape.exact))
            result.target_ports.update((p.first, None) for p in shape.ports if p.first == p.last)
        if shape.plain:
            return shape.form
        return (
            shape.form,
            tuple([self.spans.setdefault(each, len(self.spans)) for each in shape.spans]),
            tuple([self.ports.setdefault(each, len(self.ports)) for each in shape.ports]),
            tuple([self._chain((table, each)) for each in shape.chains]),
            tuple([self._set(table, each) for each in shape.sets]),
            tuple([self.lists.setdefault(each, len(self.lists)) for each in shape.lists]),
        )

    def _set(self, table: Hashable, name: str) -> int:
        place = self.book.set_place(table, name)
        found = self.sets.get(place)
        if found is None:
            found = self.sets[place] = len(self.sets)
            self.waiting.append((place, True))
        return found


class Slicer:
    """Slices of one rule book."""

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self._begun = _Slicing(book)
        self._begun.begin()

    @property
    def common(self) -> Slice:
        """What every packet meets."""
        return self._begun.result

    def of(self, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> Slice:
        """What packets between these addresses and ports may meet; numbers are those by which the question knows them."""
        return self._begun.of(addresses, ports).run()
