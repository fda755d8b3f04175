"""What the kernel asks of a whole table before it takes it: no loops, and targets only where they may stand.

Ref: net/ipv4/netfilter/ip_tables.c:mark_source_chains(), net/netfilter/x_tables.c:xt_check_target() (v6.12). Chains that no hook reaches
are not checked for loops and hooks, as in the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from netsim.rules.source import Origin, RuleSyntaxError
from netsim.rules.xtables.ast import BUILTIN_CHAINS, Jump, Rule
from netsim.rules.xtables.registry import HOOKED, extension_of

Chains = Mapping[str, Sequence[Rule]]


def check_table(table: str, chains: Chains, nowhere: Origin) -> list[RuleSyntaxError]:
    """All that the kernel would refuse, in the order of the chains. ``nowhere`` is the place of a rule without an origin."""
    jumps = {name: _jumps(rules) for name, rules in chains.items()}
    errors = [
        RuleSyntaxError(f"no chain {rule.target.chain} to jump to", rule.origin or nowhere, "it was deleted (-X)")
        for targets in jumps.values()
        for rule in targets.values()
        if isinstance(rule.target, Jump) and rule.target.chain not in chains
    ]
    if errors:
        return errors
    bases = [name for name in BUILTIN_CHAINS[table] if name in chains]
    loops = list(_loops(bases, jumps, nowhere))
    return loops or list(_misplaced(bases, chains, jumps, nowhere))


def _jumps(rules: Sequence[Rule]) -> dict[str, Rule]:
    """The chains that rules jump to, each with the first rule that does."""
    found: dict[str, Rule] = {}
    for rule in rules:
        target = rule.target
        if type(target) is Jump and target.chain not in found:
            found[target.chain] = rule
    return found


def _loops(bases: Sequence[str], jumps: Mapping[str, Mapping[str, Rule]], nowhere: Origin) -> Iterator[RuleSyntaxError]:
    """Depth first from each base chain; a jump back into a chain on the way is a loop."""
    done: set[str] = set()
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
                elif target not in done:
                    path[target] = None
                    stack.append((target, iter(jumps[target].items())))
                    break
            else:
                stack.pop()
                path.pop(name, None)
                done.add(name)


def _reachable(base: str, jumps: Mapping[str, Mapping[str, Rule]]) -> dict[str, None]:
    found: dict[str, None] = {base: None}
    waiting = [base]
    while waiting:
        for target in jumps[waiting.pop()]:
            if target not in found:
                found[target] = None
                waiting.append(target)
    return found


def _misplaced(
    bases: Sequence[str], chains: Chains, jumps: Mapping[str, Mapping[str, Rule]], nowhere: Origin
) -> Iterator[RuleSyntaxError]:
    """Rules that a hook reaches where their match or target may not stand."""
    asked: dict[str, list[tuple[Rule, str, tuple[str, ...]]]] = {}
    for name, rules in chains.items():
        if found := [item for rule in rules if _may_ask(rule) for item in _hook_needs(rule)]:
            asked[name] = found
    if not asked:
        return
    for base in bases:
        for name in _reachable(base, jumps):
            for rule, what, hooks in asked.get(name, ()):
                if base not in hooks:
                    where = f"reached from {base}" if name != base else f"in {base}"
                    message = f"{what} is not valid {where} (only in {', '.join(hooks)})"
                    yield RuleSyntaxError(
                        message, _at(rule.origin or nowhere, what), "the kernel answers: Invalid argument"
                    )


def _at(origin: Origin, word: str) -> Origin:
    """The place of a word in the line."""
    column = f"{origin.text} ".find(f" {word} ")
    return origin if column < 0 else replace(origin, column=column + 2)


def _may_ask(rule: Rule) -> bool:
    """True where some part of the rule asks for hooks, perhaps; false for most rules, at little cost."""
    return type(rule.target) in HOOKED or not HOOKED.isdisjoint(map(type, rule.matches))


def _hook_needs(rule: Rule) -> Iterator[tuple[Rule, str, tuple[str, ...]]]:
    for value in (*rule.matches, rule.target):
        if type(value) in HOOKED and value is not None:
            row = extension_of(value)
            if row is not None and (hooks := row.needs(value).hooks):
                yield rule, row.name, hooks
