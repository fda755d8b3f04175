"""The expressions rt and socket: what routing decided, and who would take the packet.

Ref: net/netfilter/nft_rt.c:nft_rt_get_eval(), get_tcpmss(), nft_socket.c:nft_socket_eval() (v6.12).
"""

from __future__ import annotations

from netsim.rules.nft.ast import Rt, SocketKey
from netsim.stack.nft_expression import Eval
from netsim.stack.x_tables import XtContext

_HEADERS = {4: 20 + 20, 6: 40 + 20}
TCP_MSS_DEFAULT = 536


def rt(expression: Rt) -> Eval:
    """``mtu`` is the segment size that fits both ways; ``nexthop`` the neighbour it goes to; neither is there before routing."""
    match expression.key:
        case "mtu":
            return _tcpmss
        case "classid":
            return lambda ctx: None if ctx.skb.nexthop is None else 0
        case "ipsec":
            return lambda ctx: None if ctx.skb.nexthop is None else 0
    version = 6 if expression.key.startswith("ip6 ") else 4
    return lambda ctx: _nexthop(ctx, version)


def _tcpmss(ctx: XtContext) -> int | None:
    if ctx.skb.nexthop is None:
        return None
    headers = _HEADERS[ctx.skb.packet.ip.dst.version]
    mtu = ctx.env.mtu_both_ways(ctx.skb)
    return mtu - headers if headers < mtu <= 0xFFFF else TCP_MSS_DEFAULT


def _nexthop(ctx: XtContext, version: int) -> int | None:
    nexthop, destination = ctx.skb.nexthop, ctx.skb.packet.ip.dst
    if nexthop is None or destination.version != version:
        return None
    return int(nexthop.gateway if nexthop.gateway is not None else destination)


_NEVER_SET = 0


def socket(expression: SocketKey) -> Eval:
    """``transparent`` and ``mark`` are 0: no process here sets IP_TRANSPARENT, or SO_MARK of a listening socket.

    ``wildcard`` tells whether the socket is bound to no address.
    """

    def value(ctx: XtContext) -> int | None:
        found = ctx.env.socket_of(ctx.skb)
        if found is None:
            return None
        return int(found.wildcard) if expression.key == "wildcard" else _NEVER_SET

    return value
