"""The cluster's DNS: what a name leads to, as CoreDNS's kubernetes plugin answers and a pod's resolver asks.

Ref: kubernetes/dns docs/specification.md (1.1.0); coredns plugin/kubernetes/kubernetes.go; pkg/kubelet/network/dns/dns.go (v1.37): a pod of
dnsPolicy ClusterFirst has ``search NS.svc.cluster.local svc.cluster.local cluster.local`` and ``ndots:5``. The packets of the question
itself are not sent: the name is known before the flow begins.
"""

from __future__ import annotations

from collections.abc import Iterator

from netsim.dataclass import dataclass
from netsim.net.address import Address, parse_address
from netsim.objects.core import EndpointSlice, Pod, Service
from netsim.objects.meta import Key
from netsim.scenario.world import World

ZONE = "cluster.local"
NDOTS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a name leads to.

    ``service`` where it is a Service's cluster IP, else the addresses of pods (of ``service``, where it is one's): a resolver hands
    several out in any order.
    """

    name: str
    service: Key | None = None
    addresses: tuple[Address, ...] = ()


def asks_cluster_dns(pod: Pod) -> bool:
    """Whether a pod's programs ask the cluster's DNS. One of dnsPolicy None asks the servers of its dnsConfig, others the node's.

    Ref: pkg/kubelet/network/dns/dns.go:getPodDNSType() (v1.37).
    """
    policy = pod.spec.dns_policy
    return policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not pod.spec.host_network)


def headless_answer(world: World, service: Key) -> Answer | None:
    """What the name of a headless Service leads to, None where it has no endpoint that is ready."""
    return lookup(world, f"{service.name}.{service.namespace}.svc.{ZONE}")


def srv_port(world: World, service: Key, name: str) -> int | None:
    """The port that the endpoints have of a Service's port of that name, as an SRV record tells it; None where none has it."""
    for view in _slices(world, service):
        for port in view.ports:
            if port.name == name and port.port is not None:
                return port.port
    return None


def candidates(text: str, namespace: str) -> Iterator[str]:
    """The names that a pod's resolver asks for one after another, for what a program in it asks."""
    if text.endswith("."):
        yield text.rstrip(".")
        return
    searched = [f"{text}.{suffix}" for suffix in (f"{namespace}.svc.{ZONE}", f"svc.{ZONE}", ZONE)]
    yield from [text, *searched] if text.count(".") >= NDOTS else [*searched, text]


def resolve(world: World, text: str, namespace: str) -> Answer | None:
    """The first answer that a pod of a namespace gets for a name, None where there is none (NXDOMAIN)."""
    for name in candidates(text, namespace):
        found = lookup(world, name)
        if found is not None:
            return found
    return None


def lookup(world: World, name: str) -> Answer | None:
    """The answer for a full name, without its last dot."""
    if not name.endswith(f".{ZONE}"):
        return None
    match name.removesuffix(f".{ZONE}").lower().split("."):
        case [service, namespace, "svc"]:
            return _service(world, name, Key("Service", namespace, service))
        case [endpoint, service, namespace, "svc"]:
            return _endpoint(world, name, Key("Service", namespace, service), endpoint)
        case [dashed, namespace, "pod"] if Key("Namespace", "", namespace) in world.objects:
            address = _dashed(dashed)
            return None if address is None else Answer(name, None, (address,))
        case _:
            return None


def _service(world: World, name: str, key: Key) -> Answer | None:
    item = world.objects.get(key)
    if item is None:
        return None
    service = Service.of(item)
    if not service.headless:
        return Answer(name, key)
    found = tuple(address for _, address in _records(world, key))
    return Answer(name, key, found) if found else None


def _endpoint(world: World, name: str, service: Key, endpoint: str) -> Answer | None:
    if service not in world.objects:
        return None
    found = tuple(address for label, address in _records(world, service) if label == endpoint)
    return Answer(name, service, found) if found else None


def _records(world: World, service: Key) -> Iterator[tuple[str, Address]]:
    """The name and address of each endpoint that is ready. One without a hostname is called by its address, with dashes."""
    for view in _slices(world, service):
        for endpoint in view.endpoints:
            if endpoint.conditions.ready is False:
                continue
            for text in endpoint.addresses:
                label = endpoint.hostname or text.replace(".", "-").replace(":", "-")
                yield label, parse_address(text)


def _slices(world: World, service: Key) -> Iterator[EndpointSlice]:
    for key, item in sorted(world.objects.items()):
        if key.kind == "EndpointSlice" and key.namespace == service.namespace:
            view = EndpointSlice.of(item)
            if view.service_name == service.name:
                yield view


def _dashed(text: str) -> Address | None:
    for sign in (".", ":"):
        try:
            return parse_address(text.replace("-", sign))
        except ValueError:
            continue
    return None
