"""Every match, compiled to one check. What the model lacks raises RuleNotModelledError when a packet meets it, not before."""

from __future__ import annotations

from typing import assert_never

from netsim.rules.xtables.ast import (
    AddrTypeMatch,
    CommentMatch,
    ConnmarkMatch,
    ConntrackMatch,
    ICMPMatch,
    MACMatch,
    MarkMatch,
    Match,
    MultiportMatch,
    NotModelledMatch,
    PhysdevMatch,
    PrefixMatch,
    ProtocolMatch,
    RecentMatch,
    Rule,
    SCTPMatch,
    SetMatch,
    StatisticNthMatch,
    StatisticRandomMatch,
    TCPMatch,
    UDPMatch,
)
from netsim.rules.xtables.matches import (
    AbsentMatch,
    ConnBytesMatch,
    ConnLimitMatch,
    HashLimitMatch,
    IPRangeMatch,
    IPVSMatch,
    LengthMatch,
    LimitMatch,
    OwnerMatch,
    PacketTypeMatch,
    QuotaMatch,
    RPFilterMatch,
    SocketMatch,
    TCPMSSMatch,
    TOSMatch,
    TTLMatch,
)
from netsim.stack import (
    xt_absent,
    xt_addrtype,
    xt_conntrack,
    xt_header,
    xt_ipvs,
    xt_mark,
    xt_physdev,
    xt_rate,
    xt_recent,
    xt_set,
    xt_socket,
    xt_statistic,
    xt_tcpudp,
    xt_volume,
)
from netsim.stack.steps import RuleRef
from netsim.stack.x_tables import Check, RuleNotModelledError, XtContext


def compile_matches(ref: RuleRef) -> tuple[Check, ...]:
    """The checks of a rule in the order in which the kernel makes them: the IP header, then the extensions as they stand."""
    rule = ref.rule
    header = [*_header(rule)]
    extensions = [_match(match, ref) for match in rule.matches if not isinstance(match, CommentMatch)]
    return (*header, *extensions)


def _header(rule: Rule) -> list[Check]:
    """Ref: net/ipv4/netfilter/ip_tables.c:ip_packet_match()."""
    checks: list[Check] = []
    if rule.source is not None:
        checks.append(_source(rule.source))
    if rule.destination is not None:
        checks.append(_destination(rule.destination))
    if rule.in_interface is not None:
        wanted_in = rule.in_interface
        checks.append(lambda ctx: xt_physdev.interface_matches(wanted_in, ctx.iif))
    if rule.out_interface is not None:
        wanted_out = rule.out_interface
        checks.append(lambda ctx: xt_physdev.interface_matches(wanted_out, ctx.oif))
    if rule.protocol is not None:
        checks.append(_protocol(rule.protocol))
    if rule.fragment is not None:
        fragment = rule.fragment
        checks.append(lambda ctx: (ctx.skb.packet.ip.fragment_offset > 0) == fragment)
    return checks


def _source(match: PrefixMatch) -> Check:
    mask, network, inverted = int(match.prefix.netmask), int(match.prefix.network_address), match.inverted
    return lambda ctx: ((int(ctx.skb.packet.ip.src) & mask) == network) != inverted


def _destination(match: PrefixMatch) -> Check:
    mask, network, inverted = int(match.prefix.netmask), int(match.prefix.network_address), match.inverted
    return lambda ctx: ((int(ctx.skb.packet.ip.dst) & mask) == network) != inverted


def _protocol(match: ProtocolMatch) -> Check:
    number, inverted = match.number, match.inverted
    return lambda ctx: (ctx.skb.packet.ip.protocol == number) != inverted


def _match(match: Match, ref: RuleRef) -> Check:  # noqa: C901 - one line a match
    match match:
        case TCPMatch():
            return xt_tcpudp.tcp(match)
        case UDPMatch():
            return xt_tcpudp.udp(match)
        case SCTPMatch():
            return xt_tcpudp.sctp(match)
        case ICMPMatch():
            return xt_tcpudp.icmp(match)
        case MultiportMatch():
            return xt_tcpudp.multiport(match)
        case AddrTypeMatch():
            return xt_addrtype.addrtype(match)
        case ConntrackMatch():
            return xt_conntrack.conntrack(match)
        case MarkMatch():
            return xt_mark.mark(match)
        case ConnmarkMatch():
            return xt_mark.connmark(match)
        case CommentMatch():
            return lambda _: True
        case StatisticRandomMatch():
            return xt_statistic.random(match, ref)
        case StatisticNthMatch():
            return xt_statistic.nth(match)
        case RecentMatch():
            return xt_recent.recent(match)
        case SetMatch():
            return xt_set.match_set(match)
        case PhysdevMatch():
            return xt_physdev.physdev(match)
        case MACMatch():
            return xt_physdev.mac(match)
        case IPRangeMatch():
            return xt_header.iprange(match)
        case LengthMatch():
            return xt_header.length(match)
        case TTLMatch():
            return xt_header.ttl(match)
        case TOSMatch():
            return xt_header.tos(match)
        case PacketTypeMatch():
            return xt_header.pkttype(match)
        case TCPMSSMatch():
            return xt_header.tcpmss(match)
        case LimitMatch():
            return xt_rate.limit(match)
        case HashLimitMatch():
            return xt_rate.hashlimit(match)
        case ConnLimitMatch():
            return xt_rate.connlimit(match)
        case OwnerMatch():
            return xt_socket.owner(match)
        case RPFilterMatch():
            return xt_socket.rpfilter(match)
        case IPVSMatch():
            return xt_ipvs.ipvs(match)
        case SocketMatch():
            return xt_socket.socket(match)
        case AbsentMatch():
            return xt_absent.absent(match)
        case QuotaMatch():
            return xt_volume.quota(match)
        case ConnBytesMatch():
            return xt_volume.connbytes(match)
        case NotModelledMatch():
            return _not_modelled(match)
        case _:
            assert_never(match)


def _not_modelled(match: NotModelledMatch) -> Check:
    def check(_: XtContext) -> bool:
        raise RuleNotModelledError(f"-m {match.module} {' '.join(match.words)}".strip())

    return check
