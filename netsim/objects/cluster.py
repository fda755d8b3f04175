"""The cluster's machines and networks: the ``Cluster`` document (netsim.io/v1alpha1) with every default filled in.

The defaults are those of a kubeadm cluster with flannel's host-gw backend. ``netsim.manifest.cluster`` reads the document;
this module holds what it says, for all who build from it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address, InterfaceAddress, Prefix, parse_interface, parse_prefix
from netsim.objects.core import Taint
from netsim.objects.json import Document
from netsim.objects.listen import Listen
from netsim.objects.path import Path, parse_path
from netsim.objects.wiring import StaticDevice, StaticFdb, StaticNeighbour
from netsim.rules.source import Origin

CLUSTER_API_VERSION = "netsim.io/v1alpha1"
CLUSTER_KIND = "Cluster"
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"

DEFAULT_POD_CIDRS: tuple[Prefix, ...] = (parse_prefix("10.244.0.0/16"),)
DEFAULT_SERVICE_CIDRS: tuple[Prefix, ...] = (parse_prefix("10.96.0.0/12"),)
NODE_NETWORKS: Mapping[int, InterfaceAddress] = {
    4: parse_interface("192.168.0.11/24"),
    6: parse_interface("fd00:192:168::11/64"),
}
"""The first node's address by IP version; the next nodes follow it, and the network's first address is the gateway."""

NODE_MASK = {4: 24, 6: 64}
"""Prefix length of a node's pod CIDR by IP version. Ref: kube-controller-manager --node-cidr-mask-size-ipv4, -ipv6 (v1.37)."""

FORWARDING_SYSCTLS: Mapping[int, Mapping[str, str]] = {
    4: {"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"},
    6: {"net.ipv6.conf.all.forwarding": "1", "net.bridge.bridge-nf-call-ip6tables": "1"},
}
"""What a node is set up with before it joins, by IP version. Ref: kubeadm preflight checks; kubernetes.io "Container Runtimes"."""


class CNIPlugin(Enum):
    """How pods are attached to their node: to a bridge, or point to point."""

    BRIDGE = "bridge"
    PTP = "ptp"


class CNIBackend(Enum):
    """How pod networks of different nodes reach each other."""

    HOST_GW = "host-gw"
    VXLAN = "vxlan"
    IPIP = "ipip"


ENCAPSULATION: Mapping[CNIBackend, Mapping[int, int]] = {
    # bytes that a backend puts around a packet, by IP version of the nodes' network
    CNIBackend.HOST_GW: {4: 0, 6: 0},
    CNIBackend.VXLAN: {4: 50, 6: 70},
    CNIBackend.IPIP: {4: 20, 6: 0},
}
UNDERLAY_MTU = 1500


@dataclass(frozen=True, slots=True)
class CNISpec:
    """``spec.cni``. ``mtu`` of pods in bytes, None for what the backend leaves of the nodes' network.

    ``masquerade`` is flannel's ip-masq of traffic that leaves the pod network; ``iptables_forward_rules`` are its rules
    that accept forwarded traffic from and to the pod network. Ref: flannel README, --ip-masq, --iptables-forward-rules.
    """

    plugin: CNIPlugin = CNIPlugin.BRIDGE
    backend: CNIBackend = CNIBackend.HOST_GW
    hairpin: bool = True
    mtu: int | None = None
    masquerade: bool = True
    iptables_forward_rules: bool = True

    def pod_mtu(self, versions: Iterable[int]) -> int:
        """The MTU of pods, with the IP versions of the pod network: a dual-stack one has the smaller of both."""
        if self.mtu is not None:
            return self.mtu
        return UNDERLAY_MTU - max((ENCAPSULATION[self.backend][version] for version in versions), default=0)


@dataclass(frozen=True, slots=True)
class PlacedDocument:
    """A document that another part reads (KubeProxyConfiguration), with the place of each of its fields."""

    document: Document
    origin: Origin
    places: Mapping[Path, Origin] = field(default_factory=dict, repr=False, compare=False)

    def where(self, path: str | Path) -> Origin:
        """The place of a field such as ``iptables.masqueradeAll``, or of the nearest thing around it."""
        steps = parse_path(path) if isinstance(path, str) else path
        while steps:
            if steps in self.places:
                return self.places[steps]
            steps = steps[:-1]
        return self.origin


@dataclass(frozen=True, slots=True)
class RulesText:
    """Rules as ``iptables-save`` prints them. ``origin`` is the place of the text's first line in its file."""

    text: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class RecentList:
    """Addresses that a list of ``-m recent`` has just seen, as ``echo +ADDRESS > /proc/net/xt_recent/NAME`` adds them."""

    name: str
    addresses: tuple[Address, ...]
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class MachineTexts:
    """What a machine's further tools print.

    ``iptables-legacy-save``, ``ip6tables-legacy-save``, ``ipset save``, ``conntrack -L``, ``nft list ruleset``, ``ipvsadm -Sn`` and
    ``ipvsadm -Lnc``.
    """

    iptables_legacy: RulesText | None = None
    ip6tables_legacy: RulesText | None = None
    ipset: RulesText | None = None
    conntrack: RulesText | None = None
    nftables: RulesText | None = None
    ipvs: RulesText | None = None
    ipvs_connections: RulesText | None = None


MAIN_TABLE = 254
ROUTE_TYPES = ("unicast", "local", "blackhole", "unreachable", "prohibit", "throw")
ROUTE_SCOPES = ("global", "link", "host")
RULE_ACTIONS = ("lookup", "blackhole", "unreachable", "prohibit", "goto", "nop")


@dataclass(frozen=True, slots=True)
class StaticNexthop:
    """One way of a multipath route; ``weight`` is 1 to 256."""

    via: Address | None = None
    device: str | None = None
    weight: int = 1
    onlink: bool = False


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """``routes[]``: a route. A unicast one has ``via``, ``device`` or ``nexthops``; ``type`` is one of ROUTE_TYPES."""

    to: Prefix
    via: Address | None = None
    device: str | None = None
    origin: Origin | None = field(default=None, compare=False)
    table: int = MAIN_TABLE
    metric: int = 0
    source: Address | None = None
    onlink: bool = False
    type: str = "unicast"
    nexthops: tuple[StaticNexthop, ...] = ()
    scope: str | None = None
    mtu: int = 0
    mtu_lock: bool = False
    advmss: int = 0


@dataclass(frozen=True, slots=True)
class StaticRule:
    """``rules[]``: a rule of the routing policy database. ``fwmark`` is value and mask; ``action`` is one of RULE_ACTIONS.

    ``sports``, ``dports`` and ``uids`` are first and last; ``target`` is the priority that ``goto`` goes on with. ``version`` counts
    where neither prefix says one.
    """

    priority: int
    table: int = MAIN_TABLE
    action: str = "lookup"
    src: Prefix | None = None
    dst: Prefix | None = None
    iif: str | None = None
    oif: str | None = None
    fwmark: tuple[int, int] | None = None
    suppress_prefixlength: int | None = None
    inverted: bool = False
    origin: Origin | None = field(default=None, compare=False)
    protocol: int | None = None
    sports: tuple[int, int] | None = None
    dports: tuple[int, int] | None = None
    tos: int = 0
    uids: tuple[int, int] | None = None
    target: int | None = None
    version: int = 4


@dataclass(frozen=True, slots=True)
class MachineRouting:
    """What a machine's links and routing have beside its addresses and routes; ``sysctl_places`` is where each sysctl is set."""

    rules: tuple[StaticRule, ...] = ()
    neighbours: tuple[StaticNeighbour, ...] = ()
    devices: tuple[StaticDevice, ...] = ()
    fdb: tuple[StaticFdb, ...] = ()
    sysctl_places: Mapping[str, Origin] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A machine of the cluster. ``sysctls`` have the defaults of FORWARDING_SYSCTLS in them.

    ``kube_proxy`` None means the cluster's; where it does not run, what it wrote before stands among the node's own rules.
    ``origin`` None: nobody wrote it, it is a default. ``allocatable``: quantities by resource; one that is not named does not run out.
    """

    name: str
    addresses: tuple[InterfaceAddress, ...]
    pod_cidrs: tuple[Prefix, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    sysctls: Mapping[str, str] = field(default_factory=dict)
    iptables: RulesText | None = None
    ip6tables: RulesText | None = None
    texts: MachineTexts = MachineTexts()
    routes: tuple[StaticRoute, ...] = ()
    kube_proxy: PlacedDocument | None = None
    origin: Origin | None = field(default=None, compare=False)
    routing: MachineRouting = field(default_factory=MachineRouting)
    kube_proxy_runs: bool = True
    recent: tuple[RecentList, ...] = ()
    allocatable: Mapping[str, str] = field(default_factory=dict)

    @property
    def control_plane(self) -> bool:
        """True where the node carries the control plane's role label."""
        return CONTROL_PLANE_LABEL in self.labels


@dataclass(frozen=True, slots=True)
class ExternalHost:
    """A machine outside the cluster, on the network that its addresses belong to.

    Without ``gateways`` it has no default route. ``listen`` is empty for a host that only asks.
    """

    name: str
    addresses: tuple[InterfaceAddress, ...]
    gateways: tuple[Address, ...] = ()
    routes: tuple[StaticRoute, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    iptables: RulesText | None = None
    ip6tables: RulesText | None = None
    texts: MachineTexts = MachineTexts()
    listen: tuple[Listen, ...] = ()
    origin: Origin | None = field(default=None, compare=False)
    routing: MachineRouting = field(default_factory=MachineRouting)
    recent: tuple[RecentList, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """The whole Cluster document. The first CIDR of ``pod_cidrs`` and ``service_cidrs`` is of the primary family.

    ``gateways`` are the addresses of the router of the nodes' network, one for each family of the nodes. ``load_balancer_pools``:
    whose addresses Services of type LoadBalancer get.
    """

    name: str = "default"
    pod_cidrs: tuple[Prefix, ...] = DEFAULT_POD_CIDRS
    service_cidrs: tuple[Prefix, ...] = DEFAULT_SERVICE_CIDRS
    cni: CNISpec = CNISpec()
    gateways: tuple[Address, ...] = ()
    nodes: tuple[ClusterNode, ...] = ()
    external: tuple[ExternalHost, ...] = ()
    kube_proxy: PlacedDocument | None = None
    origin: Origin | None = field(default=None, compare=False)
    load_balancer_pools: tuple[Prefix, ...] = ()

    def node(self, name: str) -> ClusterNode | None:
        """The node of that name."""
        return next((node for node in self.nodes if node.name == name), None)

    def kube_proxy_of(self, node: ClusterNode) -> PlacedDocument | None:
        """The KubeProxyConfiguration that a node's kube-proxy reads: its own, else the cluster's."""
        return node.kube_proxy or self.kube_proxy


class NoRoomError(ValueError):
    """A pod CIDR is too small for the nodes."""


def node_pod_cidrs(
    pod_cidrs: Sequence[Prefix], control_plane: Sequence[bool], *, taken: Sequence[Prefix] = ()
) -> tuple[tuple[Prefix, ...], ...]:
    """A pod CIDR of each family for each node, as the node IPAM controller of a kubeadm cluster hands them out.

    ``control_plane`` says for each node whether it is one. The first control-plane node joined first, so it has the first
    block; where there is none, its block is taken to be in use and the workers start at the second (10.244.1.0/24).
    Blocks that overlap ``taken`` are passed over. Raises NoRoomError.
    Ref: pkg/controller/nodeipam/ipam/cidrset/cidr_set.go:AllocateNext() (v1.37).
    """
    count = len(control_plane)
    first = next((index for index, is_control_plane in enumerate(control_plane) if is_control_plane), None)
    order = sorted(range(count), key=lambda index: index != first)
    columns = [_blocks(cidr, count, taken, skip_first=first is None) for cidr in pod_cidrs]
    rank = {node: position for position, node in enumerate(order)}
    return tuple(tuple(column[rank[index]] for column in columns) for index in range(count))


def _blocks(cidr: Prefix, count: int, taken: Sequence[Prefix], *, skip_first: bool) -> list[Prefix]:
    mask = NODE_MASK[cidr.version]
    capacity = 2 ** max(0, mask - cidr.prefixlen) if mask >= cidr.prefixlen else 0
    inside = [other for other in taken if other.version == cidr.version]
    free: list[Prefix] = []
    for index in range(1 if skip_first and capacity > count else 0, capacity):
        block = nth_subnet(cidr, index)
        if not any(block.overlaps(other) for other in inside):
            free.append(block)
        if len(free) == count:
            return free
    raise NoRoomError(f"{cidr} has no room for {count} blocks of /{mask}, one for each node")


def nth_subnet(cidr: Prefix, index: int) -> Prefix:
    """The block of NODE_MASK length at an index of a CIDR."""
    mask = NODE_MASK[cidr.version]
    base = int(cidr.network_address) + (index << (cidr.max_prefixlen - mask))
    if cidr.version == 4:
        return ipaddress.IPv4Network((base, mask))
    return ipaddress.IPv6Network((base, mask))
