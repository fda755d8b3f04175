"""Matches by the bytes that passed: quota, connbytes. Ref: net/netfilter/xt_quota.c, xt_connbytes.c (v6.12)."""

from __future__ import annotations

from netsim.rules.xtables.matches import ConnBytesMatch, QuotaMatch
from netsim.stack.nf_conntrack_tuple import Direction
from netsim.stack.skb_len import skb_len
from netsim.stack.x_tables import Check, XtContext
from netsim.stack.xt_tcpudp import unmodelled_option_bytes


def quota(match: QuotaMatch) -> Check:
    """Ref: quota_mt(): once a packet does not fit, no smaller one does. What is left is the rule's."""
    key = object()

    def check(ctx: XtContext) -> bool:
        packet = ctx.skb.packet
        length = skb_len(packet) + unmodelled_option_bytes(packet)
        left = ctx.state.quotas.get(key, match.quota)
        fits = left >= length
        ctx.state.quotas[key] = left - length if fits else 0
        return fits != match.inverted

    return check


_DIRECTIONS = {"original": (Direction.ORIGINAL,), "reply": (Direction.REPLY,), "both": tuple(Direction)}


def connbytes(match: ConnBytesMatch) -> Check:
    """Ref: connbytes_mt(). A packet without an entry never matches."""
    directions = _DIRECTIONS[match.direction]

    def check(ctx: XtContext) -> bool:
        ct = ctx.skb.ct
        if ct is None:
            return False
        packets = sum(ct.passed[each][0] for each in directions)
        octets = sum(ct.passed[each][1] for each in directions)
        what = {"packets": packets, "bytes": octets, "avgpkt": octets // packets if packets else 0}[match.mode]
        return (match.first <= what and (match.last is None or what <= match.last)) != match.inverted

    return check
