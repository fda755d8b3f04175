"""The statistic match: by chance, or every nth packet.

Ref: net/netfilter/xt_statistic.c:statistic_mt() (v6.12).
"""

from __future__ import annotations

from netsim.rules.xtables.ast import Jump, Rule, StatisticNthMatch, StatisticRandomMatch
from netsim.stack.steps import Choice, RuleRef
from netsim.stack.x_tables import Check, XtContext


def option_label(ref: RuleRef) -> str:
    """What a rule that matches leads to, in a person's words: its comment, the chain it jumps to, or where it stands."""
    rule: Rule = ref.rule
    if rule.comment:
        return rule.comment
    if isinstance(rule.target, Jump):
        return rule.target.chain
    return f"match: rule {ref.index + 1} of {ref.chain}"


def random(match: StatisticRandomMatch, ref: RuleRef) -> Check:
    """Ask the chooser; where the outcome is certain nobody is asked."""
    chance = match.probability
    options = ((option_label(ref), chance), (f"past rule {ref.index + 1} of {ref.chain}", 1 - chance))
    place = f"{ref.table} {ref.chain} rule {ref.index + 1}"

    def check(ctx: XtContext) -> bool:
        if chance in (0, 1):
            return chance == 1
        description = f"{ctx.env.netns}: {place}"
        index = ctx.env.chooser.choose(description, options)
        ctx.choice = Choice(description, options, index)
        return index == 0

    return check


def nth(match: StatisticNthMatch) -> Check:
    """Every ``every``-th packet matches, beginning with packet ``packet`` (from 0). The counter lives as long as the namespace.

    iptables hands the kernel ``every - 1`` and the counter's start, ``every - 1 - packet``.
    """
    key = object()

    def check(ctx: XtContext) -> bool:
        count = ctx.state.nth.get(key, match.every - 1 - match.packet)
        count = 0 if count == match.every - 1 else count + 1
        ctx.state.nth[key] = count
        return (count == 0) != match.inverted

    return check
