"""How a base chain ended, and what is recorded of it: the same for the rules of iptables and of nftables."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.stack.environment import HookVerdict
from netsim.stack.reasons import DropReason
from netsim.stack.steps import AnyRuleRef, Drop, NotModelled
from netsim.stack.x_tables import Outcome, RuleNotModelledError, XtContext


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """``ref`` is the rule that decided, None for the policy; ``name`` is what it says."""

    verdict: HookVerdict
    name: str
    ref: AnyRuleRef | None
    reason: DropReason = DropReason.NETFILTER_DROP
    detail: str = ""

    @classmethod
    def by(cls, outcome: Outcome, ref: AnyRuleRef) -> ChainEnd | None:
        """The end that an action made; None where it goes on with the next rule."""
        if outcome.verdict is None:
            return None
        name = "ACCEPT" if outcome.verdict is HookVerdict.ACCEPT else outcome.name or "DROP"
        return cls(outcome.verdict, name, ref, outcome.reason, outcome.detail)


def record_drop(ctx: XtContext, end: ChainEnd, table: str, base: str) -> None:
    """Record that the packet ended in a table; ``base`` is the base chain whose policy did it where no rule did."""
    chain = base if end.ref is None else end.ref.chain
    detail = end.detail or (f"policy of {base}" if end.ref is None else "")
    drop = Drop(end.reason, ctx.hook.value, end.ref, table, chain, detail)
    ctx.env.recorder.record(ctx.env.netns, drop)


def record_not_modelled(ctx: XtContext, missing: RuleNotModelledError, at: AnyRuleRef | None) -> HookVerdict:
    """Record that the packet met what the model does not have, at that rule: nobody knows what becomes of it."""
    ctx.env.recorder.record(ctx.env.netns, NotModelled(str(missing), ctx.hook.value, at))
    return HookVerdict.STOLEN
