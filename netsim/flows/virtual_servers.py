"""A machine's virtual servers of IPVS, taken apart: by address, by mark, and who is somebody's real server."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from netsim.flows.codes import Code, code_of
from netsim.rules.ipvs.ast import TransportService, VirtualServer, VirtualServers

HASHING = frozenset({"sh", "dh", "mh", "lblc", "lblcr"})
"""Schedulers that compute with addresses."""


@dataclass(frozen=True, slots=True)
class Server:
    """One virtual server; ``address`` and ``port`` None for a firewall mark. ``reals`` are its real servers' addresses and ports."""

    protocol: int
    address: Code | None
    port: int | None
    own: Hashable
    reals: tuple[tuple[Code, int], ...]
    real_forms: tuple[Hashable, ...]
    opaque: bool

    def form(self, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> Hashable:
        """The server without names."""
        where = (None if self.address is None else addresses[self.address], ports.get(self.port or 0, -1))
        reals = tuple((addresses.get(code, -1), ports.get(port, -1)) for code, port in self.reals)
        return (self.protocol, where, self.own, reals, self.real_forms)


class ServerTable:
    """The virtual servers of one machine."""

    def __init__(self, servers: VirtualServers) -> None:
        self.any = bool(servers.servers)
        self._by_address: dict[Code, list[Server]] = {}
        self._by_mark: list[Server] = []
        self._real: dict[Code, set[tuple[int, int]]] = {}
        for spec in servers.servers.values():
            self._add(_server(spec))

    def _add(self, server: Server) -> None:
        if server.address is None:
            self._by_mark.append(server)
        else:
            self._by_address.setdefault(server.address, []).append(server)
        for code, port in server.reals:
            self._real.setdefault(code, set()).add((server.protocol, port))

    def met(self, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> Iterator[Server]:
        """The servers that packets between these addresses and ports may meet."""
        yield from self._by_mark
        for code in addresses:
            for server in self._by_address.get(code, ()):
                if not server.port or server.port in ports:
                    yield server

    def is_real(self, code: Code) -> frozenset[tuple[int, int]]:
        """Protocols and ports by which an address is somebody's real server."""
        return frozenset(self._real.get(code, ()))

    def asked(self, code: Code) -> Hashable:
        """The virtual servers at an address."""
        return tuple((s.protocol, s.port, s.own, s.reals) for s in self._by_address.get(code, ()))

    def real_form(self, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> Hashable:
        """Which of the addresses and ports are real servers'."""
        return tuple(
            (number, tuple(sorted((protocol, ports[port]) for protocol, port in self._real[code] if port in ports)))
            for code, number in addresses.items()
            if code in self._real
        )

    def same(
        self, other: ServerTable, before: Mapping[Code, int], after: Mapping[Code, int], ports: Mapping[int, int]
    ) -> bool:
        """Whether another table says to the addresses ``after`` what this one says to those ``before``."""
        mine = [server.form(before, ports) for server in self.met(before, ports)]
        theirs = [server.form(after, ports) for server in other.met(after, ports)]
        return mine == theirs and self.real_form(before, ports) == other.real_form(after, ports)


def _server(spec: VirtualServer) -> Server:
    key = spec.key
    own = (
        spec.scheduler,
        spec.persistent,
        spec.netmask,
        tuple(sorted(spec.flags)),
        spec.one_packet,
        spec.persistence_engine,
    )
    forms = tuple(
        (real.forwarding.value, real.weight, real.upper, real.lower, real.tunnel) for real in spec.real_servers
    )
    reals = tuple((code_of(real.address), real.port) for real in spec.real_servers)
    if isinstance(key, TransportService):
        return Server(key.protocol, code_of(key.address), key.port, own, reals, forms, spec.scheduler in HASHING)
    return Server(0, None, None, (own, key.mark, key.family.value), reals, forms, spec.scheduler in HASHING)
