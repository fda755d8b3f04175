"""The flows of a world: who may ask whom.

A destination is each port of each Service at each of its addresses, each node port at each node, each port that a pod listens on, one
that it does not, and a ping of each pod and node. A source is each pod, node and external host. Sources are alike to a destination
where they have the same role, are on the same node and are both, or both not, one of its endpoints; ``one_of_each`` takes one of
those that are alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from netsim.net.address import Address, parse_address
from netsim.net.packet import Protocol
from netsim.objects.cluster import ExternalHost
from netsim.objects.core import Pod, Service
from netsim.objects.listen import PROTOCOLS, pod_listens
from netsim.objects.meta import Key
from netsim.scenario.question import CLIENT_PORT
from netsim.scenario.world import World
from netsim.topology.model import Role
from netsim.trace.model import Flow

CLOSED_PORT = 9


class Front(Enum):
    """What kind of address a destination is."""

    CLUSTER_IP = "clusterIP"
    EXTERNAL_IP = "externalIP"
    LOAD_BALANCER = "ingress"
    NODE_PORT = "nodePort"
    LOCALHOST = "localhost"
    POD = "pod"
    NODE = "node"
    EXTERNAL = "external"


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
    """A destination; ``port`` is 0 for a ping.

    ``owner`` is the object whose address it is: of a node port the Service, which ``place`` is then the node's namespace beside. ``place``
    is the namespace whose own the address is, None for one that is nobody's own. ``closed`` is a port that nobody offers.
    """

    address: Address
    label: str
    protocol: Protocol
    port: int
    front: Front = field(default=Front.EXTERNAL, compare=False)
    owner: Key | None = field(default=None, compare=False)
    place: str | None = field(default=None, compare=False)
    closed: bool = field(default=False, compare=False)


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
            yield NamedFlow(flow_between(source, destination), source.label, destination.label)


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
            yield from _service(world, Service.of(item), key)
    for pod in world.pods():
        netns = world.pod_netns(pod)
        if netns is not None:
            yield from _pod(pod, netns)
    for node in world.cluster.nodes:
        yield from _node(world, node.name)
    for host in world.cluster.external:
        yield from _external(world, host)


def localhosts(world: World) -> Iterator[Asked]:
    """Each node port at the loopback addresses, which only a node's own processes may ask."""
    for key, item in sorted(world.objects.items()):
        if key.kind == "Service":
            for port in Service.of(item).spec.ports:
                if port.node_port and PROTOCOLS[port.protocol] is not Protocol.SCTP:
                    for address in _LOOPBACK:
                        label = f"localhost:{port.node_port} {address} (svc/{key.namespace}/{key.name})"
                        yield Asked(address, label, PROTOCOLS[port.protocol], port.node_port, Front.LOCALHOST, key)


_LOOPBACK = (parse_address("127.0.0.1"), parse_address("::1"))


def _service(world: World, service: Service, key: Key) -> Iterator[Asked]:
    if service.spec.type == "ExternalName" or service.headless:
        return
    name = f"{key.namespace}/{key.name}"
    virtual = _virtual_addresses(service)
    for port in service.spec.ports:
        protocol = PROTOCOLS[port.protocol]
        if protocol is Protocol.SCTP:
            continue
        for front, address in virtual:
            label = f"svc/{name}:{port.port} {front.value} {address}"
            yield Asked(address, label, protocol, port.port, front, key)
        if port.node_port:
            for node in world.cluster.nodes:
                for address in world.node_addresses(node.name):
                    label = f"node/{node.name}:{port.node_port} (svc/{name})"
                    place = world.node_netns(node.name)
                    yield Asked(address, label, protocol, port.node_port, Front.NODE_PORT, key, place)
    for front, address in virtual[:1]:
        label = f"svc/{name}:{CLOSED_PORT} {front.value} {address}"
        yield Asked(address, label, Protocol.TCP, CLOSED_PORT, front, key, closed=True)
        yield _ping(address, f"svc/{name}", front, key, None)


def _virtual_addresses(service: Service) -> list[tuple[Front, Address]]:
    ingress = [entry.ip for entry in service.status.load_balancer.ingress if entry.ip]
    named = (
        (Front.CLUSTER_IP, service.spec.cluster_ips),
        (Front.EXTERNAL_IP, service.spec.external_ips),
        (Front.LOAD_BALANCER, ingress),
    )
    return [(front, parse_address(ip)) for front, ips in named for ip in ips]


def _pod(pod: Pod, netns: str) -> Iterator[Asked]:
    key = Key("Pod", pod.metadata.namespace, pod.metadata.name)
    name = f"pod/{key.namespace}/{key.name}"
    for ip in pod.status.pod_ips:
        address = parse_address(ip.ip)
        listens = pod_listens(pod)
        for protocol, port in listens:
            if protocol is not Protocol.SCTP:
                yield Asked(address, f"{name}:{port}", protocol, port, Front.POD, key, netns)
        closed = next(proto for proto in (Protocol.UDP, Protocol.TCP) if (proto, CLOSED_PORT) not in listens)
        yield Asked(address, f"{name}:{CLOSED_PORT}", closed, CLOSED_PORT, Front.POD, key, netns, closed=True)
        yield _ping(address, name, Front.POD, key, netns)


def _node(world: World, name: str) -> Iterator[Asked]:
    key, netns = Key("Node", "", name), world.node_netns(name)
    for address in world.node_addresses(name):
        yield _ping(address, f"node/{name}", Front.NODE, key, netns)
        label = f"node/{name}:{CLOSED_PORT}"
        yield Asked(address, label, Protocol.TCP, CLOSED_PORT, Front.NODE, key, netns, closed=True)


def _external(world: World, host: ExternalHost) -> Iterator[Asked]:
    label, netns = f"external/{host.name}", world.external_netns(host.name)
    for address in world.external_addresses(host.name):
        yield _ping(address, label, Front.EXTERNAL, None, netns)
        for protocol, port in host.listen:
            yield Asked(address, f"{label}:{port}", protocol, port, Front.EXTERNAL, None, netns)


def _ping(address: Address, label: str, front: Front, owner: Key | None, place: str | None) -> Asked:
    protocol = Protocol.ICMP if address.version == 4 else Protocol.ICMPV6
    return Asked(address, label, protocol, 0, front, owner, place)


def flow_between(source: Asking, destination: Asked) -> Flow:
    """The flow from a source to a destination."""
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
