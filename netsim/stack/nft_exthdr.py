"""Parts that a packet may have or not: TCP options, IP options, IPv6 extension headers, SCTP chunks.

No packet of the model has an IP option, or an IPv6 extension header but that of a fragment.
Ref: net/netfilter/nft_exthdr.c:nft_exthdr_tcp_eval(), nft_exthdr_tcp_set_eval(), nft_exthdr_tcp_strip_eval() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable

from netsim.net.packet import SCTPChunk, SCTPHeader, TCPFlags, TCPHeader
from netsim.rules.nft.ast import HeaderPart, ResetOption, TCPOption
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_registers import Register
from netsim.stack.x_tables import Outcome, RuleNotModelledError, XtContext
from netsim.stack.xt_tcpudp import tcp_options

_KINDS = {
    # nft's name: kind of the option, its length in bytes (0: a single byte without one). RFC 9293, 7323, 2018, 2385, 7413, 8684
    "eol": (0, 0),
    "nop": (1, 0),
    "maxseg": (2, 4),
    "window": (3, 3),
    "sack-perm": (4, 2),
    "sack": (5, 0),
    "timestamp": (8, 10),
    "md5sig": (19, 18),
    "mptcp": (30, 0),
    "fastopen": (34, 0),
}


def tcp_option(expression: TCPOption) -> Eval:
    """A field of an option, or whether there is one (1 or 0); None where the packet has no such option."""
    kind, length = _KINDS[expression.name]

    def value(ctx: XtContext) -> int | None:
        header = ctx.skb.packet.l4
        if not isinstance(header, TCPHeader) or ctx.skb.packet.ip.fragment_offset:
            return None
        there = kind in tcp_options(header)
        if not expression.field:
            return int(there)
        return _field(expression, header, kind, length) if there else None

    return value


def _field(expression: TCPOption, header: TCPHeader, kind: int, length: int) -> int | None:
    match expression.field:
        case "kind":
            return kind
        case "length":
            return length
        case "size":
            return header.mss
        case "count":
            return header.wscale if header.wscale is not None else _unknown(expression)
        case _:
            return _unknown(expression)


def _unknown(expression: TCPOption) -> int:
    raise RuleNotModelledError(f"tcp option {expression.name} {expression.field}")


def header_part(expression: HeaderPart) -> Eval:
    """Whether a part is there (1 or 0), or a field of it."""
    if expression.kind == "sctp chunk":
        return lambda ctx: _chunk(expression, ctx)
    return lambda ctx: _absent(expression, ctx)


def _absent(expression: HeaderPart, ctx: XtContext) -> int | None:
    """A fragment has a header of its own in IPv6; other parts no packet of the model has."""
    packet = ctx.skb.packet
    if packet.ip.dst.version != (4 if expression.kind == "ip option" else 6):
        return None
    fragment = packet.ip.more_fragments or packet.ip.fragment_offset > 0
    if expression.name != "frag" or not fragment:
        return None if expression.field else 0
    return {
        "": 1,
        "nexthdr": int(packet.ip.protocol),
        "frag-off": packet.ip.fragment_offset // 8,
        "more-fragments": int(packet.ip.more_fragments),
        "id": packet.ip.identification,
    }[expression.field]


def _chunk(expression: HeaderPart, ctx: XtContext) -> int | None:
    header = ctx.skb.packet.l4
    if not isinstance(header, SCTPHeader) or ctx.skb.packet.ip.fragment_offset:
        return None
    there = header.chunk.name.lower().replace("_", "-") == expression.name
    if not expression.field:
        return int(there)
    if not there:
        return None
    if expression.field == "type":
        return int(SCTPChunk(header.chunk))
    raise RuleNotModelledError(f"sctp chunk {expression.name} {expression.field}")


# --- writing ----------------------------------------------------------------------------------------------------


def set_tcp_option(target: TCPOption, ctx: XtContext, value: Register) -> str | None:
    """Write the segment size, if it makes it smaller: a larger one could stall the connection. None where there is no option."""
    if (target.name, target.field) != ("maxseg", "size"):
        raise RuleNotModelledError(f"tcp option {target.name} {target.field} set")
    header = ctx.skb.packet.l4
    before = header.mss if isinstance(header, TCPHeader) else None
    assert isinstance(value, int)
    if before is None:
        return None
    if value >= before:
        return f"MSS {before} stays"
    ctx.skb.packet = ctx.skb.packet.with_l4(mss=value)
    return f"MSS {before} → {value}"


def reset(statement: ResetOption) -> Callable[[XtContext], Outcome | None]:
    """A segment goes on without the option, any other packet ends the rule. Ref: nft_exthdr_tcp_strip_eval().

    Of the options only the segment size and the window's scale are kept with a packet of the model.
    """
    kept = {"maxseg": "mss", "window": "wscale"}.get(statement.name)

    def run(ctx: XtContext) -> Outcome | None:
        header = ctx.skb.packet.l4
        if not isinstance(header, TCPHeader):
            return None
        if kept is not None and header.flags & TCPFlags.SYN:
            ctx.skb.packet = ctx.skb.packet.with_l4(**{kept: None})
        return Outcome(None, f"tcp option {statement.name} overwritten")

    return run
