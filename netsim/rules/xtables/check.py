"""What the kernel asks of a whole table before it takes it: no loops, and targets only where they may stand.

Ref: net/ipv4/netfilter/ip_tables.c:mark_source_chains(), net/netfilter/x_tables.c:xt_check_target() (v6.12). Chains that no hook reaches
are not checked for loops and hooks, as in the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from netsim.rules.source import Origin, RuleSyntaxError
from netsim.rules.xtables.ast import BUILTIN_CHAINS, Jump, Rule
from netsim.rules.xtables.registry import HOOKED, extension_of

Chains: TypeAlias = Mapping[str, Sequence[Rule]]
_Jumps: TypeAlias = Mapping[str, Mapping[str, Rule]]


def check_table(table: str, chains: Chains, nowhere: Origin) -> list[RuleSyntaxError]:
    """All that the kernel would refuse, in the order of the chains. ``nowhere`` is the place of a rule without an origin."""
    jumps = {name: _jumps(rules) for name, rules in chains.items()}
    errors = [
        RuleSyntaxError(f"no chain {target} to jump to", rule.origin or nowhere, "it was deleted (-X)")
        for targets in jumps.values()
        if not targets.keys() <= chains.keys()
        for target, rule in targets.items()
        if target not in chains
    ]
    if errors:
        return errors
    bases = [name for name in BUILTIN_CHAINS[table] if name in chains]
    left: dict[str, None] = {}
    loops = list(_loops(bases, jumps, left, nowhere))
    return loops or list(_misplaced(_reached(bases, jumps, left), chains, nowhere))


_NO_JUMPS: Mapping[str, Rule] = {}


def _jumps(rules: Sequence[Rule]) -> Mapping[str, Rule]:
    """The chains that rules jump to, each with the first rule that does."""
    found: dict[str, Rule] = {}
    for rule in rules:
        target = rule.target
        if type(target) is Jump and target.chain not in found:
            found[target.chain] = rule
    return found or _NO_JUMPS


def _loops(bases: Sequence[str], jumps: _Jumps, left: dict[str, None], nowhere: Origin) -> Iterator[RuleSyntaxError]:
    """Depth first from each base chain; a jump back into a chain on the way is a loop. ``left`` gets the chains as they are left."""
    for base in bases:
        path: dict[str, None] = {base: None}
        stack: list[tuple[str, Iterator[tuple[str, Rule]]]] = [(base, iter(jumps[base].items()))]
        while stack:
            name, rest = stack[-1]
            for target, rule in rest:
                if target in path:
                    way = [*list(path)[list(path).index(target) :], target]
                    message = "Too many levels of symbolic links: the chains jump in a circle: " + " → ".join(way)
                    yield RuleSyntaxError(
                        message, rule.origin or nowhere, "break the circle with RETURN or another chain"
                    )
                elif target not in left:
                    path[target] = None
                    stack.append((target, iter(jumps[target].items())))
                    break
            else:
                stack.pop()
                path.pop(name, None)
                left[name] = None


def _reached(bases: Sequence[str], jumps: _Jumps, left: dict[str, None]) -> Mapping[str, frozenset[str]]:
    """The base chains that each chain is reached from: a chain was left before those that jump to it were."""
    found = dict.fromkeys(left, frozenset[str]()) | {base: frozenset((base,)) for base in bases}
    for name in reversed(left):
        here = found[name]
        for target in jumps[name]:
            there = found[target]
            if there is not here:
                found[target] = here | there if there else here
    return found


def _misplaced(reached: Mapping[str, frozenset[str]], chains: Chains, nowhere: Origin) -> Iterator[RuleSyntaxError]:
    """Rules that a hook reaches where their match or target may not stand."""
    for name, rules in chains.items():
        if not (bases := reached.get(name)):
            continue
        for rule in rules:
            for value in (*rule.matches, rule.target):
                if type(value) not in HOOKED or value is None or (row := extension_of(value)) is None:
                    continue
                hooks = row.needs(value).hooks
                if hooks and (wrong := bases.difference(hooks)):
                    place = _at(rule.origin or nowhere, row.name)
                    yield from (_refused(row.name, name, base, hooks, place) for base in sorted(wrong))


def _refused(what: str, chain: str, base: str, hooks: Sequence[str], place: Origin) -> RuleSyntaxError:
    where = f"reached from {base}" if chain != base else f"in {base}"
    message = f"{what} is not valid {where} (only in {', '.join(hooks)})"
    return RuleSyntaxError(message, place, "the kernel answers: Invalid argument")


def _at(origin: Origin, word: str) -> Origin:
    """The place of a word in the line."""
    column = f"{origin.text} ".find(f" {word} ")
    return origin if column < 0 else replace(origin, column=column + 2)
