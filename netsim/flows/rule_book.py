"""A machine's packet filters taken apart as far as they are met: chains and sets by the addresses that rules and members ask for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from netsim.flows.codes import Code, code_of
from netsim.flows.nft_shapes import datum
from netsim.flows.shapes import Shape, shape_of
from netsim.rules.ipset.ast import Dimension, IPSet, ProtocolPort
from netsim.rules.ipset.ast import Entry as SetEntry
from netsim.rules.ipset.ast import Key as SetKey
from netsim.rules.nft import ast as nft
from netsim.rules.xtables import ast as xt
from netsim.topology.model import Netns

Place: TypeAlias = tuple[Hashable, str]
"""A table (with its tool and family) and the name of a chain or set in it."""

IPSETS = "ipset"

Rules: TypeAlias = Sequence[xt.Rule | nft.Rule]
ToShape: TypeAlias = Callable[[xt.Rule | nft.Rule], Shape]
Tables: TypeAlias = tuple[Mapping[str, xt.Chain] | Mapping[str, nft.Chain], ToShape]
"""The chains of one table, and what takes their rules apart."""


class ShapeCache:
    """Shapes of rules that were met before, by the text that they were read from: nodes have most of their rules in common."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[object, Shape]] = {}

    def of(self, rule: xt.Rule | nft.Rule, version: int) -> Shape:
        """The shape of a rule."""
        if rule.origin is None:
            return shape_of(rule)
        key = (version, rule.origin.text)
        found = self._known.get(key)
        if found is None or found[0] != rule:
            found = self._known[key] = (rule, shape_of(rule))
        return found[1]


class Chain:
    """A chain's rules by the one address that they ask for (as source or destination), else by the one port, and the rest.

    Numbers are the rules'. Of a large cluster there are some hundred thousand chains: they are kept small.
    """

    __slots__ = ("_rules", "_shape", "_shapes", "by_address", "by_port", "name", "others", "table")

    def __init__(self, place: Place, rules: Rules, shape: ToShape):
        self.table, self.name = place
        self._rules = rules
        self._shape = shape
        self._shapes: list[Shape | None] | None = None
        by_address: dict[Code, list[int]] = {}
        by_port: dict[int, list[int]] = {}
        others: list[int] = []
        for number, rule in enumerate(rules):
            code = _asked(rule)
            port = _asked_port(rule) if code is None and isinstance(rule, xt.Rule) else None
            if code is not None:
                by_address.setdefault(code, []).append(number)
            elif port is not None:
                by_port.setdefault(port, []).append(number)
            else:
                others.append(number)
        self.by_address: Mapping[Code, list[int]] = by_address or _NONE
        self.by_port: Mapping[int, list[int]] = by_port or _NONE
        self.others = tuple(others)

    @property
    def plain(self) -> bool:
        """Whether every packet meets the same of it."""
        return not self.by_address and not self.by_port

    def met(self, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> Sequence[int]:
        """The rules that a packet between these addresses and ports may match, in order."""
        by_address, by_port = self.by_address, self.by_port
        mine = (
            [number for code in addresses.keys() & by_address.keys() for number in by_address[code]]
            if by_address
            else []
        )
        if by_port:
            mine += [number for port in ports if port in by_port for number in by_port[port]]
        if not mine:
            return self.others
        return sorted({*self.others, *mine})

    def shape(self, number: int) -> Shape:
        """One rule, taken apart."""
        shapes = self._shapes
        if shapes is None:
            shapes = self._shapes = [None] * len(self._rules)
        found = shapes[number]
        if found is None:
            found = shapes[number] = self._shape(self._rules[number])
        return found


_NONE: Mapping[int, list[int]] = {}


def _asked(rule: xt.Rule | nft.Rule) -> Code | None:
    """The one address that a rule asks for before anything else."""
    if isinstance(rule, nft.Rule):
        return None
    for match in (rule.source, rule.destination):
        if match is not None and not match.inverted and match.prefix.prefixlen == match.prefix.max_prefixlen:
            return code_of(match.prefix.network_address)
    return None


def _asked_port(rule: xt.Rule) -> int | None:
    """The one destination port that a rule asks for."""
    for match in rule.matches:
        if isinstance(match, xt.TCPMatch | xt.UDPMatch | xt.SCTPMatch):
            wanted = match.destination
            if wanted is not None and not wanted.inverted and wanted.ports.first == wanted.ports.last:
                return wanted.ports.first
    return None


@dataclass(slots=True)
class Member:
    """A set's member: ``key`` are the addresses that it asks for, ``ports`` the ports, ``shape`` all of it.

    ``asked`` is how many of the shape's addresses are the key's: the same one may stand there twice.
    """

    key: frozenset[Code]
    ports: tuple[int, ...]
    shape: Shape
    asked: int

    @classmethod
    def of(cls, shape: Shape) -> Member:
        """A member of which so far only the key was taken apart."""
        ports = tuple(p.first for p in shape.ports if p.first == p.last)
        return cls(frozenset(shape.exact), ports, shape, len(shape.exact))


@dataclass(slots=True)
class Members:
    """A set's members by an address of their key, by their port where that is all they have, and those that have neither."""

    form: Hashable
    opaque: str = ""
    by_address: dict[Code, list[Member]] = field(default_factory=dict)
    by_port: dict[int, list[Member]] = field(default_factory=dict)
    others: list[Member] = field(default_factory=list)

    def add(self, member: Member) -> None:
        """File one member."""
        shape = member.shape
        self.opaque = self.opaque or shape.opaque
        for code in member.key:
            self.by_address.setdefault(code, []).append(member)
        if member.key:
            return
        alone = len(shape.ports) == 1 and not shape.spans and shape.ports[0].first == shape.ports[0].last
        (self.by_port.setdefault(shape.ports[0].first, []) if alone else self.others).append(member)

    def met(self, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> list[Member]:
        """The members that packets between these addresses may meet, in the order of the addresses."""
        found = list(self.others)
        for port in ports:
            found += self.by_port.get(port, ())
        for code in addresses:
            for member in self.by_address.get(code, ()):
                if not all(port in ports for port in member.ports):
                    continue
                if len(member.key) == 1 or (
                    member.key <= addresses.keys() and code == min(member.key, key=addresses.__getitem__)
                ):
                    found.append(member)
        return found

    def partners(self, code: Code) -> set[Code]:
        """The other addresses of the members that an address is in."""
        return {each for member in self.by_address.get(code, ()) for each in member.key if each != code}


@dataclass(slots=True)
class RuleBook:
    """One machine, one IP version.

    ``bases`` are the chains that hooks call, each with what it is. ``addresses`` and ``ports`` are those by which rules and members are
    filed; ``opaque`` says why a look at the rules does not tell what packets meet.
    """

    bases: list[tuple[Hashable, Place]] = field(default_factory=list)
    addresses: set[Code] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)
    opaque: str = ""
    _tables: dict[Hashable, Tables] = field(default_factory=dict)
    _chains: dict[Place, Chain | None] = field(default_factory=dict)
    _sets: dict[Place, Members] = field(default_factory=dict)

    def chain(self, place: Place) -> Chain | None:
        """The chain of that name, None where there is none."""
        if place not in self._chains:
            chains, shape = self._tables[place[0]]
            found = chains.get(place[1])
            self._chains[place] = None if found is None else Chain(place, found.rules, shape)
        return self._chains[place]

    def set_place(self, chain_table: Hashable, name: str) -> Place:
        """Where the set stands that a rule of that table calls by that name."""
        of_nft = isinstance(chain_table, tuple) and chain_table[0] == "nft"
        return (chain_table if of_nft else IPSETS, name)

    def set_at(self, place: Place) -> Members | None:
        """The set of that place, None where there is none."""
        return self._sets.get(place)

    def alone(self, code: Code) -> Hashable:
        """The members of sets that ask for this address and no other."""
        return tuple(
            (place, member.shape.form, member.ports)
            for place, members in self._sets.items()
            for member in members.by_address.get(code, ())
            if len(member.key) == 1
        )


def rule_book(netns: Netns, version: int, shapes: ShapeCache) -> RuleBook:
    """The packet filters of a namespace, as far as packets of one IP version meet them."""
    book = RuleBook()
    for number, ruleset in enumerate(netns.xtables):
        if ruleset.family.value == version:
            for table in ruleset.tables.values():
                _xtables(book, ("xt", number, ruleset.legacy, table.name), table, partial(shapes.of, version=version))
    for number, rules in enumerate(netns.nftables):
        _ruleset(book, number, rules, version, shapes)
    for name, ipset in netns.ipsets.sets.items():
        book._sets[IPSETS, name] = _ipset(ipset)
    for members in book._sets.values():
        book.addresses |= members.by_address.keys()
        book.ports |= members.by_port.keys()
    return book


def _xtables(book: RuleBook, place: Hashable, table: xt.Table, shape: ToShape) -> None:
    book._tables[place] = (table.chains, shape)
    for chain in table.chains.values():
        book.addresses.update(code for rule in chain.rules if (code := _asked(rule)) is not None)
    for name in xt.BUILTIN_CHAINS.get(table.name, ()):
        if name in table.chains:
            policy = table.chains[name].policy
            book.bases.append(((place, name, policy.value if policy else ""), (place, name)))


def _ruleset(book: RuleBook, number: int, rules: nft.Ruleset, version: int, shapes: ShapeCache) -> None:
    wanted = (nft.TableFamily.INET, nft.TableFamily.IP if version == 4 else nft.TableFamily.IP6)
    for (family, name), table in rules.tables.items():
        if family in wanted:
            _nftables(book, ("nft", number, family.value, name), table, partial(shapes.of, version=version))
        elif family not in (nft.TableFamily.IP, nft.TableFamily.IP6):
            book.opaque = f"a table of family {family.value}"


def _nftables(book: RuleBook, place: tuple[Hashable, ...], table: nft.Table, shape: ToShape) -> None:
    book._tables[place] = (table.chains, shape)
    others = tuple((other.kind, name, other.text) for name, other in table.others.items())
    if any(kind == "flowtable" for kind, _, _ in others):
        book.opaque = "a flowtable"
    for chain in table.chains.values():
        if chain.base is not None:
            form = (place, shape_of(chain.base).form, tuple(sorted(table.flags)), others)
            book.bases.append((form, (place, chain.name)))
    for named in table.sets.values():
        state = shape_of(named.stateful)
        kind = (named.key, named.data, tuple(sorted(named.flags)), named.timeout_ms, named.size, state.form)
        members = book._sets[place, named.name] = Members(kind, opaque=state.opaque)
        for key, element in named.elements.items():
            members.add(_nft_member(named, key, element))


def _nft_member(named: nft.NamedSet, key: nft.Key, element: nft.Element) -> Member:
    shape = Shape(translates=True)
    form: list[Hashable] = [datum(kind, literal, shape) for kind, literal in zip(named.key, key, strict=False)]
    member = Member.of(shape)
    form += [_mapped(named, element.data, shape), element.timeout_ms]
    shape.form = tuple(form)
    return member


def _mapped(named: nft.NamedSet, data: nft.Data | None, shape: Shape) -> Hashable:
    """What a map gives for a key. A range of addresses or ports is what NAT picks one of."""
    if not isinstance(data, tuple):
        return shape.add(data)
    if any(isinstance(each, nft.Range) for each in data):
        shape.opaque = "translates to one of several addresses or ports"
    return tuple(datum(kind, literal, shape) for kind, literal in zip(named.data, data, strict=False))


def _ipset(ipset: IPSet) -> Members:
    options = shape_of(ipset.options)
    masked = "a set with a mask" if ipset.options.netmask is not None else ""
    members = Members((str(ipset.type), options.form), opaque=options.opaque or masked)
    for key, entry in ipset.entries.items():
        members.add(_ipset_member(ipset, key, entry))
    return members


def _ipset_member(ipset: IPSet, key: SetKey, entry: SetEntry) -> Member:
    shape = Shape()
    form: list[Hashable] = [entry.nomatch, entry.timeout]
    for dimension, element in zip(ipset.type.dimensions, key, strict=False):
        if isinstance(element, ProtocolPort):
            form.append((element.protocol, shape.port(element.port, element.port)))
        elif dimension is Dimension.PORT and isinstance(element, int):
            form.append(shape.port(element, element))
        elif dimension is Dimension.SET and isinstance(element, str):
            shape.sets.append(element)
            form.append(("set", len(shape.sets)))
        else:
            form.append(shape.add(element))
            form.append(
                element.prefixlen if isinstance(element, IPv4Network | IPv6Network) else None
            )  # the longest counts
            shape.opaque = shape.opaque or ("a MAC in a set" if dimension is Dimension.MAC else "")
    shape.form = tuple(form)
    return Member.of(shape)
