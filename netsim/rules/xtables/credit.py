"""The credit of ``-m hashlimit``, in the integers in which the kernel counts it: a burst may be too large.

The product HZ × CREDITS_PER_JIFFY is that of HZ=250 and HZ=1000. ``-m limit`` is not counted so here: iptables-nft makes it the
limit of nftables, which has room for every burst. (iptables-legacy refuses what does not fit in 37 hours of credit.)
Ref: net/netfilter/xt_hashlimit.c:user2credits(), hashlimit_mt_check_common() (v6.12).
"""

from __future__ import annotations

from netsim.rules.xtables.matches import HASHLIMIT_SCALE, HashLimitMatch

HASHLIMIT_CREDITS = 250 << 39
"""Credits a second."""

_U64 = 0xFFFFFFFFFFFFFFFF


def hashlimit_credits(parts: int) -> int:
    """Credits for a time in HASHLIMIT_SCALE parts of a second."""
    return (parts & _U64) * (HASHLIMIT_CREDITS // HASHLIMIT_SCALE) & _U64


def hashlimit_bucket(match: HashLimitMatch) -> tuple[float, float]:
    """What a packet costs and what a bucket holds, in seconds of credit."""
    cost, cap = hashlimit_credits(match.interval), hashlimit_credits(match.interval * match.burst)
    return cost / HASHLIMIT_CREDITS, cap / HASHLIMIT_CREDITS


def is_out_of_range(match: HashLimitMatch) -> bool:
    """True where the kernel sees the burst overflow, and refuses the rule: "Numerical result out of range"."""
    cost, cap = hashlimit_bucket(match)
    return match.burst == 0 or cap < cost
