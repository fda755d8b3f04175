"""The CT target: which zone, and which helper, the connection gets. Ref: net/netfilter/xt_CT.c:xt_ct_target() (v6.12)."""

from __future__ import annotations

from netsim.rules.xtables.targets import CTTarget
from netsim.stack.nf_conntrack_tuple import DEFAULT_ZONE, Direction, Zone
from netsim.stack.x_tables import Apply, Outcome, XtContext


def set_ct(target: CTTarget) -> Apply:
    """A packet that has an entry already keeps it; the first CT rule that a packet meets decides."""

    def apply(ctx: XtContext) -> Outcome:
        if ctx.skb.nfct:
            return Outcome(None, "CT: decided already")
        number = ctx.skb.mark & 0xFFFF if target.zone_from_mark else target.zone or 0
        ctx.skb.template = Zone(number, _directions(target)) if number else DEFAULT_ZONE
        return Outcome(None, " ".join(["CT", *_effects(target, number)]))

    return apply


def _directions(target: CTTarget) -> tuple[Direction, ...]:
    return tuple(Direction) if target.zone_direction is None else (Direction(target.zone_direction),)


def _effects(target: CTTarget, zone: int) -> list[str]:
    words = [f"zone {zone}{_side(target)}"] if zone else []
    if target.helper is not None:
        words.append(f"helper {target.helper} (what it expects is not modelled)")
    if target.timeout is not None:
        words.append(f"timeout policy {target.timeout} (not modelled)")
    return words


def _side(target: CTTarget) -> str:
    return "" if target.zone_direction is None else f" for {target.zone_direction}"
