"""The ct expression: the packet's conntrack entry.

Ref: net/netfilter/nft_ct.c:nft_ct_get_eval(), nft_ct_set_eval(), nft_notrack_eval() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable

from netsim.rules.nft.ast import Ct
from netsim.stack.nf_conntrack_core import ConntrackTuple, Direction, NfConn
from netsim.stack.nf_conntrack_tuple import DEFAULT_ZONE, ICMP_PROTOCOLS, Zone
from netsim.stack.nft_data import NUMBERS
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_meta import MARK_BITS, NFPROTO
from netsim.stack.nft_registers import Register
from netsim.stack.x_tables import Outcome, RuleNotModelledError, XtContext

STATES = NUMBERS["ct_state"]
_DIRECTIONS = {"original": Direction.ORIGINAL, "reply": Direction.REPLY}
ACCOUNTING = ("bytes", "packets", "avgpkt")


def ct(expression: Ct) -> Eval:
    """A key's value. Without an entry only ``state`` has one: ``invalid``, or ``untracked`` after notrack."""
    key, named = expression.key, expression.direction
    if key == "state":
        return _state
    if key == "direction":
        return _direction
    if key in ACCOUNTING:
        return _accounting(key, None if named is None else _DIRECTIONS[named])
    found = _of_entry(key) or _of_tuple(key)

    def entry(ctx: XtContext) -> Register | None:
        if ctx.skb.ct is None or ctx.skb.ctinfo is None:
            return None
        direction = _DIRECTIONS[named] if named is not None else ctx.skb.ctinfo.direction
        return found(ctx.skb.ct, direction, ctx.env.clock.now())

    return entry


def _direction(ctx: XtContext) -> int | None:
    """0 of the original direction, 1 of the reply's."""
    if ctx.skb.ct is None or ctx.skb.ctinfo is None:
        return None
    return int(ctx.skb.ctinfo.direction is Direction.REPLY)


def _accounting(key: str, named: Direction | None) -> Eval:
    """Packets or bytes of a direction, or of both; their quotient. A rule that asks turns accounting on for what comes after it.

    Ref: nft_ct_get_init(): nf_ct_set_acct(); nft_ct_get_eval_counter().
    """
    directions = tuple(Direction) if named is None else (named,)

    def value(ctx: XtContext) -> int | None:
        ct = ctx.skb.ct
        if ct is None:
            return None
        packets = sum(ct.passed[each][0] for each in directions)
        octets = sum(ct.passed[each][1] for each in directions)
        if key == "avgpkt":
            return octets // packets if packets else 0
        return packets if key == "packets" else octets

    return value


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
            return lambda entry, _direction, now: _expires(entry, now)
        case "zone":
            return lambda entry, direction, _now: entry.zone.of(direction)
        case "secmark":
            return lambda _entry, _direction, _now: 0
        case "helper":
            return lambda _entry, _direction, _now: None
        case _:
            return None


def _expires(entry: NfConn, now: float) -> int:
    """Milliseconds; an entry that is not in the table yet has none. Ref: nf_ct_expires()."""
    return max(0, int((entry.deadline - now) * 1000)) if entry.confirmed else 0


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
    """What ``ct mark set …`` does: nothing to a packet without an entry. ``zone`` is chosen before conntrack looks."""
    match target.key:
        case "mark":
            pass
        case "zone":
            return _zone_setter(target)
        case "event" | "label" | "secmark":
            return lambda _ctx, value: f"ct {target.key} {value}"
        case key:
            raise RuleNotModelledError(f"ct {key} set")

    def set_mark(ctx: XtContext, value: Register) -> str:
        entry = ctx.skb.ct
        if entry is None:
            return "ct mark: no conntrack entry"
        assert isinstance(value, int)
        before, entry.mark = entry.mark, value & MARK_BITS
        return f"ct mark {before:#x} → {entry.mark:#x}"

    return set_mark


def _zone_setter(target: Ct) -> Callable[[XtContext, Register], str]:
    """A packet that has an entry, or a template, keeps it; one that ``notrack`` marked is tracked after all.

    Ref: nft_ct_set_zone_eval(), which looks at no ctinfo (v6.18).
    """
    directions = tuple(Direction) if target.direction is None else (_DIRECTIONS[target.direction],)

    def set_zone(ctx: XtContext, value: Register) -> str:
        assert isinstance(value, int)
        skb = ctx.skb
        if skb.ct is not None or skb.template is not None:
            return "ct zone: decided already"
        skb.untracked, skb.ctinfo = False, None
        skb.template = Zone(value & 0xFFFF, directions) if value & 0xFFFF else DEFAULT_ZONE
        return f"ct zone {value}"

    return set_zone


def set_object(kind: str, name: str) -> Callable[[XtContext], Outcome | None]:
    """``ct helper set``, ``ct timeout set``, ``ct expectation set``: they change what an entry expects or how long it lives."""
    said = Outcome(None, f"{kind} {name} (what it does to the connection is not modelled)")
    return lambda _: said


def notrack(ctx: XtContext) -> Outcome | None:
    """A packet that has an entry already keeps it, and so does one that has a template. Ref: nft_notrack_eval() (v6.18)."""
    if ctx.skb.ct is not None:
        return Outcome(None, "notrack: tracked already")
    if ctx.skb.template is not None:
        return Outcome(None, "notrack: a zone is set already")
    ctx.skb.untracked = True
    return Outcome(None, "notrack")
