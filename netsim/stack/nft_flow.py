"""``flow add``: a connection is put into a flowtable, and its later packets pass the hooks by.

Ref: net/netfilter/nft_flow_offload.c:nft_flow_offload_eval() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable

from netsim.net.packet import Protocol, TCPFlags, TCPHeader
from netsim.stack.nf_conntrack_entry import CtStatus, NfConn
from netsim.stack.nf_conntrack_tcp import TCPState
from netsim.stack.skbuff import SkBuff
from netsim.stack.x_tables import Outcome, XtContext

_ENDING = TCPFlags.FIN | TCPFlags.RST


def flow_add(flowtable: tuple[str, str, str]) -> Callable[[XtContext], Outcome | None]:
    """Ends the rule where the connection cannot be offloaded (yet), or already is. ``flowtable`` is family, table and name."""

    def run(ctx: XtContext) -> Outcome | None:
        ct = ctx.skb.ct
        flows = ctx.state.nft.flows
        if ct is None or not _may_be_offloaded(ct, ctx.skb) or id(ct) in flows:
            return None
        flows[id(ct)] = (flowtable, ct)
        return Outcome(None, f"flow add @{flowtable[2]}: later packets of the connection pass the hooks by")

    return run


def _may_be_offloaded(ct: NfConn, skb: SkBuff) -> bool:
    """TCP once it is established both ways, UDP once the entry is in the table; never the last segments."""
    if not ct.has(CtStatus.CONFIRMED):
        return False
    match skb.packet.l4:
        case TCPHeader(flags=flags):
            return not flags & _ENDING and ct.tcp is TCPState.ESTABLISHED and ct.has(CtStatus.ASSURED)
        case _:
            return skb.packet.ip.protocol is Protocol.UDP
