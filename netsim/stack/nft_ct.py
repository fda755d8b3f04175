"""The ct expression: the packet's conntrack entry.

Ref: net/netfilter/nft_ct.c:nft_ct_get_eval(), nft_ct_set_eval(), nft_notrack_eval() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable

from netsim.rules.nft.ast import Ct
from netsim.stack.nf_conntrack_core import ConntrackTuple, Direction, NfConn
from netsim.stack.nf_conntrack_tuple import ICMP_PROTOCOLS
from netsim.stack.nft_data import NUMBERS
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_meta import MARK_BITS, NFPROTO
from netsim.stack.nft_registers import Register
from netsim.stack.x_tables import Outcome, RuleNotModelledError, XtContext

STATES = NUMBERS["ct_state"]
_DIRECTIONS = {"original": Direction.ORIGINAL, "reply": Direction.REPLY}
DEFAULT_ZONE = 0


def ct(expression: Ct) -> Eval:
    """A key's value. Without an entry only ``state`` has one: ``invalid``, or ``untracked`` after notrack."""
    key, named = expression.key, expression.direction
    if key == "state":
        return _state
    if key == "direction":
        return lambda ctx: None if ctx.skb.ctinfo is None else int(ctx.skb.ctinfo.direction is Direction.REPLY)
    found = _of_entry(key) or _of_tuple(key)

    def entry(ctx: XtContext) -> Register | None:
        if ctx.skb.ct is None or ctx.skb.ctinfo is None:
            return None
        direction = _DIRECTIONS[named] if named is not None else ctx.skb.ctinfo.direction
        return found(ctx.skb.ct, direction, ctx.env.clock.now())

    return entry


def _state(ctx: XtContext) -> int:
    skb = ctx.skb
    if skb.ct is None or skb.ctinfo is None:
        return STATES["untracked" if skb.untracked else "invalid"]
    return STATES[skb.ctinfo.state.lower()]


def _of_entry(key: str) -> Callable[[NfConn, Direction, float], Register | None] | None:
    match key:
        case "status":
            return lambda entry, _direction, _now: int(entry.status)
        case "mark":
            return lambda entry, _direction, _now: entry.mark
        case "expiration":
            return lambda entry, _direction, now: max(0, int((entry.deadline - now) * 1000))
        case "zone":
            return lambda _entry, _direction, _now: DEFAULT_ZONE
        case _:
            return None


def _of_tuple(key: str) -> Callable[[NfConn, Direction, float], Register | None]:
    match key:
        case "l3proto":
            return lambda entry, direction, _now: NFPROTO[entry.tuple(direction).src.version]
        case "protocol":
            return lambda entry, direction, _now: entry.tuple(direction).protocol
        case "proto-src":
            return lambda entry, direction, _now: entry.tuple(direction).sport
        case "proto-dst":
            return lambda entry, direction, _now: _proto_dst(entry.tuple(direction))
        case "ip saddr" | "ip6 saddr" | "ip daddr" | "ip6 daddr":
            version, source = (4 if key.startswith("ip ") else 6), key.endswith("saddr")
            return lambda entry, direction, _now: _address(entry.tuple(direction), version, source=source)
        case _:
            raise RuleNotModelledError(f"ct {key}")


def _proto_dst(key: ConntrackTuple) -> int:
    """``dst.u.all``; of an ICMP tuple it is type and code."""
    return key.dport if key.protocol not in ICMP_PROTOCOLS else key.icmp_type << 8 | key.icmp_code


def _address(key: ConntrackTuple, version: int, *, source: bool) -> int | None:
    address = key.src if source else key.dst
    return int(address) if address.version == version else None


def set_ct(target: Ct) -> Callable[[XtContext, Register], str]:
    """What ``ct mark set …`` does: nothing to a packet without an entry."""
    if target.key != "mark":
        raise RuleNotModelledError(f"ct {target.key} set")

    def set_mark(ctx: XtContext, value: Register) -> str:
        entry = ctx.skb.ct
        if entry is None:
            return "ct mark: no conntrack entry"
        assert isinstance(value, int)
        before, entry.mark = entry.mark, value & MARK_BITS
        return f"ct mark {before:#x} → {entry.mark:#x}"

    return set_mark


def notrack(ctx: XtContext) -> Outcome | None:
    """A packet that has an entry already keeps it."""
    if ctx.skb.ct is not None:
        return Outcome(None, "notrack: tracked already")
    ctx.skb.untracked = True
    return Outcome(None, "notrack")
