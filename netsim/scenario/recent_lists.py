"""What lists of ``-m recent`` have seen before the first packet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netsim.net.address import Address
from netsim.objects.cluster import RecentList
from netsim.objects.path import nearest
from netsim.rules.source import Origin, RuleSyntaxError, RuleSyntaxErrors
from netsim.rules.xtables.ast import RecentMatch, Ruleset


def recent_lists(lists: Sequence[RecentList], rulesets: Iterable[Ruleset]) -> dict[str, tuple[Address, ...]]:
    """A machine's lists by name. Raises RuleSyntaxErrors for a list that no rule of the machine has: the kernel makes it with the rule."""
    if not lists:
        return {}
    known = {match.name for ruleset in rulesets for match in _matches(ruleset)}
    errors = [_unknown(each, known) for each in lists if each.name not in known]
    if errors:
        raise RuleSyntaxErrors(errors)
    return {each.name: each.addresses for each in lists}


def _matches(ruleset: Ruleset) -> Iterable[RecentMatch]:
    rules = (rule for table in ruleset.tables.values() for chain in table.chains.values() for rule in chain.rules)
    return (match for rule in rules for match in rule.matches if isinstance(match, RecentMatch))


def _unknown(missing: RecentList, known: set[str]) -> RuleSyntaxError:
    near = nearest(missing.name, sorted(known))
    advice = f"did you mean {near}?" if near else "`netsim rules NODE` prints the rules with their lists"
    place = missing.origin or Origin("", 1, 1, "")
    return RuleSyntaxError(f"no rule of this machine has a recent list {missing.name}", place, advice)
