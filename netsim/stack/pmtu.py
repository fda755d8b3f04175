"""Path MTUs: what a host learns from an ICMP error about a packet that it sent, for the time of ``mtu_expires``.

Ref: net/ipv4/route.c:__ip_rt_update_pmtu(), net/ipv4/icmp.c:icmp_unreach(), net/ipv6/route.c:__ip6_rt_update_pmtu() (v6.12); RFC 1191,
RFC 8201.
"""

from __future__ import annotations

from netsim.net.address import Family
from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.stack.addrconf import IPV6_MIN_MTU
from netsim.stack.dst import dst_mtu, route_output
from netsim.stack.fnhe import PathMTU
from netsim.stack.namespace import Namespace
from netsim.stack.route import OutputKey

_TOO_BIG = {Protocol.ICMP: (3, 4), Protocol.ICMPV6: (2, 0)}


def is_too_big(packet: Packet, message: ICMPHeader) -> bool:
    """True for fragmentation needed and packet too big."""
    return (message.type, message.code) == _TOO_BIG[packet.ip.protocol]


def update_pmtu(ns: Namespace, quoted: Packet, mtu: int) -> None:
    """A router on the way to a destination takes no more than ``mtu`` bytes. A larger number than was known changes nothing.

    Below ``min_pmtu`` IPv4 believes no router: packets to there have that length and no DF.
    """
    family = quoted.family
    key = OutputKey(quoted.ip.dst, quoted.ip.src, any_source=True, packet=quoted)
    nexthop = route_output(ns, key).nexthop
    if nexthop is None or nexthop.local or nexthop.mtu_locked:
        return
    known = dst_mtu(ns, nexthop, family, forwarding=False)
    lowest = ns.sysctls.get("net.ipv4.route.min_pmtu") if family is Family.IPV4 else IPV6_MIN_MTU
    locked = family is Family.IPV4 and mtu < lowest
    mtu = min(known, lowest) if locked else max(mtu, lowest)
    if mtu > known or (mtu == known and not locked):
        return
    lifetime = ns.sysctls.get(f"net.ipv{family.value}.route.mtu_expires")
    ns.exceptions.path_mtus[nexthop.device, quoted.ip.dst] = PathMTU(mtu, ns.now() + lifetime, locked)
