"""Matches and targets on header fields: iprange, length, ttl, hl, tos, dscp, pkttype, tcpmss; TTL, HL, TOS, DSCP, TCPMSS.

Ref: net/netfilter/xt_iprange.c, xt_length.c, xt_hl.c, xt_dscp.c, xt_pkttype.c, xt_tcpmss.c, xt_HL.c, xt_DSCP.c, xt_TCPMSS.c (v6.12).
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.net.packet import TCPHeader
from netsim.rules.xtables.matches import (
    AddressRange,
    Comparison,
    IPRangeMatch,
    LengthMatch,
    PacketTypeMatch,
    TCPMSSMatch,
    TOSMatch,
    TTLMatch,
)
from netsim.rules.xtables.targets import TCPMSSTarget, TOSTarget, TTLTarget
from netsim.stack.dev import skb_len
from netsim.stack.environment import HookVerdict
from netsim.stack.skbuff import PacketType
from netsim.stack.x_tables import Apply, Check, Outcome, RuleNotModelledError, XtContext
from netsim.stack.xt_tcpudp import unmodelled_option_bytes

ECN_BITS = 0x03
_HEADERS = {4: 40, 6: 60}  # IP and TCP headers without options
_ASSUMED_MSS = {4: 536, 6: 1220}  # what a SYN without the option stands for. Ref: RFC 1122 §4.2.2.6, RFC 2460 §8.3


def iprange(match: IPRangeMatch) -> Check:
    """Ref: iprange_mt4(), iprange_mt6()."""

    def check(ctx: XtContext) -> bool:
        ip = ctx.skb.packet.ip
        return _within(match.source, ip.src) and _within(match.destination, ip.dst)

    return check


def _within(wanted: AddressRange | None, address: Address) -> bool:
    return wanted is None or (int(wanted.first) <= int(address) <= int(wanted.last)) != wanted.inverted


def length(match: LengthMatch) -> Check:
    """Ref: length_mt(), length_mt6()."""

    def check(ctx: XtContext) -> bool:
        packet = ctx.skb.packet
        return (skb_len(packet) + unmodelled_option_bytes(packet) in match.length) != match.inverted

    return check


def ttl(match: TTLMatch) -> Check:
    """Ref: ttl_mt(), hl_mt6()."""

    def check(ctx: XtContext) -> bool:
        value = ctx.skb.packet.ip.ttl
        match match.comparison:
            case Comparison.EQUAL:
                return (value == match.value) != match.inverted
            case Comparison.LESS:
                return value < match.value
            case Comparison.GREATER:
                return value > match.value

    return check


def tos(match: TOSMatch) -> Check:
    """Ref: tos_mt(), dscp_mt(). The model's packets are not ECN-capable: those two bits are 0."""
    return lambda ctx: ((ctx.skb.packet.ip.dscp << 2 & match.mask) == match.value) != match.inverted


_KINDS = {PacketType.HOST: "unicast", PacketType.BROADCAST: "broadcast", PacketType.MULTICAST: "multicast"}


def pkttype(match: PacketTypeMatch) -> Check:
    """Ref: pkttype_mt(). A copy that comes back over lo is told by its destination."""

    def check(ctx: XtContext) -> bool:
        kind = _KINDS.get(ctx.skb.pkt_type)
        if ctx.skb.pkt_type is PacketType.LOOPBACK:
            kind = "multicast" if ctx.skb.packet.ip.dst.is_multicast else "broadcast"
        return (kind == match.kind) != match.inverted

    return check


def tcpmss(match: TCPMSSMatch) -> Check:
    """Ref: tcpmss_mt(): a segment without the option matches only inverted."""

    def check(ctx: XtContext) -> bool:
        segment = ctx.skb.packet.l4
        if not isinstance(segment, TCPHeader) or segment.mss is None:
            return match.inverted
        return (segment.mss in match.mss) != match.inverted

    return check


# --- targets ----------------------------------------------------------------------------------------------------


def set_tos(target: TOSTarget) -> Apply:
    """Ref: tos_tg(), dscp_tg()."""

    def apply(ctx: XtContext) -> Outcome:
        before = ctx.skb.packet.ip.dscp << 2
        after = (before & ~target.mask) ^ target.value
        if after & ECN_BITS:
            raise RuleNotModelledError(f"the ECN bits of a type of service of {after:#04x}")
        ctx.skb.packet = ctx.skb.packet.with_ip(dscp=after >> 2)
        return Outcome(None, f"tos {before:#04x} → {after:#04x}")

    return apply


def set_ttl(target: TTLTarget) -> Apply:
    """Ref: ttl_tg(), hl_tg6(): it stays between 0 and 255, and 0 drops nothing here."""

    def apply(ctx: XtContext) -> Outcome:
        before = ctx.skb.packet.ip.ttl
        changed = {"set": target.value, "inc": before + target.value, "dec": before - target.value}[target.operation]
        after = min(max(changed, 0), 255)
        ctx.skb.packet = ctx.skb.packet.with_ip(ttl=after)
        return Outcome(None, f"ttl {before} → {after}")

    return apply


def set_mss(target: TCPMSSTarget) -> Apply:
    """Ref: tcpmss_mangle_packet(): the option is made smaller, never larger; a segment without data that has none gets one."""

    def apply(ctx: XtContext) -> Outcome:
        packet = ctx.skb.packet
        segment = packet.l4
        if not isinstance(segment, TCPHeader) or packet.ip.fragment_offset:
            return Outcome(None, "TCPMSS: no TCP header")
        version = packet.ip.dst.version
        wanted = target.mss
        if wanted is None:
            mtu = ctx.env.mtu_both_ways(ctx.skb)
            if mtu <= _HEADERS[version]:
                return Outcome(HookVerdict.DROP, "TCPMSS", "TCPMSS", detail=f"the path's MTU is {mtu}")
            wanted = mtu - _HEADERS[version]
        if segment.mss is None:
            if packet.payload:
                return Outcome(None, "TCPMSS: no MSS option, and data behind the header")
            wanted = min(wanted, _ASSUMED_MSS[version])
        elif segment.mss <= wanted:
            return Outcome(None, f"TCPMSS: {segment.mss} is no more than {wanted}")
        ctx.skb.packet = packet.with_l4(mss=wanted)
        return Outcome(None, f"mss {segment.mss if segment.mss is not None else 'none'} → {wanted}")

    return apply
