"""Captures on every device of a namespace with one packet socket, so that the order in which frames passed is kept.

The socket has a ring, into which the kernel copies a frame's bytes as it passes. Read without one, a frame shares its bytes with the
packet, and a node that cuts a joined packet again writes the new headers over those of the fragments that came.
Ref: packet(7), net/core/dev.c:dev_queue_xmit_nit(), __netif_receive_skb_core() (v6.12): a frame is tapped when a device sends it, and
when a device receives it, before any bridge looks at it; net/packet/af_packet.c:tpacket_rcv(), packet_rcv();
net/ipv4/ip_output.c:ip_do_fragment(), net/ipv6/ip6_output.c:ip6_fragment(), which look at skb_shared(frag) and not at skb_cloned(frag).
"""

from __future__ import annotations

import mmap
import socket
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from netsim.net.packet import VXLAN, ICMPHeader, Packet, Protocol, UDPHeader
from netsim.verify.decode import VXLAN_PORTS, Firsts, FirstsElsewhere, decode

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
PACKET_OUTGOING = 4
SOL_PACKET, PACKET_RX_RING, PACKET_VERSION, TPACKET_V2 = 263, 5, 10, 1
FRAME_SIZE, FRAMES, BLOCK_SIZE = 1024, 512, 1 << 16
UNKNOWN_FRAMES = 32
_STATUS = struct.Struct("=I")
_HEAD = struct.Struct("=IIIHHII")
"""struct tpacket2_hdr: status, length, captured, offsets of the frame and of what it carries, seconds, nanoseconds."""

_ADDRESS_AT = 32
_ADDRESS = struct.Struct("=HHiHB")
"""struct sockaddr_ll: family, protocol, interface, kind of link, kind of packet."""

_NEIGHBOUR_DISCOVERY = frozenset({130, 131, 132, 133, 134, 135, 136, 137, 143})
_REDIRECT = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """A packet on a device. ``time_ns`` is the kernel's clock; of one namespace's frames the order they come in is exact."""

    netns: str
    device: str
    outgoing: bool
    packet: Packet
    time_ns: int


class Capture:
    """What passes the devices of the namespace that it is made in. ARP and neighbour discovery are left out.

    Captures that share ``firsts`` tell each other what fragments belong to.
    """

    def __init__(self, netns: str, firsts: FirstsElsewhere) -> None:
        self._netns = netns
        self._firsts = Firsts(firsts)
        self._unknown: deque[tuple[bytes, str, bool, int]] = deque(maxlen=UNKNOWN_FRAMES)
        self._devices = dict(socket.if_nameindex())
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        blocks = FRAME_SIZE * FRAMES // BLOCK_SIZE
        self._socket.setsockopt(
            SOL_PACKET, PACKET_RX_RING, struct.pack("=IIII", BLOCK_SIZE, blocks, FRAME_SIZE, FRAMES)
        )
        self._ring = mmap.mmap(self._socket.fileno(), FRAME_SIZE * FRAMES)
        self._next = 0

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def pending(self) -> Iterator[Frame]:
        """What has been captured, without waiting; also what was captured before, now that it is known what it belongs to."""
        for _ in range(len(self._unknown)):
            yield from self._frame(*self._unknown.popleft())
        while True:
            at = self._next * FRAME_SIZE
            status, _, captured, mac, network, seconds, nanoseconds = _HEAD.unpack_from(self._ring, at)
            if not status:
                return
            _, protocol, index, _, kind = _ADDRESS.unpack_from(self._ring, at + _ADDRESS_AT)
            data = self._ring[at + network : at + mac + captured]  # a tunnel's device has no link header before it
            _STATUS.pack_into(self._ring, at, 0)
            self._next = (self._next + 1) % FRAMES
            if socket.ntohs(protocol) in (ETH_P_IP, ETH_P_IPV6):
                time_ns = seconds * 1_000_000_000 + nanoseconds
                yield from self._frame(data, self._devices[index], kind == PACKET_OUTGOING, time_ns)

    def close(self) -> None:
        """Close it."""
        self._ring.close()
        self._socket.close()

    def _frame(self, data: bytes, device: str, outgoing: bool, time_ns: int) -> Iterator[Frame]:  # noqa: FBT001
        packet = decode(data, self._firsts)
        if packet is None:
            self._unknown.append((data, device, outgoing, time_ns))
        elif not is_discovery(packet) and not _carries_nothing_known(packet):
            yield Frame(self._netns, device, outgoing, packet, time_ns)


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
    if packet.l4.type in _NEIGHBOUR_DISCOVERY:
        return True
    return packet.l4.quoted is not None and is_discovery(packet.l4.quoted)  # a rule rejected it


def is_redirect(packet: Packet) -> bool:
    """A router knows a shorter way. It tells so now and then only, depending on what it told before, so neither side's is compared."""
    return packet.ip.protocol is Protocol.ICMP and isinstance(packet.l4, ICMPHeader) and packet.l4.type == _REDIRECT
