"""NAT to an address of this host: MASQUERADE and REDIRECT.

Ref: net/netfilter/nf_nat_masquerade.c, nf_nat_redirect.c (v6.12).
"""

from __future__ import annotations

from netsim.net.address import Address, parse_address
from netsim.rules.xtables.ast import MasqueradeTarget, RedirectTarget
from netsim.stack.nf_nat_core import NatRange
from netsim.stack.steps import Hook
from netsim.stack.x_tables import XtContext

LOOPBACK = {4: parse_address("127.0.0.1"), 6: parse_address("::1")}


def masquerade_range(target: MasqueradeTarget, ctx: XtContext) -> NatRange | None:
    """The source address that the output device would give a packet to its next hop; None where it has none.

    Ref: nf_nat_masquerade_ipv4(), nf_nat_masquerade_ipv6().
    """
    packet = ctx.skb.packet
    gateway = ctx.skb.nexthop.gateway if ctx.skb.nexthop is not None else None
    towards = gateway if gateway is not None and packet.ip.dst.version == 4 else packet.ip.dst
    address = ctx.env.select_source(ctx.oif, towards)
    if address is None:
        return None
    last = target.port_first if target.port_last is None else target.port_last
    return NatRange(address, address, target.port_first, last, target.random or target.random_fully)


def redirect_range(target: RedirectTarget, ctx: XtContext) -> NatRange | None:
    """Loopback for packets made here, else the first address of the device they came in by; None where it has none.

    Ref: nf_nat_redirect_ipv4(), nf_nat_redirect_ipv6().
    """
    packet = ctx.skb.packet
    address: Address | None = LOOPBACK[packet.ip.dst.version]
    if ctx.hook is not Hook.OUTPUT:
        address = ctx.env.first_address(ctx.iif, packet.ip.dst)
    if address is None:
        return None
    last = target.port_first if target.port_last is None else target.port_last
    return NatRange(address, address, target.port_first, last, target.random)
