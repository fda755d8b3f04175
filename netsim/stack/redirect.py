"""ICMP redirects: a router tells a sender that its neighbour is the better next hop, and the sender believes it or does not.

The packet that a redirect is about goes its way all the same. ``inetpeer`` says how often one is told.
Ref: net/ipv4/route.c:ip_rt_send_redirect(), __ip_do_redirect(); net/ipv6/ndisc.c:ndisc_send_redirect(), ndisc_redirect_rcv(),
net/ipv6/route.c:rt6_do_redirect() (v6.12); RFC 792, RFC 4861 §8.
"""

from __future__ import annotations

from netsim.net.address import Address, Family
from netsim.net.packet import ICMPHeader, IPHeader, Packet, Protocol
from netsim.rules.xtables.ast import AddressType
from netsim.stack.arp import arp_solicit
from netsim.stack.dst import route_output
from netsim.stack.icmp_send import Message, icmp_send
from netsim.stack.ip6_route import ip6_route_output
from netsim.stack.namespace import LocalOut, Namespace
from netsim.stack.route import OutputKey, on_link
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.steps import RoutingDecision
from netsim.topology.model import Device

ICMP_REDIRECT, REDIR_HOST = 5, 1
NDISC_REDIRECT = 137
REDIRECT_TYPES = {Protocol.ICMP: ICMP_REDIRECT, Protocol.ICMPV6: NDISC_REDIRECT}
HOP_LIMIT = 255


def ip_rt_send_redirect(ns: Namespace, skb: SkBuff) -> None:
    """Tell the sender of a packet that is forwarded back to its link whom to ask."""
    nexthop = skb.nexthop
    assert nexthop is not None
    if ns.peers.redirects(skb.packet.ip.src, ns.now()):
        gateway = nexthop.gateway or skb.packet.ip.dst
        icmp_send(ns, skb, Message(ICMP_REDIRECT, REDIR_HOST), gateway=gateway)


def ndisc_send_redirect(ns: Namespace, device: Device, skb: SkBuff) -> None:
    """The same in IPv6, where only a link-local router, or the destination itself, is named; ``device`` is the way in and out."""
    nexthop, ip = skb.nexthop, skb.packet.ip
    assert nexthop is not None
    target = nexthop.gateway or ip.dst
    if not ns.peers.allow(ip.dst, ns.now()):
        return
    own = ns.fib6.link_local(device.name)
    if own is None or (target != ip.dst and not target.is_link_local):
        return
    back = ip6_route_output(ns, OutputKey(ip.src, own, any_source=True, oif=device.name)).nexthop
    if back is None or back.gateway is not None or not ns.peers.allow(ip.src, ns.now()):
        return
    known = ns.neighbours.get((device.name, target))
    message = ICMPHeader(NDISC_REDIRECT, quoted=skb.packet, gateway=target, link_layer=known)
    header = IPHeader(own, ip.src, Protocol.ICMPV6, HOP_LIMIT, dont_fragment=True)
    ns.network.local_out(
        ns.name, LocalOut(SkBuff(Packet(header, message), oif=device.name), "icmp", owner="", any_source=True)
    )


# --- the receiver ---------------------------------------------------------------------------------------------------


def do_redirect(ns: Namespace, skb: SkBuff, message: ICMPHeader) -> None:
    """A redirect about a packet of a socket of this host: from now on that destination is reached by the new next hop, or not."""
    quoted, gateway = message.quoted, message.gateway
    assert quoted is not None
    assert gateway is not None
    key = OutputKey(quoted.ip.dst, quoted.ip.src, any_source=True, packet=quoted)
    nexthop = route_output(ns, key).nexthop
    refusal = "there is no route to it" if nexthop is None else _refusal(ns, skb, nexthop, gateway)
    told = f"{quoted.ip.dst} by {gateway}"
    result = f"redirect ignored: {told}, since {refusal}"
    if refusal is None:
        assert nexthop is not None
        if message.link_layer is not None:
            ns.neighbours[nexthop.device, gateway] = message.link_layer
        result = _believe(ns, nexthop, quoted.ip.dst, gateway)
    device = nexthop.device if nexthop is not None else None
    ns.record(RoutingDecision("redirect", quoted.ip.dst, result, result, "main", device, gateway, None))


def _believe(ns: Namespace, nexthop: Nexthop, destination: Address, gateway: Address) -> str:
    """IPv4 asks for the MAC of the new next hop first, and believes the redirect that comes after the answer."""
    told = f"{destination} by {gateway}"
    if gateway.version == 4 and (nexthop.device, gateway) not in ns.neighbours:
        arp_solicit(ns, ns.devices[nexthop.device], gateway, nexthop.source or gateway)
        return f"redirect noted: {told}, whose MAC is asked for first"
    ns.exceptions.redirects[nexthop.device, destination] = gateway
    return f"redirect accepted: {told}"


def _refusal(ns: Namespace, skb: SkBuff, nexthop: Nexthop, gateway: Address) -> str | None:
    """Why a redirect is not believed, None where it is."""
    six = skb.packet.family is Family.IPV6
    return (_refusal6 if six else _refusal4)(ns, skb, nexthop, gateway)


def _refusal4(ns: Namespace, skb: SkBuff, nexthop: Nexthop, gateway: Address) -> str | None:
    sender, name, sysctls = skb.packet.ip.src, nexthop.device, ns.sysctls
    if nexthop.gateway != sender:
        return f"{sender} is not the next hop"
    accept = (sysctls.get("net.ipv4.conf.all.accept_redirects"), sysctls.conf(name, "accept_redirects"))
    if not (all(accept) if sysctls.forwarding(name) else any(accept)):
        return "accept_redirects is 0"
    if gateway == sender or gateway.is_multicast or gateway.is_unspecified:
        return f"{gateway} is no next hop"
    if sysctls.any_conf(name, "shared_media"):
        return None if ns.fib.address_type(gateway) is AddressType.UNICAST else f"{gateway} is no unicast address"
    if not on_link(ns.devices[name], gateway, sender):
        return f"{gateway} is not on {sender}'s network, and shared_media is 0"
    if sysctls.any_conf(name, "secure_redirects") and not ns.fib.is_gateway(gateway, name):
        return f"{gateway} is the gateway of no route, and secure_redirects is 1"
    return None


def _refusal6(ns: Namespace, skb: SkBuff, nexthop: Nexthop, gateway: Address) -> str | None:
    """TCP does not ask who its router is. Ref: also net/ipv6/route.c:ip6_redirect_nh_match(), net/ipv6/tcp_ipv6.c:tcp_v6_err() (v6.12)."""
    name, sender = nexthop.device, skb.packet.ip.src
    message = skb.packet.l4
    assert isinstance(message, ICMPHeader)
    assert message.quoted is not None
    if skb.packet.ip.ttl != HOP_LIMIT or not sender.is_link_local:
        return f"{sender} is no router of this link"
    protocol = message.quoted.ip.protocol
    if protocol is Protocol.UDP:
        return "a UDP socket that is bound to no device ignores redirects"
    if protocol is Protocol.ICMPV6 and nexthop.gateway != sender:
        return f"{sender} is not the next hop"
    if gateway != message.quoted.ip.dst and not gateway.is_link_local:
        return f"{gateway} is no link-local address"
    if ns.sysctls.conf6(name, "forwarding"):
        return f"{name} is a router's"
    return None if ns.sysctls.conf6(name, "accept_redirects") else "accept_redirects is 0"
