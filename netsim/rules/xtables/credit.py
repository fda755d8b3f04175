"""The credit of ``-m limit`` and ``-m hashlimit``, in the integers in which the kernel counts it: bursts may be too large, or wrap around.

The products HZ × CREDITS_PER_JIFFY are those of HZ=250 and HZ=1000.
Ref: net/netfilter/xt_limit.c:user2credits(), limit_mt_check(); xt_hashlimit.c:user2credits(), hashlimit_mt_check_common() (v6.12).
"""

from __future__ import annotations

from netsim.rules.xtables.matches import HASHLIMIT_SCALE, LIMIT_SCALE, HashLimitMatch, LimitMatch

LIMIT_CREDITS = 32_000
"""Credits a second of ``-m limit``."""

HASHLIMIT_CREDITS = 250 << 39
"""Credits a second of ``-m hashlimit``."""

_U32, _U64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


def limit_credits(parts: int) -> int:
    """Credits for a time in LIMIT_SCALE parts of a second."""
    parts &= _U32
    if parts > _U32 // LIMIT_CREDITS:
        return parts // LIMIT_SCALE * LIMIT_CREDITS & _U32
    return parts * LIMIT_CREDITS // LIMIT_SCALE


def hashlimit_credits(parts: int) -> int:
    """Credits for a time in HASHLIMIT_SCALE parts of a second."""
    return (parts & _U64) * (HASHLIMIT_CREDITS // HASHLIMIT_SCALE) & _U64


def limit_bucket(match: LimitMatch) -> tuple[float, float]:
    """What a packet costs and what the bucket holds, in seconds of credit."""
    cost, cap = limit_credits(match.interval), limit_credits(match.interval * match.burst)
    return cost / LIMIT_CREDITS, cap / LIMIT_CREDITS


def hashlimit_bucket(match: HashLimitMatch) -> tuple[float, float]:
    """What a packet costs and what a bucket holds, in seconds of credit."""
    cost, cap = hashlimit_credits(match.interval), hashlimit_credits(match.interval * match.burst)
    return cost / HASHLIMIT_CREDITS, cap / HASHLIMIT_CREDITS


def is_out_of_range(match: LimitMatch | HashLimitMatch) -> bool:
    """True where the kernel sees the burst overflow, and refuses the rule: "Numerical result out of range"."""
    cost, cap = limit_bucket(match) if isinstance(match, LimitMatch) else hashlimit_bucket(match)
    return match.burst == 0 or cap < cost
