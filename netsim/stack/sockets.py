"""The sockets of one network namespace: listeners, connected clients, and the connections that listeners have accepted.

Ref: net/ipv4/inet_hashtables.c:__inet_lookup(), net/ipv4/udp.c:__udp4_lib_lookup() (v6.12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.topology.model import Listener

SocketAddress: TypeAlias = tuple[Address, int]


@dataclass(frozen=True, slots=True)
class Connection:
    """The four-tuple of a socket, seen from here. For ICMP echo ``local`` holds the identifier and the peer's port is 0."""

    protocol: Protocol
    local: SocketAddress
    peer: SocketAddress

    @classmethod
    def receiving(cls, packet: Packet) -> Connection:
        """The connection that would take this packet."""
        local, peer = ports(packet)
        return cls(packet.ip.protocol, (packet.ip.dst, local), (packet.ip.src, peer))

    @classmethod
    def sending(cls, packet: Packet) -> Connection:
        """The connection that would have sent this packet."""
        if isinstance(packet.l4, ICMPHeader):
            return cls(packet.ip.protocol, (packet.ip.src, packet.l4.identifier), (packet.ip.dst, 0))
        return cls(packet.ip.protocol, (packet.ip.src, packet.sport or 0), (packet.ip.dst, packet.dport or 0))


def ports(packet: Packet) -> tuple[int, int]:
    """The receiver's and the sender's port; for echo the identifier and 0."""
    if isinstance(packet.l4, ICMPHeader):
        return packet.l4.identifier, 0
    return packet.dport or 0, packet.sport or 0


@dataclass(slots=True)
class Sockets:
    """Every socket of a namespace. ``clients`` says who owns a connected socket, ``accepted`` which listener a connection came from."""

    listeners: Sequence[Listener]
    clients: dict[Connection, str] = field(default_factory=dict)
    accepted: dict[Connection, Listener] = field(default_factory=dict)

    def listener(self, protocol: Protocol, address: Address, port: int) -> Listener | None:
        """Who listens there: best a socket bound to the address, then one of its family, then one of both families.

        Ref: net/ipv4/inet_hashtables.c:compute_score() (v6.12).
        """
        found: Listener | None = None
        for listener in self.listeners:
            if listener.protocol is not protocol or listener.port != port or not listener.hears(address):
                continue
            if not listener.wildcard:
                return listener
            if found is None or (_of_family(listener, address) and not _of_family(found, address)):
                found = listener
        return found

    def expects_another_peer(self, connection: Connection) -> bool:
        """True where a connected client has this local address and port, for another peer."""
        return any(
            client.protocol is connection.protocol
            and client.local == connection.local
            and client.peer != connection.peer
            for client in self.clients
        )

    def holds(self, protocol: int, address: Address, port: int) -> bool:
        """True where a socket of any kind holds the port on that address."""
        if any(client.protocol == protocol and client.local == (address, port) for client in self.clients):
            return True
        return any(
            listener.protocol == protocol and listener.port == port and listener.hears(address)
            for listener in self.listeners
        )


def _of_family(listener: Listener, address: Address) -> bool:
    return listener.address is not None and listener.address.version == address.version
