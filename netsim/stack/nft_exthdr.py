"""The TCP option for the segment size. Ref: net/netfilter/nft_exthdr.c:nft_exthdr_tcp_eval(), nft_exthdr_tcp_set_eval() (v6.12)."""

from __future__ import annotations

from netsim.net.packet import TCPHeader
from netsim.stack.nft_registers import Register
from netsim.stack.x_tables import XtContext


def tcp_option(ctx: XtContext) -> int | None:
    """``tcp option maxseg size``; None where the packet has no such option."""
    header = ctx.skb.packet.l4
    return header.mss if isinstance(header, TCPHeader) else None


def set_tcp_option(ctx: XtContext, value: Register) -> str | None:
    """Write the size, if it makes it smaller: a larger one could stall the connection. None where there is no option."""
    before = tcp_option(ctx)
    assert isinstance(value, int)
    if before is None:
        return None
    if value >= before:
        return f"MSS {before} stays"
    ctx.skb.packet = ctx.skb.packet.with_l4(mss=value)
    return f"MSS {before} → {value}"
