"""The fib expression: what the routing tables say of an address of the packet.

Ref: net/ipv4/netfilter/nft_fib_ipv4.c, net/ipv6/netfilter/nft_fib_ipv6.c, net/netfilter/nft_fib.c (v6.12).
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.rules.nft.ast import Fib
from netsim.stack.nft_data import NUMBERS
from netsim.stack.nft_expression import Eval
from netsim.stack.steps import Hook
from netsim.stack.x_tables import RuleNotModelledError, XtContext

_TYPES = NUMBERS["fib_addrtype"]
MISSING = ""
"""The device where there is none: ``fib saddr . iif oif missing``."""


def fib(expression: Fib) -> Eval:
    """``type`` is a number of ``RTN_*``, ``oif`` and ``oifname`` a device's name, ``MISSING`` where no unicast route is found.

    ``check`` is 1 where there is such a route, else 0.
    """
    inputs, result = frozenset(expression.inputs), expression.result
    if len(inputs & {"saddr", "daddr"}) != 1 or {"iif", "oif"} <= inputs:
        raise RuleNotModelledError(f"fib {' . '.join(expression.inputs)} {result}, which the kernel refuses to load")
    if result == "type":
        return lambda ctx: _type(ctx, inputs)
    if result == "check":
        return lambda ctx: int(_device(ctx, inputs) != MISSING)
    return lambda ctx: _device(ctx, inputs)


def _asked(ctx: XtContext, inputs: frozenset[str]) -> tuple[Address, Address]:
    """The address that is looked up, and the packet's other one."""
    ip = ctx.skb.packet.ip
    return (ip.dst, ip.src) if "daddr" in inputs else (ip.src, ip.dst)


def _type(ctx: XtContext, inputs: frozenset[str]) -> int:
    """Ref: nft_fib4_eval_type(), nft_fib6_eval_type()."""
    device = ctx.iif if "iif" in inputs else ctx.oif if "oif" in inputs else ""
    return _TYPES.get(ctx.env.fib_type(_asked(ctx, inputs)[0], device or None).value.lower(), 0)


def _device(ctx: XtContext, inputs: frozenset[str]) -> str:
    """Ref: nft_fib4_eval(), nft_fib6_eval()."""
    address, other = _asked(ctx, inputs)
    device = ctx.iif if "iif" in inputs else ctx.oif if "oif" in inputs else ""
    if "saddr" in inputs and ctx.hook is Hook.PREROUTING and ctx.iif == "lo":
        return ctx.iif
    source = None if other.is_multicast or other.is_unspecified or int(other) == 0xFFFFFFFF else other
    mark = ctx.skb.mark if "mark" in inputs else 0
    return ctx.env.route_device(address, source, device or None, mark) or MISSING
