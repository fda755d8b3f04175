"""What ICMP messages teach a host of its routes, and how it forgets that: no flow is to know of the one before."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.verify.enter import entered

LESSONS = frozenset({(Protocol.ICMP, 3, 4), (Protocol.ICMPV6, 2, 0)})
"""Protocol, type, code: fragmentation needed, packet too big."""
REDIRECTS = {Protocol.ICMP: 5, Protocol.ICMPV6: 137}
FLUSHES = (Path("/proc/sys/net/ipv4/route/flush"), Path("/proc/sys/net/ipv6/route/flush"))


def teaches(packet: Packet) -> bool:
    """True for a message that leaves a path MTU or another next hop behind."""
    l4, protocol = packet.l4, packet.ip.protocol
    if not isinstance(l4, ICMPHeader):
        return False
    return (protocol, l4.type, l4.code) in LESSONS or REDIRECTS.get(protocol) == l4.type


def forget_routes(real_name: str) -> None:
    """Drop what a real namespace learnt of its routes. Ref: net/ipv4/route.c:ipv4_sysctl_rtcache_flush() (v6.12)."""
    with entered(real_name):
        for path in FLUSHES:
            with suppress(FileNotFoundError):
                path.write_text("0", encoding="ascii")
