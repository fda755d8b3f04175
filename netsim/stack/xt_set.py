"""The set match. Ref: net/netfilter/xt_set.c:set_match_v4() (v6.12)."""

from __future__ import annotations

from netsim.rules.xtables.ast import SetMatch
from netsim.stack.x_tables import Check, RuleNotModelledError, XtContext

# Options that change nothing but counters, which the model does not keep.
HARMLESS = frozenset({"--return-nomatch", "! --update-counters", "! --update-subcounters"})


def match_set(match: SetMatch) -> Check:
    """Ask the set that the namespace was given under the name; RuleNotModelledError where there is none."""

    def check(ctx: XtContext) -> bool:
        if match.options and not set(match.options) <= HARMLESS:
            raise RuleNotModelledError(f"options of -m set: {' '.join(match.options)}")
        if match.name not in ctx.state.sets:
            raise RuleNotModelledError(f"the ipset {match.name} is not known in {ctx.env.netns}")
        hit = ctx.state.sets[match.name].test(ctx.skb, match.directions, iif=ctx.iif, oif=ctx.oif)
        return hit != match.inverted

    return check
