"""What ``connect()`` makes of the address that a process names, before there is a packet.

Ref: net/ipv4/route.c:ip_route_output_key_hash_rcu(), net/ipv6/tcp_ipv6.c:tcp_v6_connect(), net/ipv6/datagram.c:__ip6_datagram_connect()
(v6.12).
"""

from __future__ import annotations

from netsim.net.address import Address, parse_address

_LOOPBACK = {4: parse_address("127.0.0.1"), 6: parse_address("::1")}


def connected_to(destination: Address, source: Address | None = None) -> Address:
    """The peer of a socket: 0.0.0.0 is the address that the socket is bound to, else 127.0.0.1; ``::`` is ``::1``, bound or not."""
    if not destination.is_unspecified:
        return destination
    bound = source if destination.version == 4 and source is not None and not source.is_unspecified else None
    return bound or _LOOPBACK[destination.version]
