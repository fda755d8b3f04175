"""NAT statements: dnat, snat, masquerade and redirect, through the NAT that iptables shares.

Ref: net/netfilter/nft_nat.c:nft_nat_eval(), nft_masq.c, nft_redir.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable

from netsim.net.address import Address
from netsim.rules.nft.ast import NAT, Binary, Concatenation, Expression, Lookup, Numgen
from netsim.rules.xtables.ast import MasqueradeTarget, RedirectTarget
from netsim.stack.environment import HookVerdict
from netsim.stack.nf_conntrack_core import NatBinding
from netsim.stack.nf_nat_core import HOOK2MANIP, Manip, NatRange, initialized, nf_nat_setup_info
from netsim.stack.nf_nat_masquerade import masquerade_range, redirect_range
from netsim.stack.nf_tables_expression import BoundsEval, Scope, compile_bounds
from netsim.stack.nft_data import Bounds
from netsim.stack.steps import NftRuleRef
from netsim.stack.x_tables import Apply, Outcome, RuleNotModelledError, XtContext
from netsim.stack.xt_nat import end_text

_ADDRESS = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}
_VERSION = {"ip": 4, "ip6": 6}

Ranger = Callable[[XtContext], "NatRange | None"]


def nat(statement: NAT, ref: NftRuleRef, scope: Scope) -> Callable[[XtContext], Outcome | None]:
    """Set up the connection's NAT, which ends the chain. A packet of the other family goes on with the next statement.

    Ref: net/netfilter/nft_nat.c:nft_nat_inet_eval(); nft(8) loads no dependency on the family (v6.12; nftables 1.0.6).
    """
    family = statement.family or (ref.family if ref.family in _VERSION else None)
    version = _VERSION.get(family or "")
    apply = _apply(statement, ref, _ranger(statement, scope, family))

    def run(ctx: XtContext) -> Outcome | None:
        if version is not None and ctx.skb.packet.ip.dst.version != version:
            return Outcome(None, f"{statement.kind} is for {family} alone")
        try:
            return apply(ctx)
        except _BreakRule:
            return None

    return run


_KINDS: dict[str, tuple[str, Manip]] = {
    # statement: name of the step, what it changes
    "dnat": ("DNAT", Manip.DST),
    "snat": ("SNAT", Manip.SRC),
    "masquerade": ("MASQUERADE", Manip.SRC),
    "redirect": ("REDIRECT", Manip.DST),
}


def _apply(statement: NAT, ref: NftRuleRef, ranger: Ranger) -> Apply:
    kind, manip = _KINDS[statement.kind]
    binding = NatBinding(kind, ref)

    def apply(ctx: XtContext) -> Outcome:
        ct = ctx.skb.ct
        if ct is None or HOOK2MANIP.get(ctx.hook) is not manip or initialized(ct, manip):
            raise RuleNotModelledError(f"{statement.kind} at {ctx.hook.value}, where the kernel refuses to load it")
        if kind == "MASQUERADE" and not int(ct.original.src):
            return Outcome(HookVerdict.ACCEPT, "masquerade: the source is unspecified, left alone")
        wanted = ranger(ctx)
        if wanted is None:
            return _without(statement, ctx)
        new = nf_nat_setup_info(ctx.state.conntrack, ctx.env, ct, wanted, manip, binding)
        if kind == "MASQUERADE":
            ct.masquerade_device = ctx.oif
        return Outcome(HookVerdict.ACCEPT, f"{kind} to {end_text(new, manip)}")

    return apply


def _without(statement: NAT, ctx: XtContext) -> Outcome:
    """No address: a device without one drops the packet; a map without an element ends the rule, not the packet."""
    if statement.kind in ("masquerade", "redirect"):
        device = ctx.oif or ctx.iif
        detail = f"{device} has no address that {statement.kind} could use"
        return Outcome(HookVerdict.DROP, statement.kind, "DROP", detail=detail)
    raise _BreakRule


class _BreakRule(Exception):  # noqa: N818 - it is no error
    """``NFT_BREAK`` from within an expression of the statement."""


def _ranger(statement: NAT, scope: Scope, family: str | None) -> Ranger:
    random = bool(statement.flags & {"random", "fully-random"})
    persistent = "persistent" in statement.flags
    kind = _ADDRESS.get(family or "", "")
    address = _of(statement.address, scope, (kind, "inet_service"))
    port = _of(statement.port, scope, ("inet_service",))
    if statement.kind == "masquerade":
        return lambda ctx: _local(ctx, port, random=random, masquerade=True)
    if statement.kind == "redirect":
        return lambda ctx: _local(ctx, port, random=random, masquerade=False)

    def wanted(ctx: XtContext) -> NatRange | None:
        ends = () if address is None else address(ctx)
        ports = () if port is None else port(ctx)
        if ends is None or ports is None:
            return None
        if statement.prefix and ends:
            ends = (_mapped(ctx, ends[0]), *ends[1:])
        return _range(ctx, (*ends[:1],), (*ends[1:], *ports), random=random, persistent=persistent)

    return wanted


def _mapped(ctx: XtContext, network: Bounds) -> Bounds:
    """The address in the new network with the host's bits of the packet's own. Ref: nft_nat_setup_netmap()."""
    ip = ctx.skb.packet.ip
    own = int(ip.src if HOOK2MANIP[ctx.hook] is Manip.SRC else ip.dst)
    first, last = network.first, network.last
    if isinstance(first, str) or isinstance(last, str):
        raise RuleNotModelledError(f"{first!r} as a network")
    address = first | own & (first ^ last)
    return Bounds(address, address)


def _of(expression: Expression | None, scope: Scope, kinds: tuple[str, ...]) -> BoundsEval | None:
    if expression is None:
        return None
    if isinstance(expression, Lookup | Concatenation):
        return compile_bounds(expression, scope, kinds)
    if isinstance(expression, Numgen | Binary):
        raise RuleNotModelledError("an address that is computed")
    return compile_bounds(expression, scope, kinds[:1])


def _range(
    ctx: XtContext, ends: tuple[Bounds, ...], ports: tuple[Bounds, ...], *, random: bool, persistent: bool
) -> NatRange:
    first = last = None
    if ends:
        first, last = _address(ctx, ends[0].first), _address(ctx, ends[0].last)
    low = high = None
    if ports:
        low, high = _port(ports[0].first), _port(ports[0].last)
    return NatRange(first, last, low, high, random, persistent)


def _address(ctx: XtContext, value: int | str) -> Address:
    if isinstance(value, str):
        raise RuleNotModelledError(f"{value!r} as an address")
    return type(ctx.skb.packet.ip.dst)(value)


def _port(value: int | str) -> int:
    if isinstance(value, str):
        raise RuleNotModelledError(f"{value!r} as a port")
    return value


def _local(ctx: XtContext, port: BoundsEval | None, *, random: bool, masquerade: bool) -> NatRange | None:
    """An address of this host. Ref: nft_masq.c:nft_masq_ipv4_eval(), nft_redir.c:nft_redir_eval()."""
    ports = () if port is None else port(ctx)
    if ports is None:
        raise _BreakRule
    low = _port(ports[0].first) if ports else None
    high = _port(ports[0].last) if ports else None
    if masquerade:
        return masquerade_range(MasqueradeTarget(low, high, random_fully=random), ctx)
    return redirect_range(RedirectTarget(low, high, random), ctx)
