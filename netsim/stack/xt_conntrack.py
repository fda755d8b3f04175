"""Matches on the conntrack entry: conntrack and state.

Ref: net/netfilter/xt_conntrack.c:conntrack_mt(), xt_state.c:state_mt() (v6.12).
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.rules.xtables.ast import ConntrackMatch, CtState, CtStatusName, PortMatch, PrefixMatch
from netsim.stack.nf_conntrack_core import CtStatus, Direction, NfConn
from netsim.stack.skbuff import SkBuff
from netsim.stack.x_tables import Check, XtContext


def conntrack(match: ConntrackMatch) -> Check:
    """All that is asked must hold. A packet without an entry can only match a state (INVALID or UNTRACKED)."""

    def check(ctx: XtContext) -> bool:
        ct = ctx.skb.ct
        if match.states is not None and bool(match.states & _states(ctx.skb)) == match.states_inverted:
            return False
        if ct is None:
            return match.states is not None
        if not (_direction(match, ctx.skb) and _protocol(match, ct) and _tuples(match, ct)):
            return False
        return _status(match, ct) and _expire(match, ct, ctx.env.clock.now())

    return check


def _states(skb: SkBuff) -> frozenset[CtState]:
    if skb.ct is None or skb.ctinfo is None:
        return frozenset({CtState.UNTRACKED if skb.untracked else CtState.INVALID})
    found = {CtState(skb.ctinfo.state)}
    if skb.ct.has(CtStatus.SRC_NAT):
        found.add(CtState.SNAT)
    if skb.ct.has(CtStatus.DST_NAT):
        found.add(CtState.DNAT)
    return frozenset(found)


def _direction(match: ConntrackMatch, skb: SkBuff) -> bool:
    assert skb.ctinfo is not None
    return match.direction is None or skb.ctinfo.direction is Direction(match.direction.upper())


def _protocol(match: ConntrackMatch, ct: NfConn) -> bool:
    asked = match.protocol
    return asked is None or (ct.original.protocol == asked.number) != asked.inverted


_STATUS = {
    # NONE and EXPECTED are no bits of any entry here: the model has no expectations
    CtStatusName.SEEN_REPLY: CtStatus.SEEN_REPLY,
    CtStatusName.ASSURED: CtStatus.ASSURED,
    CtStatusName.CONFIRMED: CtStatus.CONFIRMED,
}


def _status(match: ConntrackMatch, ct: NfConn) -> bool:
    if match.status is None:
        return True
    return any(ct.has(_STATUS[name]) for name in match.status if name in _STATUS) != match.status_inverted


def _expire(match: ConntrackMatch, ct: NfConn, now: float) -> bool:
    """Seconds left, rounded down; 0 for an entry that is not confirmed, whose time does not run yet."""
    if match.expire is None:
        return True
    left = int(max(0.0, ct.deadline - now)) if ct.confirmed else 0
    return (left in match.expire) != match.expire_inverted


def _tuples(match: ConntrackMatch, ct: NfConn) -> bool:
    original, reply = ct.original, ct.reply
    return (
        _prefix(match.original_source, original.src)
        and _prefix(match.original_destination, original.dst)
        and _prefix(match.reply_source, reply.src)
        and _prefix(match.reply_destination, reply.dst)
        and _port(match.original_source_port, original.sport)
        and _port(match.original_destination_port, original.dport)
        and _port(match.reply_source_port, reply.sport)
        and _port(match.reply_destination_port, reply.dport)
    )


def _prefix(match: PrefixMatch | None, address: Address) -> bool:
    return match is None or (address in match.prefix) != match.inverted


def _port(match: PortMatch | None, port: int) -> bool:
    return match is None or (match.ports.first <= port <= match.ports.last) != match.inverted
