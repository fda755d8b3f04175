"""The flows of a world: who may ask whom.

A destination is each port of each Service at each of its addresses, each node port at each node, each port that a pod listens on, one
that it does not, and a ping of each pod and node. A source is each pod, node and external host. Sources are alike to a destination
where they have the same role, are on the same node and are both, or both not, one of its endpoints; ``one_of_each`` takes one of
those that are alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netsim.net.address import Address, parse_address
from netsim.net.packet import Protocol
from netsim.objects.core import Pod, Service
from netsim.objects.listen import PROTOCOLS, pod_listens
from netsim.scenario.question import CLIENT_PORT
from netsim.scenario.world import World
from netsim.topology.model import Role
from netsim.trace.model import Flow

CLOSED_PORT = 9


@dataclass(frozen=True, slots=True)
class Asking:
    """A source: its namespace and what people call it."""

    netns: str
    label: str
    owner: str
    role: Role
    node: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A destination; ``port`` is 0 for a ping."""

    address: Address
    label: str
    protocol: Protocol
    port: int


@dataclass(frozen=True, slots=True)
class NamedFlow:
    """A flow, and what people call its ends."""

    flow: Flow
    source: str
    target: str


def every_flow(world: World, *, version: int = 4, one_of_each: bool = False) -> Iterator[NamedFlow]:
    """Every source to every destination of one IP version, destinations first, in a fixed order."""
    asking = [source for source in sources(world) if _speaks(world, source, version)]
    for destination in dict.fromkeys(destinations(world)):
        if destination.address.version != version:
            continue
        chosen = _one_of_each(world, asking, destination) if one_of_each else asking
        for source in chosen:
            yield NamedFlow(_flow(source, destination), source.label, destination.label)


def sources(world: World) -> Iterator[Asking]:
    """Every pod that has a namespace of its own, every node, every external host."""
    for pod in world.pods():
        netns = world.pod_netns(pod)
        if netns is not None and not pod.spec.host_network:
            name = f"{pod.metadata.namespace}/{pod.metadata.name}"
            yield Asking(netns, f"pod/{name}", f"{name}/{pod.spec.containers[0].name}", Role.POD, pod.spec.node_name)
    for node in world.cluster.nodes:
        yield Asking(world.node_netns(node.name), f"node/{node.name}", f"{node.name}/process", Role.NODE, node.name)
    for host in world.cluster.external:
        yield Asking(world.external_netns(host.name), f"external/{host.name}", host.name, Role.EXTERNAL, None)


def destinations(world: World) -> Iterator[Asked]:
    """Everything that may be asked. See the module."""
    for key, item in sorted(world.objects.items()):
        if key.kind == "Service":
            yield from _service(world, Service.of(item), f"{key.namespace}/{key.name}")
    for pod in world.pods():
        if world.pod_netns(pod) is not None:
            yield from _pod(pod)
    for node in world.cluster.nodes:
        for address in world.node_addresses(node.name):
            yield _ping(address, f"node/{node.name}")
            yield Asked(address, f"node/{node.name}:{CLOSED_PORT}", Protocol.TCP, CLOSED_PORT)
    for host in world.cluster.external:
        for address in world.external_addresses(host.name):
            yield _ping(address, f"external/{host.name}")
            yield from (Asked(address, f"external/{host.name}:{port}", p, port) for p, port in host.listen)


def _service(world: World, service: Service, name: str) -> Iterator[Asked]:
    if service.spec.type == "ExternalName" or service.headless:
        return
    virtual = _virtual_addresses(service)
    for port in service.spec.ports:
        protocol = PROTOCOLS[port.protocol]
        if protocol is Protocol.SCTP:
            continue
        for what, address in virtual:
            yield Asked(address, f"svc/{name}:{port.port} {what} {address}", protocol, port.port)
        if port.node_port:
            for node in world.cluster.nodes:
                for address in world.node_addresses(node.name):
                    label = f"node/{node.name}:{port.node_port} (svc/{name})"
                    yield Asked(address, label, protocol, port.node_port)
    for what, address in virtual[:1]:
        yield Asked(address, f"svc/{name}:{CLOSED_PORT} {what} {address}", Protocol.TCP, CLOSED_PORT)
        yield _ping(address, f"svc/{name}")


def _virtual_addresses(service: Service) -> list[tuple[str, Address]]:
    ingress = [entry.ip for entry in service.status.load_balancer.ingress if entry.ip]
    named = (("clusterIP", service.spec.cluster_ips), ("externalIP", service.spec.external_ips), ("ingress", ingress))
    return [(what, parse_address(ip)) for what, ips in named for ip in ips]


def _pod(pod: Pod) -> Iterator[Asked]:
    name = f"pod/{pod.metadata.namespace}/{pod.metadata.name}"
    for ip in pod.status.pod_ips:
        address = parse_address(ip.ip)
        listens = pod_listens(pod)
        yield from (Asked(address, f"{name}:{p}", proto, p) for proto, p in listens if proto is not Protocol.SCTP)
        closed = next(proto for proto in (Protocol.UDP, Protocol.TCP) if (proto, CLOSED_PORT) not in listens)
        yield Asked(address, f"{name}:{CLOSED_PORT}", closed, CLOSED_PORT)
        yield _ping(address, name)


def _ping(address: Address, label: str) -> Asked:
    return Asked(address, label, Protocol.ICMP if address.version == 4 else Protocol.ICMPV6, 0)


def _flow(source: Asking, destination: Asked) -> Flow:
    return Flow(
        netns=source.netns,
        destination=destination.address,
        protocol=destination.protocol,
        dport=destination.port,
        sport=CLIENT_PORT,
        payload=16 if destination.protocol is Protocol.UDP else 0,
        dont_fragment=destination.protocol is Protocol.TCP,
        owner=source.owner,
    )


def _speaks(world: World, source: Asking, version: int) -> bool:
    devices = world.topology.namespaces[source.netns].devices
    return any(held.version == version for device in devices if device.name != "lo" for held in device.addresses)


def _one_of_each(world: World, asking: Iterable[Asking], destination: Asked) -> list[Asking]:
    expected = world.expected(destination.address, destination.port or None) or frozenset()
    found: dict[tuple[Role, str | None, bool], Asking] = {}
    for source in asking:
        found.setdefault((source.role, source.node, source.netns in expected), source)
    return list(found.values())
