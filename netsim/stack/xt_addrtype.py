"""The addrtype match: what the FIB says of an address. Ref: net/netfilter/xt_addrtype.c:addrtype_mt_v1() (v6.12)."""

from __future__ import annotations

from netsim.net.address import Address
from netsim.rules.xtables.ast import AddressType, AddrTypeMatch
from netsim.stack.x_tables import Check, XtContext


def addrtype(match: AddrTypeMatch) -> Check:
    """Source first, then destination; ``--limit-iface-in`` and ``-out`` ask for one device only."""

    def check(ctx: XtContext) -> bool:
        ip = ctx.skb.packet.ip
        device = ctx.iif if match.limit_iface_in else ctx.oif if match.limit_iface_out else None
        if not _is(ctx, ip.src, match.source, device or None, inverted=match.source_inverted):
            return False
        return _is(ctx, ip.dst, match.destination, device or None, inverted=match.destination_inverted)

    return check


def _is(
    ctx: XtContext, address: Address, wanted: frozenset[AddressType] | None, device: str | None, *, inverted: bool
) -> bool:
    if wanted is None:
        return True
    if address.version == 6:
        return ctx.env.is_address_type6(address, wanted, device) != inverted
    return (ctx.env.address_type(address, device) in wanted) != inverted
