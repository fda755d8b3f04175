"""Packet headers as frozen values: what stands in a frame, by meaning and not by byte.

A ``Packet`` is an IP header, one transport header and a payload length; a ``Frame`` is an Ethernet header around a
packet or an ARP message. NAT and routing make changed copies (``dataclasses.replace``); nothing is changed in place.
Lengths are in bytes. Checksums are not kept: the model's packets are always well formed, and the pcap renderer computes them.
"""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum, IntFlag
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address, Family, family_of


class Protocol(IntEnum):
    """IP protocol numbers (IANA assigned) that the model walks."""

    ICMP = 1
    IPIP = 4
    TCP = 6
    UDP = 17
    ICMPV6 = 58
    SCTP = 132


class TCPFlags(IntFlag):
    """TCP control bits. RFC 9293 §3.1."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80


@dataclass(frozen=True, slots=True)
class IPHeader:
    """The IP fields that decide something; one form for both families (``ttl`` is IPv6's hop limit).

    ``fragment_offset`` is in bytes, ``more_fragments`` as in the header; ``dont_fragment`` says in IPv6
    that the sender does not fragment it; nobody else does.
    """

    src: Address
    dst: Address
    protocol: Protocol
    ttl: int = 64
    dscp: int = 0
    identification: int = 0
    dont_fragment: bool = False
    fragment_offset: int = 0
    more_fragments: bool = False

    @property
    def family(self) -> Family:
        """The family of both addresses."""
        return family_of(self.dst)


@dataclass(frozen=True, slots=True)
class TCPHeader:
    """A TCP segment's header. ``mss`` (bytes) and ``wscale`` (shift of later windows) are options of a SYN, None where absent."""

    sport: int
    dport: int
    flags: TCPFlags = TCPFlags.SYN
    seq: int = 0
    ack: int = 0
    window: int = 64240
    mss: int | None = None
    wscale: int | None = None


@dataclass(frozen=True, slots=True)
class UDPHeader:
    """A UDP header."""

    sport: int
    dport: int


class SCTPChunk(IntEnum):
    """SCTP chunk types of an association's start and end. RFC 9260 §3.2."""

    DATA = 0
    INIT = 1
    INIT_ACK = 2
    ABORT = 6
    SHUTDOWN = 7
    COOKIE_ECHO = 10
    COOKIE_ACK = 11


@dataclass(frozen=True, slots=True)
class SCTPHeader:
    """An SCTP common header with the type of its first chunk."""

    sport: int
    dport: int
    chunk: SCTPChunk = SCTPChunk.INIT
    verification_tag: int = 0


@dataclass(frozen=True, slots=True)
class ICMPHeader:
    """An ICMP or ICMPv6 message; the IP header's protocol tells which.

    ``identifier`` and ``sequence`` belong to echo; ``mtu`` to fragmentation-needed and packet-too-big;
    ``quoted`` is the packet that an error message speaks of. Neighbour discovery has a ``target``, and ``link_layer`` is the MAC in its
    link-layer address option, ``override`` the flag of an advertisement. RFC 4861 §4. ``gateway`` is the better next
    hop that a redirect names; its ``quoted`` packet's destination is what it is about. RFC 792, RFC 4861 §4.5.
    """

    type: int
    code: int = 0
    identifier: int = 0
    sequence: int = 0
    mtu: int = 0
    quoted: Packet | None = None
    target: Address | None = None
    link_layer: MAC | None = None
    gateway: Address | None = None
    override: bool = False


@dataclass(frozen=True, slots=True)
class IPIPHeader:
    """What stands between the two IP headers of an IPv4-in-IPv4 packet: nothing. RFC 2003 §3."""


Transport: TypeAlias = TCPHeader | UDPHeader | SCTPHeader | ICMPHeader | IPIPHeader


@dataclass(frozen=True, slots=True)
class VXLAN:
    """What a VXLAN datagram carries: a network identifier and an Ethernet frame. RFC 7348 §5."""

    vni: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Packet:
    """One IP packet: header, transport header, and the number of payload bytes after both.

    ``inner`` is what a tunnel's packet carries; its bytes are counted in ``payload``.
    """

    ip: IPHeader
    l4: Transport
    payload: int = 0
    inner: VXLAN | Packet | None = None

    @property
    def family(self) -> Family:
        """The address family."""
        return self.ip.family

    @property
    def sport(self) -> int | None:
        """Source port, None for ICMP and IPIP."""
        return None if isinstance(self.l4, ICMPHeader | IPIPHeader) else self.l4.sport

    @property
    def dport(self) -> int | None:
        """Destination port, None for ICMP and IPIP."""
        return None if isinstance(self.l4, ICMPHeader | IPIPHeader) else self.l4.dport

    def with_ip(self, **changes: object) -> Packet:
        """A copy with IP fields replaced."""
        return replace(self, ip=replace(self.ip, **changes))  # type: ignore[arg-type]

    def with_l4(self, **changes: object) -> Packet:
        """A copy with transport fields replaced."""
        return replace(self, l4=replace(self.l4, **changes))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{endpoint(self.ip.src, self.sport)} → {endpoint(self.ip.dst, self.dport)}"


class ARPOperation(IntEnum):
    """ARP operation codes. RFC 826."""

    REQUEST = 1
    REPLY = 2


@dataclass(frozen=True, slots=True)
class ARP:
    """An ARP message for IPv4 over Ethernet. RFC 826. ``target_mac`` is zero in a request."""

    operation: ARPOperation
    sender_mac: MAC
    sender_ip: Address
    target_mac: MAC
    target_ip: Address


@dataclass(frozen=True, slots=True)
class Frame:
    """An Ethernet II frame. ``vlan`` is the identifier of its 802.1Q tag, None without one."""

    src: MAC
    dst: MAC
    payload: Packet | ARP
    vlan: int | None = None


def endpoint(address: Address, port: int | None) -> str:
    """``10.0.0.1:80``, ``[fd00::1]:80``, or the address alone where there is no port."""
    if port is None:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
