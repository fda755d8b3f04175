"""Which Service a destination stands for, and in which namespaces a packet to it is meant to arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from netsim.net.address import Address, parse_address
from netsim.objects.cluster import ClusterSpec
from netsim.objects.core import EndpointSlice, Pod, Service
from netsim.objects.meta import Key, Object
from netsim.topology.model import Topology
from netsim.topology.naming import pod_netns


@dataclass(slots=True)
class Expectations:
    """A world's objects by what a packet's destination can say of them: making it reads all of them, asking it none."""

    objects: Mapping[Key, Object]
    cluster: ClusterSpec
    topology: Topology
    _by_address: dict[str, Key] = field(default_factory=dict)
    _by_node_port: dict[int, Key] = field(default_factory=dict)
    _endpoints: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _by_host_port: dict[int, list[Pod]] = field(default_factory=dict)
    _node_addresses: frozenset[Address] = frozenset()
    _owners: dict[Address, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, item in sorted(self.objects.items()):
            if key.kind == "Service":
                self._add_service(key, Service.of(item))
            elif key.kind == "EndpointSlice":
                view = EndpointSlice.of(item)
                found = self._endpoints.setdefault((key.namespace, view.service_name), [])
                found += (endpoint.addresses[0] for endpoint in view.endpoints)
            elif key.kind == "Pod":
                self._add_pod(Pod.of(item))
        self._node_addresses = frozenset(held.ip for node in self.cluster.nodes for held in node.addresses)
        for netns in self.topology.namespaces.values():
            for device in netns.devices:
                if device.name != "lo":
                    for held in device.addresses:
                        self._owners.setdefault(held.ip, netns.name)

    def _add_service(self, key: Key, service: Service) -> None:
        ingress = (entry.ip for entry in service.status.load_balancer.ingress if entry.ip_mode != "Proxy")
        for text in (*service.spec.cluster_ips, *service.spec.external_ips, *ingress):
            self._by_address.setdefault(text, key)
        for port in service.spec.ports:
            if port.node_port:
                self._by_node_port.setdefault(port.node_port, key)

    def _add_pod(self, pod: Pod) -> None:
        if pod.spec.host_network or not pod.spec.node_name:
            return
        for port in {p.host_port for c in pod.spec.containers for p in c.ports if p.host_port}:
            self._by_host_port.setdefault(port, []).append(pod)

    def service_of(self, address: Address, port: int | None) -> Key | None:
        """The Service that has an address (cluster IP, external IP, load balancer), or that port of every node; the first by its name."""
        on_node = address.is_loopback or address in self._node_addresses
        found = (self._by_address.get(str(address)), self._by_node_port.get(port) if on_node and port else None)
        return min((key for key in found if key is not None), default=None)

    def of(self, address: Address, port: int | None) -> frozenset[str] | None:
        """The namespaces in which a packet to that destination is meant to arrive, None where the world does not say.

        A Service's addresses and node ports stand for its endpoints, a node's host ports for the pods that have them; any other address for
        whoever has it.
        """
        service = self.service_of(address, port)
        if service is None:
            owner = self._owners.get(address)
            return self._with_host_port(address, port) or (None if owner is None else frozenset({owner}))
        addresses = self._endpoints.get((service.namespace, service.name), ())
        places = {self._owners.get(parse_address(ip)) for ip in addresses}
        return frozenset(place for place in places if place is not None) or None

    def _with_host_port(self, address: Address, port: int | None) -> frozenset[str]:
        """The pods that a node's port leads to."""
        return frozenset(self._mapped(address, port)) if port else frozenset()

    def _mapped(self, address: Address, port: int) -> Iterator[str]:
        for pod in self._by_host_port.get(port, ()):
            if address.is_loopback or address in self._addresses_of(pod.spec.node_name):
                yield pod_netns(pod.metadata.namespace, pod.metadata.name)

    def _addresses_of(self, node: str) -> tuple[Address, ...]:
        found = self.cluster.node(node)
        return () if found is None else tuple(held.ip for held in found.addresses)
