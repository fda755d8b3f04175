"""Bytes of a captured packet → ``netsim.net.packet.Packet``: what the kernel sent, in the words of the model.

Ref: RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443, RFC 9260.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from netsim.net.address import MAC, Address
from netsim.net.packet import (
    ARP,
    VXLAN,
    ARPOperation,
    Frame,
    ICMPHeader,
    IPHeader,
    IPIPHeader,
    Packet,
    Protocol,
    SCTPChunk,
    SCTPHeader,
    TCPFlags,
    TCPHeader,
    Transport,
    UDPHeader,
)

_ECHO = {Protocol.ICMP: (0, 8), Protocol.ICMPV6: (128, 129)}
_ERRORS = {Protocol.ICMP: (3, 4, 5, 11, 12), Protocol.ICMPV6: (1, 2, 3, 4)}
_TCP_OPTION_MSS = 2
VXLAN_PORTS = frozenset({8472, 4789})
"""UDP ports that are taken for VXLAN's: Linux's own, and IANA's. RFC 7348 §8."""

_FRAGMENT = 44  # IANA protocol number of the IPv6 fragment header
_VXLAN_HEADERS = 8 + 14
_ETH_P_ARP = 0x0806
_ARP = struct.Struct("!HHBBH6s4s6s4s")


FragmentKey: TypeAlias = tuple[Address, Address, Protocol, int]
FirstsElsewhere: TypeAlias = dict[FragmentKey, Transport]


class Firsts:
    """The transport header of each fragmented packet, by what its fragments share: only the first of them has it.

    A fragment may come where its first one was lost on the way: what came ``elsewhere`` then tells.
    """

    def __init__(self, elsewhere: FirstsElsewhere | None = None) -> None:
        self._here: FirstsElsewhere = {}
        self._elsewhere = {} if elsewhere is None else elsewhere

    def note(self, key: FragmentKey, header: Transport) -> None:
        """A first fragment came."""
        self._here[key] = self._elsewhere[key] = header

    def of(self, key: FragmentKey) -> Transport | None:
        """What a later fragment belongs to; None where that is not known yet."""
        return self._here.get(key) or self._elsewhere.get(key)


def decode(data: bytes, firsts: Firsts | None = None) -> Packet | None:
    """The packet that begins with these bytes; None for what the model does not walk (another protocol).

    With ``firsts`` a later fragment has the header of its first one, which came before; without it is None.
    """
    firsts = Firsts() if firsts is None else firsts
    if not data:
        return None
    match data[0] >> 4:
        case 4 if len(data) >= 20:
            return _ipv4(data, firsts)
        case 6 if len(data) >= 40:
            return _ipv6(data, firsts)
        case _:
            return None


def _ipv4(data: bytes, firsts: Firsts) -> Packet | None:
    header_length = (data[0] & 15) * 4
    total, identification, fragment = struct.unpack_from("!HHH", data, 2)
    protocol = _protocol(data[9])
    if protocol is None:
        return None
    header = IPHeader(
        src=IPv4Address(data[12:16]),
        dst=IPv4Address(data[16:20]),
        protocol=protocol,
        ttl=data[8],
        dscp=data[1] >> 2,
        identification=identification,
        dont_fragment=bool(fragment & 0x4000),
        fragment_offset=(fragment & 0x1FFF) * 8,
        more_fragments=bool(fragment & 0x2000),
    )
    return _whole_or_part(header, data[header_length:], total - header_length, firsts)


def _ipv6(data: bytes, firsts: Firsts) -> Packet | None:
    """The fragment header is the only extension header that is looked at. RFC 8200 §4.5."""
    cut = data[6] == _FRAGMENT and len(data) >= 48
    protocol = _protocol(data[40] if cut else data[6])
    if protocol is None:
        return None
    fragment, identification = struct.unpack_from("!HI", data, 42) if cut else (0, 0)
    size = 48 if cut else 40
    header = IPHeader(
        src=IPv6Address(data[8:24]),
        dst=IPv6Address(data[24:40]),
        protocol=protocol,
        ttl=data[7],
        dscp=(data[0] << 4 | data[1] >> 4) >> 2 & 0x3F,
        dont_fragment=True,
        identification=identification,
        fragment_offset=fragment & 0xFFF8,
        more_fragments=bool(fragment & 1),
    )
    return _whole_or_part(header, data[size:], int.from_bytes(data[4:6], "big") - (size - 40), firsts)


def _whole_or_part(header: IPHeader, data: bytes, length: int, firsts: Firsts) -> Packet | None:
    key = (header.src, header.dst, header.protocol, header.identification)
    if header.fragment_offset:
        first = firsts.of(key)
        return Packet(header, first, length) if first is not None else None
    packet = _packet(header, data, length, firsts)
    if header.more_fragments and packet is not None:
        firsts.note(key, packet.l4)
    return packet


def _protocol(number: int) -> Protocol | None:
    try:
        return Protocol(number)
    except ValueError:
        return None


def _packet(header: IPHeader, data: bytes, length: int, firsts: Firsts) -> Packet | None:
    """``length`` is that of the transport header and the payload, which may be cut off in ``data``."""
    found = _transport(header.protocol, data)
    if found is None:
        return None
    l4, size = found
    quotes = isinstance(l4, ICMPHeader) and l4.quoted is not None
    return Packet(header, l4, 0 if quotes else max(0, length - size), _inner(l4, data[size:], firsts))


def _inner(l4: Transport, data: bytes, firsts: Firsts) -> VXLAN | Packet | None:
    """What a tunnel's packet carries, as far as it was captured."""
    match l4:
        case IPIPHeader():
            return decode(data, firsts)
        case UDPHeader(dport=port) if port in VXLAN_PORTS and len(data) >= _VXLAN_HEADERS:
            carried = data[_VXLAN_HEADERS:]
            kind = int.from_bytes(data[_VXLAN_HEADERS - 2 : _VXLAN_HEADERS], "big")
            packet = _arp(carried) if kind == _ETH_P_ARP else decode(carried, firsts)
            frame = Frame(_mac(data[14:20]), _mac(data[8:14]), packet) if packet is not None else None
            return VXLAN(int.from_bytes(data[4:7], "big"), frame) if frame is not None else None
        case _:
            return None


def _mac(data: bytes) -> MAC:
    return MAC(int.from_bytes(data, "big"))


def _arp(data: bytes) -> ARP | None:
    """RFC 826, for IPv4 over Ethernet."""
    if len(data) < _ARP.size:
        return None
    _, _, _, _, operation, sender, sender_ip, target, target_ip = _ARP.unpack_from(data)
    return ARP(ARPOperation(operation), _mac(sender), IPv4Address(sender_ip), _mac(target), IPv4Address(target_ip))


def _transport(protocol: Protocol, data: bytes) -> tuple[Transport, int] | None:
    if len(data) < 8:
        return None
    match protocol:
        case Protocol.TCP:
            return _tcp(data)
        case Protocol.UDP:
            sport, dport = struct.unpack_from("!HH", data)
            return UDPHeader(sport, dport), 8
        case Protocol.ICMP | Protocol.ICMPV6:
            return _icmp(protocol, data), 8
        case Protocol.SCTP:
            return _sctp(data)
        case Protocol.IPIP:
            return IPIPHeader(), 0


def _tcp(data: bytes) -> tuple[Transport, int]:
    """A segment; of one that an ICMP error cut after 8 bytes, the ports and the sequence number."""
    sport, dport, seq = struct.unpack_from("!HHI", data)
    if len(data) < 20:
        return TCPHeader(sport, dport, TCPFlags(0), seq), 8
    ack, offset, flags, window = struct.unpack_from("!IBBH", data, 8)
    size = (offset >> 4) * 4
    return TCPHeader(sport, dport, TCPFlags(flags), seq, ack, window, _mss(data[20:size])), size


def _mss(options: bytes) -> int | None:
    at = 0
    while at + 1 < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        if options[at] == _TCP_OPTION_MSS and at + 4 <= len(options):
            return int.from_bytes(options[at + 2 : at + 4], "big")
        at += max(2, options[at + 1])
    return None


def _icmp(protocol: Protocol, data: bytes) -> ICMPHeader:
    kind, code = data[0], data[1]
    first, second = struct.unpack_from("!HH", data, 4)
    if kind in _ECHO[protocol]:
        return ICMPHeader(kind, code, identifier=first, sequence=second)
    if kind not in _ERRORS[protocol]:
        return ICMPHeader(kind, code)
    mtu = second if protocol is Protocol.ICMP and (kind, code) == (3, 4) else 0
    if protocol is Protocol.ICMPV6 and kind == 2:
        mtu = first << 16 | second
    return ICMPHeader(kind, code, mtu=mtu, quoted=_quoted(data[8:]))


def _quoted(data: bytes) -> Packet | None:
    """The packet that an error is about. Of a later fragment nothing tells the ports: it has none here."""
    return decode(data, _NamelessFirsts())


class _NamelessFirsts(Firsts):
    def of(self, key: FragmentKey) -> Transport:  # noqa: ARG002
        """Whatever began the packet, it is not known."""
        return UDPHeader(0, 0)


def _sctp(data: bytes) -> tuple[Transport, int] | None:
    if len(data) < 16:
        return None
    sport, dport, tag = struct.unpack_from("!HHI", data)
    try:
        chunk = SCTPChunk(data[12])
    except ValueError:
        return None
    return SCTPHeader(sport, dport, chunk, tag), 12
