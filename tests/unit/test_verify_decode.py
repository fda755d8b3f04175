"""Captured bytes as packets, against scapy's."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6
from scapy.packet import Raw

from netsim.net.address import parse_address
from netsim.net.packet import ICMPHeader, IPHeader, Packet, Protocol, TCPFlags, TCPHeader, UDPHeader
from netsim.verify.decode import decode

A, B = parse_address("10.0.0.1"), parse_address("10.0.0.2")
A6, B6 = parse_address("fd00::1"), parse_address("fd00::2")


def ip(protocol, **more):
    return IPHeader(A, B, protocol, **{"identification": 1, **more})


def wire(**more):
    return IP(src="10.0.0.1", dst="10.0.0.2", **more)


SYN = TCPHeader(40000, 80, TCPFlags.SYN, 7, 0, 8192, 1460)
QUERY = Packet(ip(Protocol.UDP, ttl=1), UDPHeader(53000, 53), 4)

BACK = IPv6(src="fd00::2", dst="fd00::1") / UDP(sport=1, dport=2)

PACKETS = [
    ("SYN with MSS behind a NOP", wire(flags="DF") / TCP(sport=40000, dport=80, flags="S", seq=7, options=[("NOP", None), ("MSS", 1460)]),
     Packet(ip(Protocol.TCP, dont_fragment=True), SYN)),
    ("data", wire(ttl=3) / TCP(sport=1, dport=2, flags="PA", seq=5, ack=6) / Raw(b"abc"),
     Packet(ip(Protocol.TCP, ttl=3), TCPHeader(1, 2, TCPFlags.PSH | TCPFlags.ACK, 5, 6, 8192), 3)),
    ("datagram", wire(ttl=1) / UDP(sport=53000, dport=53) / Raw(b"abcd"), QUERY),
    ("ping", wire() / ICMP(type=8, id=99, seq=1) / Raw(b"x" * 56), Packet(ip(Protocol.ICMP), ICMPHeader(8, 0, 99, 1), 56)),
    ("an error quotes", wire() / ICMP(type=3, code=4, nexthopmtu=1400) / wire(ttl=1) / UDP(sport=53000, dport=53) / Raw(b"abcd"),
     Packet(ip(Protocol.ICMP), ICMPHeader(3, 4, mtu=1400, quoted=QUERY))),
    ("IPv6 ping", IPv6(src="fd00::1", dst="fd00::2", hlim=9) / ICMPv6EchoRequest(id=7, seq=1, data=b"xy"),
     Packet(IPHeader(A6, B6, Protocol.ICMPV6, ttl=9, dont_fragment=True), ICMPHeader(128, 0, 7, 1), 2)),
    ("packet too big", IPv6(src="fd00::1", dst="fd00::2") / ICMPv6PacketTooBig(mtu=1280) / BACK,
     Packet(IPHeader(A6, B6, Protocol.ICMPV6, dont_fragment=True),
            ICMPHeader(2, 0, mtu=1280, quoted=Packet(IPHeader(B6, A6, Protocol.UDP, dont_fragment=True), UDPHeader(1, 2))))),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "packet"), [row[1:] for row in PACKETS], ids=[row[0] for row in PACKETS])
def test_a_packet_is_read_as_it_was_sent(sent, packet):
    assert decode(bytes(sent)) == packet


def test_of_a_segment_that_an_error_cut_the_ports_are_left():
    cut = bytes(wire() / TCP(sport=40000, dport=80, flags="S", seq=7))[:28]
    packet = decode(cut)
    assert (packet.sport, packet.dport, packet.l4.seq) == (40000, 80, 7)


@pytest.mark.parametrize(
    "data", [b"", b"\x45", bytes(wire(proto=47)), bytes(wire(frag=3) / UDP()), bytes(wire() / UDP())[:24]]
)
def test_what_the_model_does_not_walk_is_left_out(data):
    assert decode(data) is None
