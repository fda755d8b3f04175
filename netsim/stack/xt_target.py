"""Every target but the ones that only steer the walk (verdicts and jumps), compiled to one function.

Ref: net/netfilter/xt_CT.c:notrack_tg(), xt_LOG.c, net/ipv4/netfilter/ipt_REJECT.c:reject_tg() (v6.12).
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from netsim.rules.xtables.ast import (
    ConnmarkTarget,
    DNATTarget,
    LogTarget,
    MarkTarget,
    MasqueradeTarget,
    NotModelledTarget,
    NoTrackTarget,
    RedirectTarget,
    RejectTarget,
    SNATTarget,
)
from netsim.rules.xtables.targets import (
    CTTarget,
    NetmapTarget,
    PassiveTarget,
    QueueTarget,
    SetTarget,
    TCPMSSTarget,
    TOSTarget,
    TProxyTarget,
    TTLTarget,
)
from netsim.stack import xt_ct, xt_header, xt_mark, xt_nat, xt_set, xt_socket
from netsim.stack.environment import HookVerdict
from netsim.stack.reasons import DropReason
from netsim.stack.steps import RuleRef
from netsim.stack.x_tables import Apply, Outcome, RuleNotModelledError, XtContext

Action: TypeAlias = (
    RejectTarget
    | DNATTarget
    | SNATTarget
    | MasqueradeTarget
    | RedirectTarget
    | MarkTarget
    | ConnmarkTarget
    | NoTrackTarget
    | LogTarget
    | QueueTarget
    | NetmapTarget
    | TProxyTarget
    | TCPMSSTarget
    | TOSTarget
    | TTLTarget
    | CTTarget
    | SetTarget
    | PassiveTarget
    | NotModelledTarget
)


def compile_target(target: Action, ref: RuleRef) -> Apply:  # noqa: C901 - one line a target
    """What a rule does with a packet that it matched."""
    match target:
        case RejectTarget():
            return _reject(target)
        case DNATTarget():
            return xt_nat.dnat(target, ref)
        case SNATTarget():
            return xt_nat.snat(target, ref)
        case MasqueradeTarget():
            return xt_nat.masquerade(target, ref)
        case RedirectTarget():
            return xt_nat.redirect(target, ref)
        case MarkTarget():
            return xt_mark.set_mark(target)
        case ConnmarkTarget():
            return xt_mark.set_connmark(target)
        case NoTrackTarget():
            return _notrack
        case LogTarget():
            return _log(target)
        case QueueTarget():
            return _queue(target)
        case NetmapTarget():
            return xt_nat.netmap(target, ref)
        case TProxyTarget():
            return xt_socket.tproxy(target)
        case TCPMSSTarget():
            return xt_header.set_mss(target)
        case TOSTarget():
            return xt_header.set_tos(target)
        case TTLTarget():
            return xt_header.set_ttl(target)
        case CTTarget():
            return xt_ct.set_ct(target)
        case SetTarget():
            return xt_set.change_sets(target)
        case PassiveTarget():
            return _passive(target)
        case NotModelledTarget():
            return _not_modelled(target)
        case _:
            assert_never(target)


def _reject(target: RejectTarget) -> Apply:
    def apply(ctx: XtContext) -> Outcome:
        ctx.env.send_reject(ctx.skb, ctx.hook, target.kind)
        effect = f"REJECT with {target.kind}"
        return Outcome(HookVerdict.DROP, effect, "REJECT", DropReason.NETFILTER_REJECT, target.kind)

    return apply


def _notrack(ctx: XtContext) -> Outcome:
    """A packet that has an entry already keeps it; one that a CT rule decided about, or an answer to an untracked packet, is looked up.

    Ref: net/netfilter/xt_CT.c:notrack_tg(), ``skb->_nfct != 0`` (v6.18).
    """
    if ctx.skb.ct is not None:
        return Outcome(None, "NOTRACK: tracked already")
    if ctx.skb.template is not None:
        return Outcome(None, "NOTRACK: a CT rule decided already")
    if ctx.skb.ctinfo is not None:
        return Outcome(None, "NOTRACK: passed by, as this answers an untracked packet")
    ctx.skb.untracked = True
    return Outcome(None, "NOTRACK")


def _queue(target: QueueTarget) -> Apply:
    """Ref: nfqueue_tg(), nf_queue.c:nf_queue(): where nobody listens at the queue, ``bypass`` goes on as ACCEPT does.

    What a program that listens would say nobody can tell.
    """

    def apply(_: XtContext) -> Outcome:
        if not target.bypass:
            raise RuleNotModelledError(f"-j NFQUEUE: the program at queue {target.first} decides")
        return Outcome(HookVerdict.ACCEPT, f"NFQUEUE {target.first}: nobody listens, --queue-bypass accepts")

    return apply


def _passive(target: PassiveTarget) -> Apply:
    text = " ".join((target.name, *target.words))
    return lambda _: Outcome(None, f"{text} (no effect on the packet's way)")


def _log(target: LogTarget) -> Apply:
    text = " ".join((target.name, *target.words))
    return lambda _: Outcome(None, text)


def _not_modelled(target: NotModelledTarget) -> Apply:
    def apply(_: XtContext) -> Outcome:
        raise RuleNotModelledError(f"-j {target.name} {' '.join(target.words)}".strip())

    return apply
