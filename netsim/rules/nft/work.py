"""Tables that are being built, and what the kernel asks of them at a transaction's end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from netsim.dataclass import dataclass
from netsim.rules.nft.ast import (
    NAT,
    AnonymousMap,
    BaseChain,
    Chain,
    Concatenation,
    Data,
    Element,
    Expression,
    Jump,
    Key,
    Lookup,
    Match,
    NamedSet,
    ObjectReference,
    OtherObject,
    Rule,
    SetReference,
    SetUpdate,
    Statement,
    Table,
    TableFamily,
    VerdictMap,
    VerdictStatement,
)
from netsim.rules.nft.elsewhere import FlowAdd
from netsim.rules.source import Origin, RuleSyntaxError


@dataclass(slots=True)
class ChainUnderWork:
    """A chain that is being built."""

    base: BaseChain | None = None
    comment: str = ""
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class SetUnderWork:
    """A set or map that is being built."""

    head: NamedSet
    elements: dict[Key, Element] = field(default_factory=dict)


@dataclass(slots=True)
class TableUnderWork:
    """A table that is being built."""

    family: TableFamily
    name: str
    comment: str = ""
    flags: frozenset[str] = frozenset()
    chains: dict[str, ChainUnderWork] = field(default_factory=dict)
    sets: dict[str, SetUnderWork] = field(default_factory=dict)
    others: dict[str, OtherObject] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table) -> TableUnderWork:
        """A table to be changed, with what it has."""
        chains = {
            name: ChainUnderWork(chain.base, chain.comment, list(chain.rules)) for name, chain in table.chains.items()
        }
        sets = {name: SetUnderWork(head, dict(head.elements)) for name, head in table.sets.items()}
        return cls(table.family, table.name, table.comment, table.flags, chains, sets, dict(table.others))

    def done(self) -> Table:
        """The table as a value."""
        chains = {
            name: Chain(name, tuple(chain.rules), chain.base, chain.comment) for name, chain in self.chains.items()
        }
        sets = {name: replace(work.head, elements=work.elements) for name, work in self.sets.items()}
        return Table(self.family, self.name, self.comment, self.flags, chains, sets, self.others)


def check_table(table: TableUnderWork, nowhere: Origin) -> Iterator[RuleSyntaxError]:
    """References to chains and sets that are not there, and circles of jumps. Ref: net/netfilter/nf_tables_api.c:nft_chain_validate()."""
    for chain in table.chains.values():
        for rule in chain.rules:
            for statement in rule.statements:
                yield from _missing(table, statement, rule.origin or nowhere)
    for work in table.sets.values():
        for element in work.elements.values():
            if isinstance(element.data, Jump) and element.data.chain not in table.chains:
                yield _no_chain(element.data.chain, element.origin or nowhere)
    yield from _loops(table, nowhere)


def _no_chain(name: str, origin: Origin) -> RuleSyntaxError:
    return RuleSyntaxError(f"Could not process rule: No such file or directory: there is no chain {name}", origin)


def _missing(table: TableUnderWork, statement: Statement, origin: Origin) -> Iterator[RuleSyntaxError]:
    for name in _chains_of(statement):
        if name not in table.chains:
            yield _no_chain(name, origin)
    if isinstance(statement, FlowAdd) and f"flowtable {statement.flowtable}" not in table.others:
        yield RuleSyntaxError(f"No such file or directory: there is no flowtable {statement.flowtable}", origin)
    for name in _sets_of(statement):
        if name not in table.sets:
            yield RuleSyntaxError(
                f"No such file or directory; did you mean another set? there is no set {name}", origin
            )


def _chains_of(statement: Statement) -> Iterator[str]:
    if isinstance(statement, VerdictStatement) and isinstance(statement.verdict, Jump):
        yield statement.verdict.chain
    if isinstance(statement, VerdictMap) and isinstance(statement.mapping, AnonymousMap):
        yield from (data.chain for _, data in statement.mapping.elements if isinstance(data, Jump))


def _sets_of(statement: Statement) -> Iterator[str]:
    match statement:
        case Match():
            yield from (*_referenced(statement.left), *_referenced(statement.right))
        case VerdictMap():
            yield from _referenced(statement.mapping if isinstance(statement.mapping, SetReference) else statement.key)
        case NAT():
            yield from _referenced(statement.address) if statement.address is not None else ()
        case SetUpdate():
            yield from () if statement.operation == "meter" else (statement.name,)
        case ObjectReference(_, _, choice) if choice is not None:
            yield from _referenced(choice)
        case _:
            return


def _referenced(expression: Expression) -> Iterator[str]:
    match expression:
        case SetReference(name):
            yield name
        case Lookup(_, SetReference(name)):
            yield name
        case Concatenation(parts):
            for part in parts:
                yield from _referenced(part)
        case _:
            return


def _jumps(table: TableUnderWork) -> Mapping[str, dict[str, Rule]]:
    """The chains that each chain leads to, with the rule that does."""
    found: dict[str, dict[str, Rule]] = {}
    for name, chain in table.chains.items():
        targets: dict[str, Rule] = {}
        found[name] = targets
        for rule in chain.rules:
            for statement in rule.statements:
                names = list(_chains_of(statement))
                if isinstance(statement, VerdictMap) and isinstance(statement.mapping, SetReference):
                    names += _set_targets(table, statement.mapping.name)
                for target in names:
                    targets.setdefault(target, rule)
    return found


def _set_targets(table: TableUnderWork, name: str) -> list[str]:
    work = table.sets.get(name)
    datas: list[Data | None] = [element.data for element in work.elements.values()] if work else []
    return [data.chain for data in datas if isinstance(data, Jump)]


def _loops(table: TableUnderWork, nowhere: Origin) -> Iterator[RuleSyntaxError]:
    jumps = _jumps(table)
    done: set[str] = set()
    for base in [name for name, chain in table.chains.items() if chain.base is not None]:
        path: dict[str, None] = {base: None}
        stack = [(base, iter(jumps[base].items()))]
        while stack:
            name, rest = stack[-1]
            for target, rule in rest:
                if target in path:
                    way = [*list(path)[list(path).index(target) :], target]
                    yield RuleSyntaxError(
                        f"Too many links: the chains jump in a circle: {' → '.join(way)}", rule.origin or nowhere
                    )
                elif target not in done and target in jumps:
                    path[target] = None
                    stack.append((target, iter(jumps[target].items())))
                    break
            else:
                stack.pop()
                path.pop(name, None)
                done.add(name)
