"""Marks of packets and of connections: mark, connmark, MARK, CONNMARK.

Ref: net/netfilter/xt_mark.c, xt_connmark.c (v6.12).
"""

from __future__ import annotations

from netsim.rules.xtables.ast import ConnmarkMatch, ConnmarkTarget, MarkMatch, MarkTarget
from netsim.stack.x_tables import Apply, Check, Outcome, XtContext

BITS = 0xFFFFFFFF


def mark(match: MarkMatch) -> Check:
    """Ref: mark_mt()."""
    return lambda ctx: ((ctx.skb.mark & match.mask) == match.value) != match.inverted


def connmark(match: ConnmarkMatch) -> Check:
    """Ref: connmark_mt(): a packet without an entry never matches, inverted or not."""

    def check(ctx: XtContext) -> bool:
        ct = ctx.skb.ct
        return ct is not None and ((ct.mark & match.mask) == match.value) != match.inverted

    return check


def set_mark(target: MarkTarget) -> Apply:
    """Ref: mark_tg()."""

    def apply(ctx: XtContext) -> Outcome:
        before = ctx.skb.mark
        ctx.skb.mark = ((before & ~target.mask) ^ target.value) & BITS
        return Outcome(None, f"mark {before:#x} → {ctx.skb.mark:#x}")

    return apply


def set_connmark(target: ConnmarkTarget) -> Apply:
    """Ref: connmark_tg_shift(): nothing happens to a packet without an entry."""

    def apply(ctx: XtContext) -> Outcome:
        ct = ctx.skb.ct
        if ct is None:
            return Outcome(None, f"connmark {target.operation}: no conntrack entry")
        if target.operation == "restore":
            before = ctx.skb.mark
            restored = _shifted(ct.mark & target.ct_mask, target.shift)
            ctx.skb.mark = ((before & ~target.nf_mask) ^ restored) & BITS
            return Outcome(None, f"mark {before:#x} → {ctx.skb.mark:#x} (from the connection)")
        before = ct.mark
        if target.operation == "set":
            ct.mark = _shifted((before & ~target.ct_mask) ^ target.value, target.shift)
        else:
            saved = _shifted(ctx.skb.mark & target.nf_mask, target.shift)
            ct.mark = ((before & ~target.ct_mask) ^ saved) & BITS
        return Outcome(None, f"connmark {before:#x} → {ct.mark:#x}")

    return apply


def _shifted(mark: int, shift: int) -> int:
    return (mark << shift if shift >= 0 else mark >> -shift) & BITS
