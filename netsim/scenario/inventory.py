"""What there is in a world, row by row: nodes, pods, Services, external hosts."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.objects.core import EndpointSlice, Service
from netsim.objects.listen import pod_listens
from netsim.objects.meta import Key
from netsim.scenario.world import World

Row = tuple[str, ...]

NODE_HEADERS = ("NODE", "ADDRESSES", "POD CIDR", "PODS")
POD_HEADERS = ("POD", "NODE", "ADDRESSES", "READY", "LISTENS")
SERVICE_HEADERS = ("SERVICE", "TYPE", "CLUSTER-IP", "PORTS", "ENDPOINTS")
EXTERNAL_HEADERS = ("EXTERNAL HOST", "ADDRESSES", "LISTENS")


def nodes(world: World) -> Iterator[Row]:
    """Name, addresses, pod CIDRs, number of pods."""
    placed = [pod.spec.node_name for pod in world.pods()]
    for node in world.cluster.nodes:
        addresses = " ".join(str(address) for address in node.addresses)
        yield node.name, addresses, " ".join(map(str, node.pod_cidrs)), str(placed.count(node.name))


def pods(world: World) -> Iterator[Row]:
    """Name, node, addresses, readiness, what it listens on."""
    for pod in world.pods():
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        listens = " ".join(f"{port}/{protocol.name.lower()}" for protocol, port in pod_listens(pod)) or "-"
        addresses = " ".join(item.ip for item in pod.status.pod_ips) or pod.status.pod_ip or "-"
        yield name, pod.spec.node_name or "-", addresses, "yes" if pod.ready else "no", listens


def services(world: World) -> Iterator[Row]:
    """Name, type, cluster IPs, ports (with node ports), ready endpoints of all."""
    for key, item in sorted(world.objects.items()):
        if key.kind == "Service":
            service = Service.of(item)
            ports = " ".join(
                f"{p.port}{f':{p.node_port}' if p.node_port else ''}/{p.protocol.lower()}" for p in service.spec.ports
            )
            yield (
                f"{key.namespace}/{key.name}",
                service.spec.type,
                " ".join(service.spec.cluster_ips) or "-",
                ports or "-",
                _endpoints(world, key),
            )


def externals(world: World) -> Iterator[Row]:
    """Name, addresses, what it listens on."""
    for host in world.cluster.external:
        listens = " ".join(f"{port}/{protocol.name.lower()}" for protocol, port in host.listen) or "-"
        yield host.name, " ".join(str(address) for address in host.addresses), listens


def _endpoints(world: World, service: Key) -> str:
    """``2 of 3 ready``, over all slices and families; ``-`` where there is no slice."""
    slices = [
        EndpointSlice.of(item)
        for key, item in sorted(world.objects.items())
        if key.kind == "EndpointSlice" and key.namespace == service.namespace
    ]
    mine = [endpoint for found in slices if found.service_name == service.name for endpoint in found.endpoints]
    if not any(found.service_name == service.name for found in slices):
        return "-"
    ready = sum(endpoint.conditions.ready is not False for endpoint in mine)
    return f"{ready} ready" if ready == len(mine) else f"{ready} of {len(mine)} ready"
