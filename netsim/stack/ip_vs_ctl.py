"""IPVS in one network namespace: its virtual servers with their real servers and schedulers, its connections, its sysctls.

Ref: net/netfilter/ipvs/ip_vs_ctl.c:ip_vs_service_find(), include/net/ip_vs.h:struct netns_ipvs (v6.12).
"""

from __future__ import annotations

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, family_of
from netsim.net.packet import Packet, Protocol
from netsim.rules.ipvs.ast import (
    FirewallMarkService,
    ServiceKey,
    TransportService,
    VirtualServer,
    VirtualServers,
)
from netsim.stack.ip_vs_conn import Conn, ConnKey, ConnTable
from netsim.stack.ip_vs_dest import Dest, destinations
from netsim.stack.ip_vs_sched import SCHEDULERS, Scheduler
from netsim.stack.ip_vs_servers import FTP, index_of
from netsim.stack.namespace import Namespace
from netsim.stack.steps import MISSED, Clock, Hook, IPVSStep
from netsim.stack.sysctl import Sysctls

FTP_DATA = 20
FIRST_UNPRIVILEGED = 1024
PROTOCOLS = frozenset({Protocol.TCP, Protocol.UDP, Protocol.SCTP})


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """A virtual server at work. ``dests`` stand in the kernel's order, the latest first."""

    spec: VirtualServer
    dests: tuple[Dest, ...]
    scheduler: Scheduler

    @classmethod
    def of(cls, spec: VirtualServer) -> Service:
        """A service without connections."""
        dests = destinations(spec.real_servers)
        return cls(spec, dests, SCHEDULERS[spec.scheduler](spec, dests))

    @property
    def port(self) -> int:
        """Its port; 0 for any port, and for a firewall mark."""
        return self.spec.key.port if isinstance(self.spec.key, TransportService) else 0

    @property
    def mark(self) -> int:
        """Its firewall mark, 0 where it has an address."""
        return self.spec.key.mark if isinstance(self.spec.key, FirewallMarkService) else 0


class IPVS:
    """The state of one namespace. ``fresh`` says that there were no connections before those that the model knows of."""

    def __init__(self, servers: VirtualServers, sysctls: Sysctls, clock: Clock) -> None:
        self.servers = servers
        self.conns = ConnTable(clock)
        self.fresh = False
        self._sysctls = sysctls
        self._services: dict[ServiceKey, Service] = {}
        self._index = index_of(servers)

    def resume(self, earlier: IPVS) -> None:
        """Go on with the connections of the namespace at an earlier time, and with the turns of virtual servers that did not change."""
        kept = {key: found for key, found in earlier._services.items() if self.servers.servers.get(key) == found.spec}
        self._services.update(kept)
        self.conns.resume(earlier.conns)

    def sysctl(self, name: str) -> int:
        """The value of ``net.ipv4.vs.NAME``."""
        return self._sysctls.get(f"net.ipv4.vs.{name}")

    @property
    def families(self) -> tuple[Family, ...]:
        """Those that have a virtual server: only for them IPVS is hooked in. Ref: ip_vs_register_hooks() (since v5.10)."""
        return tuple(family for family in Family if family in self._index.families)

    def holds_conntrack(self, family: Family) -> bool:
        """Masqueraded FTP alone turns conntrack on. Ref: ip_vs_ctl.c:__ip_vs_update_dest() ip_vs_register_conntrack()."""
        return family in self._index.ftp

    def service(self, key: ServiceKey) -> Service | None:
        """The service at work, made on first touch."""
        found = self._services.get(key)
        if found is None and key in self.servers.servers:
            found = self._services[key] = Service.of(self.servers.servers[key])
        return found

    def find_service(self, mark: int, protocol: int, address: Address, port: int) -> Service | None:
        """The service of a packet: by its mark, its address and port, FTP's data ports, any port. Ref: ip_vs_service_find()."""
        keys: list[ServiceKey] = [FirewallMarkService(mark, family_of(address))] if mark else []
        keys.append(TransportService(protocol, address, port))
        if protocol == Protocol.TCP and (port == FTP_DATA or port >= FIRST_UNPRIVILEGED):
            keys.append(TransportService(protocol, address, FTP))
        if self._index.has_any_port:
            keys.append(TransportService(protocol, address, 0))
        return next((found for key in keys if (found := self.service(key)) is not None), None)

    def has_address(self, address: Address) -> bool:
        """True where some service has the address."""
        return address in self._index.addresses

    def serves(self, protocol: int, address: Address, port: int) -> bool:
        """True where a real server has this address and port. Ref: ip_vs_has_real_service()."""
        return self._index.serves(protocol, address, port)

    def conn_in(self, protocol: int, client: tuple[Address, int], virtual: tuple[Address, int]) -> Conn | None:
        """The connection of a client's packet. Ref: ip_vs_conn_in_get_proto()."""
        return self.conns.find(ConnKey(protocol, *client, *virtual))


def tell_missed(ns: Namespace, hook: Hook, packet: Packet) -> None:
    """Record that a packet for a virtual server goes elsewhere, as its address is not local: IPVS sees INPUT and OUTPUT alone."""
    if ns.ipvs is None or packet.ip.protocol not in PROTOCOLS or ns.fib_of(packet.ip.dst).is_local(packet.ip.dst):
        return
    service = ns.ipvs.find_service(0, packet.ip.protocol, packet.ip.dst, packet.dport or 0)
    if service is not None:
        detail = f"{packet.ip.dst} is not local here"
        ns.record(IPVSStep(hook, MISSED, service.spec, None, packet, packet, detail=detail))
