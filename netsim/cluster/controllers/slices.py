"""Which EndpointSlices a Service should have: the decision alone, from pods and the slices that are there.

Ref: staging/src/k8s.io/endpointslice/{reconciler,utils}.go, trafficdist/trafficdist.go, util/controller_utils.go (v1.37).
Where Kubernetes takes endpoints from a Go map in any order, they are taken here in the order of their pods' names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from netsim.cluster import podstate
from netsim.cluster.documents import canonical, list_at, mapping_at, text_at
from netsim.dataclass import dataclass
from netsim.net.address import Family, parse_address
from netsim.objects.core import SERVICE_NAME_LABEL, Service, ServicePortSpec
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object

MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGED_BY = "endpointslice-controller.k8s.io"
HEADLESS_LABEL = "service.kubernetes.io/headless"
MAX_ENDPOINTS = 100
_RESERVED = (SERVICE_NAME_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL)


@dataclass(frozen=True, slots=True)
class Slice:
    """An EndpointSlice as it is or should be; ``name`` is empty before it is made."""

    name: str
    address_type: str
    ports: tuple[Document, ...] = ()
    endpoints: tuple[Document, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, item: Object) -> Slice:
        """The slice that an object of kind EndpointSlice holds."""
        return cls(
            item.metadata.name,
            text_at(item.document, "addressType"),
            tuple(p for p in list_at(item.document, "ports") if isinstance(p, Mapping)),
            tuple(e for e in list_at(item.document, "endpoints") if isinstance(e, Mapping)),
            item.metadata.labels,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: slices to make, to write anew, and to delete (by name); and those that stay as they are."""

    create: tuple[Slice, ...] = ()
    update: tuple[Slice, ...] = ()
    delete: tuple[str, ...] = ()
    unchanged: tuple[Slice, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A pod of the Service, and the zone of its node; ``zone`` None where the node is not there."""

    pod: Object
    zone: str | None


def reconcile(
    service: Service, address_type: str, pods: Iterable[Placed], existing: Sequence[Slice], *, hints: bool = True
) -> Plan:
    """What to do with the slices of one address type. ``hints`` False: they are somebody else's to set.

    Ref: reconciler.go:reconcileByAddressType().
    """
    labels = slice_labels(service)
    wanted = _wanted(service, address_type, pods)
    create: list[Slice] = []
    update: list[Slice] = []
    delete: list[str] = []
    for ports, endpoints in wanted.items():
        group = [s for s in existing if _port_key(s.ports) == ports]
        made, changed, emptied = _fill(group, endpoints, Slice("", address_type, _ports_of(ports), (), labels))
        create += made
        update += changed
        delete += emptied
    delete += [s.name for s in existing if _port_key(s.ports) not in wanted]
    if len(delete) == len(existing) and not create:
        create, delete = _with_placeholder(existing, Slice("", address_type, (), (), labels))
    touched = {s.name for s in update} | set(delete)
    unchanged = [s for s in existing if s.name not in touched]
    if not hints:
        return Plan(tuple(create), tuple(update), tuple(delete), tuple(unchanged))
    return _hinted(service, create, update, delete, unchanged)


def _with_placeholder(existing: Sequence[Slice], placeholder: Slice) -> tuple[list[Slice], list[str]]:
    """A Service without endpoints has one empty slice."""
    for item in existing:
        if (item.ports, item.endpoints) == ((), ()) and dict(item.labels) == dict(placeholder.labels):
            return [], [s.name for s in existing if s.name != item.name]
    return [placeholder], [s.name for s in existing]


def _fill(
    group: Sequence[Slice], wanted: Mapping[str, Document], empty: Slice
) -> tuple[list[Slice], list[Slice], list[str]]:
    """Place the endpoints of one set of ports. Ref: reconciler.go:reconcileByPortMapping()."""
    left = dict(wanted)
    same: dict[str, Slice] = {}
    changed: dict[str, Slice] = {}
    emptied: list[str] = []
    for item in group:
        identities = [_identity(endpoint) for endpoint in item.endpoints]
        kept = tuple(left.pop(identity) for identity in identities if identity in left)
        if item.endpoints and not kept:
            emptied.append(item.name)
        elif kept != tuple(map(without_hints, item.endpoints)) or _own(item.labels) != _own(empty.labels):
            changed[item.name] = replace(item, endpoints=kept, labels=empty.labels)
        else:
            same[item.name] = item
    for item in sorted(changed.values(), key=lambda s: -len(s.endpoints)):
        changed[item.name] = _topped_up(item, left)
    made: list[Slice] = []
    while left:
        target = _closest_to_full(same.values(), len(left)) if len(left) < MAX_ENDPOINTS else None
        if target is None:
            made.append(_topped_up(empty, left))
        else:
            del same[target.name]
            changed[target.name] = _topped_up(target, left)
    return made, list(changed.values()), emptied


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    """A change of the reserved labels alone is none. Ref: utils.go:setEndpointSliceLabels()."""
    return {key: value for key, value in labels.items() if key not in _RESERVED}


def _topped_up(item: Slice, left: dict[str, Document]) -> Slice:
    room = MAX_ENDPOINTS - len(item.endpoints)
    taken = [left.pop(identity) for identity in list(left)[:room]]
    return replace(item, endpoints=(*item.endpoints, *taken))


def _closest_to_full(slices: Iterable[Slice], count: int) -> Slice | None:
    """Ref: utils.go:getSliceToFill()."""
    fitting = [s for s in slices if len(s.endpoints) + count <= MAX_ENDPOINTS]
    return max(fitting, key=lambda s: len(s.endpoints), default=None)


# --- Endpoints of pods ------------------------------------------------------------------------------------------


def _wanted(service: Service, address_type: str, pods: Iterable[Placed]) -> dict[str, dict[str, Document]]:
    """Endpoints by their identity, by their set of ports (as canonical JSON)."""
    wanted: dict[str, dict[str, Document]] = {}
    known_ports: dict[tuple[int, int], str] = {}
    for placed in pods:
        pod = placed.pod
        if not podstate.may_be_endpoint(pod) or (placed.zone is None and not _publishes(service)):
            continue
        spec = mapping_at(pod.document, "spec")
        containers = (id(spec.get("containers")), id(spec.get("initContainers")))
        if containers not in known_ports:
            known_ports[containers] = _port_key(endpoint_ports(service, spec))
        group = wanted.setdefault(known_ports[containers], {})
        endpoint = _endpoint(service, address_type, placed)
        if endpoint is not None:
            group[_identity(endpoint)] = endpoint
    return {ports: endpoints for ports, endpoints in wanted.items() if endpoints}


def _publishes(service: Service) -> bool:
    return service.spec.publish_not_ready_addresses


def _endpoint(service: Service, address_type: str, placed: Placed) -> Document | None:
    """Ref: utils.go:podToEndpoint()."""
    pod = placed.pod
    addresses = [str(parse_address(a)) for a in podstate.pod_addresses(pod) if _address_type(a) == address_type]
    if not addresses:
        return None
    serving = podstate.ready(pod)
    terminating = pod.metadata.deletion_timestamp is not None
    metadata = pod.metadata
    endpoint: dict[str, Json] = {
        "addresses": addresses,
        "conditions": {
            "ready": _publishes(service) or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {"kind": "Pod", "namespace": metadata.namespace, "name": metadata.name, "uid": metadata.uid},
    }
    spec = mapping_at(pod.document, "spec")
    if spec.get("hostname") and spec.get("subdomain") == service.metadata.name:
        endpoint["hostname"] = spec["hostname"]
    if spec.get("nodeName"):
        endpoint["nodeName"] = spec["nodeName"]
    if placed.zone:
        endpoint["zone"] = placed.zone
    return endpoint


def endpoint_ports(service: Service, pod_spec: Document) -> tuple[Document, ...]:
    """The ports of the Service as this pod has them; a name that no container of the pod has is left out.

    Ref: utils.go:getEndpointPorts(), FindPort().
    """
    ports: list[Document] = []
    for port in service.spec.ports:
        number = _find_port(port, pod_spec)
        if number is not None:
            entry: dict[str, Json] = {"name": port.name, "port": number, "protocol": port.protocol}
            if port.app_protocol is not None:
                entry["appProtocol"] = port.app_protocol
            ports.append(entry)
    return tuple(ports)


def _find_port(port: ServicePortSpec, pod_spec: Document) -> int | None:
    match port.target_port:
        case None:
            return port.port
        case int():
            return port.target_port or port.port
        case name:
            found = (n for p, n in _named_ports(pod_spec) if p == (name, port.protocol))
            return next(found, None)


def _named_ports(pod_spec: Document) -> Iterable[tuple[tuple[str, str], int]]:
    """The named ports of the containers, then of sidecars (init containers that are always restarted)."""
    sidecars = [
        c for c in list_at(pod_spec, "initContainers") if isinstance(c, Mapping) and c.get("restartPolicy") == "Always"
    ]
    for container in [*list_at(pod_spec, "containers"), *sidecars]:
        if isinstance(container, Mapping):
            for port in list_at(container, "ports"):
                number = port.get("containerPort") if isinstance(port, Mapping) else None
                if isinstance(port, Mapping) and isinstance(number, int):
                    yield (str(port.get("name", "")), str(port.get("protocol") or "TCP")), number


def _address_type(address: str) -> str:
    return Family(parse_address(address).version).kubernetes


def address_types(service: Service, default: Sequence[str]) -> list[str]:
    """The address types that a Service has slices of. ``default``: the cluster's families, for one whose own are not known.

    Ref: utils.go:getAddressTypesForService().
    """
    if service.spec.ip_families:
        return sorted(set(service.spec.ip_families))
    if service.spec.cluster_ip not in ("", "None"):
        return [_address_type(service.spec.cluster_ip)]
    return sorted(set(default))


def slice_labels(service: Service) -> dict[str, str]:
    """The labels of a Service's slices: the Service's own, and those that are reserved. Ref: utils.go:setEndpointSliceLabels()."""
    labels = _own(service.metadata.labels)
    if service.headless:
        labels[HEADLESS_LABEL] = ""
    return {**labels, SERVICE_NAME_LABEL: service.metadata.name, MANAGED_BY_LABEL: MANAGED_BY}


def _port_key(ports: Sequence[Document]) -> str:
    return canonical(sorted(ports, key=canonical))


def _ports_of(key: str) -> tuple[Document, ...]:
    import json

    return tuple(sorted(json.loads(key), key=_hash))


def _hash(port: Document) -> int:
    """The order of a slice's ports. Ref: util/controller_utils.go:portsInOrder: FNV-1a of what Go's spew writes of one."""
    text = (
        f"(v1.EndpointPort){{Name:(*string){port['name']} Protocol:(*v1.Protocol){port['protocol']} "
        f"Port:(*int32){port['port']} AppProtocol:(*string){port.get('appProtocol', '<nil>')}}}"
    )
    return fnv_1a(text)


def fnv_1a(text: str) -> int:
    """The hash of 128 bits by which controllers sort what has no order. Ref: Go's hash/fnv: New128a()."""
    value = 0x6C62272E07BB014262B821756295C58D
    for byte in text.encode():
        value = ((value ^ byte) * 0x1000000000000000000013B) % 2**128
    return value


def _identity(endpoint: Document) -> str:
    """What tells endpoints of one set of ports apart. Ref: util/endpointset.go:hashEndpoint()."""
    target = mapping_at(endpoint, "targetRef")
    addresses = ",".join(sorted(str(a) for a in list_at(endpoint, "addresses")))
    return f"{addresses}|{endpoint.get('hostname', '')}|{target.get('namespace', '')}/{target.get('name', '')}"


# --- Hints ------------------------------------------------------------------------------------------------------

_CLOSE = ("PreferClose", "PreferSameZone", "PreferSameNode")


def _hinted(
    service: Service,
    create: Sequence[Slice],
    update: Sequence[Slice],
    delete: Sequence[str],
    unchanged: Sequence[Slice],
) -> Plan:
    """The plan with hints as ``trafficDistribution`` asks for; slices that lack them only are written too."""
    create = [_with_hints(s, service.spec.traffic_distribution) for s in create]
    update = [_with_hints(s, service.spec.traffic_distribution) for s in update]
    late = [(s, _with_hints(s, service.spec.traffic_distribution)) for s in unchanged]
    update += [after for before, after in late if after != before]
    return Plan(tuple(create), tuple(update), tuple(delete))


def _with_hints(item: Slice, distribution: str | None) -> Slice:
    return replace(item, endpoints=tuple(_hint(e, distribution) for e in item.endpoints))


def _hint(endpoint: Document, distribution: str | None) -> Document:
    """Ref: trafficdist.go:preferCloseHeuristic: only endpoints that are ready have hints."""
    hints: dict[str, Json] = {}
    if distribution in _CLOSE and mapping_at(endpoint, "conditions").get("ready") is True:
        if endpoint.get("zone"):
            hints["forZones"] = [{"name": endpoint["zone"]}]
        if distribution == "PreferSameNode" and endpoint.get("nodeName"):
            hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    rest = without_hints(endpoint)
    return {**rest, "hints": hints} if hints else rest


def without_hints(endpoint: Document) -> Document:
    """An endpoint for everybody."""
    return {key: value for key, value in endpoint.items() if key != "hints"}
