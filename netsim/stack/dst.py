"""Routing in the family of the packet, and how long a packet may be on the way that was found.

IPv4's look-ups are ``route``'s, IPv6's are ``ip6_route``'s. Ref: include/net/dst.h (v6.12).
"""

from __future__ import annotations

from netsim.net.address import Family
from netsim.stack.ip6_route import ip6_route_input, ip6_route_output
from netsim.stack.namespace import Namespace
from netsim.stack.route import InputKey, Martian, OutputKey, Routed, ip_route_input, ip_route_output
from netsim.stack.skbuff import Nexthop

HEADERS = {Family.IPV4: 40, Family.IPV6: 60}
"""Bytes of an IP and a TCP header without options."""

LOCKED_GATEWAY_MTU = 576
"""Ref: net/ipv4/route.c:ipv4_mtu(): a locked MTU of a way by a gateway is no more than every host takes (v6.12)."""


def route_input(ns: Namespace, key: InputKey) -> Routed | Martian:
    """Where a packet that came in on a device goes. Nothing is recorded."""
    return ip_route_input(ns, key) if key.dst.version == 4 else ip6_route_input(ns, key)


def route_output(ns: Namespace, key: OutputKey) -> Routed:
    """Where a packet that is made here goes, and from which source. Nothing is recorded."""
    return ip_route_output(ns, key) if key.dst.version == 4 else ip6_route_output(ns, key)


def dst_mtu(ns: Namespace, nexthop: Nexthop, family: Family, *, forwarding: bool) -> int:
    """The MTU of a way in bytes: what was learnt of the destination, the route's metric, the device's.

    A forwarder does not believe what it learnt, unless ``ip_forward_use_pmtu`` says so; in IPv6 it believes a metric that is locked.
    Ref: include/net/ip.h:ip_dst_mtu_maybe_forward(), include/net/ip6_route.h:ip6_dst_mtu_maybe_forward() (v6.12).
    """
    device = ns.oif(nexthop).mtu
    if family is Family.IPV6:
        believed = nexthop.mtu_locked or not forwarding
        return min((nexthop.path_mtu or nexthop.mtu or device) if believed else device, device)
    learnt = not forwarding or nexthop.mtu_locked or ns.sysctls.get("net.ipv4.ip_forward_use_pmtu")
    if learnt and nexthop.path_mtu:
        return nexthop.path_mtu
    return nexthop.mtu or device


def advertised_mss(ns: Namespace, nexthop: Nexthop, family: Family) -> int:
    """The MSS that a SYN announces, in bytes: the route's ``advmss``, or what its MTU leaves.

    Ref: net/ipv4/tcp_output.c:tcp_advertise_mss(), net/ipv4/route.c:ipv4_default_advmss() (v6.12).
    """
    return nexthop.advmss or dst_mtu(ns, nexthop, family, forwarding=False) - HEADERS[family]
