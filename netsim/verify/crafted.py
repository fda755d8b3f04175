"""Packets that no ordinary socket sends, as bytes: echo requests, and TCP segments with any flags."""

from __future__ import annotations

import struct

from netsim.trace.model import Flow
from netsim.trace.walk import ECHO_REQUEST, INITIAL_SEQUENCE


def echo_request(flow: Flow) -> bytes:
    """The ICMP message; the identifier is the flow's source port. The kernel makes an IPv6 socket's checksum itself."""
    head = struct.pack("!BBHHH", ECHO_REQUEST[flow.protocol], 0, 0, flow.sport, 1)
    message = head + b"x" * flow.payload
    if flow.destination.version == 6:
        return message
    return head[:2] + struct.pack("!H", _checksum(message)) + message[4:]


def segment(flow: Flow, source: str) -> bytes:
    """An IP packet with the flow's TCP segment."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw

    if flow.destination.version == 6:
        head = IPv6(src=source, dst=str(flow.destination), hlim=flow.ttl)
    else:
        head = IP(src=source, dst=str(flow.destination), ttl=flow.ttl, flags="DF" if flow.dont_fragment else 0, id=1)
    made = head / TCP(sport=flow.sport, dport=flow.dport, flags=int(flow.flags), seq=INITIAL_SEQUENCE)
    return bytes(made / Raw(b"x" * flow.payload) if flow.payload else made)


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
