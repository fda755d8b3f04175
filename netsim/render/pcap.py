"""The frames of a trace as captures that tcpdump and Wireshark open: one file for each network namespace.

A capture holds every frame that a device of the namespace took or sent, in the order of the walk, as ``tcpdump -i any`` would list them: a
bridged packet stands there once for the port it came in on and once for each it left by. Time is the walk's order, a microsecond
for each step from the epoch on. Payloads are zeros. The captured branch is the decisive one; ``--pick`` chooses another.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, assert_never
from zlib import crc32

from netsim.net.address import MAC, Address
from netsim.net.packet import (
    VXLAN,
    Frame,
    ICMPHeader,
    IPIPHeader,
    Packet,
    Protocol,
    SCTPChunk,
    SCTPHeader,
    TCPHeader,
    UDPHeader,
)
from netsim.stack.steps import Receive, Transmit
from netsim.trace.model import Branch, Trace

if TYPE_CHECKING:
    from scapy.packet import Packet as ScapyPacket

LINKTYPE_ETHERNET = 1
ERROR_BYTES = {4: 576, 6: 1280}
"""How long an ICMP error may be, IP header included. RFC 1812 §4.3.2.3, RFC 4443 §2.4(c); Linux 6.18 does so."""


def captures(trace: Trace) -> dict[str, bytes]:
    """File names (``node.node1.pcap``) and the files' contents, by namespace in the order in which the packets came to them."""
    frames: dict[str, list[tuple[int, bytes]]] = {}
    for number, (netns, step) in enumerate(_frames(trace.decisive)):
        frames.setdefault(netns, []).append((number, frame_bytes(step)))
    names = _file_names(list(frames))
    return {f"{names[netns]}.pcap": _capture(seen) for netns, seen in frames.items()}


def _frames(branch: Branch) -> Iterator[tuple[str, Receive | Transmit]]:
    for leg in branch.legs:
        for hop in leg.hops:
            for step in hop.steps:
                if isinstance(step, Receive | Transmit):
                    yield hop.netns, step


LONGEST_NAME = 255 - len(".pcap") - len(".tmp-12345678")
"""Bytes of a file's name (NAME_MAX), less what is put after it while it is written."""


def _file_names(namespaces: Sequence[str]) -> dict[str, str]:
    """A name for each namespace that any file system takes; the end of a long one, or of one that two would have, is a hash of it."""
    plain = {netns: re.sub(r"[^A-Za-z0-9._-]", "_", netns) for netns in namespaces}
    twice = {name for name, times in Counter(plain.values()).items() if times > 1}
    return {
        netns: name
        if len(name) <= LONGEST_NAME and name not in twice
        else f"{name[: LONGEST_NAME - 9]}-{crc32(netns.encode()):08x}"
        for netns, name in plain.items()
    }


def _capture(frames: list[tuple[int, bytes]]) -> bytes:
    from scapy.utils import RawPcapWriter

    stream = BytesIO()
    writer = RawPcapWriter(stream, linktype=LINKTYPE_ETHERNET, endianness="<")
    writer.write_header(None)
    for number, frame in frames:
        writer.write_packet(frame, sec=number // 1_000_000, usec=number % 1_000_000)
    writer.flush()
    return stream.getvalue()


def frame_bytes(step: Receive | Transmit) -> bytes:
    """The Ethernet frame of a step, with right lengths and checksums. Where a device has no MAC (``lo``) the addresses are zero."""
    return _ethernet(step.src_mac, step.dst_mac, step.packet)


def _ethernet(src: MAC | None, dst: MAC | None, packet: Packet) -> bytes:
    from scapy.layers.l2 import Ether

    kind = 0x0800 if packet.ip.dst.version == 4 else 0x86DD
    return bytes(Ether(src=_mac(src), dst=_mac(dst), type=kind)) + packet_bytes(packet)


def _mac(mac: MAC | None) -> str:
    return str(mac or MAC(0))


def packet_bytes(packet: Packet) -> bytes:
    """An IP packet as it is on the wire."""
    from scapy.packet import Raw

    match packet.l4:
        case ICMPHeader() as message:
            return bytes(_ip(packet) / Raw(_icmp(packet, message)))
        case IPIPHeader():
            return bytes(_ip(packet) / Raw(_payload(packet)))
        case header:
            return bytes(_ip(packet) / _transport(header) / Raw(_payload(packet)))


def _payload(packet: Packet) -> bytes:
    """Zeros, or what a tunnel's packet carries. RFC 7348 §5: flags with I set, and the identifier in the upper 24 bits."""
    match packet.inner:
        case None:
            return bytes(packet.payload)
        case VXLAN(vni=vni, frame=Frame(payload=Packet() as carried) as frame):
            return struct.pack("!II", 0x08000000, vni << 8) + _ethernet(frame.src, frame.dst, carried)
        case VXLAN(vni=vni):
            return struct.pack("!II", 0x08000000, vni << 8).ljust(packet.payload, b"\0")
        case Packet() as carried:
            return packet_bytes(carried)
        case _ as never:
            assert_never(never)


def _ip(packet: Packet) -> ScapyPacket:
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6

    ip = packet.ip
    if ip.dst.version == 6:
        return IPv6(src=str(ip.src), dst=str(ip.dst), hlim=ip.ttl, tc=ip.dscp << 2, nh=int(ip.protocol))
    flags = ("DF" if ip.dont_fragment else "") + ("+MF" if ip.more_fragments else "")
    return IP(
        src=str(ip.src),
        dst=str(ip.dst),
        ttl=ip.ttl,
        tos=ip.dscp << 2,
        proto=int(ip.protocol),
        id=ip.identification,
        flags=flags.removeprefix("+"),
        frag=ip.fragment_offset // 8,
    )


def _transport(header: TCPHeader | UDPHeader | SCTPHeader) -> ScapyPacket:
    from scapy.layers.inet import TCP, UDP

    match header:
        case TCPHeader() as tcp:
            options = [(name, value) for name, value in (("MSS", tcp.mss), ("WScale", tcp.wscale)) if value is not None]
            return TCP(
                sport=tcp.sport,
                dport=tcp.dport,
                flags=int(tcp.flags),
                seq=tcp.seq,
                ack=tcp.ack,
                window=tcp.window,
                options=options,
            )
        case UDPHeader(sport=sport, dport=dport):
            return UDP(sport=sport, dport=dport)
        case SCTPHeader() as sctp:
            return _sctp(sctp)
        case _ as never:
            assert_never(never)


def _sctp(header: SCTPHeader) -> ScapyPacket:
    from scapy.layers import sctp

    chunks = {
        SCTPChunk.DATA: sctp.SCTPChunkData,
        SCTPChunk.INIT: sctp.SCTPChunkInit,
        SCTPChunk.INIT_ACK: sctp.SCTPChunkInitAck,
        SCTPChunk.ABORT: sctp.SCTPChunkAbort,
        SCTPChunk.SHUTDOWN: sctp.SCTPChunkShutdown,
        SCTPChunk.COOKIE_ECHO: sctp.SCTPChunkCookieEcho,
        SCTPChunk.COOKIE_ACK: sctp.SCTPChunkCookieAck,
    }
    return sctp.SCTP(sport=header.sport, dport=header.dport, tag=header.verification_tag) / chunks[header.chunk]()


# --- ICMP ----------------------------------------------------------------------------------------------------------


def _icmp(packet: Packet, header: ICMPHeader) -> bytes:
    """An ICMP message with its payload. The second word holds what the type keeps there. RFC 792, RFC 1191 §4, RFC 4443 §3.2."""
    if header.quoted is None:
        word = header.identifier << 16 | header.sequence
        body = bytes(packet.payload)
    else:
        word, body = header.mtu, _quoted(header.quoted, packet.ip.dst.version)
        if header.gateway is not None:
            word, body = _redirect(packet, header, header.quoted, header.gateway, body)
    message = struct.pack("!BBHI", header.type, header.code, 0, word) + body
    return message[:2] + struct.pack("!H", _icmp_checksum(packet, message)) + message[4:]


def _redirect(packet: Packet, header: ICMPHeader, about: Packet, gateway: Address, quoted: bytes) -> tuple[int, bytes]:
    """A redirect's second word and body: in IPv6 two addresses and options. RFC 792, RFC 4861 §4.5, §4.6.3."""
    if packet.ip.dst.version == 4:
        return int(gateway), quoted
    link_layer = b"\x02\x01" + header.link_layer.value.to_bytes(6, "big") if header.link_layer is not None else b""
    room = ERROR_BYTES[6] - 80 - len(link_layer)
    header_option = (min(room, len(packet_bytes(about)) + 8) & ~7) - 8
    cut = packet_bytes(about)[:header_option]
    option = bytes((4, len(cut) // 8 + 1)) + bytes(6) + cut
    return 0, gateway.packed + about.ip.dst.packed + link_layer + option


def _icmp_checksum(packet: Packet, message: bytes) -> int:
    from scapy.layers.inet6 import in6_chksum
    from scapy.utils import checksum

    if packet.ip.protocol is Protocol.ICMPV6:
        return int(in6_chksum(int(Protocol.ICMPV6), _ip(packet), message))
    return int(checksum(message))


def _quoted(packet: Packet, version: int) -> bytes:
    """What an ICMP error quotes: as much of the packet as the error may hold."""
    room = ERROR_BYTES[version] - (20 if version == 4 else 40) - 8
    return packet_bytes(packet)[:room]
