"""Captures: every frame of a namespace, byte for byte as a device would have seen it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP, SCTPChunkCookieEcho
from scapy.utils import RawPcapReader, checksum, rdpcap

from netsim.net.address import parse_address
from netsim.net.packet import (
    ICMPHeader,
    IPHeader,
    Packet,
    Protocol,
    SCTPChunk,
    SCTPHeader,
    TCPFlags,
    TCPHeader,
    UDPHeader,
)
from netsim.render.pcap import captures, frame_bytes, packet_bytes
from netsim.stack.steps import Receive, Transmit
from netsim.trace.selection import Selection
from tests.unit.trace_world import CLIENT, GOOD_TCP, M1, M2, TCP_FLOW, VIP, tracing

V6 = (parse_address("fd00::5"), parse_address("fd00:96::10"))


def frames(content):
    return rdpcap(BytesIO(content))


def test_one_capture_for_each_namespace_in_the_order_of_the_walk():
    found = captures(tracing(GOOD_TCP))
    assert list(found) == ["pod-client.pcap", "node1.pcap", "pod-web.pcap"]


def test_a_node_sees_the_packet_before_and_after_nat():
    seen = frames(captures(tracing(GOOD_TCP))["node1.pcap"])
    told = [(f[IP].src, f[TCP].sport, f[IP].dst, f[TCP].dport, f[IP].ttl, str(f[TCP].flags)) for f in seen]
    assert told == [
        ("10.244.0.5", 40000, "10.96.0.10", 80, 64, "S"),
        ("10.244.0.5", 40000, "10.244.1.7", 8080, 63, "S"),
        ("10.244.1.7", 8080, "10.244.0.5", 40000, 64, "SA"),
        ("10.96.0.10", 80, "10.244.0.5", 40000, 64, "SA"),
    ]
    assert {(f[Ether].src, f[Ether].dst) for f in seen} == {(str(M1), str(M2))}


def test_time_goes_on_with_the_walk():
    stamps = [
        (meta.sec, meta.usec)
        for content in captures(tracing(GOOD_TCP)).values()
        for _, meta in RawPcapReader(BytesIO(content))
    ]
    assert len(set(stamps)) == len(stamps)
    node = [(m.sec, m.usec) for _, m in RawPcapReader(BytesIO(captures(tracing(GOOD_TCP))["node1.pcap"]))]
    assert all(early < late for early, late in pairwise(node))


def test_the_decisive_branch_is_captured():
    picked = captures(tracing(GOOD_TCP, selection=Selection(pick=2)))
    assert "pod-web2.pcap" in picked
    assert "pod-web.pcap" not in picked


def test_the_same_trace_gives_the_same_bytes():
    assert captures(tracing(GOOD_TCP)) == captures(tracing(GOOD_TCP))


def test_a_segment_has_its_numbers_options_and_payload():
    header = TCPHeader(1, 2, TCPFlags.PSH | TCPFlags.ACK, seq=7, ack=9, window=100, mss=1400)
    packet = Packet(
        IPHeader(CLIENT, VIP, Protocol.TCP, ttl=9, dscp=10, identification=77, dont_fragment=True), header, 33
    )
    ip = IP(packet_bytes(packet))
    assert (ip.ttl, ip.tos >> 2, ip.id, str(ip.flags), ip.len) == (9, 10, 77, "DF", 20 + 24 + 33)
    tcp = ip[TCP]
    assert (tcp.seq, tcp.ack, tcp.window, str(tcp.flags), tcp.options) == (7, 9, 100, "PA", [("MSS", 1400)])
    assert bytes(tcp.payload) == bytes(33)


def test_fragments_say_so():
    header = IPHeader(CLIENT, VIP, Protocol.UDP, fragment_offset=1480, more_fragments=True)
    ip = IP(packet_bytes(Packet(header, UDPHeader(1, 2), 8)))
    assert (ip.frag, str(ip.flags)) == (185, "MF")


PACKETS = {
    "tcp": Packet(IPHeader(CLIENT, VIP, Protocol.TCP), TCPHeader(1, 2), 5),
    "udp": Packet(IPHeader(CLIENT, VIP, Protocol.UDP), UDPHeader(1, 2), 5),
    "udp6": Packet(IPHeader(*V6, Protocol.UDP), UDPHeader(1, 2), 5),
    "tcp6": Packet(IPHeader(*V6, Protocol.TCP), TCPHeader(1, 2), 5),
    "echo": Packet(IPHeader(CLIENT, VIP, Protocol.ICMP), ICMPHeader(8, identifier=7, sequence=1), 56),
}
SAME_AFTER_RECOMPUTING = {
    **PACKETS,
    "error": Packet(IPHeader(VIP, CLIENT, Protocol.ICMP), ICMPHeader(3, 4, mtu=1450, quoted=PACKETS["udp"])),
    "echo6": Packet(IPHeader(*V6, Protocol.ICMPV6), ICMPHeader(128, identifier=7, sequence=1), 56),
    "error6": Packet(IPHeader(*V6, Protocol.ICMPV6), ICMPHeader(2, mtu=1450, quoted=PACKETS["udp6"])),
}


@pytest.mark.parametrize("packet", SAME_AFTER_RECOMPUTING.values(), ids=SAME_AFTER_RECOMPUTING)
def test_checksums_are_what_scapy_computes_from_the_bytes(packet):
    raw = packet_bytes(packet)
    read = (IP if packet.ip.dst.version == 4 else IPv6)(raw)
    layer = read
    while layer.payload:
        for field in ("chksum", "cksum"):
            if field in layer.fields:
                layer.delfieldval(field)
        if isinstance(layer, ICMP) or type(layer).__name__.startswith("ICMPv6"):
            break
        layer = layer.payload
    assert bytes(read) == raw


def test_an_ipv4_icmp_message_adds_up():
    raw = packet_bytes(PACKETS["echo"])
    assert checksum(raw[20:]) == 0
    echo = IP(raw)[ICMP]
    assert (echo.type, echo.id, echo.seq, len(bytes(echo.payload))) == (8, 7, 1, 56)


def test_an_icmp_error_quotes_the_packet():
    quoted = replace(PACKETS["udp"], payload=2000)
    error = Packet(IPHeader(VIP, CLIENT, Protocol.ICMP), ICMPHeader(3, 4, mtu=1450, quoted=quoted))
    raw = packet_bytes(error)
    ip = IP(raw)
    assert (ip[ICMP].type, ip[ICMP].code, ip[ICMP].nexthopmtu) == (3, 4, 1450)
    assert raw[28:] == packet_bytes(quoted)[:548]
    assert ip.len == 576


def test_sctp_has_its_chunk():
    packet = Packet(IPHeader(CLIENT, VIP, Protocol.SCTP), SCTPHeader(1, 2, SCTPChunk.COOKIE_ECHO, 5))
    sctp = IP(packet_bytes(packet))[SCTP]
    assert (sctp.sport, sctp.dport, sctp.tag) == (1, 2, 5)
    assert isinstance(sctp.payload, SCTPChunkCookieEcho)


@pytest.mark.parametrize("chunk", SCTPChunk, ids=lambda chunk: chunk.name)
def test_every_sctp_chunk_can_be_written(chunk):
    packet = Packet(IPHeader(CLIENT, VIP, Protocol.SCTP), SCTPHeader(1, 2, chunk))
    assert IP(packet_bytes(packet))[SCTP].payload.type == chunk


def test_a_frame_names_the_family_and_lo_has_no_macs():
    assert Ether(frame_bytes(Receive("eth0", PACKETS["udp6"], M1, M2)))[UDP].dport == 2
    lo = Ether(frame_bytes(Transmit("lo", PACKETS["udp"], None, None)))
    assert (lo.src, lo.dst, lo.type) == ("00:00:00:00:00:00", "00:00:00:00:00:00", 0x0800)


@pytest.mark.kernel
def test_tcpdump_finds_every_checksum_correct(tmp_path):
    for name, content in captures(tracing(GOOD_TCP, replace(TCP_FLOW, payload=700))).items():
        path = tmp_path / name
        path.write_bytes(content)
        said = subprocess.run(["tcpdump", "-nvr", str(path)], capture_output=True, text=True, check=True).stdout
        sums = re.findall(r"cksum 0x[0-9a-f]+ \((\w+)", said)
        assert sums == ["correct"] * len(frames(content))
        assert "bad" not in said
