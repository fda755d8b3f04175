"""IPVS's hooks: which packets are a client's, which are answers of a real server, and which are nobody's of IPVS.

| hook    | priority | what IPVS does there                                    | why there                                        |
| INPUT   | 98       | un-NAT answers to a client on this host                 | after packet filtering                           |
| INPUT   | 99       | schedule, and send clients' packets to a real server    | after packet filtering: a virtual address must be local |
| OUTPUT  | -99      | un-NAT answers of a real server on this host            | right after nat's destination                    |
| OUTPUT  | -98      | schedule packets of clients on this host                | after mangle and nat                             |
| FORWARD | 99       | ICMP errors to a real server                            | after packet filtering                           |
| FORWARD | 100      | un-NAT answers to clients elsewhere                     | after packet filtering                           |

What is scheduled leaves INPUT (or OUTPUT) there: chains behind are not visited, FORWARD never is; OUTPUT runs from its start.
Ref: net/netfilter/ipvs/ip_vs_core.c:ip_vs_ops4[], ip_vs_in_hook(), ip_vs_out_hook(), handle_response() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from netsim.net.address import Address, Family
from netsim.net.packet import ICMPHeader, Packet, Protocol, SCTPChunk, SCTPHeader, TCPFlags, TCPHeader
from netsim.rules.ipvs.ast import Forwarding
from netsim.stack.environment import HookVerdict
from netsim.stack.icmp_send import Message, Unreachable, icmp_send, icmp_unreachable, is_icmp_error
from netsim.stack.ip_vs_conn import Conn
from netsim.stack.ip_vs_ctl import IPVS, PROTOCOLS
from netsim.stack.ip_vs_hooked import Hooked, answer, end_of, step_of
from netsim.stack.ip_vs_nfct import uses_old_conntrack
from netsim.stack.ip_vs_proto_sctp import IpVsSctpState
from netsim.stack.ip_vs_proto_tcp import IpVsTcpState
from netsim.stack.ip_vs_schedule import Client, schedule
from netsim.stack.ip_vs_seed import seed
from netsim.stack.ip_vs_xmit import Sending, icmp_xmit, ip_vs_xmit
from netsim.stack.ipip import OUTER_HEADER
from netsim.stack.namespace import Namespace
from netsim.stack.netfilter import Netfilter
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Hook, IPVSStep

HookFunction: TypeAlias = Callable[[Hooked, Hook, SkBuff], HookVerdict]


_NOT_OF_IPVS = frozenset({5, 12})  # ICMP: redirect, parameter problem


def tcp_flags(packet: Packet) -> TCPFlags | None:
    """The flags of a TCP segment, None for any other packet."""
    return packet.l4.flags if isinstance(packet.l4, TCPHeader) else None


def _quoted(packet: Packet) -> Packet | None:
    """The packet that an ICMP error speaks of, where IPVS knows its protocol; a later fragment has no ports to find a connection by.

    Ref: ip_vs_in_icmp(), ip_vs_in_icmp_v6(), net/netfilter/ipvs/ip_vs_conn.c:ip_vs_conn_fill_param_proto() (v6.12).
    """
    if not is_icmp_error(packet) or not isinstance(packet.l4, ICMPHeader):
        return None
    quoted = packet.l4.quoted
    if quoted is None or quoted.ip.protocol not in PROTOCOLS or quoted.ip.fragment_offset:
        return None
    return None if packet.family is Family.IPV4 and packet.l4.type in _NOT_OF_IPVS else quoted


# --- from clients to real servers ----------------------------------------------------------------------------------


def ip_vs_in(hooked: Hooked, hook: Hook, skb: SkBuff) -> HookVerdict:
    """A packet that may be for a virtual server. Ref: ip_vs_in_hook()."""
    if skb.ipvs_property or skb.nexthop is None or (hook is Hook.INPUT and skb.pkt_type is not PacketType.HOST):
        return HookVerdict.ACCEPT
    packet = skb.packet
    if packet.ip.protocol in (Protocol.ICMP, Protocol.ICMPV6):
        return ip_vs_in_icmp(hooked, hook, skb)
    if packet.ip.protocol not in PROTOCOLS or packet.ip.fragment_offset:
        return HookVerdict.ACCEPT
    conn = hooked.ipvs.conn_in(packet.ip.protocol, end_of(packet, source=True), end_of(packet, source=False))
    if conn is not None:
        kept = _still_good(hooked, hook, skb, conn)
        if isinstance(kept, HookVerdict):
            return kept
        conn = kept
    if conn is None:
        return _schedule(hooked, hook, skb)
    step = step_of(hooked, hook, skb, conn, "forward")
    return _deliver(hooked, Sending(hooked.ns, hook, skb, conn, step))


def _deliver(hooked: Hooked, sending: Sending) -> HookVerdict:
    hooked.ipvs.conns.saw(sending.conn, sending.skb.packet, reply=False)
    verdict = ip_vs_xmit(sending)
    if sending.conn.one_packet:
        hooked.ipvs.conns.remove(sending.conn)
    return verdict


def _schedule(hooked: Hooked, hook: Hook, skb: SkBuff) -> HookVerdict:
    """Ref: ip_vs_try_to_schedule(), ip_vs_leave()."""
    client = Client(hooked.ns, hook, skb)
    found = schedule(hooked.ipvs, client)
    if found is None:
        return HookVerdict.ACCEPT
    service, scheduled = found.service, found.scheduled
    if found.conn is None:
        before = skb.packet
        hooked.ns.record(IPVSStep(hook, "refuse", service.spec, None, before, before, "", None, found.detail))
        hooked.ns.drop(DropReason.IPVS_NO_DESTINATION, "ip_vs_leave", found.detail)
        icmp_unreachable(hooked.ns, skb, Unreachable.PORT)
        return HookVerdict.DROP
    dest = found.conn.dest
    assert dest is not None
    entry = found.conn.text(hooked.ns.now())
    choice = scheduled.choice if scheduled is not None else None
    packet = skb.packet
    step = IPVSStep(hook, "schedule", service.spec, dest.spec, packet, packet, entry, choice, found.detail)
    return _deliver(hooked, Sending(hooked.ns, hook, skb, found.conn, step))


def _still_good(hooked: Hooked, hook: Hook, skb: SkBuff, conn: Conn) -> Conn | HookVerdict | None:
    """The connection, None where the packet begins a new one instead, a verdict where it ends here."""
    dest, ipvs = conn.dest, hooked.ipvs
    if _opens(skb.packet) and (why := _reused(ipvs, conn, skb)) is not None:
        return _rescheduled(hooked, hook, skb, conn, why)
    if dest is None or dest.available:
        return conn
    gone = f"the connection's real server {dest} is no longer one of the virtual server's"
    if ipvs.sysctl("expire_nodest_conn"):
        return _rescheduled(hooked, hook, skb, conn, gone)
    hooked.ns.record(step_of(hooked, hook, skb, conn, "drop", gone))
    hooked.ns.drop(DropReason.IPVS_DESTINATION_GONE, "ip_vs_in_hook", f"{gone} (expire_nodest_conn is 0)")
    return HookVerdict.DROP


def _opens(packet: Packet) -> bool:
    """Ref: is_new_conn()."""
    match packet.l4:
        case TCPHeader(flags=flags):
            return bool(flags & TCPFlags.SYN)
        case SCTPHeader(chunk=chunk):
            return chunk is SCTPChunk.INIT
        case _:
            return False


def _reused(ipvs: IPVS, conn: Conn, skb: SkBuff) -> str | None:
    """Why a first packet that fits a known connection begins a new one. Ref: ip_vs_in_hook(), is_new_conn_expected()."""
    mode = ipvs.sysctl("conn_reuse_mode")
    if ipvs.sysctl("expire_nodest_conn") and conn.dest is not None and not conn.dest.weight:
        return f"the connection's real server {conn.dest} has weight 0"
    if not mode or conn.control is not None or not _ended(conn, mode):
        return None
    if conn.controlled and uses_old_conntrack(skb, conn):
        return None
    return f"the port was used before, by a connection in state {conn.state_name} (conn_reuse_mode is {mode})"


def _ended(conn: Conn, mode: int) -> bool:
    if conn.key.protocol == Protocol.SCTP:
        return conn.state is IpVsSctpState.CLOSED
    if conn.key.protocol != Protocol.TCP:
        return False
    if conn.state in (IpVsTcpState.TIME_WAIT, IpVsTcpState.CLOSE):
        return True
    return bool(mode & 2) and conn.state is IpVsTcpState.FIN_WAIT and conn.no_output


def _rescheduled(hooked: Hooked, hook: Hook, skb: SkBuff, conn: Conn, why: str) -> HookVerdict | None:
    """The old entry goes. Where conntrack has the old connection too, the packet is dropped, and its repetition is scheduled."""
    old = uses_old_conntrack(skb, conn)
    hooked.ns.record(step_of(hooked, hook, skb, conn, "expire", why))
    if not old:
        conn.conntrack = False
    if not conn.controlled:
        hooked.expire(conn)
    if not old:
        return None
    detail = f"{why}; the packet belongs to the old conntrack entry, which goes too: the next one is scheduled anew"
    hooked.ns.drop(DropReason.IPVS_RESCHEDULED, "ip_vs_in_hook", detail)
    return HookVerdict.DROP


def ip_vs_in_icmp(hooked: Hooked, hook: Hook, skb: SkBuff) -> HookVerdict:
    """An ICMP error that may be about an answer of a real server: the quoted packet went the other way.

    Ref: net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_icmp() (v6.12).
    """
    if skb.ipvs_property or skb.nexthop is None:
        return HookVerdict.ACCEPT
    if (tunnelled := _tunnelled(skb)) is not None:
        return _tunnel_error(hooked, hook, skb, tunnelled)
    quoted = _quoted(skb.packet)
    if quoted is None:
        return HookVerdict.ACCEPT
    protocol = quoted.ip.protocol
    conn = hooked.ipvs.conn_in(protocol, end_of(quoted, source=False), end_of(quoted, source=True))
    if conn is None:
        return HookVerdict.ACCEPT
    if skb.packet.family is Family.IPV6 and hook is Hook.OUTPUT and conn.forwarding is not Forwarding.MASQUERADE:
        return HookVerdict.ACCEPT
    step = step_of(hooked, hook, skb, conn, "forward", "an ICMP error about this connection")
    return icmp_xmit(Sending(hooked.ns, hook, skb, conn, step))


def _tunnelled(skb: SkBuff) -> Packet | None:
    """What a tunnel's packet carried about which an ICMP error came here; None for any other error."""
    if not isinstance(skb.packet.l4, ICMPHeader) or not is_icmp_error(skb.packet):
        return None
    quoted, local = skb.packet.l4.quoted, skb.nexthop is not None and skb.nexthop.local
    inner = quoted.inner if quoted is not None and local else None
    return inner if isinstance(inner, Packet) and inner.ip.protocol in PROTOCOLS else None


def _tunnel_error(hooked: Hooked, hook: Hook, skb: SkBuff, inner: Packet) -> HookVerdict:
    """A real server's tunnel end refuses the packet: its sender is told, about what it had sent. Ref: ip_vs_in_icmp()."""
    conn = hooked.ipvs.conn_in(inner.ip.protocol, end_of(inner, source=True), end_of(inner, source=False))
    error = skb.packet.l4
    if conn is None or not isinstance(error, ICMPHeader):
        return HookVerdict.ACCEPT
    detail = "an ICMP error about the tunnel to the real server, told to the client"
    hooked.ns.record(step_of(hooked, hook, skb, conn, "forward", detail))
    mtu = max(error.mtu - OUTER_HEADER, 0)
    about = SkBuff(inner, nexthop=skb.nexthop, ct=skb.ct, ctinfo=skb.ctinfo)
    icmp_send(hooked.ns, about, Message(error.type, error.code), mtu=mtu)
    return HookVerdict.STOLEN


# --- from real servers to clients ----------------------------------------------------------------------------------


def ip_vs_out(hooked: Hooked, hook: Hook, skb: SkBuff) -> HookVerdict:
    """A packet that may be an answer of a real server. Ref: ip_vs_out_hook()."""
    packet = skb.packet
    if skb.ipvs_property or (skb.nexthop is None and not skb.bridged):
        return HookVerdict.ACCEPT
    if packet.ip.protocol in (Protocol.ICMP, Protocol.ICMPV6):
        return _out_icmp(hooked, hook, skb)
    if packet.ip.protocol not in PROTOCOLS or packet.ip.fragment_offset:
        return HookVerdict.ACCEPT
    server, client = end_of(packet, source=True), end_of(packet, source=False)
    conn = hooked.ipvs.conns.find_reply(packet.ip.protocol, server, client)
    if conn is None:
        return _unasked(hooked, skb, server)
    if conn.forwarding is not Forwarding.MASQUERADE:
        return HookVerdict.ACCEPT
    key = conn.key
    changed = packet.with_ip(src=key.vaddr).with_l4(sport=key.vport)
    hooked.ipvs.conns.saw(conn, packet, reply=True)
    return answer(hooked, hook, skb, conn, changed)


def _unasked(hooked: Hooked, skb: SkBuff, server: tuple[Address, int]) -> HookVerdict:
    """A real server's packet of no known connection: with nat_icmp_send it is told so."""
    if not hooked.ipvs.sysctl("nat_icmp_send") or not hooked.ipvs.serves(skb.packet.ip.protocol, *server):
        return HookVerdict.ACCEPT
    flags = tcp_flags(skb.packet)
    aborts = isinstance(skb.packet.l4, SCTPHeader) and skb.packet.l4.chunk is SCTPChunk.ABORT
    if aborts or (flags is not None and flags & TCPFlags.RST):
        return HookVerdict.ACCEPT
    detail = "a real server's packet that belongs to no connection (nat_icmp_send is 1)"
    hooked.ns.drop(DropReason.IPVS_DESTINATION_GONE, "ip_vs_out_hook", detail)
    icmp_unreachable(hooked.ns, skb, Unreachable.PORT)
    return HookVerdict.DROP


def _out_icmp(hooked: Hooked, hook: Hook, skb: SkBuff) -> HookVerdict:
    """An ICMP error about a client's packet, from the real server or on the way to it. Ref: ip_vs_out_icmp(), ip_vs_nat_icmp()."""
    packet = skb.packet
    quoted = _quoted(packet)
    if quoted is None:
        return HookVerdict.ACCEPT
    server, client = end_of(quoted, source=False), end_of(quoted, source=True)
    conn = hooked.ipvs.conns.find_reply(quoted.ip.protocol, server, client)
    if conn is None or conn.forwarding is not Forwarding.MASQUERADE:
        return HookVerdict.ACCEPT
    if packet.ip.protocol is Protocol.ICMPV6 and not _is_checked(hooked, hook, skb):
        return _taken_for_damaged(hooked, hook, skb, conn)
    inner = quoted.with_ip(dst=conn.key.vaddr).with_l4(dport=conn.key.vport)
    return answer(hooked, hook, skb, conn, packet.with_ip(src=conn.key.vaddr).with_l4(quoted=inner))


def _is_checked(hooked: Hooked, hook: Hook, skb: SkBuff) -> bool:
    """Whether the checksum was checked before: by conntrack, of what comes in (nf_conntrack_checksum), or by NAT, of any error.

    Ref: net/netfilter/nf_conntrack_proto_icmpv6.c:nf_conntrack_icmpv6_error(), nf_nat_proto.c:nf_nat_icmpv6_reply_translation() (v6.12).
    """
    netfilter = hooked.ns.netfilter
    if not isinstance(netfilter, Netfilter) or skb.untracked:
        return False
    if skb.ct is not None and skb.ctinfo is not None and skb.ctinfo.is_related and netfilter.translates(Family.IPV6):
        return True
    asked = bool(hooked.ns.sysctls.get("net.netfilter.nf_conntrack_checksum"))
    return hook is not Hook.OUTPUT and netfilter.conntrack_active(Family.IPV6) and asked


def _taken_for_damaged(hooked: Hooked, hook: Hook, skb: SkBuff, conn: Conn) -> HookVerdict:
    """An ICMPv6 checksum covers a pseudo-header, which IPVS leaves out when it checks it. Seen on Linux 6.1.

    Who has checked it before spares it that: conntrack, or a device, but veth does not.
    Ref: handle_response_icmp(), ip_vs_checksum_complete().
    """
    hooked.ns.record(step_of(hooked, hook, skb, conn, "drop", "an ICMPv6 error, whose checksum IPVS takes for wrong"))
    hooked.ns.drop(DropReason.IPVS_ICMP_CHECKSUM, "handle_response_icmp")
    return HookVerdict.DROP


# --- where they stand ----------------------------------------------------------------------------------------------

IP_VS_OPS: tuple[tuple[Hook, int, HookFunction], ...] = (
    # Ref: ip_vs_ops4[], ip_vs_ops6[]: NF_IP_PRI_NAT_SRC is 100, NF_IP_PRI_NAT_DST -100
    (Hook.INPUT, 98, ip_vs_out),
    (Hook.INPUT, 99, ip_vs_in),
    (Hook.OUTPUT, -99, ip_vs_out),
    (Hook.OUTPUT, -98, ip_vs_in),
    (Hook.FORWARD, 99, ip_vs_in_icmp),
    (Hook.FORWARD, 100, ip_vs_out),
)


def ip_vs_init(ns: Namespace) -> None:
    """Put IPVS into a namespace's hooks, for the families that it has virtual servers of. A namespace without any has no IPVS."""
    if not ns.spec.ipvs.servers or not isinstance(ns.netfilter, Netfilter):
        return
    ipvs = ns.ipvs = IPVS(ns.spec.ipvs, ns.sysctls, ns.network.clock)
    seed(ipvs, ns.spec.ipvs_connections)
    hooked = Hooked(ns, ipvs, ns.netfilter.env, ns.netfilter.conntrack)
    for family in ipvs.families:
        if ipvs.holds_conntrack(family):
            ns.netfilter.hold_conntrack(family)
        for hook, priority, function in IP_VS_OPS:
            ns.netfilter.register(hook, priority, family, _bound(hooked, function))


def _bound(hooked: Hooked, function: HookFunction) -> Callable[[Hook, SkBuff], HookVerdict]:
    return lambda hook, skb: function(hooked, hook, skb)
