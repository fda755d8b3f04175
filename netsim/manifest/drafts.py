"""What files say about a cluster, before the defaults are filled in. None means that nobody said it."""

from __future__ import annotations

from dataclasses import field

from netsim.dataclass import dataclass
from netsim.manifest.fields import Spot
from netsim.net.address import Address, InterfaceAddress, Prefix
from netsim.objects.cluster import (
    CNISpec,
    MachineRouting,
    MachineTexts,
    PlacedDocument,
    RecentList,
    RulesText,
    StaticRoute,
)
from netsim.objects.core import Taint
from netsim.objects.listen import Listen


@dataclass(slots=True)
class NodeDraft:
    """A node. ``spot`` is where its name stands, None for a default node."""

    name: str
    spot: Spot | None = None
    addresses: list[tuple[InterfaceAddress, Spot]] = field(default_factory=list)
    pod_cidrs: list[tuple[Prefix, Spot]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    sysctls: dict[str, str] = field(default_factory=dict)
    iptables: RulesText | None = None
    ip6tables: RulesText | None = None
    texts: MachineTexts = field(default_factory=MachineTexts)
    routes: list[tuple[StaticRoute, Spot]] = field(default_factory=list)
    routing: MachineRouting = field(default_factory=MachineRouting)
    recent: tuple[RecentList, ...] = ()
    kube_proxy: PlacedDocument | None = None
    kube_proxy_runs: bool = True
    allocatable: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ExternalDraft:
    """A machine outside the cluster."""

    name: str
    spot: Spot
    addresses: list[tuple[InterfaceAddress, Spot]] = field(default_factory=list)
    gateways: list[tuple[Address, Spot]] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=dict)
    iptables: RulesText | None = None
    ip6tables: RulesText | None = None
    texts: MachineTexts = field(default_factory=MachineTexts)
    routes: list[tuple[StaticRoute, Spot]] = field(default_factory=list)
    routing: MachineRouting = field(default_factory=MachineRouting)
    recent: tuple[RecentList, ...] = ()
    listen: tuple[Listen, ...] = ()


@dataclass(slots=True)
class ClusterDraft:
    """A cluster. ``defaults`` None are those of kubeadm with flannel; without a ``name`` it is called as its first file.

    ``doubtful``: some network could not be read, so what does not fit together may only follow from that.
    """

    name: str = ""
    spot: Spot | None = None
    pod_cidrs: list[tuple[Prefix, Spot]] = field(default_factory=list)
    service_cidrs: list[tuple[Prefix, Spot]] = field(default_factory=list)
    gateways: list[tuple[Address, Spot]] = field(default_factory=list)
    load_balancer_pools: list[tuple[Prefix, Spot]] = field(default_factory=list)
    cni: CNISpec = field(default_factory=CNISpec)
    kube_proxy: PlacedDocument | None = None
    nodes: list[NodeDraft] = field(default_factory=list)
    external: list[ExternalDraft] = field(default_factory=list)
    defaults: Defaults | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Defaults:
    """Defaults of a distribution: CIDRs, and the first node's address of each family. The gateway is the network's first."""

    pod_cidrs: tuple[Prefix, ...]
    service_cidrs: tuple[Prefix, ...]
    first_addresses: tuple[InterfaceAddress, ...]
