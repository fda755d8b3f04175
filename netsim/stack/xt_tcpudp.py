"""Matches on transport headers: tcp, udp, sctp, icmp and multiport.

A later fragment has no such header and never matches.
Ref: net/netfilter/xt_tcpudp.c, xt_sctp.c, xt_multiport.c, net/ipv4/netfilter/ip_tables.c:icmp_match() (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import ICMPHeader, Protocol, SCTPHeader, TCPHeader, UDPHeader
from netsim.rules.xtables.ast import (
    ICMPMatch,
    MultiportMatch,
    PortMatch,
    PortRange,
    SCTPMatch,
    TCPMatch,
    UDPMatch,
)
from netsim.stack.x_tables import Check, RuleNotModelledError, XtContext

ANY_ICMP_TYPE = 255
MSS_OPTION = 2  # the only TCP option that the model's header keeps


def _port(match: PortMatch | None, port: int) -> bool:
    return match is None or (match.ports.first <= port <= match.ports.last) != match.inverted


def tcp(match: TCPMatch) -> Check:
    """Ref: tcp_mt()."""
    flags = match.flags

    def check(ctx: XtContext) -> bool:
        l4 = ctx.skb.packet.l4
        if not isinstance(l4, TCPHeader) or ctx.skb.packet.ip.fragment_offset:
            return False
        if not (_port(match.source, l4.sport) and _port(match.destination, l4.dport)):
            return False
        if flags is not None and ((l4.flags & flags.mask) == flags.compare) == flags.inverted:
            return False
        return match.option is None or _option(match, l4)

    return check


def _option(match: TCPMatch, header: TCPHeader) -> bool:
    if match.option != MSS_OPTION:
        raise RuleNotModelledError(f"--tcp-option {match.option}: the model's TCP header keeps only the MSS option")
    return (header.mss is not None) != match.option_inverted


def udp(match: UDPMatch) -> Check:
    """Ref: udp_mt()."""

    def check(ctx: XtContext) -> bool:
        l4 = ctx.skb.packet.l4
        if not isinstance(l4, UDPHeader) or ctx.skb.packet.ip.fragment_offset:
            return False
        return _port(match.source, l4.sport) and _port(match.destination, l4.dport)

    return check


def sctp(match: SCTPMatch) -> Check:
    """Ref: sctp_mt()."""

    def check(ctx: XtContext) -> bool:
        l4 = ctx.skb.packet.l4
        if not isinstance(l4, SCTPHeader) or ctx.skb.packet.ip.fragment_offset:
            return False
        return _port(match.source, l4.sport) and _port(match.destination, l4.dport)

    return check


def icmp(match: ICMPMatch) -> Check:
    """Ref: icmp_type_code_match(); type 255 means any for IPv4 only."""

    def check(ctx: XtContext) -> bool:
        ip, l4 = ctx.skb.packet.ip, ctx.skb.packet.l4
        if not isinstance(l4, ICMPHeader) or ip.fragment_offset:
            return False
        every = match.type == ANY_ICMP_TYPE and ip.protocol == Protocol.ICMP
        hit = every or (l4.type == match.type and match.code_first <= l4.code <= match.code_last)
        return hit != match.inverted

    return check


def multiport(match: MultiportMatch) -> Check:
    """Ref: multiport_mt()."""

    def check(ctx: XtContext) -> bool:
        packet = ctx.skb.packet
        sport, dport = packet.sport, packet.dport
        if sport is None or dport is None or packet.ip.fragment_offset:
            return False
        ports = {"source": (sport,), "destination": (dport,), "either": (sport, dport)}[match.which]
        return any(_within(match.ports, port) for port in ports) != match.inverted

    return check


def _within(ranges: tuple[PortRange, ...], port: int) -> bool:
    return any(each.first <= port <= each.last for each in ranges)
