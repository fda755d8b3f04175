"""Routing in the family of the packet: IPv4's look-ups are ``route``'s, IPv6's are ``ip6_route``'s."""

from __future__ import annotations

from netsim.stack.ip6_route import ip6_route_input, ip6_route_output
from netsim.stack.namespace import Namespace
from netsim.stack.route import InputKey, Martian, OutputKey, Routed, ip_route_input, ip_route_output


def route_input(ns: Namespace, key: InputKey) -> Routed | Martian:
    """Where a packet that came in on a device goes. Nothing is recorded."""
    return ip_route_input(ns, key) if key.dst.version == 4 else ip6_route_input(ns, key)


def route_output(ns: Namespace, key: OutputKey) -> Routed:
    """Where a packet that is made here goes, and from which source. Nothing is recorded."""
    return ip_route_output(ns, key) if key.dst.version == 4 else ip6_route_output(ns, key)
