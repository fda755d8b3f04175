"""Typed rules → the text of iptables-save, which iptables-restore takes.

Ref: iptables/iptables-save.c, iptables/nft-shared.c:save_rule_details() (v1.8.9): ``-s -d -i -o -p -f``, matches in their order, target.
"""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.ast import BUILTIN_CHAINS, Chain, Counters, Jump, Match, Rule, Ruleset, Table, Target, Verdict
from netsim.rules.xtables.registry import extension_of
from netsim.rules.xtables.values import write_interface, write_prefix, write_protocol
from netsim.rules.xtables.words import quote_where_needed


def dump(ruleset: Ruleset, *, counters: bool = False) -> str:
    """All tables, in the order of ``BUILTIN_CHAINS``; in each its built-in chains in hook order and then the others by name.

    With ``counters`` each rule is preceded by its ``[packets:bytes]``, as ``iptables-save -c`` prints them.
    """
    tables = [ruleset.tables[name] for name in BUILTIN_CHAINS if name in ruleset.tables]
    return "".join(_table(table, ruleset.family, counters=counters) for table in tables)


def _table(table: Table, family: Family, *, counters: bool) -> str:
    lines = [f"*{table.name}"]
    chains = _chains(table)
    lines += [
        f":{chain.name} {chain.policy.value if chain.policy else '-'} {_counters(chain.counters)}" for chain in chains
    ]
    for chain in chains:
        for rule in chain.rules:
            before = f"{_counters(rule.counters or Counters())} " if counters else ""
            lines.append(before + dump_rule(rule, chain.name, family=family))
    return "\n".join([*lines, "COMMIT", ""])


def _chains(table: Table) -> list[Chain]:
    builtin = [name for name in BUILTIN_CHAINS[table.name] if name in table.chains]
    return [table.chains[name] for name in (*builtin, *sorted(table.chains.keys() - builtin))]


def _counters(counters: Counters) -> str:
    return f"[{counters.packets}:{counters.bytes}]"


def dump_rule(rule: Rule, chain: str, *, family: Family | None = None) -> str:
    """One rule as a line ``-A CHAIN …``. Without a family it is IPv6 where the rule says something that only IPv6 has."""
    return " ".join(["-A", quote_where_needed(chain), *rule_words(rule, family=family)])


def rule_words(rule: Rule, *, family: Family | None = None) -> list[str]:
    """A rule's words behind the chain's name, quoted where need be."""
    known = family or _family(rule)
    words: list[str] = []
    if rule.source is not None:
        words += write_prefix(rule.source, "-s")
    if rule.destination is not None:
        words += write_prefix(rule.destination, "-d")
    if rule.in_interface is not None:
        words += write_interface(rule.in_interface, "-i")
    if rule.out_interface is not None:
        words += write_interface(rule.out_interface, "-o")
    if (protocol := rule.protocol) is not None:
        words += [*(["!"] if protocol.inverted else []), "-p", write_protocol(protocol.number)]
    if rule.fragment is not None:
        words += ["-f"] if rule.fragment else ["!", "-f"]
    for match in rule.matches:
        words += ["-m", *_extension_words(match, known)]
    if rule.target is not None:
        words += target_words(rule.target, known)
    return words


def target_words(target: Target, family: Family) -> list[str]:
    """``-j`` or ``-g`` with what follows."""
    match target:
        case Verdict():
            return ["-j", target.value]
        case Jump():
            return ["-g" if target.goto else "-j", target.chain]
        case _:
            return ["-j", *_extension_words(target, family)]


def _extension_words(value: Match | Target, family: Family) -> list[str]:
    row = extension_of(value)
    if row is None:
        raise TypeError(f"{type(value).__name__} has no row in the registry")
    return row.words(value, family)


def _family(rule: Rule) -> Family:
    versions = {match.prefix.version for match in (rule.source, rule.destination) if match is not None}
    ipv6 = 6 in versions or (rule.protocol is not None and rule.protocol.number == 58)
    return Family.IPV6 if ipv6 else Family.IPV4
