"""Typed rules → the text of ``nft list ruleset``, which ``nft -f`` takes."""

from __future__ import annotations

from netsim.rules.nft.ast import Chain, Element, Key, NamedSet, Rule, Ruleset, Table, TableFamily
from netsim.rules.nft.blocks import OBJECT_KINDS
from netsim.rules.nft.datatypes import sort_key, write_time
from netsim.rules.nft.priorities import write_priority
from netsim.rules.nft.write import write_data, write_key, write_statement

_FAMILY_ORDER = list(TableFamily)


def dump(ruleset: Ruleset) -> str:
    """Every table by family and name; in each sets, maps and chains by name, and elements by key."""
    tables = sorted(ruleset.tables.values(), key=lambda table: (_FAMILY_ORDER.index(table.family), table.name))
    return "".join(f"{line}\n" for table in tables for line in _table(table, sorted(table.chains)))


def dump_as_loaded(ruleset: Ruleset) -> str:
    """Tables and chains in the order in which they were added: of base chains with equal priority the one that comes last runs first."""
    tables = ruleset.tables.values()
    return "".join(f"{line}\n" for table in tables for line in _table(table, list(table.chains)))


def dump_rule(rule: Rule) -> str:
    """A rule as it stands in its chain."""
    words = [write_statement(statement) for statement in rule.statements]
    return " ".join([*words, *([f'comment "{rule.comment}"'] if rule.comment else [])])


def _table(table: Table, chains: list[str]) -> list[str]:
    lines = [f"table {table.family.value} {table.name} {{"]
    if table.comment:
        lines.append(f'\tcomment "{table.comment}"')
    if table.flags:
        lines.append(f"\tflags {','.join(sorted(table.flags))}")
    others = [table.others[name] for name in sorted(table.others)]
    lines += [f"\t{other.kind} {other.name} {other.text}" for other in others]
    sets = [table.sets[name] for name in sorted(table.sets)]
    for each in sorted(sets, key=lambda named: bool(named.data)):
        lines += [*_set(each), ""]
    for name in chains:
        lines += [*_chain(table.chains[name], table.family), ""]
    return [*(lines[:-1] if lines[-1] == "" else lines), "}", ""]


def _set(named: NamedSet) -> list[str]:
    of = " . ".join(named.key) + (f" : {' . '.join(named.data)}" if named.data else "")
    lines = [f"\t{'map' if named.data else 'set'} {named.name} {{", f"\t\ttype {of}"]
    if named.policy:
        lines.append(f"\t\tpolicy {named.policy}")
    if named.size is not None:
        lines.append(f"\t\tsize {named.size}")
    if named.flags:
        lines.append(f"\t\tflags {','.join(sorted(named.flags))}")
    if named.counter:
        lines.append("\t\tcounter")
    lines += [f"\t\t{write_statement(each)}" for each in named.stateful]
    if named.timeout_ms is not None:
        lines.append(f"\t\ttimeout {write_time(named.timeout_ms)}")
    if named.gc_interval_ms is not None:
        lines.append(f"\t\tgc-interval {write_time(named.gc_interval_ms)}")
    if named.auto_merge:
        lines.append("\t\tauto-merge")
    if named.comment:
        lines.append(f'\t\tcomment "{named.comment}"')
    if named.elements:
        ordered = sorted(named.elements.items(), key=lambda pair: [sort_key(part) for part in pair[0]])
        joined = ",\n\t\t\t     ".join(_element(named, key, element) for key, element in ordered)
        lines.append(f"\t\telements = {{ {joined} }}")
    return [*lines, "\t}"]


def _element(named: NamedSet, key: Key, element: Element) -> str:
    words = [write_key(key, named.key)]
    if element.timeout_ms is not None:
        words.append(f"timeout {write_time(element.timeout_ms)}")
    if element.comment:
        words.append(f'comment "{element.comment}"')
    if element.data is not None:
        data = write_data(element.data, named.data)
        words.append(f': "{data}"' if named.data[0] in OBJECT_KINDS else f": {data}")
    return " ".join(words)


def _chain(chain: Chain, family: TableFamily) -> list[str]:
    lines = [f"\tchain {chain.name} {{"]
    if chain.comment:
        lines.append(f'\t\tcomment "{chain.comment}"')
    if (base := chain.base) is not None:
        device = f" devices = {{ {', '.join(base.devices)} }}" if base.devices else ""
        priority = write_priority(base.priority, base.hook, family)
        lines.append(f"\t\ttype {base.type} hook {base.hook}{device} priority {priority}; policy {base.policy.value};")
    return [*lines, *(f"\t\t{dump_rule(rule)}" for rule in chain.rules), "\t}"]
