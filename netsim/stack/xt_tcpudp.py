"""Matches on transport headers: tcp, udp, sctp, icmp and multiport.

A later fragment has no such header and never matches.
Ref: net/netfilter/xt_tcpudp.c, xt_sctp.c, xt_multiport.c, net/ipv4/netfilter/ip_tables.c:icmp_match() (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import ICMPHeader, Packet, Protocol, SCTPHeader, TCPFlags, TCPHeader, UDPHeader
from netsim.rules.xtables.ast import (
    ICMPMatch,
    MultiportMatch,
    PortMatch,
    PortRange,
    SCTPMatch,
    TCPMatch,
    UDPMatch,
)
from netsim.stack.x_tables import Check, XtContext

ANY_ICMP_TYPE = 255

# Option kinds that Linux's TCP sends with its default sysctls; every TCP of the model is Linux's. The MSS option is the header's own.
# Ref: net/ipv4/tcp_output.c:tcp_syn_options(), tcp_established_options(), tcp_options_write() (v6.12).
NO_OPERATION, MSS, WINDOW_SCALE, SACK_PERMITTED, TIMESTAMPS = 1, 2, 3, 4, 8
SYN_OPTIONS = frozenset({NO_OPERATION, WINDOW_SCALE, SACK_PERMITTED, TIMESTAMPS})
LATER_OPTIONS = frozenset({NO_OPERATION, TIMESTAMPS})


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
    """Ref: tcp_find_option()."""
    return (match.option in tcp_options(header)) != match.option_inverted


def tcp_options(header: TCPHeader) -> frozenset[int]:
    """The kinds of the options in a segment: a reset has none (``tcp_v4_send_reset()``)."""
    own = frozenset({MSS}) if header.mss is not None else frozenset()
    if header.flags & TCPFlags.RST:
        return own
    return own | (SYN_OPTIONS if header.flags & TCPFlags.SYN else LATER_OPTIONS)


def unmodelled_option_bytes(packet: Packet) -> int:
    """Bytes of the options that Linux's TCP sends and the model's header does not keep."""
    header = packet.l4
    if not isinstance(header, TCPHeader) or header.flags & TCPFlags.RST:
        return 0
    return 16 if header.flags & TCPFlags.SYN else 12


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
