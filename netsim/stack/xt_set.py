"""The set match and the SET target. Ref: net/netfilter/xt_set.c:set_match_v4(), set_target_v2() (v6.12)."""

from __future__ import annotations

from netsim.rules.xtables.ast import SetMatch
from netsim.rules.xtables.targets import SetOfTarget, SetTarget
from netsim.stack.x_tables import AddressSet, Apply, Check, Outcome, RuleNotModelledError, XtContext

RETURN_NOMATCH = "--return-nomatch"
# Options that change nothing but counters, which the model does not keep.
HARMLESS = frozenset({RETURN_NOMATCH, "! --update-counters", "! --update-subcounters"})


def match_set(match: SetMatch) -> Check:
    """Ask the set that the namespace was given under the name; RuleNotModelledError where there is none."""
    options = " ".join(match.options).replace("! --", "!--").split()
    foreign = [option for option in options if option.replace("!--", "! --") not in HARMLESS]
    nomatch = RETURN_NOMATCH in options

    def check(ctx: XtContext) -> bool:
        if foreign:
            raise RuleNotModelledError(f"options of -m set: {' '.join(match.options)}")
        asked = _set(ctx, match.name)
        hit = asked.test(ctx.skb, match.directions, iif=ctx.iif, oif=ctx.oif, return_nomatch=nomatch)
        return hit != match.inverted

    return check


def _set(ctx: XtContext, name: str) -> AddressSet:
    if name not in ctx.state.sets:
        raise RuleNotModelledError(f"the ipset {name} is not known in {ctx.env.netns}")
    return ctx.state.sets[name]


def change_sets(target: SetTarget) -> Apply:
    """Ref: set_target_v2(): the packet goes on whatever came of it."""

    def apply(ctx: XtContext) -> Outcome:
        done: list[str] = []
        if (add := target.add) is not None:
            member = _set(ctx, add.name).add(
                ctx.skb, add.directions, iif=ctx.iif, oif=ctx.oif, timeout=target.timeout, exist=target.exist
            )
            done.append(_told("add", member, add))
        if (delete := target.delete) is not None:
            member = _set(ctx, delete.name).delete(ctx.skb, delete.directions, iif=ctx.iif, oif=ctx.oif)
            done.append(_told("delete", member, delete))
        return Outcome(None, ", ".join(done))

    return apply


def _told(verb: str, member: str | None, of: SetOfTarget) -> str:
    return f"{verb} {member} in set {of.name}" if member is not None else f"{verb}: no change of set {of.name}"
