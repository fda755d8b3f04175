"""What one service port asks for: virtual servers, members of sets, addresses on kube-ipvs0, rules.

Ref: pkg/proxy/ipvs/proxier.go:syncProxyRules(), syncEndpoint() (v1.37)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Address
from proxy.addresses import parse_address_sloppy
from proxy.endpoint import Endpoint
from proxy.ipvs.ip_sets import (
    CLUSTER_IP,
    EXTERNAL_IP,
    EXTERNAL_IP_LOCAL,
    HEALTH_CHECK_NODE_PORT,
    IPVS_IPS,
    LOAD_BALANCER,
    LOAD_BALANCER_FW,
    LOAD_BALANCER_LOCAL,
    LOAD_BALANCER_SOURCE_CIDR,
    LOAD_BALANCER_SOURCE_IP,
    LOOP_BACK,
    NODE_PORT_LOCAL_SCTP,
    NODE_PORT_LOCAL_TCP,
    NODE_PORT_LOCAL_UDP,
    NODE_PORT_SCTP,
    NODE_PORT_TCP,
    NODE_PORT_UDP,
)
from proxy.ipvs.settings import Settings
from proxy.ipvs.virtual_server import RealServer, VirtualServer, address_and_port
from proxy.plan import ServicePlan

NODE_PORT_SETS = {
    # protocol: the set of its node ports, and that of those with externalTrafficPolicy=Local
    "TCP": (NODE_PORT_TCP, NODE_PORT_LOCAL_TCP),
    "UDP": (NODE_PORT_UDP, NODE_PORT_LOCAL_UDP),
    "SCTP": (NODE_PORT_SCTP, NODE_PORT_LOCAL_SCTP),
}


@dataclass(slots=True)
class Claims:
    """The part of a service port in what is programmed.

    ``members`` are (IPv4 name of a set, member), each once. ``servers`` are by ``VirtualServer.service``; ``addresses``, the
    members of KUBE-IPVS-IPS, by their text. ``refusals`` are the rules that keep the node itself from VIPs whose source
    ranges leave it out: what follows ``-A KUBE-IPVS-OUT-FILTER``.
    """

    members: dict[tuple[str, str], None] = field(default_factory=dict)
    servers: dict[str, VirtualServer] = field(default_factory=dict)
    addresses: dict[str, Address] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()


def claims(plan: ServicePlan, settings: Settings) -> Claims:
    """What a service port asks for."""
    return _Writer(plan, settings).write()


class _Writer:
    def __init__(self, plan: ServicePlan, settings: Settings) -> None:
        self._plan = plan
        self._port = plan.port
        self._settings = settings
        self._protocol = plan.port.protocol.lower()
        self._claims = Claims()
        self._cluster = _real_servers(plan.cluster)

    def write(self) -> Claims:
        self._loop_back()
        self._cluster_ip()
        self._external_ips()
        self._vips()
        if self._port.node_port and not self._settings.node_port_ips:
            return self._claims  # kube-proxy goes on to the next service port here, health check or not
        if self._port.node_port:
            self._node_port()
        if self._port.health_check_node_port:
            self._member(HEALTH_CHECK_NODE_PORT, str(self._port.health_check_node_port))
        return self._claims

    def _member(self, name: str, member: str) -> None:
        self._claims.members[name, member] = None

    def _real_servers(self, *, local: bool) -> tuple[RealServer, ...]:
        """Under policy Local the node's own endpoints, but all of them where it has none (kubernetes/kubernetes#97081)."""
        return _real_servers(self._plan.local) if local and self._plan.local else self._cluster

    def _serve(self, address: Address, port: int, real_servers: tuple[RealServer, ...]) -> None:
        server = VirtualServer(
            protocol=self._port.protocol,
            address=address,
            port=port,
            scheduler=self._settings.scheduler,
            persistence=self._port.affinity_seconds,
            hashes_client_port=self._settings.hashes_client_port,
            real_servers=real_servers,
        )
        self._claims.servers[server.service] = server

    def _bind(self, address: Address) -> None:
        text = str(address)
        self._member(IPVS_IPS, text)
        self._claims.addresses[text] = address

    def _loop_back(self) -> None:
        """What an endpoint sends to itself is masqueraded: its own address would come back as a martian source."""
        for endpoint in self._plan.endpoints:
            if endpoint.local:
                self._member(LOOP_BACK, f"{endpoint.ip},{self._protocol}:{endpoint.port},{endpoint.ip}")

    def _cluster_ip(self) -> None:
        address = self._port.cluster_ip
        self._member(CLUSTER_IP, self._destination(address))
        self._serve(address, self._port.port, self._real_servers(local=self._port.internal_policy_local))
        self._bind(address)

    def _external_ips(self) -> None:
        local = self._port.external_policy_local
        for address in self._port.external_ips:
            self._member(EXTERNAL_IP_LOCAL if local else EXTERNAL_IP, self._destination(address))
            self._serve_external(address)

    def _vips(self) -> None:
        for address in self._port.load_balancer_vips:
            destination = self._destination(address)
            self._member(LOAD_BALANCER, destination)
            if self._port.external_policy_local:
                self._member(LOAD_BALANCER_LOCAL, destination)
            if self._port.source_ranges:
                self._restrict(address, destination)
            self._serve_external(address)

    def _restrict(self, address: Address, destination: str) -> None:
        """Source ranges are asked whether or not there are endpoints.

        The node reaches a VIP with the VIP as its source, since that is its own. It may where the ranges hold the node.
        """
        self._member(LOAD_BALANCER_FW, destination)
        for prefix in self._port.source_ranges:
            self._member(LOAD_BALANCER_SOURCE_CIDR, f"{destination},{prefix}")
        if self._plan.allows_node:
            self._member(LOAD_BALANCER_SOURCE_IP, f"{destination},{address}")
        else:
            match = f"-m ipvs --vaddr {address} --vproto {self._protocol} --vport {self._port.port}"
            self._claims.refusals = (*self._claims.refusals, f"-s {address} {match} -j DROP")

    def _serve_external(self, address: Address) -> None:
        self._serve(address, self._port.port, self._real_servers(local=self._port.external_policy_local))
        if address not in self._settings.own_addresses:
            self._bind(address)

    def _node_port(self) -> None:
        number = self._port.node_port
        every, local = NODE_PORT_SETS[self._port.protocol]
        real_servers = self._real_servers(local=self._port.external_policy_local)
        for address in self._settings.node_port_ips:
            member = f"{address},{self._protocol}:{number}" if self._port.protocol == "SCTP" else str(number)
            self._member(every, member)
            if self._port.external_policy_local:
                self._member(local, member)
            self._serve(address, number, real_servers)

    def _destination(self, address: Address) -> str:
        return f"{address},{self._protocol}:{self._port.port}"


def _real_servers(endpoints: Iterable[Endpoint]) -> tuple[RealServer, ...]:
    """Real servers in the order of their text. Two spellings of one address are one real server."""
    found: dict[str, RealServer] = {}
    for endpoint in endpoints:
        address = parse_address_sloppy(endpoint.ip)
        if address is not None:
            found[address_and_port(address, endpoint.port)] = RealServer(address, endpoint.port)
    return tuple(found[text] for text in sorted(found))
