"""How IPVS sends a packet to a real server: masquerading (destination rewritten), direct routing (only the next hop differs), tunnel.

A packet for another host is routed anew by the real server's address alone, loses one of its TTL, and enters OUTPUT from the start.
A packet for a real server on this host goes on where it was.

Ref: net/netfilter/ipvs/ip_vs_xmit.c:__ip_vs_get_out_rt(), ip_vs_nat_xmit(), ip_vs_dr_xmit(), ip_vs_icmp_xmit() (v6.12).
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family
from netsim.net.packet import ICMPHeader, IPHeader, IPIPHeader, Packet, Protocol
from netsim.rules.ipvs.ast import Forwarding
from netsim.stack.dev import skb_len
from netsim.stack.dst import dst_mtu, route_output
from netsim.stack.environment import HookVerdict
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.ip_output import ip_output
from netsim.stack.ip_tunnel_core import iptunnel_xmit
from netsim.stack.ip_vs_conn import Conn
from netsim.stack.ip_vs_nfct import mark_conntrack
from netsim.stack.ipip import OUTER_HEADER
from netsim.stack.namespace import Namespace, NotModelledError
from netsim.stack.netfilter import Netfilter
from netsim.stack.nf_conntrack_core import nf_conntrack_confirm
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey, Routed, record_output
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.steps import Encapsulation, Hook, IPVSStep, TTLStep


@dataclass(frozen=True, slots=True)
class Sending:
    """A packet of a connection at a hook, and the step that tells of it; the step's ``after`` is filled in here."""

    ns: Namespace
    hook: Hook
    skb: SkBuff
    conn: Conn
    step: IPVSStep

    def record(self, after: Packet) -> None:
        """Tell what was done."""
        self.ns.record(replace(self.step, after=after))


def ip_vs_xmit(sending: Sending) -> HookVerdict:
    """Send a packet to its connection's real server. ACCEPT where that is this host itself."""
    match sending.conn.forwarding:
        case Forwarding.MASQUERADE:
            return _nat_xmit(sending)
        case Forwarding.DIRECT_ROUTE:
            return _dr_xmit(sending)
        case Forwarding.TUNNEL:
            return _tunnel_xmit(sending)
        case never:
            assert_never(never)


def _nat_xmit(sending: Sending) -> HookVerdict:
    """Ref: ip_vs_nat_xmit(), ip_vs_nat_xmit_v6()."""
    conn, skb = sending.conn, sending.skb
    return _send(sending, skb.packet.with_ip(dst=conn.daddr).with_l4(dport=conn.dport))


def icmp_xmit(sending: Sending) -> HookVerdict:
    """An ICMP error about an answer goes on to the real server that had sent it. Ref: ip_vs_icmp_xmit(), ip_vs_nat_icmp()."""
    conn, packet = sending.conn, sending.skb.packet
    if conn.forwarding is not Forwarding.MASQUERADE:
        return ip_vs_xmit(sending)
    assert isinstance(packet.l4, ICMPHeader)
    assert packet.l4.quoted is not None
    quoted = packet.l4.quoted.with_ip(src=conn.daddr).with_l4(sport=conn.dport)
    return _send(sending, packet.with_ip(dst=conn.daddr).with_l4(quoted=quoted))


def _send(sending: Sending, changed: Packet) -> HookVerdict:
    ns, skb, conn = sending.ns, sending.skb, sending.conn
    routed = _get_out_rt(sending, conn.daddr)
    if routed is None:
        return HookVerdict.DROP
    local = routed.nexthop is not None and routed.nexthop.local
    if local and conn.daddr.is_loopback and sending.hook is Hook.INPUT:
        sending.record(skb.packet)
        detail = f"{conn.daddr} is a loopback address, and the packet came from another host"
        ns.drop(DropReason.IPVS_BOUNDARY, "ip_vs_nat_xmit", detail)
        return HookVerdict.DROP
    sending.record(changed)
    skb.packet = changed
    skb.ipvs_property = True
    mark_conntrack(skb, conn, reply=False)
    return HookVerdict.ACCEPT if local else _cont(sending, routed)


def _dr_xmit(sending: Sending) -> HookVerdict:
    """The packet stays as it is; its next hop is the real server, or the router towards it. Ref: ip_vs_dr_xmit()."""
    skb, conn = sending.skb, sending.conn
    routed = _get_out_rt(sending, conn.daddr)
    if routed is None:
        return HookVerdict.DROP
    sending.record(skb.packet)
    skb.ipvs_property = True
    mark_conntrack(skb, conn, reply=False)
    nexthop = routed.nexthop
    assert nexthop is not None
    if nexthop.local:
        return HookVerdict.ACCEPT
    return _cont(sending, replace(routed, nexthop=replace(nexthop, gateway=nexthop.gateway or conn.daddr)))


def _tunnel_xmit(sending: Sending) -> HookVerdict:
    """The packet travels inside another one, from this host to the real server; its conntrack entry is confirmed and stays behind.

    Ref: ip_vs_tunnel_xmit(), ip_vs_prepare_tunneled_skb(), ip_vs_tunnel_xmit_prepare().
    """
    ns, skb, conn = sending.ns, sending.skb, sending.conn
    if conn.dest is not None and conn.dest.spec.tunnel[:2] not in ((), ("--tun-type", "ipip")):
        sending.record(skb.packet)
        raise NotModelledError(f"IPVS tunnelling by {' '.join(conn.dest.spec.tunnel)}", "ip_vs_tunnel_xmit")
    if skb.packet.ip.dst.version == 6:
        sending.record(skb.packet)
        raise NotModelledError("IPVS tunnelling of IPv6", "ip_vs_tunnel_xmit_v6")
    routed = _get_out_rt(sending, conn.daddr)
    if routed is None:
        return HookVerdict.DROP
    nexthop = routed.nexthop
    assert nexthop is not None
    sending.record(skb.packet)
    skb.ipvs_property = True
    if nexthop.local:
        mark_conntrack(skb, conn, reply=False)
        return HookVerdict.ACCEPT
    _age(sending)
    if conn.conntrack and not _confirmed(ns, sending.hook, skb):
        return HookVerdict.DROP
    inner = skb.packet
    source = nexthop.source or type(conn.daddr)(0)
    keeps_df = inner.ip.dont_fragment and _pmtu_disc(ns)
    header = IPHeader(source, conn.daddr, Protocol.IPIP, inner.ip.ttl, dont_fragment=keeps_df)
    outer = Packet(header, IPIPHeader(), skb_len(inner), inner)
    ns.record(Encapsulation(nexthop.device, "ipip", inner, outer, detail="by IPVS, to the real server"))
    record_output(ns, _key(conn.daddr), routed)
    iptunnel_xmit(ns, SkBuff(outer, iif=skb.iif, mark=skb.mark, nexthop=nexthop, ipvs_property=True))
    return HookVerdict.STOLEN


def _pmtu_disc(ns: Namespace) -> bool:
    """Without it a packet for a tunnel is cut, whatever its DF says. Ref: ensure_mtu_is_adequate(), ip_vs_tunnel_xmit()."""
    return bool(ns.sysctls.get("net.ipv4.vs.pmtu_disc"))


def _confirmed(ns: Namespace, hook: Hook, skb: SkBuff) -> bool:
    """Ref: include/net/ip_vs.h:ip_vs_confirm_conntrack()."""
    netfilter = ns.netfilter
    if not isinstance(netfilter, Netfilter):
        return True
    return nf_conntrack_confirm(netfilter.conntrack, netfilter.env, hook, skb) is HookVerdict.ACCEPT


def _age(sending: Sending) -> None:
    ns, skb = sending.ns, sending.skb
    ttl = skb.packet.ip.ttl
    skb.packet = skb.packet.with_ip(ttl=ttl - 1)
    ns.record(TTLStep(ttl, ttl - 1))
    ns.network.routed()


def _cont(sending: Sending, routed: Routed) -> HookVerdict:
    """TTL, the new route, OUTPUT from the start, POSTROUTING. Ref: ip_vs_nat_send_or_cont(), decrement_ttl()."""
    ns, skb = sending.ns, sending.skb
    nexthop = routed.nexthop
    assert nexthop is not None
    _age(sending)
    record_output(ns, _key(sending.conn.daddr), routed)
    skb.nexthop = nexthop
    skb.oif = nexthop.device
    if ns.nf_hook(Hook.OUTPUT, skb):
        ip_output(ns, skb)
    return HookVerdict.STOLEN


def _key(daddr: Address) -> OutputKey:
    return OutputKey(daddr)


def _get_out_rt(sending: Sending, daddr: Address) -> Routed | None:
    """The route to the real server. None where the packet ended: no route, a border it must not cross, its TTL, its length."""
    ns, skb = sending.ns, sending.skb
    routed = route_output(ns, _key(daddr))
    if routed.nexthop is None:
        sending.record(skb.packet)
        record_output(ns, _key(daddr), routed)
        ns.drop(DropReason.IP_OUTNOROUTES, "__ip_vs_get_out_rt", f"there is no route to the real server {daddr}")
        icmp_unreachable(ns, skb, Unreachable.HOST)
        return None
    if (wrong := _crosses_border(sending, routed.nexthop)) is not None:
        sending.record(skb.packet)
        ns.drop(DropReason.IPVS_BOUNDARY, "crosses_local_route_boundary", wrong)
        return None
    if routed.nexthop.local:
        return routed
    return routed if _may_leave(sending, routed.nexthop) else None


def _crosses_border(sending: Sending, nexthop: Nexthop) -> str | None:
    """Ref: crosses_local_route_boundary()."""
    skb = sending.skb
    was_local = skb.nexthop is not None and skb.nexthop.local
    if nexthop.local:
        redirects = sending.conn.forwarding is Forwarding.MASQUERADE
        return None if redirects or was_local else "a packet that is not for this host cannot be kept here"
    source = skb.packet.ip.src
    made_here = skb.iif is None or skb.iif == "lo"
    if made_here and source.is_loopback:
        return f"the source {source} must not leave the host"
    return None


def _may_leave(sending: Sending, nexthop: Nexthop) -> bool:
    """TTL and MTU, in this order: an error about the length quotes the packet with the TTL that it has by then.

    Ref: decrement_ttl(), ensure_mtu_is_adequate().
    """
    ns, skb = sending.ns, sending.skb
    ttl, mtu = skb.packet.ip.ttl, dst_mtu(ns, nexthop, skb.packet.family, forwarding=False)
    if sending.conn.forwarding is Forwarding.TUNNEL:
        mtu -= OUTER_HEADER
    if ttl <= 1:
        sending.record(skb.packet)
        ns.drop(DropReason.TTL_EXCEEDED, "ip_vs_xmit.c:decrement_ttl", f"the TTL is {ttl}")
        icmp_unreachable(ns, skb, Unreachable.TIME_EXCEEDED)
        return False
    if _is_adequate(sending, mtu):
        return True
    sending.record(skb.packet)
    _age(sending)
    why = "DF is set" if skb.packet.family is Family.IPV4 else "no router fragments IPv6"
    detail = f"{skb_len(skb.packet)} bytes are more than the MTU of {nexthop.device}, {mtu}, and {why}"
    ns.drop(DropReason.PKT_TOO_BIG, "ensure_mtu_is_adequate", detail)
    icmp_unreachable(ns, skb, Unreachable.FRAG_NEEDED, mtu=mtu)
    return False


def _is_adequate(sending: Sending, mtu: int) -> bool:
    """IPVS cuts no IPv6 packet, even where its sender is on this host and lets it be cut. Ref: __mtu_check_toobig_v6()."""
    skb, length = sending.skb, skb_len(sending.skb.packet)
    if skb.packet.family is Family.IPV6:
        return (skb.frag_max_size or length) <= mtu
    cuts_anyway = sending.conn.forwarding is Forwarding.TUNNEL and not _pmtu_disc(sending.ns)
    return length <= mtu or cuts_anyway or not skb.packet.ip.dont_fragment
