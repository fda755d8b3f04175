"""An emulated kube-proxy for each node, fed by the store's watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, assert_never, cast

from netsim.cluster.store import Store
from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.objects.cluster import ClusterNode, ClusterSpec
from netsim.objects.core import Node
from netsim.objects.json import Document
from proxy.config.model import KubeProxyConfiguration, ProxyMode
from proxy.node import ProxyNode, proxy_node
from proxy.server import KubeProxy, iptables_proxy, ipvs_proxy, nftables_proxy
from proxy.watch import SELECTOR, Views, WatchFeed

if TYPE_CHECKING:
    from proxy.iptables.fixed_rules import Jump
    from proxy.iptables.sync import IptablesSync
    from proxy.ipvs.sync import IpvsSync
    from proxy.ipvs.termination import ConnectionCounts
    from proxy.nftables.sync import NftablesSync

Sync: TypeAlias = "IptablesSync | IpvsSync | NftablesSync"

API_VERSION = "kubeproxy.config.k8s.io/v1alpha1"


class WritesIptables(Protocol):
    """A sync of a mode that writes iptables rules: jumps in the order in which they stand, and the payload of iptables-restore."""

    @property
    def jumps(self) -> tuple[Jump, ...]:
        """The rules in built-in chains."""

    @property
    def restore(self) -> str:
        """What is given to ``iptables-restore --noflush``."""


@dataclass(frozen=True, slots=True)
class NodeProxy:
    """A node's kube-proxy after its first sync. ``syncs`` by family; none where it does not run."""

    node: ProxyNode
    configuration: KubeProxyConfiguration
    syncs: Mapping[Family, Sync]

    def iptables(self, family: Family) -> WritesIptables | None:
        """The sync of a family as far as it writes iptables rules, which nftables mode does not."""
        if self.configuration.mode is ProxyMode.NFTABLES:
            return None
        return cast("WritesIptables | None", self.syncs.get(family))

    @property
    def sysctls(self) -> dict[str, str]:
        """What kube-proxy sets on its node."""
        return {name: value for sync in self.syncs.values() for name, value in sorted(sync.sysctls.items())}


def configuration_of(cluster: ClusterSpec, node: ClusterNode) -> Document:
    """The KubeProxyConfiguration document that a node's kube-proxy reads: what the user gave, over what kubeadm writes.

    kubeadm sets ``clusterCIDR`` to the pod network and leaves the mode empty, which means iptables.
    Ref: cmd/kubeadm/app/componentconfigs/kubeproxy.go (v1.37).
    """
    given = cluster.kube_proxy_of(node)
    base: Document = {
        "apiVersion": API_VERSION,
        "kind": "KubeProxyConfiguration",
        "clusterCIDR": ",".join(str(cidr) for cidr in cluster.pod_cidrs),
        "hostnameOverride": node.name,
    }
    return {**base, **(given.document if given else {})}


def start(
    store: Store, node: ClusterNode, configuration: KubeProxyConfiguration, item: Node, views: Views | None = None
) -> NodeProxy:
    """Start a node's kube-proxy on a store's watches and let it sync once. ``views`` are shared by the kube-proxies of a store."""
    place = place_of(node, configuration, item)
    kube_proxy = proxy_of(configuration, place)
    feed_of(kube_proxy, store, views).pull()
    return NodeProxy(place, configuration, kube_proxy.sync() if node.kube_proxy_runs else {})


def place_of(node: ClusterNode, configuration: KubeProxyConfiguration, item: Node) -> ProxyNode:
    """What a kube-proxy knows of its node."""
    return proxy_node(
        item,
        name=configuration.hostname_override,
        bind_address=configuration.bind_address,
        sysctls=node.sysctls,
    )


AnyKubeProxy: TypeAlias = "KubeProxy[IptablesSync] | KubeProxy[IpvsSync] | KubeProxy[NftablesSync]"


def feed_of(kube_proxy: AnyKubeProxy, store: Store, views: Views | None = None) -> WatchFeed:
    """The watches of a kube-proxy on a store."""
    watches = [store.watch(kind, label_selector=SELECTOR) for kind in ("Service", "EndpointSlice")]
    return WatchFeed(kube_proxy, [*watches, store.watch("Node"), store.watch("ServiceCIDR")], views)


def proxy_of(
    configuration: KubeProxyConfiguration, node: ProxyNode, connections: ConnectionCounts | None = None
) -> AnyKubeProxy:
    """A kube-proxy of the configured mode. ``connections`` tells ipvs mode how many a real server has."""
    match configuration.mode:
        case ProxyMode.IPTABLES:
            return iptables_proxy(configuration, node)
        case ProxyMode.IPVS:
            return ipvs_proxy(configuration, node, connections)
        case ProxyMode.NFTABLES:
            return nftables_proxy(configuration, node)
        case never:
            assert_never(never)
