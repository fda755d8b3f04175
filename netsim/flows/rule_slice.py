"""The part of a machine's rules that packets between given addresses may meet, in an order that does not depend on names.

A walk through chains is followed as far as addresses can tell: a rule that is filed under an address which no packet has is left out
together with all that only it leads to. Of a machine with ten thousand Services some dozen rules are left.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from netsim.flows.rule_book import Members, Place, RuleBook
from netsim.flows.shapes import Code, Ports, Shape, Span, chain_form


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
    opaque: str = ""
    literal_ports: bool = False


@dataclass(slots=True)
class _Slicing:
    book: RuleBook
    addresses: Mapping[Code, int]
    known_ports: Mapping[int, int]
    result: Slice = field(default_factory=Slice)
    spans: dict[Span, int] = field(default_factory=dict)
    ports: dict[Ports, int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    chains: dict[Place, int] = field(default_factory=dict)
    sets: dict[Place, int] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)

    def run(self) -> Slice:
        form: list[Hashable] = []
        for kind, place in self.book.bases:
            form.append((kind, self._chain(place)))
        done_chains = done_sets = 0
        while done_chains < len(self.chains) or done_sets < len(self.sets):
            if done_chains < len(self.chains):
                form.append(self._rules(list(self.chains)[done_chains]))
                done_chains += 1
            else:
                form.append(self._members(list(self.sets)[done_sets]))
                done_sets += 1
        found = self.result
        found.form, found.names = tuple(form), frozenset(self.names)
        found.spans, found.ports = tuple(self.spans), tuple(self.ports)
        return found

    def _chain(self, place: Place) -> int:
        return self.chains.setdefault(place, len(self.chains))

    def _rules(self, place: Place) -> Hashable:
        chain = self.book.chain(place)
        if chain is None:
            return "no such chain"
        self.result.filed.update(chain.by_address)
        form: list[Hashable] = ["chain", chain_form(chain.name)]
        for number in chain.met(self.addresses):
            shape = chain.shape(number)
            if shape.asked_port is not None and shape.asked_port not in self.known_ports:
                continue
            form.append(self._filled(shape, chain.table))
        return tuple(form)

    def _members(self, place: Place) -> Hashable:
        table, name = place
        _, members = self.book.set_of(table, name)
        if members is None:
            return "no such set"
        self.result.met.append(members)
        self.result.opaque = self.result.opaque or members.opaque
        met = members.met(self.addresses, self.known_ports)
        return ("set", members.form, tuple(self._filled(member.shape, table) for member in met))

    def _filled(self, shape: Shape, table: Hashable) -> Hashable:
        """A shape with its holes numbered in the slice."""
        result = self.result
        result.opaque = result.opaque or shape.opaque
        result.literal_ports = result.literal_ports or shape.literal_ports
        result.exact += shape.exact
        self.names.update(shape.names)
        if shape.translates:
            result.targets.update(dict.fromkeys(shape.exact))
            result.target_ports.update((p.first, None) for p in shape.ports if p.first == p.last)
        return (
            shape.form,
            tuple([self.spans.setdefault(each, len(self.spans)) for each in shape.spans]),
            tuple([self.ports.setdefault(each, len(self.ports)) for each in shape.ports]),
            tuple([self._chain((table, each)) for each in shape.chains]),
            tuple([self._set(table, each) for each in shape.sets]),
            tuple([self.lists.setdefault(each, len(self.lists)) for each in shape.lists]),
        )

    def _set(self, table: Hashable, name: str) -> int:
        place, _ = self.book.set_of(table, name)
        return self.sets.setdefault(place, len(self.sets))


def slice_of(book: RuleBook, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> Slice:
    """What packets between these addresses and ports may meet; numbers are those by which the question knows them."""
    return _Slicing(book, addresses, ports).run()
