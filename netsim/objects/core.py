"""Typed views of the objects that decide where packets go: Service, EndpointSlice, Pod, Node.

Each view holds what the model reads of its object. Defaults are those of the API server where it stores none.
Ref: k8s.io/api core/v1 and discovery/v1 (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.objects.json import decode
from netsim.objects.meta import Object, ObjectMeta

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
ZONE_LABEL = "topology.kubernetes.io/zone"
HOSTNAME_LABEL = "kubernetes.io/hostname"


# --- Service ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServicePortSpec:
    """``spec.ports[]``. ``target_port`` is a number or a container port's name; None stands for ``port``."""

    port: int = 0
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str | None = None
    node_port: int = 0
    app_protocol: str | None = None


@dataclass(frozen=True, slots=True)
class ClientIPConfig:
    """``spec.sessionAffinityConfig.clientIP``; seconds."""

    timeout_seconds: int = 10800


@dataclass(frozen=True, slots=True)
class SessionAffinityConfig:
    """``spec.sessionAffinityConfig``."""

    client_ip: ClientIPConfig = field(default=ClientIPConfig(), metadata={"json": "clientIP"})


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """``spec`` of a Service."""

    type: str = "ClusterIP"
    cluster_ip: str = field(default="", metadata={"json": "clusterIP"})
    cluster_ips: tuple[str, ...] = field(default=(), metadata={"json": "clusterIPs"})
    ip_families: tuple[str, ...] = ()
    ip_family_policy: str = "SingleStack"
    ports: tuple[ServicePortSpec, ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    external_ips: tuple[str, ...] = field(default=(), metadata={"json": "externalIPs"})
    external_name: str = ""
    internal_traffic_policy: str = "Cluster"
    external_traffic_policy: str = "Cluster"
    health_check_node_port: int = 0
    session_affinity: str = "None"
    session_affinity_config: SessionAffinityConfig = SessionAffinityConfig()
    load_balancer_source_ranges: tuple[str, ...] = ()
    load_balancer_ip: str = field(default="", metadata={"json": "loadBalancerIP"})
    load_balancer_class: str | None = None
    publish_not_ready_addresses: bool = False
    allocate_load_balancer_node_ports: bool = True
    traffic_distribution: str | None = None


@dataclass(frozen=True, slots=True)
class LoadBalancerIngress:
    """``status.loadBalancer.ingress[]``. ``ip_mode`` is ``VIP`` or ``Proxy``."""

    ip: str = ""
    hostname: str = ""
    ip_mode: str = field(default="VIP", metadata={"json": "ipMode"})


@dataclass(frozen=True, slots=True)
class LoadBalancerStatus:
    """``status.loadBalancer``."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """``status`` of a Service."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


@dataclass(frozen=True, slots=True)
class Service:
    """A Service."""

    metadata: ObjectMeta
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()

    @classmethod
    def of(cls, item: Object) -> Service:
        """The view of an object of kind Service."""
        return decode(cls, item.document)

    @property
    def headless(self) -> bool:
        """True where ``clusterIP: None`` was asked for."""
        return self.spec.cluster_ip == "None"


# --- EndpointSlice ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndpointPort:
    """``ports[]`` of a slice. ``port`` None means every port (and kube-proxy passes over it)."""

    name: str = ""
    protocol: str = "TCP"
    port: int | None = None


@dataclass(frozen=True, slots=True)
class EndpointConditions:
    """``conditions`` of an endpoint; None is unknown, which kube-proxy reads as ready and serving, not terminating."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


@dataclass(frozen=True, slots=True)
class ForZone:
    """A zone or node hint."""

    name: str


@dataclass(frozen=True, slots=True)
class EndpointHints:
    """``hints`` of an endpoint."""

    for_zones: tuple[ForZone, ...] = ()
    for_nodes: tuple[ForZone, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetRef:
    """``targetRef`` of an endpoint."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class SliceEndpoint:
    """``endpoints[]`` of a slice. kube-proxy uses the first address only."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    hostname: str | None = None
    node_name: str | None = None
    zone: str | None = None
    hints: EndpointHints | None = None
    target_ref: TargetRef | None = None


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """An EndpointSlice (discovery.k8s.io/v1)."""

    metadata: ObjectMeta
    address_type: str = ""
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()

    @classmethod
    def of(cls, item: Object) -> EndpointSlice:
        """The view of an object of kind EndpointSlice."""
        return decode(cls, item.document)

    @property
    def service_name(self) -> str:
        """The name of the Service it belongs to, empty where the label is absent."""
        return self.metadata.labels.get(SERVICE_NAME_LABEL, "")


# --- Pod --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """``ports[]`` of a container."""

    container_port: int = 0
    name: str = ""
    protocol: str = "TCP"
    host_port: int = 0
    host_ip: str = field(default="", metadata={"json": "hostIP"})


@dataclass(frozen=True, slots=True)
class Container:
    """A container; only what the network sees of it."""

    name: str = ""
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    restart_policy: str | None = None


@dataclass(frozen=True, slots=True)
class PodSpec:
    """``spec`` of a Pod."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    node_name: str = ""
    host_network: bool = False
    dns_policy: str = "ClusterFirst"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    subdomain: str = ""
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class PodCondition:
    """``status.conditions[]``."""

    type: str
    status: str = "Unknown"


@dataclass(frozen=True, slots=True)
class PodIP:
    """``status.podIPs[]``."""

    ip: str = ""


@dataclass(frozen=True, slots=True)
class PodStatus:
    """``status`` of a Pod."""

    phase: str = "Pending"
    reason: str = ""
    conditions: tuple[PodCondition, ...] = ()
    host_ip: str = field(default="", metadata={"json": "hostIP"})
    pod_ip: str = field(default="", metadata={"json": "podIP"})
    pod_ips: tuple[PodIP, ...] = field(default=(), metadata={"json": "podIPs"})


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod."""

    metadata: ObjectMeta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @classmethod
    def of(cls, item: Object) -> Pod:
        """The view of an object of kind Pod."""
        return decode(cls, item.document)

    @property
    def ready(self) -> bool:
        """True where the Ready condition is True."""
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions)


# --- Node -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taint:
    """``spec.taints[]``."""

    key: str = ""
    effect: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """``spec`` of a Node."""

    pod_cidr: str = field(default="", metadata={"json": "podCIDR"})
    pod_cidrs: tuple[str, ...] = field(default=(), metadata={"json": "podCIDRs"})
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """``status.addresses[]``."""

    type: str
    address: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """``status`` of a Node."""

    addresses: tuple[NodeAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A Node."""

    metadata: ObjectMeta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @classmethod
    def of(cls, item: Object) -> Node:
        """The view of an object of kind Node."""
        return decode(cls, item.document)

    @property
    def internal_addresses(self) -> tuple[str, ...]:
        """Its addresses of type InternalIP, in the order in which the kubelet reports them."""
        return tuple(a.address for a in self.status.addresses if a.type == "InternalIP")
