"""Captures on every device of a namespace with one packet socket, so that the order in which frames passed is kept.

Ref: packet(7), net/core/dev.c:dev_queue_xmit_nit(), __netif_receive_skb_core() (v6.12): a frame is tapped when a device sends it, and
when a device receives it, before any bridge looks at it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from netsim.net.packet import VXLAN, ICMPHeader, Packet, Protocol, UDPHeader
from netsim.verify.decode import VXLAN_PORTS, Firsts, decode

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
PACKET_OUTGOING = 4
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 4 << 20
SNAP_LENGTH = 1024
_ETHERNET = 14
_WITHOUT_HEADER = frozenset({768, 769, 65534})
"""Kinds of devices whose frames are bare packets: ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_NONE of include/uapi/linux/if_arp.h."""
_NEIGHBOUR_DISCOVERY = frozenset({130, 131, 132, 133, 134, 135, 136, 137, 143})
_REDIRECT = 5
_TIMESPEC = struct.Struct("=qq")


@dataclass(frozen=True, slots=True)
class Frame:
    """A packet on a device. ``time_ns`` is the kernel's clock; of one namespace's frames the order they come in is exact."""

    netns: str
    device: str
    outgoing: bool
    packet: Packet
    time_ns: int


class Capture:
    """What passes the devices of the namespace that it is made in. ARP and neighbour discovery are left out."""

    def __init__(self, netns: str) -> None:
        self._netns = netns
        self._firsts = Firsts()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0)

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def pending(self) -> Iterator[Frame]:
        """What has been captured, without waiting."""
        while True:
            try:
                data, ancillary, _, address = self._socket.recvmsg(SNAP_LENGTH, 64)
            except BlockingIOError:
                return
            frame = self._frame(data, ancillary, address)
            if frame is not None:
                yield frame

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _frame(
        self, data: bytes, ancillary: list[tuple[int, int, bytes]], address: tuple[str, int, int, int, bytes]
    ) -> Frame | None:
        device, protocol, kind, hardware, _ = address
        if protocol not in (ETH_P_IP, ETH_P_IPV6):
            return None
        packet = decode(data if hardware in _WITHOUT_HEADER else data[_ETHERNET:], self._firsts)
        if packet is None or is_discovery(packet) or _carries_nothing_known(packet):
            return None
        return Frame(self._netns, device, kind == PACKET_OUTGOING, packet, _time(ancillary))


def _carries_nothing_known(packet: Packet) -> bool:
    """A tunnel's datagram around what the model does not walk: reports of multicast groups. A rule's trace is too short to tell."""
    whole = isinstance(packet.l4, UDPHeader) and not packet.ip.fragment_offset
    return whole and packet.dport in VXLAN_PORTS and packet.inner is None


def is_discovery(packet: Packet) -> bool:
    """Who has an address, and who answers: the model settles it before a packet goes on. A tunnel carries it too."""
    if isinstance(packet.inner, VXLAN):
        carried = packet.inner.frame.payload
        return not isinstance(carried, Packet) or is_discovery(carried)
    if packet.ip.protocol is not Protocol.ICMPV6 or not isinstance(packet.l4, ICMPHeader):
        return False
    if packet.l4.quoted is not None:  # a rule rejected it
        return is_discovery(packet.l4.quoted)
    return packet.l4.type in _NEIGHBOUR_DISCOVERY


def is_redirect(packet: Packet) -> bool:
    """A router knows a shorter way. It tells so now and then only, depending on what it told before, so neither side's is compared."""
    return packet.ip.protocol is Protocol.ICMP and isinstance(packet.l4, ICMPHeader) and packet.l4.type == _REDIRECT


def _time(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return 0
