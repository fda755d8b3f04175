"""Matches and targets that ask this host for a socket or a route: owner, socket, rpfilter and TPROXY.

Every process of the model runs as root: user 0, group 0. No socket of the model is transparent (``IP_TRANSPARENT``) or has a mark.
Ref: net/netfilter/xt_owner.c, xt_socket.c, xt_TPROXY.c; net/ipv4/netfilter/ipt_rpfilter.c, net/ipv6/netfilter/ip6t_rpfilter.c (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import Protocol
from netsim.rules.xtables.matches import OwnerID, OwnerMatch, RPFilterMatch, SocketMatch
from netsim.rules.xtables.targets import TProxyTarget
from netsim.stack.environment import HookVerdict
from netsim.stack.nf_conntrack_core import CtInfo, CtStatus, Direction
from netsim.stack.nf_conntrack_tuple import ICMP_PROTOCOLS
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.x_tables import Apply, Check, Outcome, RuleNotModelledError, XtContext

ROOT = 0
WITH_SOCKETS = (Protocol.TCP, Protocol.UDP)


def owner(match: OwnerMatch) -> Check:
    """Ref: owner_mt(). What the kernel sends through its own sockets (resets, ICMP errors) has a socket, but no user."""
    asked = [part for part in (match.user, match.group) if part is not None]
    only_inverted = all(part.inverted for part in asked)

    def check(ctx: XtContext) -> bool:
        if ctx.skb.socket_owner is None and not _kernel_socket(ctx.skb):
            return only_inverted and match.socket is not True and not match.supplementary
        if match.socket is False:
            return False
        return only_inverted if ctx.skb.socket_owner is None else all(_is_root(part) for part in asked)

    return check


def _is_root(part: OwnerID) -> bool:
    return (ROOT in part.numbers) != part.inverted


def _kernel_socket(skb: SkBuff) -> bool:
    """A packet that the kernel made through its control sockets: any answer but the reset of a REJECT."""
    made_here = bool(skb.made_by)
    return made_here and not (skb.made_by == "REJECT" and skb.packet.ip.protocol not in ICMP_PROTOCOLS)


def rpfilter(match: RPFilterMatch) -> Check:
    """Ref: rpfilter_mt()."""

    def check(ctx: XtContext) -> bool:
        ip = ctx.skb.packet.ip
        if ctx.skb.pkt_type is PacketType.LOOPBACK or ctx.env.is_loopback(ctx.iif) or _sourceless(ctx.skb):
            return not match.inverted
        mark = ctx.skb.mark if match.valid_mark else 0
        towards = None if ip.dst.is_multicast or ip.dst.is_unspecified else ip.dst
        back = ctx.env.reverse_path(ip.src, towards, ctx.iif, mark=mark, accept_local=match.accept_local)
        found = back.reachable and (back.same_device or match.loose)
        return found != match.inverted

    return check


def _sourceless(skb: SkBuff) -> bool:
    """A packet of a host that has no address yet: DHCP, duplicate address detection."""
    ip = skb.packet.ip
    if not ip.src.is_unspecified:
        return False
    if ip.src.version == 6:
        return True
    return int(ip.dst) == 0xFFFFFFFF or int(ip.dst) >> 8 == 0xE00000


def socket(match: SocketMatch) -> Check:
    """Ref: socket_match(), nf_sk_lookup_slow_v4(): a reply of a connection that SNAT changed is looked up as it was before."""

    def check(ctx: XtContext) -> bool:
        skb = ctx.skb
        if skb.packet.ip.protocol not in WITH_SOCKETS:
            if skb.packet.ip.protocol in ICMP_PROTOCOLS:
                raise RuleNotModelledError("-m socket for an ICMP message")
            return False
        found = ctx.env.socket_of(_before_snat(skb))
        if found is None or match.transparent:
            return False
        return not (match.no_wildcard and found.wildcard)

    return check


def _before_snat(skb: SkBuff) -> SkBuff:
    ct = skb.ct
    if ct is None or skb.ctinfo is not CtInfo.ESTABLISHED_REPLY or not ct.has(CtStatus.SRC_NAT_DONE):
        return skb
    original = ct.tuple(Direction.ORIGINAL)
    packet = skb.packet.with_ip(dst=original.src).with_l4(dport=original.sport)
    return SkBuff(packet, iif=skb.iif)


def tproxy(target: TProxyTarget) -> Apply:
    """Ref: tproxy_tg4(): without a socket at the port the packet is dropped; whether a socket is transparent the model cannot say."""

    def apply(ctx: XtContext) -> Outcome:
        packet = ctx.skb.packet
        address = target.address or ctx.env.first_address(ctx.iif, packet.ip.dst) or packet.ip.dst
        port = target.port or packet.dport
        redirected = SkBuff(packet.with_ip(dst=address).with_l4(dport=port), iif=ctx.skb.iif)
        if ctx.env.socket_of(ctx.skb) is not None or ctx.env.socket_of(redirected) is not None:
            raise RuleNotModelledError(f"-j TPROXY to a socket at port {port}: whether it is transparent is not known")
        detail = f"nobody listens at {address} port {port}"
        return Outcome(HookVerdict.DROP, "TPROXY: no socket", "TPROXY", detail=detail)

    return apply
