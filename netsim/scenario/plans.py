"""From the cluster's description and its steady state to the plan that a topology is built from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from netsim.net.address import Address, parse_address
from netsim.net.packet import Protocol
from netsim.objects.cluster import ClusterNode, ClusterSpec, ExternalHost
from netsim.objects.core import HOSTNAME_LABEL, Container, Pod
from netsim.objects.json import Document, Json
from netsim.objects.listen import PROTOCOLS, pod_listens
from netsim.objects.meta import Object
from netsim.scenario.host_plans import devices_of, fdb_of, neighbours_of, proxies_of, routes_of, rules_of
from netsim.topology.model import Listener
from netsim.topology.plan import ClusterPlan, CNIPlan, ExternalPlan, HostPort, MachinePlan, PodPlan


def node_object(node: ClusterNode) -> Object:
    """The Node that a machine's kubelet registers."""
    cidrs = [str(cidr) for cidr in node.pod_cidrs]
    taints: list[Json] = [{"key": t.key, "value": t.value, "effect": t.effect} for t in node.taints]
    spec: Document = {"podCIDR": cidrs[0] if cidrs else "", "podCIDRs": cidrs, "taints": taints}
    addresses: list[Json] = [{"type": "InternalIP", "address": str(address.ip)} for address in node.addresses]
    return Object.of(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": node.name,
                "labels": {HOSTNAME_LABEL: node.name, **node.labels},
                "annotations": dict(node.annotations),
            },
            "spec": {**spec, **({"unschedulable": True} if node.unschedulable else {})},
            "status": {"addresses": [*addresses, {"type": "Hostname", "address": node.name}], **_resources(node)},
        }
    )


def _resources(node: ClusterNode) -> Document:
    """What the node has; all of it is left for pods."""
    found = dict(node.allocatable)
    return {"capacity": found, "allocatable": found} if found else {}


def service_cidr_object(cluster: ClusterSpec) -> Object:
    """The ServiceCIDR that an API server makes of ``--service-cluster-ip-range``.

    Ref: pkg/controlplane/controller/defaultservicecidr/default_servicecidr_controller.go (v1.37).
    """
    return Object.of(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {"name": "kubernetes"},
            "spec": {"cidrs": [str(cidr) for cidr in cluster.service_cidrs]},
        }
    )


def cni_plan(cluster: ClusterSpec) -> CNIPlan:
    """What flannel and its CNI plugin are configured with."""
    return CNIPlan(
        cluster_cidrs=cluster.pod_cidrs,
        hairpin=cluster.cni.hairpin,
        mtu=cluster.cni.pod_mtu(cidr.version for cidr in cluster.pod_cidrs),
        plugin=cluster.cni.plugin,
        backend=cluster.cni.backend,
        masquerade=cluster.cni.masquerade,
        forward_rules=cluster.cni.iptables_forward_rules,
    )


def machine_plan(cluster: ClusterSpec, node: ClusterNode, proxy_sysctls: Mapping[str, str]) -> MachinePlan:
    """One node. What a program sets on it gives way to what the user says of its sysctls."""
    return MachinePlan(
        name=node.name,
        addresses=node.addresses,
        gateways=_reachable(cluster.gateways, node),
        routes=tuple(routes_of(node.routes)),
        sysctls={**proxy_sysctls, **node.sysctls},
        pod_cidrs=node.pod_cidrs,
        control_plane=node.control_plane,
        rules=tuple(rules_of(node.routing)),
        neighbours=tuple(neighbours_of(node.routing)),
        proxies=tuple(proxies_of(node.routing)),
        fdb=tuple(fdb_of(node.routing)),
        devices=tuple(devices_of(node.routing)),
        places=node.routing.sysctl_places,
    )


def cluster_plan(cluster: ClusterSpec, machines: tuple[MachinePlan, ...], pods: Iterable[Pod]) -> ClusterPlan:
    """The whole cluster; ``pods`` are those that run."""
    return ClusterPlan(
        name=cluster.name,
        machines=machines,
        cni=cni_plan(cluster),
        pods=tuple(pod_plan(pod) for pod in pods),
        externals=tuple(_external_plan(host) for host in cluster.external),
    )


def pod_plan(pod: Pod) -> PodPlan:
    """One pod that has a node and addresses."""
    ips = [item.ip for item in pod.status.pod_ips] or [pod.status.pod_ip]
    return PodPlan(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        node=pod.spec.node_name,
        addresses=tuple(parse_address(ip) for ip in ips),
        host_network=pod.spec.host_network,
        containers=tuple(container.name for container in pod.spec.containers),
        listeners=tuple(_pod_listeners(pod)),
        host_ports=tuple(_host_ports(pod)),
    )


def _host_ports(pod: Pod) -> Iterator[HostPort]:
    if pod.spec.host_network:
        return
    for container in pod.spec.containers:
        for port in container.ports:
            if port.host_port:
                host_ip = parse_address(port.host_ip) if port.host_ip else None
                yield HostPort(PROTOCOLS[port.protocol], port.host_port, port.container_port, host_ip)


def _pod_listeners(pod: Pod) -> Iterator[Listener]:
    """A listener for each port; its owner is the container that names the port, the first one where none does."""
    owners = {port: container.name for container in reversed(pod.spec.containers) for port in _ports(container)}
    for listen in pod_listens(pod):
        yield Listener(listen[0], listen[1], owner=owners.get(listen, ""))


def _ports(container: Container) -> Iterator[tuple[Protocol, int]]:
    for port in container.ports:
        yield PROTOCOLS[port.protocol], port.container_port


def _external_plan(host: ExternalHost) -> ExternalPlan:
    return ExternalPlan(
        name=host.name,
        addresses=host.addresses,
        gateways=host.gateways,
        routes=tuple(routes_of(host.routes)),
        listeners=tuple(Listener(protocol, port, owner=host.name) for protocol, port in host.listen),
        sysctls=host.sysctls,
        rules=tuple(rules_of(host.routing)),
        neighbours=tuple(neighbours_of(host.routing)),
        proxies=tuple(proxies_of(host.routing)),
        fdb=tuple(fdb_of(host.routing)),
        devices=tuple(devices_of(host.routing)),
        places=host.routing.sysctl_places,
    )


def _reachable(gateways: Iterable[Address], node: ClusterNode) -> tuple[Address, ...]:
    """Those of the cluster's routers that are on one of the node's networks."""
    return tuple(gateway for gateway in gateways if any(gateway in address.network for address in node.addresses))
