"""A flow's whole exchange, driven on a modelled network: what the asking process does, and the stack does the rest.

TCP: SYN, SYN-ACK, ACK, the first data segment where the flow has a payload, and one of the peer where that is asked for.
UDP: query and answer, twice where two datagrams leave at once. ICMP: echo request and reply. SCTP: INIT, INIT-ACK, COOKIE-ECHO,
COOKIE-ACK. The listeners' answers, resets and ICMP errors are the stack's. A TCP flow with other flags than SYN is one segment, sent
as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol as TypingProtocol

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import (
    ICMPHeader,
    IPHeader,
    Packet,
    Protocol,
    SCTPChunk,
    SCTPHeader,
    TCPFlags,
    TCPHeader,
    Transport,
    UDPHeader,
)
from netsim.topology.model import Topology
from netsim.trace.model import Flow

INITIAL_SEQUENCE = 1000
SEQUENCES = 1 << 32
DEFAULT_TTL = 64
DATA = TCPFlags.PSH | TCPFlags.ACK
ECHO_REQUEST = {Protocol.ICMP: 8, Protocol.ICMPV6: 128}
IP_HEADER_BYTES = {4: 20, 6: 40}
TCP_HEADER_BYTES = 20
PATH_MTU_TRIES = 4
MINIMUM_MSS = 48  # of the net.ipv4.tcp_min_snd_mss sysctl. Ref: include/net/tcp.h:TCP_MIN_SND_MSS (v6.12)


class Arrival(TypingProtocol):
    """A packet that a socket took."""

    @property
    def netns(self) -> str:
        """Where."""

    @property
    def packet(self) -> Packet:
        """As it arrived."""

    @property
    def owner(self) -> str:
        """Whose socket it is."""


class ModelledNetwork(TypingProtocol):
    """What a walk asks of the stack."""

    @property
    def arrivals(self) -> Sequence[Arrival]:
        """Every packet that a socket took, in order."""

    def source_for(
        self, netns: str, destination: Address, mark: int = 0, protocol: int = 0, dport: int = 0
    ) -> Address | None:
        """The source address that the kernel would give a new socket; None without a route."""

    def open_client(
        self, netns: str, protocol: Protocol, local: tuple[Address, int], peer: tuple[Address, int], owner: str
    ) -> object:
        """Open a connected socket, which takes the answers."""

    def send(self, netns: str, packet: Packet, owner: str, mark: int = 0) -> None:
        """Queue a packet that a process makes."""

    def race(self) -> None:
        """Let the next packet be under way at once with those so far."""

    def run(self) -> None:
        """Walk everything that is queued, and what follows from it, to the end."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The asking process: its flow, and the addresses of its socket."""

    network: ModelledNetwork
    flow: Flow
    source: Address
    mss: int

    def send(self, l4: Transport, payload: int = 0) -> None:
        """Make a packet, and let it walk."""
        flow = self.flow
        header = IPHeader(
            src=self.source,
            dst=flow.destination,
            protocol=flow.protocol,
            ttl=flow.ttl,
            dont_fragment=flow.dont_fragment,
        )
        self.network.send(flow.netns, Packet(header, l4, payload), flow.owner, mark=flow.mark)
        self.network.run()

    def answers(self, since: int = 0) -> list[Packet]:
        """What came to the process, from the given arrival on."""
        return [
            arrival.packet
            for arrival in self.network.arrivals[since:]
            if arrival.netns == self.flow.netns and arrival.owner == self.flow.owner
        ]

    def from_peer(self, packet: Packet) -> bool:
        """True where a packet comes from whom the flow asked."""
        return (packet.ip.src, packet.sport) == (self.flow.destination, self.flow.dport)


def drive(network: ModelledNetwork, topology: Topology, flow: Flow, *, one_way: bool) -> bool:
    """Walk the exchange; with ``one_way`` only the first packet. False where no packet could be made for want of a route."""
    source = flow.source or network.source_for(flow.netns, flow.destination, flow.mark, int(flow.protocol), flow.dport)
    if source is None:
        return False
    peer_port = 0 if flow.protocol in ECHO_REQUEST else flow.dport
    network.open_client(flow.netns, flow.protocol, (source, flow.sport), (flow.destination, peer_port), flow.owner)
    asker = Asker(network, flow, source, _mss(topology, flow, source))
    match flow.protocol:
        case Protocol.TCP:
            _tcp(asker, one_way=one_way)
        case Protocol.UDP:
            asker.send(UDPHeader(flow.sport, flow.dport), flow.payload)
            if flow.at_once:
                network.race()
                asker.send(UDPHeader(flow.sport, flow.dport), flow.payload)
        case Protocol.ICMP | Protocol.ICMPV6:
            asker.send(ICMPHeader(ECHO_REQUEST[flow.protocol], identifier=flow.sport, sequence=1), flow.payload)
        case Protocol.SCTP:
            _sctp(asker, one_way=one_way)
        case Protocol.IPIP:
            raise ValueError("a flow of protocol IPIP has no sockets; ask for what it carries")
    return True


def _mss(topology: Topology, flow: Flow, source: Address) -> int:
    """The largest segment the sending device takes. Ref: net/ipv4/tcp_output.c:tcp_mtu_to_mss() (v6.12)."""
    for device in topology.namespaces[flow.netns].devices:
        if any(interface.ip == source for interface in device.addresses):
            return device.mtu - IP_HEADER_BYTES[source.version] - TCP_HEADER_BYTES
    return 1500 - IP_HEADER_BYTES[source.version] - TCP_HEADER_BYTES


def _tcp(asker: Asker, *, one_way: bool) -> None:
    flow = asker.flow
    if flow.flags != TCPFlags.SYN:
        asker.send(TCPHeader(flow.sport, flow.dport, flow.flags, INITIAL_SEQUENCE), flow.payload)
        return
    asker.send(TCPHeader(flow.sport, flow.dport, TCPFlags.SYN, INITIAL_SEQUENCE, mss=asker.mss))
    answer = _syn_ack(asker)
    if one_way or answer is None:
        return
    assert isinstance(answer.l4, TCPHeader)
    reached = answer.l4.seq + 1
    asker.send(TCPHeader(flow.sport, flow.dport, TCPFlags.ACK, INITIAL_SEQUENCE + 1, reached))
    peer = asker.network.arrivals[-1]
    if flow.payload or flow.seq_offset is not None:
        _data(asker, reached, min(asker.mss, answer.l4.mss or asker.mss))
    if flow.answer_seq_offset is not None and _accepted(peer, reached):
        _answer_out_of_place(asker, peer, flow.answer_seq_offset)


def _accepted(arrival: Arrival, reached: int) -> bool:
    """True for the asker's ACK at its peer."""
    segment = arrival.packet.l4
    return isinstance(segment, TCPHeader) and segment.flags == TCPFlags.ACK and segment.ack == reached


def _answer_out_of_place(asker: Asker, peer: Arrival, offset: int) -> None:
    """A data segment of the peer, as far from where it is expected as is asked for."""
    packet = peer.packet
    assert isinstance(packet.l4, TCPHeader)
    header = replace(packet.ip, src=packet.ip.dst, dst=packet.ip.src, ttl=DEFAULT_TTL)
    sequence = (packet.l4.ack + offset) % SEQUENCES
    segment = TCPHeader(packet.l4.dport, packet.l4.sport, DATA, sequence, packet.l4.seq)
    asker.network.send(peer.netns, Packet(header, segment, max(asker.flow.payload, 1)), peer.owner)
    asker.network.run()


def _syn_ack(asker: Asker) -> Packet | None:
    wanted = TCPFlags.SYN | TCPFlags.ACK
    for packet in asker.answers():
        if isinstance(packet.l4, TCPHeader) and packet.l4.flags & wanted == wanted and asker.from_peer(packet):
            return packet
    return None


def _data(asker: Asker, reached: int, mss: int) -> None:
    """The first data segment, sent again in the size that an ICMP error asks for, as path MTU discovery does. RFC 1191, RFC 8201."""
    flow = asker.flow
    sequence = (INITIAL_SEQUENCE + 1 + (flow.seq_offset or 0)) % SEQUENCES
    for _ in range(PATH_MTU_TRIES):
        seen = len(asker.network.arrivals)
        asker.send(TCPHeader(flow.sport, flow.dport, DATA, sequence, reached), min(max(flow.payload, 1), mss))
        told = [mtu for mtu in map(_path_mtu, asker.answers(seen)) if mtu is not None]
        smaller = min(told, default=0) - IP_HEADER_BYTES[asker.source.version] - TCP_HEADER_BYTES
        if not MINIMUM_MSS <= smaller < min(flow.payload, mss):
            return
        mss = smaller


def _path_mtu(packet: Packet) -> int | None:
    header = packet.l4
    if not isinstance(header, ICMPHeader) or header.quoted is None:
        return None
    too_big = (header.type, header.code) == (3, 4) if packet.ip.protocol is Protocol.ICMP else header.type == 2
    return header.mtu if too_big else None


def _sctp(asker: Asker, *, one_way: bool) -> None:
    flow = asker.flow
    asker.send(SCTPHeader(flow.sport, flow.dport, SCTPChunk.INIT))
    answers = [p for p in asker.answers() if isinstance(p.l4, SCTPHeader) and p.l4.chunk is SCTPChunk.INIT_ACK]
    if not one_way and any(asker.from_peer(packet) for packet in answers):
        asker.send(SCTPHeader(flow.sport, flow.dport, SCTPChunk.COOKIE_ECHO), flow.payload)
