"""Merging rules into what is loaded already: ``iptables-restore``, with and without ``--noflush``, and kube-proxy's EnsureRule.

Several programs write one node's rules (the node's own, flannel, kube-proxy); each change gives a new Ruleset.
"""

from __future__ import annotations

from dataclasses import replace

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.rules.source import Origin, RuleSyntaxErrors
from netsim.rules.xtables.ast import BUILTIN_CHAINS, Chain, Rule, Ruleset, Table, Verdict
from netsim.rules.xtables.check import check_table
from netsim.rules.xtables.collector import collector_at_rest
from netsim.rules.xtables.loader import Loader
from netsim.rules.xtables.parts import PartReader
from netsim.rules.xtables.tables import TableUnderWork


@dataclass(frozen=True, slots=True)
class Payload:
    """A text for iptables-restore and where it comes from (``file``: a path, or ``kube-proxy on node1``)."""

    text: str
    family: Family
    file: str


def restore(base: Ruleset | None, payload: Payload, *, noflush: bool, parts: PartReader | None = None) -> Ruleset:
    """The rules after ``iptables-restore [--noflush]`` of a payload on a namespace that has ``base``.

    A table that the payload names is emptied first (built-in chains keep their policies), except with ``noflush``: then only
    the chains that it declares are, and built-in chains keep their rules even when declared. Tables that it does not name stay as they are.
    It is all or nothing: raises RuleSyntaxErrors with everything that the real tool or the kernel would refuse.
    ``parts`` of the payload's family remembers from one payload to the next what it has read.
    Differs from the kernel: whether a deleted chain (``-X``) is still jumped to is looked at when the table is committed.
    """
    if base is not None and base.family is not payload.family:
        raise ValueError(f"{payload.file}: an {payload.family.kubernetes} payload for {base.family.kubernetes} rules")
    loader = Loader(payload.family, payload.file, parts or PartReader(payload.family), noflush=noflush)
    before = {} if base is None else base.tables
    loader.tables = {name: TableUnderWork.of(table) for name, table in before.items()}
    with collector_at_rest():
        loader.load(payload.text)
    if loader.errors:
        raise RuleSyntaxErrors(loader.errors)
    return Ruleset(payload.family, {name: table.done() for name, table in loader.tables.items()})


def ensure_chain(ruleset: Ruleset, table: str, chain: str) -> Ruleset:
    """The rules with a chain of that name; unchanged where there is one. Ref: pkg/util/iptables/iptables.go:EnsureChain() (v1.37)."""
    found = ruleset.tables.get(table) or empty_table(table)
    if chain in found.chains and table in ruleset.tables:
        return ruleset
    chains = found.chains if chain in found.chains else {**found.chains, chain: Chain(chain)}
    return _with(ruleset, replace(found, chains=chains))


def ensure_rule(ruleset: Ruleset, table: str, chain: str, rule: Rule, *, prepend: bool) -> Ruleset:
    """The rules with this one in the chain: where an equal one is (``iptables -C``) unchanged, else added at its head or end.

    Ref: pkg/util/iptables/iptables.go:EnsureRule() (v1.37). Raises KeyError where there is no such
    chain, RuleSyntaxErrors where the kernel would refuse the rule there.
    """
    found = ruleset.tables.get(table) or empty_table(table)
    there = found.chains[chain]
    if rule in there.rules:
        return ruleset
    rules = (rule, *there.rules) if prepend else (*there.rules, rule)
    chains = {**found.chains, chain: replace(there, rules=rules)}
    nowhere = rule.origin or Origin(f"{table}/{chain}", 1)
    if errors := check_table(table, {name: each.rules for name, each in chains.items()}, nowhere):
        raise RuleSyntaxErrors(errors)
    return _with(ruleset, replace(found, chains=chains))


def empty_table(name: str) -> Table:
    """A table as the kernel makes it: built-in chains without rules that accept. Raises KeyError for a name that is no table's."""
    return Table(name, {chain: Chain(chain, policy=Verdict.ACCEPT) for chain in BUILTIN_CHAINS[name]})


def without_empty_tables(ruleset: Ruleset) -> Ruleset:
    """The rules without the tables that do nothing (no rule, no chain of their own, every policy ACCEPT), which a kernel need not list."""
    tables = {name: table for name, table in ruleset.tables.items() if table != empty_table(name)}
    return replace(ruleset, tables=tables)


def _with(ruleset: Ruleset, table: Table) -> Ruleset:
    return replace(ruleset, tables={**ruleset.tables, table.name: table})
