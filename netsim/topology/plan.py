"""What a cluster's machines, pods and networks are said to be: the input of ``build``.

The values here hold what a person describes (names, addresses, sysctls) and nothing of how Linux makes it; ``build`` turns them
into namespaces, devices and routes. Whoever reads files fills them in, so this module knows no Kubernetes object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address, InterfaceAddress, Prefix
from netsim.net.packet import Protocol
from netsim.objects.cluster import CNIBackend, CNIPlugin
from netsim.rules.source import Origin
from netsim.topology.model import DeviceKind, FdbEntry, Listener, Neighbour, PolicyRule, ProxyNeighbour, Route


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """A further device of a machine, or without ``kind`` a change of one that it has; the macvlan's parent has no namespace yet.

    ``pod`` (namespace and name) stands for the node's end towards that pod. None where nothing is said; ``places`` are the fields'.
    """

    name: str | None
    kind: DeviceKind | None = None
    pod: tuple[str, str] | None = None
    addresses: tuple[InterfaceAddress, ...] = ()
    mtu: int | None = None
    mac: MAC | None = None
    up: bool | None = None
    carrier: bool | None = None
    master: str | None = None
    hairpin: bool | None = None
    isolated: bool | None = None
    learning: bool | None = None
    origin: Origin | None = field(default=None, compare=False)
    places: Mapping[str, Origin] = field(default_factory=dict, compare=False)

    def where(self, name: str) -> Origin | None:
        """The place of a field, else the device's own."""
        return self.places.get(name, self.origin)


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What every machine on a network has.

    ``addresses`` with a full prefix length (``192.168.0.11/32``) get the length of the described network that they lie in, else
    /24 (/64 for IPv6). ``gateways`` are the default routers, at most one a family; a family without one gets the network's
    gateway. A route to 0.0.0.0/0 or ::/0 among ``routes`` takes the default router's place. ``sysctls`` win over what
    the cluster's programs set; ``places`` is where each is set. ``devices`` come on top of the network cards, or change them.
    """

    name: str
    addresses: tuple[InterfaceAddress, ...]
    gateways: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[PolicyRule, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    proxies: tuple[ProxyNeighbour, ...] = ()
    fdb: tuple[FdbEntry, ...] = ()
    devices: tuple[DevicePlan, ...] = ()
    places: Mapping[str, Origin] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class MachinePlan(HostPlan):
    """A node of the cluster. ``pod_cidrs`` are its share of the pod network, at most one a family.

    ``listeners`` come on top of those that every kubeadm node has (``build.NODE_LISTENERS``). ``had_pods``: what the network plugin made
    for its pods is there, even if there are none.
    """

    pod_cidrs: tuple[Prefix, ...] = ()
    control_plane: bool = False
    had_pods: bool = False


@dataclass(frozen=True, slots=True)
class ExternalPlan(HostPlan):
    """A host that is no node: a client, a database, a load balancer's health check. It forwards nothing unless its sysctls say so."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node that leads to a pod; ``host_ip`` None stands for every address of the node, 0.0.0.0 for IPv4's, :: for IPv6's."""

    protocol: Protocol
    host_port: int
    container_port: int
    host_ip: Address | None = None


@dataclass(frozen=True, slots=True)
class PodPlan:
    """A pod that has been placed on a node and given its addresses (those of the node where ``host_network``).

    A listener's ``owner`` is the name of its container, empty for the first one, or a full owner with slashes.
    ``sysctls`` are those of the pod's security context.
    """

    namespace: str
    name: str
    node: str
    addresses: tuple[Address, ...]
    host_network: bool = False
    containers: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    host_ports: tuple[HostPort, ...] = ()


@dataclass(frozen=True, slots=True)
class CNIPlan:
    """flannel with one of its backends, delegating to the CNI plugin ``bridge`` or ``ptp``, and ``portmap`` for host ports.

    ``cluster_cidrs`` is the whole pod network, at most one a family (flannel's Network and IPv6Network); ``mtu`` in bytes;
    ``masquerade`` is flanneld's ``--ip-masq``, ``forward_rules`` its ``--iptables-forward-rules``.
    """

    cluster_cidrs: tuple[Prefix, ...]
    hairpin: bool = True
    mtu: int = 1500
    masquerade: bool = True
    forward_rules: bool = True
    plugin: CNIPlugin = CNIPlugin.BRIDGE
    backend: CNIBackend = CNIBackend.HOST_GW


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """The router that joins the networks with each other and with the world outside."""

    routes: tuple[Route, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """Everything that a topology is built from."""

    name: str
    machines: tuple[MachinePlan, ...]
    cni: CNIPlan
    pods: tuple[PodPlan, ...] = ()
    externals: tuple[ExternalPlan, ...] = ()
    gateway: GatewayPlan = field(default_factory=GatewayPlan)


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """Why a plan cannot be built: ``subject`` is ``node/NAME``, ``pod/NAMESPACE/NAME``, ``external/NAME`` or ``gateway``.

    ``origin`` is the place of what is wrong, where the plan knows it; ``path`` the field of the subject's object.
    """

    subject: str
    message: str
    advice: str = ""
    origin: Origin | None = field(default=None, compare=False)
    path: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}"


class PlanError(ValueError):
    """A plan that no kernel would take; ``problems`` are all that were found."""

    def __init__(self, problems: tuple[PlanProblem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems
