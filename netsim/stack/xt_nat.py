"""NAT targets: DNAT, SNAT, MASQUERADE, REDIRECT, NETMAP.

Ref: net/netfilter/xt_nat.c:xt_dnat_target_v2(), xt_snat_target_v2(), xt_MASQUERADE.c, xt_REDIRECT.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable

from netsim.net.packet import endpoint
from netsim.rules.xtables.ast import DNATTarget, MasqueradeTarget, NATRange, RedirectTarget, SNATTarget
from netsim.rules.xtables.targets import NetmapTarget
from netsim.stack.environment import HookVerdict
from netsim.stack.nf_conntrack_core import ConntrackTuple, NatBinding
from netsim.stack.nf_conntrack_tuple import ICMP_PROTOCOLS
from netsim.stack.nf_nat_core import HOOK2MANIP, PORTS, Manip, NatRange, initialized, nf_nat_setup_info
from netsim.stack.nf_nat_masquerade import masquerade_range, redirect_range
from netsim.stack.steps import RuleRef
from netsim.stack.x_tables import Apply, Outcome, RuleNotModelledError, XtContext


def dnat(target: DNATTarget, ref: RuleRef) -> Apply:
    """Ref: xt_dnat_target_v2()."""
    wanted = _range(target.to, random=target.random, persistent=target.persistent)
    return _nat("DNAT", Manip.DST, ref, lambda _: wanted)


def snat(target: SNATTarget, ref: RuleRef) -> Apply:
    """Ref: xt_snat_target_v2()."""
    wanted = _range(target.to, random=target.random or target.random_fully, persistent=target.persistent)
    return _nat("SNAT", Manip.SRC, ref, lambda _: wanted)


def masquerade(target: MasqueradeTarget, ref: RuleRef) -> Apply:
    """Ref: masquerade_tg(); the entry remembers the device and goes with it."""

    def apply(ctx: XtContext) -> Outcome:
        ct = ctx.skb.ct
        if ct is not None and not int(ct.original.src):
            return Outcome(HookVerdict.ACCEPT, "MASQUERADE: the source is unspecified, left alone")
        outcome = nat(ctx)
        if ct is not None and outcome.verdict is HookVerdict.ACCEPT:
            ct.masquerade_device = ctx.oif
        return outcome

    nat = _nat("MASQUERADE", Manip.SRC, ref, lambda ctx: masquerade_range(target, ctx))
    return apply


def redirect(target: RedirectTarget, ref: RuleRef) -> Apply:
    """Ref: redirect_tg4(), redirect_tg6()."""
    return _nat("REDIRECT", Manip.DST, ref, lambda ctx: redirect_range(target, ctx))


def netmap(target: NetmapTarget, ref: RuleRef) -> Apply:
    """Ref: netmap_tg4(), netmap_tg6(): the host part of the packet's own address stays."""
    prefix = target.to
    hosts = int(prefix.hostmask)

    def wanted(manip: Manip, ctx: XtContext) -> NatRange:
        ip = ctx.skb.packet.ip
        own = ip.src if manip is Manip.SRC else ip.dst
        address = type(own)(int(prefix.network_address) | int(own) & hosts)
        return NatRange(address, address)

    destination = _nat("NETMAP", Manip.DST, ref, lambda ctx: wanted(Manip.DST, ctx))
    source = _nat("NETMAP", Manip.SRC, ref, lambda ctx: wanted(Manip.SRC, ctx))
    return lambda ctx: source(ctx) if HOOK2MANIP.get(ctx.hook) is Manip.SRC else destination(ctx)


def _range(to: NATRange, *, random: bool, persistent: bool) -> NatRange:
    last = to.first if to.last is None else to.last
    port_last = to.port_first if to.port_last is None else to.port_last
    return NatRange(to.first, last, to.port_first, port_last, random, persistent)


def _nat(kind: str, manip: Manip, ref: RuleRef, wanted: Callable[[XtContext], NatRange | None]) -> Apply:
    binding = NatBinding(kind, ref)

    def apply(ctx: XtContext) -> Outcome:
        ct = ctx.skb.ct
        if ct is None or HOOK2MANIP.get(ctx.hook) is not manip or initialized(ct, manip):
            raise RuleNotModelledError(
                f"-j {kind} in {ctx.hook.value} of table {ref.table}, where the kernel refuses to load it"
            )
        given = wanted(ctx)
        if given is None:
            device = ctx.oif or ctx.iif
            return Outcome(HookVerdict.DROP, kind, kind, detail=f"{device} has no address that {kind} could use")
        new = nf_nat_setup_info(ctx.state.conntrack, ctx.env, ct, given, manip, binding)
        return Outcome(HookVerdict.ACCEPT, f"{kind} to {end_text(new, manip)}")

    return apply


def end_text(key: ConntrackTuple, manip: Manip) -> str:
    """The end of a tuple that was changed: ``10.244.1.7:8080``."""
    address = key.src if manip is Manip.SRC else key.dst
    if key.protocol in ICMP_PROTOCOLS or key.protocol not in PORTS:
        return endpoint(address, None)
    return endpoint(address, key.sport if manip is Manip.SRC else key.dport)
