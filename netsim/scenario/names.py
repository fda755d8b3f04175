"""What SRC and DST of a command line mean in a world: where a flow begins, and the address and port that it is sent to."""

from __future__ import annotations

from dataclasses import replace

from netsim.dataclass import dataclass
from netsim.net.address import Address, parse_address
from netsim.net.packet import endpoint
from netsim.objects.core import Pod, Service, ServicePortSpec
from netsim.objects.listen import pod_listens
from netsim.objects.meta import Key
from netsim.scenario.dns import ZONE, Answer, asks_cluster_dns, headless_answer, resolve, srv_port
from netsim.scenario.naming import (
    DEFAULT_NAMESPACE,
    DESTINATIONS,
    SOURCES,
    Kind,
    Named,
    UnknownNameError,
    find,
    pod_of,
    unknown,
)
from netsim.scenario.world import World

__all__ = ["Destination", "Source", "UnknownNameError", "find_destination", "find_source"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a flow begins: the network namespace, who sends, and the source address where one was asked for.

    ``namespace``: of a pod that asks the cluster's DNS; None: the sender does not ask it.
    """

    netns: str
    label: str
    owner: str
    address: Address | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a flow is sent to. ``port`` and ``protocol`` (``TCP``, …) are those of the name, None where it says nothing.

    ``explicit``: the user wrote the port. ``choices`` are the ports that the user could have meant. ``assumed``: what was taken for
    granted about the name, empty for nothing.
    """

    address: Address
    label: str
    port: int | None = None
    protocol: str | None = None
    explicit: bool = False
    choices: tuple[str, ...] = ()
    assumed: str = ""


# --- sources ----------------------------------------------------------------------------------------------------


def find_source(world: World, text: str) -> Source:
    """The sender that a command line names. Raises UnknownNameError."""
    if not text:
        raise UnknownNameError("SRC is empty", "name a pod, a workload, a node or an external host")
    name, port = _split_port(text)
    if port is not None:
        raise UnknownNameError(f"SRC {text} names a port", "--sport sets the source port")
    named = find(world, name, SOURCES)
    if named is None:
        return _source_by_address(world, name)
    match named.kind:
        case Kind.NODE:
            return Source(world.node_netns(named.name), f"node/{named.name}", f"{named.name}/process")
        case Kind.EXTERNAL:
            return Source(world.external_netns(named.name), f"external/{named.name}", named.name)
        case Kind.SERVICE:
            raise UnknownNameError(
                f"{text}: a Service sends no packets", "name a pod, a workload, a node or an external host"
            )
        case _:
            return _pod_source(world, pod_of(world, named))


def _pod_source(world: World, pod: Pod) -> Source:
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    netns = world.pod_netns(pod)
    if netns is None:
        raise UnknownNameError(f"pod {name} is not running: {world.why_not_running(pod)}")
    asks = pod.metadata.namespace if asks_cluster_dns(pod) else None
    return Source(netns, f"pod/{name}", f"{name}/{pod.spec.containers[0].name}", namespace=asks)


def _source_by_address(world: World, text: str) -> Source:
    address = _address(text)
    if address is None:
        raise unknown(world, text, SOURCES)
    netns = world.owner_of(address)
    if netns is None:
        raise UnknownNameError(f"{text}: no host of this topology has that address")
    return Source(netns, str(address), "process", address)


# --- destinations -----------------------------------------------------------------------------------------------


def find_destination(
    world: World, text: str, version: int | None = None, beside: int | None = None, place: str | None = "default"
) -> Destination:
    """The address and port that a command line names. Raises UnknownNameError.

    ``version`` is the IP version to prefer, ``beside`` the port where the text names none. ``place``: the namespace of the pod that asks,
    which short DNS names depend on; None: the sender does not ask the cluster's DNS.
    """
    if not text:
        raise UnknownNameError(
            "DST is empty", "name a Service, a pod, a workload, a node, an external host or an address"
        )
    name, own = _split_port(text)
    port = str(beside) if own is None and beside is not None else own
    return replace(_destination(world, name, port, version, place), explicit=own is not None)


def _destination(world: World, name: str, port: str | None, version: int | None, place: str | None) -> Destination:
    named = find(world, name, DESTINATIONS)
    if named is None and "." in name and _address(name) is None:
        return _destination_by_dns(world, name, port, version, place)
    if named is None:
        return _destination_by_address(world, name, port)
    match named.kind:
        case Kind.SERVICE:
            return _service_destination(world, named, port, version)
        case Kind.NODE | Kind.EXTERNAL:
            return _host_destination(world, named, port, version)
        case _:
            return _pod_destination(world, pod_of(world, named), port, version)


def _destination_by_dns(
    world: World, name: str, port: str | None, version: int | None, place: str | None
) -> Destination:
    answer = resolve(world, name, place or DEFAULT_NAMESPACE)
    if answer is None:
        if not name.rstrip(".").endswith((".svc", f".{ZONE}")):
            raise unknown(world, name, DESTINATIONS)
        raise UnknownNameError(f"{name}: the cluster's DNS has no such name (NXDOMAIN)", _dns_advice(world))
    if place is None:
        raise UnknownNameError(
            f"{name}: the sender does not ask the cluster's DNS: only pods of dnsPolicy ClusterFirst (on the node's network "
            "ClusterFirstWithHostNet) do",
            f"name what it leads to: {_led_to(world, answer)}",
        )
    if answer.service is not None and not answer.addresses:
        return _service_destination(
            world, Named(Kind.SERVICE, answer.service.namespace, answer.service.name), port, version
        )
    return _first_of(world, answer, port, version)


def _first_of(world: World, answer: Answer, port: str | None, version: int | None) -> Destination:
    """The first of a name's addresses of the wanted version; that there are more is said."""
    addresses = [address for address in answer.addresses if version in (None, address.version)]
    address = _preferred(addresses, version, answer.name)
    found = _pod_or_address(world, address, _dialled(world, answer.service, port))
    if len(addresses) == 1:
        return found
    listed = ", ".join(map(str, addresses))
    return replace(
        found, assumed=f"{answer.name} leads to {listed}, in any order: the client is taken to try {address}"
    )


def _dialled(world: World, service: Key | None, port: str | None) -> str | None:
    """The port that a client dials at an endpoint, which no proxy translates.

    A number is what it is, a name what an SRV record tells; where none is written it is the Service's only port, on which its endpoints
    need not listen.
    """
    if service is None:
        return port
    ports = Service.of(world.objects[service]).spec.ports
    if port is None:
        return str(ports[0].port) if len(ports) == 1 else None
    number = None if port.isdigit() else srv_port(world, service, port)
    return port if number is None else str(number)


def _pod_or_address(world: World, address: Address, port: str | None) -> Destination:
    for pod in world.pods():
        if str(address) in (pod.status.pod_ip, *(item.ip for item in pod.status.pod_ips)):
            return _pod_destination(world, pod, port, address.version)
    number = None if port is None else _number(port)
    return Destination(address, endpoint(address, number), number)


def _led_to(world: World, answer: Answer) -> str:
    if answer.service is not None and not answer.addresses:
        return f"{answer.service.namespace}/svc/{answer.service.name}"
    return _pod_or_address(world, answer.addresses[0], None).label


def _dns_advice(world: World) -> str:
    names = [f"{key.name}.{key.namespace}.svc.{ZONE}" for key in sorted(world.objects) if key.kind == "Service"]
    return f"there are: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}" if names else "there are no Services"


def _service_destination(world: World, named: Named, port: str | None, version: int | None) -> Destination:
    service = Service.of(world.objects[Key("Service", named.namespace, named.name)])
    label = f"svc/{named.namespace}/{named.name}"
    if service.spec.type == "ExternalName":
        raise UnknownNameError(
            f"{label} is of type ExternalName: it is a DNS alias of {service.spec.external_name} and has no address"
        )
    if service.headless:
        return _first_of(world, _headless_answer(world, service), port, version)
    address = _preferred([parse_address(ip) for ip in service.spec.cluster_ips], version, label)
    ports = service.spec.ports
    if port is None and len(ports) > 1:
        return Destination(address, label, choices=tuple(map(_port_text, ports)))
    number, protocol = (ports[0].port, ports[0].protocol) if port is None else _matching_port(service, label, port)
    return Destination(address, f"{label}:{number}", number, protocol)


def _headless_answer(world: World, service: Service) -> Answer:
    key = Key("Service", service.metadata.namespace, service.metadata.name)
    answer = headless_answer(world, key)
    if answer is None:
        raise UnknownNameError(
            f"svc/{key.namespace}/{key.name} is headless (clusterIP: None) and has no ready endpoint: its name leads nowhere (NXDOMAIN)",
            f"kubectl get endpointslices -n {key.namespace} -l kubernetes.io/service-name={key.name}",
        )
    return answer


def _matching_port(service: Service, label: str, port: str) -> tuple[int, str]:
    found = [p for p in service.spec.ports if port in (p.name, str(p.port))]
    if found:
        return found[0].port, found[0].protocol
    if port.isdigit():
        return _number(port), "TCP"  # a port that the Service does not have is a fair question
    listed = ", ".join(map(_port_text, service.spec.ports))
    raise UnknownNameError(f"{label} has no port named {port!r}", f"its ports: {listed}")


def _port_text(port: ServicePortSpec) -> str:
    return f"{port.port}/{port.protocol.lower()}" + (f" ({port.name})" if port.name else "")


def _host_destination(world: World, named: Named, port: str | None, version: int | None) -> Destination:
    addresses = world.node_addresses(named.name) if named.kind is Kind.NODE else world.external_addresses(named.name)
    label = f"{named.kind.value}/{named.name}"
    address = _preferred(list(addresses), version, label)
    number = None if port is None else _number(port)
    return Destination(address, label if number is None else f"{label}:{number}", number)


def _pod_destination(world: World, pod: Pod, port: str | None, version: int | None) -> Destination:
    label = f"pod/{pod.metadata.namespace}/{pod.metadata.name}"
    ips = [item.ip for item in pod.status.pod_ips] or ([pod.status.pod_ip] if pod.status.pod_ip else [])
    if not ips:
        raise UnknownNameError(f"{label} has no address: {world.why_not_running(pod)}")
    address = _preferred([parse_address(ip) for ip in ips], version, label)
    listens = pod_listens(pod)
    if port is not None:
        number, protocol = _pod_port(pod, label, port)
    elif len(listens) == 1:
        number, protocol = listens[0][1], listens[0][0].name
    else:
        choices = tuple(f"{number}/{protocol.name.lower()}" for protocol, number in listens)
        return Destination(address, label, choices=choices)
    return Destination(address, f"{label}:{number}", number, protocol)


def _pod_port(pod: Pod, label: str, port: str) -> tuple[int, str | None]:
    named = [p for container in pod.spec.containers for p in container.ports if p.name == port]
    if named:
        return named[0].container_port, named[0].protocol
    if port.isdigit():
        number = _number(port)
        return number, next((p.name for p, listened in pod_listens(pod) if listened == number), None)
    raise UnknownNameError(f"{label} has no port named {port!r}")


def _destination_by_address(world: World, name: str, port: str | None) -> Destination:
    address = _address(name)
    if address is None:
        raise unknown(world, name, DESTINATIONS)
    number = None if port is None else _number(port)
    return Destination(address, endpoint(address, number), number)


# --- words ------------------------------------------------------------------------------------------------------


def _split_port(text: str) -> tuple[str, str | None]:
    """``name:port``, ``[v6]:port``, ``v4:port``; a bare IPv6 address has no port."""
    if text.startswith("[") and "]" in text:
        name, _, rest = text[1:].partition("]")
        if rest and not rest.startswith(":"):
            raise UnknownNameError(f"{text}: expected [ADDRESS]:PORT")
        return name, rest[1:] or None
    if text.count(":") > 1:
        return text, None
    name, colon, port = text.partition(":")
    if colon and not port:
        raise UnknownNameError(f"{text}: a port is missing after the colon")
    return name, port or None


def _number(port: str) -> int:
    number = int(port) if port.isascii() and port.isdigit() else 0
    if not 1 <= number <= 65535:
        raise UnknownNameError(f"{port!r} is not a port", "a port is a number from 1 to 65535")
    return number


def _address(text: str) -> Address | None:
    try:
        return parse_address(text)
    except ValueError:
        return None


def _preferred(addresses: list[Address], version: int | None, label: str) -> Address:
    found = [address for address in addresses if version in (None, address.version)]
    if not found:
        family = f"IPv{version} " if version else ""
        raise UnknownNameError(f"{label} has no {family}address")
    return found[0]
