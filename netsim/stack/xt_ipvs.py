"""The ipvs match: packets that IPVS has dealt with, on their way to a real server. Ref: net/netfilter/xt_ipvs.c:ipvs_mt() (v6.12)."""

from __future__ import annotations

from netsim.rules.ipvs.ast import Forwarding
from netsim.rules.xtables.matches import IPVSMatch, IPVSMethod
from netsim.stack.ip_vs_conn import Conn
from netsim.stack.nf_conntrack_tuple import Direction
from netsim.stack.x_tables import Check, XtContext

METHODS = {
    IPVSMethod.GATE: Forwarding.DIRECT_ROUTE,
    IPVSMethod.IPIP: Forwarding.TUNNEL,
    IPVSMethod.MASQ: Forwarding.MASQUERADE,
}


def ipvs(match: IPVSMatch) -> Check:
    """Every part that is asked for must hold of the connection."""

    def check(ctx: XtContext) -> bool:
        if match.of_ipvs is not None:
            return ctx.skb.ipvs_property == match.of_ipvs
        if not ctx.skb.ipvs_property:
            return False
        conn = ctx.env.ipvs_connection(ctx.skb)
        return conn is not None and all(
            held != (name in match.inverted) for name, held in _parts(match, conn, ctx).items()
        )

    return check


def _parts(match: IPVSMatch, conn: Conn, ctx: XtContext) -> dict[str, bool]:
    vaddr = conn.key.vaddr
    found: dict[str, bool] = {}
    if match.protocol is not None:
        found["vproto"] = ctx.skb.packet.ip.protocol == match.protocol
    if match.port is not None:
        found["vport"] = conn.key.vport == match.port
    if match.control_port is not None:
        found["vportctl"] = conn.control is not None and conn.control.key.vport == match.control_port
    if match.reply is not None:
        ctinfo = ctx.skb.ctinfo
        if ctinfo is None:
            return {"vdir": "vdir" in match.inverted}
        found["vdir"] = (ctinfo.direction is Direction.REPLY) == match.reply
    if match.method is not None:
        found["vmethod"] = conn.forwarding is METHODS[match.method]
    if match.address is not None:
        found["vaddr"] = not isinstance(vaddr, int) and vaddr in match.address
    return found
