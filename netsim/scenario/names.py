"""What SRC and DST of a command line mean in a world.

A name is looked up before it is read as an address. ``KIND/NAME`` and ``NAMESPACE/KIND/NAME`` say what is meant; a bare name is
looked for in the namespace ``default`` first, then in all; more than one hit is an error that lists them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from netsim.net.address import Address, parse_address
from netsim.objects.core import Pod, Service
from netsim.objects.listen import pod_listens
from netsim.objects.meta import Key
from netsim.scenario.world import World

DEFAULT_NAMESPACE = "default"


class Kind(Enum):
    """What can be named; the value is the word that the answer prints."""

    POD = "pod"
    SERVICE = "svc"
    DEPLOYMENT = "deployment"
    REPLICA_SET = "replicaset"
    STATEFUL_SET = "statefulset"
    DAEMON_SET = "daemonset"
    JOB = "job"
    NODE = "node"
    EXTERNAL = "external"


WORDS: dict[str, Kind] = {
    # what people write, by kubectl's names and short names
    "pod": Kind.POD,
    "pods": Kind.POD,
    "po": Kind.POD,
    "svc": Kind.SERVICE,
    "service": Kind.SERVICE,
    "services": Kind.SERVICE,
    "deployment": Kind.DEPLOYMENT,
    "deployments": Kind.DEPLOYMENT,
    "deploy": Kind.DEPLOYMENT,
    "replicaset": Kind.REPLICA_SET,
    "rs": Kind.REPLICA_SET,
    "statefulset": Kind.STATEFUL_SET,
    "sts": Kind.STATEFUL_SET,
    "daemonset": Kind.DAEMON_SET,
    "ds": Kind.DAEMON_SET,
    "job": Kind.JOB,
    "node": Kind.NODE,
    "nodes": Kind.NODE,
    "no": Kind.NODE,
    "external": Kind.EXTERNAL,
}
_OBJECT_KINDS: dict[Kind, str] = {
    Kind.POD: "Pod",
    Kind.SERVICE: "Service",
    Kind.DEPLOYMENT: "Deployment",
    Kind.REPLICA_SET: "ReplicaSet",
    Kind.STATEFUL_SET: "StatefulSet",
    Kind.DAEMON_SET: "DaemonSet",
    Kind.JOB: "Job",
}

_BARE_SOURCES = (Kind.POD, Kind.NODE, Kind.EXTERNAL)
_BARE_DESTINATIONS = (Kind.SERVICE, Kind.POD, Kind.NODE, Kind.EXTERNAL)


class UnknownNameError(ValueError):
    """A name that means nothing here, or too much; ``advice`` lists the nearest."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Named:
    """Something that has a name. ``namespace`` is empty for nodes and external hosts."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        place = "" if self.namespace in ("", DEFAULT_NAMESPACE) else f"{self.namespace}/"
        return f"{place}{self.kind.value}/{self.name}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a flow begins: the network namespace, who sends, and the source address where one was asked for."""

    netns: str
    label: str
    owner: str
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a flow is sent to. ``port`` and ``protocol`` (``TCP``, …) are those of the name, None where it says nothing.

    ``explicit``: the user wrote the port. ``choices`` are the ports that the user could have meant.
    """

    address: Address
    label: str
    port: int | None = None
    protocol: str | None = None
    explicit: bool = False
    choices: tuple[str, ...] = ()


# --- sources ----------------------------------------------------------------------------------------------------


def find_source(world: World, text: str) -> Source:
    """The sender that a command line names. Raises UnknownNameError."""
    named = _find(world, text, _BARE_SOURCES)
    if named is None:
        return _source_by_address(world, text)
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
            return _pod_source(world, _pod_of(world, named))


def _pod_source(world: World, pod: Pod) -> Source:
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    netns = world.pod_netns(pod)
    if netns is None:
        raise UnknownNameError(f"pod {name} is not running: {world.why_not_running(pod)}")
    return Source(netns, f"pod/{name}", f"{name}/{pod.spec.containers[0].name}")


def _source_by_address(world: World, text: str) -> Source:
    address = _address(text)
    if address is None:
        raise _unknown(world, text, _BARE_SOURCES)
    netns = world.owner_of(address)
    if netns is None:
        raise UnknownNameError(f"{text}: no host of this topology has that address")
    return Source(netns, str(address), "process", address)


# --- destinations -----------------------------------------------------------------------------------------------


def find_destination(world: World, text: str, version: int | None = None) -> Destination:
    """The address and port that a command line names; ``version`` is the IP version to prefer. Raises UnknownNameError."""
    name, port = _split_port(text)
    named = _find(world, name, _BARE_DESTINATIONS)
    if named is None:
        return _destination_by_address(world, text, name, port)
    match named.kind:
        case Kind.SERVICE:
            found = _service_destination(world, named, port, version)
        case Kind.NODE | Kind.EXTERNAL:
            found = _host_destination(world, named, port, version)
        case _:
            found = _pod_destination(world, _pod_of(world, named), port, version)
    return replace(found, explicit=port is not None)


def _service_destination(world: World, named: Named, port: str | None, version: int | None) -> Destination:
    service = Service.of(world.objects[Key("Service", named.namespace, named.name)])
    label = f"svc/{named.namespace}/{named.name}"
    if service.spec.type == "ExternalName":
        raise UnknownNameError(
            f"{label} is of type ExternalName: it is a DNS alias of {service.spec.external_name} and has no address"
        )
    if service.headless:
        raise UnknownNameError(
            f"{label} is headless (clusterIP: None): its name leads straight to its pods, no proxy is asked",
            "trace to one of its pods",
        )
    found = _matching_port(service, label, port)
    address = _preferred([parse_address(ip) for ip in service.spec.cluster_ips], version, label)
    return Destination(address, f"{label}:{found[0]}", found[0], found[1])


def _matching_port(service: Service, label: str, port: str | None) -> tuple[int, str]:
    ports = service.spec.ports
    listed = ", ".join(f"{p.port}/{p.protocol}" + (f" ({p.name})" if p.name else "") for p in ports)
    if port is None:
        if len(ports) == 1:
            return ports[0].port, ports[0].protocol
        raise UnknownNameError(f"{label} has {len(ports)} ports: {listed}", f"say which: {service.metadata.name}:PORT")
    found = [p for p in ports if port in (p.name, str(p.port))]
    if found:
        return found[0].port, found[0].protocol
    if port.isdigit():
        return _number(port), "TCP"  # a port that the Service does not have is a fair question
    raise UnknownNameError(f"{label} has no port named {port!r}", f"its ports: {listed}")


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


def _destination_by_address(world: World, text: str, name: str, port: str | None) -> Destination:
    address = _address(name.strip("[]"))
    if address is None:
        raise _unknown(world, name, _BARE_DESTINATIONS)
    number = None if port is None else _number(port)
    return Destination(address, text, number, explicit=number is not None)


# --- names ------------------------------------------------------------------------------------------------------


def _find(world: World, text: str, bare: tuple[Kind, ...]) -> Named | None:
    """What a name means, None where nothing is called so."""
    kind, namespace, name = _parts(text)
    hits = list(_hits(world, (kind,) if kind else bare, namespace, name))
    if kind is None and namespace is None:
        own = [hit for hit in hits if hit.namespace in ("", DEFAULT_NAMESPACE)]
        hits = own or hits
    elif kind is not None and namespace is None and len(hits) > 1:
        hits = [hit for hit in hits if hit.namespace in ("", DEFAULT_NAMESPACE)] or hits
    if len(hits) > 1:
        listed = ", ".join(str(hit) for hit in hits)
        raise UnknownNameError(f"{text} is ambiguous: it may be {listed}", "say which of them you mean")
    if not hits and kind is not None:
        raise _unknown(world, text, (kind,))
    return hits[0] if hits else None


def _parts(text: str) -> tuple[Kind | None, str | None, str]:
    """Kind, namespace and name of ``name``, ``ns/name``, ``kind/name`` or ``ns/kind/name``."""
    words = text.split("/")
    if len(words) == 2 and words[0] in WORDS:
        return WORDS[words[0]], None, words[1]
    if len(words) == 2:
        return None, words[0], words[1]
    if len(words) == 3 and words[1] in WORDS:
        return WORDS[words[1]], words[0], words[2]
    if len(words) == 3 and words[0] in WORDS:
        return WORDS[words[0]], words[1], words[2]
    return None, None, text


def _hits(world: World, kinds: Iterable[Kind], namespace: str | None, name: str) -> Iterator[Named]:
    return (
        named
        for kind in kinds
        for named in _all(world, kind)
        if named.name == name and (namespace is None or named.namespace == namespace)
    )


def _all(world: World, kind: Kind) -> Iterator[Named]:
    match kind:
        case Kind.NODE:
            return (Named(kind, "", node.name) for node in world.cluster.nodes)
        case Kind.EXTERNAL:
            return (Named(kind, "", host.name) for host in world.cluster.external)
        case _:
            wanted = _OBJECT_KINDS[kind]
            return (Named(kind, key.namespace, key.name) for key in world.objects if key.kind == wanted)


def _unknown(world: World, text: str, kinds: tuple[Kind, ...]) -> UnknownNameError:
    known = [named for kind in kinds for named in _all(world, kind)]
    spelled = {str(named): named for named in known} | {named.name: named for named in known}
    what = f"{kinds[0].value} " if len(kinds) == 1 else ""
    close = [str(spelled[word]) for word in difflib.get_close_matches(_parts(text)[2], list(spelled), n=3, cutoff=0.5)]
    if close:
        return UnknownNameError(f"no {what}{text} here", f"did you mean {' or '.join(dict.fromkeys(close))}?")
    listed = ", ".join(str(named) for named in known[:8]) + (", …" if len(known) > 8 else "")
    what = kinds[0].value if len(kinds) == 1 else "pod, Service, node or external host"
    return UnknownNameError(
        f"no {what} is called {text}, and it is no address", f"there are: {listed}" if listed else ""
    )


def _pod_of(world: World, named: Named) -> Pod:
    """The pod itself, or the first pod of a workload."""
    if named.kind is Kind.POD:
        return Pod.of(world.objects[Key("Pod", named.namespace, named.name)])
    key = Key(_OBJECT_KINDS[named.kind], named.namespace, named.name)
    pods = list(world.pods_of(key))
    if not pods:
        raise UnknownNameError(f"{named} has no pods")
    return min(pods, key=_running_first(world))


def _running_first(world: World) -> Callable[[Pod], tuple[bool, bool, str]]:
    return lambda pod: (world.pod_netns(pod) is None, not pod.ready, pod.metadata.name)


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
