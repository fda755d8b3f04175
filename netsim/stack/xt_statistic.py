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
    """Ask the chooser; where the outcome is certain nobody is asked.

    A Service of n endpoints has n such rules, which its branches pass n²/2 times: a choice is one value for all of them.
    """
    chance = match.probability
    if chance in (0, 1):
        return lambda _: chance == 1
    options = ((option_label(ref), chance), (f"past rule {ref.index + 1} of {ref.chain}", 1 - chance))
    place = f"{ref.table} {ref.chain} rule {ref.index + 1}"
    choices: dict[str, tuple[Choice, Choice]] = {}

    def check(ctx: XtContext) -> bool:
        netns = ctx.env.netns
        if (known := choices.get(netns)) is None:
            description = f"{netns}: {place}"
            known = choices[netns] = (Choice(description, options, 0), Choice(description, options, 1))
        index = ctx.env.chooser.choose(known[0].description, options)
        ctx.choice = known[index]
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
