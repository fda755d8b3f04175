"""What ICMP messages teach a host of its routes, and how it forgets that: no flow is to know of the one before."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.verify.enter import entered

LESSONS = frozenset({(Protocol.ICMP, 3, 4), (Protocol.ICMPV6, 2, 0)})
"""Protocol, type, code: fragmentation needed, packet too big."""
REDIRECTS = {Protocol.ICMP: 5, Protocol.ICMPV6: 137}
FLUSH = Path("/proc/sys/net/ipv4/route/flush")
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLMSG_ERROR, NLMSG_DONE, RTM_DELROUTE, RTM_GETROUTE = 2, 3, 25, 26
RTM_F_CLONED = 0x200

_HEADER = struct.Struct("=IHHII")
_RTMSG = struct.Struct("=BBBBBBBBI")


def teaches(packet: Packet) -> bool:
    """True for a message that leaves a path MTU or another next hop behind."""
    l4, protocol = packet.l4, packet.ip.protocol
    if not isinstance(l4, ICMPHeader):
        return False
    return (protocol, l4.type, l4.code) in LESSONS or REDIRECTS.get(protocol) == l4.type


def forget_routes(real_name: str) -> None:
    """Drop what a real namespace learnt of its routes: IPv4's by its flush, IPv6's one by one, as its flush spares what has not expired.

    Ref: net/ipv4/route.c:ipv4_sysctl_rtcache_flush(), net/ipv6/route.c:rt6_age_examine_exception(), ip6_del_cached_rt() (v6.12).
    """
    with entered(real_name):
        with suppress(FileNotFoundError):
            FLUSH.write_text("0", encoding="ascii")
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as netlink:
            for learnt in list(_exceptions(netlink)):
                _ask(netlink, RTM_DELROUTE, NLM_F_ACK, learnt)
                netlink.recv(1 << 16)  # where it is gone already, nothing is to be forgotten


def _exceptions(netlink: socket.socket) -> Iterator[bytes]:
    """IPv6's ``RTF_CACHE`` routes, each as the body of a message that deletes it."""
    _ask(netlink, RTM_GETROUTE, NLM_F_DUMP, _RTMSG.pack(socket.AF_INET6, 0, 0, 0, 0, 0, 0, 0, RTM_F_CLONED))
    while True:
        data = netlink.recv(1 << 18)
        at = 0
        while at < len(data):
            length, kind, *_ = _HEADER.unpack_from(data, at)
            body = data[at + _HEADER.size : at + length]
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                number = -struct.unpack_from("=i", body)[0]
                raise OSError(number, f"routes: {os.strerror(number)}")
            if _RTMSG.unpack_from(body)[-1] & RTM_F_CLONED:
                yield body
            at += (length + 3) & ~3


def _ask(netlink: socket.socket, kind: int, flags: int, body: bytes) -> None:
    netlink.send(_HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | flags, 1, 0) + body)
