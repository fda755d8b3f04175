"""limit, quota and ct count: how much may pass.

Ref: net/netfilter/nft_limit.c:nft_limit_eval(), nft_quota.c:nft_overquota(), nft_connlimit.c:nft_connlimit_do_eval() (v6.12).
"""

from __future__ import annotations

from netsim.rules.nft.ast import Counter, CtCount, Last, Limit, Quota, Statement
from netsim.stack.dev import skb_len
from netsim.stack.x_tables import Check, RuleNotModelledError, XtContext
from netsim.stack.xt_rate import count_connections

NANOSECONDS = 1_000_000_000
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
BYTES = {"bytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20, "gbytes": 1 << 30}
DEFAULT_BURST = 5


def limit(statement: Limit, key: object) -> Check:
    """A bucket of time that fills as the clock goes; it is full at first. ``over`` matches what finds it empty.

    ``key`` names the bucket: the statement's own, or that of a named limit.
    """
    period = _SECONDS[statement.unit] * NANOSECONDS
    if statement.of == "packets":
        packet_cost = period // statement.rate
        most = packet_cost * (statement.burst or DEFAULT_BURST)
        return lambda ctx: _take(ctx, key, packet_cost, most) != statement.over
    rate = statement.rate * BYTES[statement.of]
    most = period * (rate + statement.burst * BYTES[statement.burst_of]) // rate
    return lambda ctx: _take(ctx, key, period * skb_len(ctx.skb.packet) // rate, most) != statement.over


def _take(ctx: XtContext, key: object, cost: int, most: int) -> bool:
    """True where the bucket holds what a packet costs, which is taken out."""
    buckets = ctx.state.nft.buckets
    now = int(ctx.env.clock.now() * NANOSECONDS)
    tokens, last = buckets.get(key, (most, now))
    tokens = min(most, tokens + now - last)
    enough = tokens >= cost
    buckets[key] = (tokens - cost if enough else tokens, now)
    return enough


def quota(statement: Quota, key: object) -> Check:
    """Matches while no more than the quota passed; ``over`` matches from then on."""
    most = statement.amount * BYTES[statement.of]

    def check(ctx: XtContext) -> bool:
        used = ctx.state.nft.used
        passed = used[key] = used.get(key, statement.used * BYTES[statement.used_of]) + skb_len(ctx.skb.packet)
        return (passed >= most) == statement.over

    return check


def ct_count(statement: CtCount, key: object) -> Check:
    """Matches while no more connections than that are there; ``over`` matches from then on."""
    return lambda ctx: (count_connections(ctx, key, None) > statement.limit) == statement.over


def stateful(statement: Statement, key: object) -> Check:
    """A statement with a state of its own, which ``key`` names: that of a rule, of a named object, or of a set's element."""
    match statement:
        case Limit():
            return limit(statement, key)
        case Quota():
            return quota(statement, key)
        case CtCount():
            return ct_count(statement, key)
        case Counter() | Last():
            return lambda _: True
        case _:
            raise RuleNotModelledError("a statement that elements cannot have")
