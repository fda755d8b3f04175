"""kube-proxy as a whole: one proxier for each family of the node, fed by the same watches.

Ref: cmd/kube-proxy/app/server.go, pkg/proxy/metaproxier/meta_proxier.go (v1.37)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from netsim.net.address import Family
from netsim.objects.core import EndpointSlice, Node, Service
from proxy.config.model import KubeProxyConfiguration
from proxy.iptables.backend import IptablesBackend
from proxy.iptables.settings import iptables_settings
from proxy.iptables.sync import IptablesSync
from proxy.names import NamespacedName
from proxy.node import ProxyNode
from proxy.proxier import Backend, Proxier

if TYPE_CHECKING:
    from proxy.ipvs.sync import IpvsSync
    from proxy.ipvs.termination import ConnectionCounts
    from proxy.nftables.sync import NftablesSync

S = TypeVar("S")


class KubeProxy(Generic[S]):
    """The proxiers of a node, by family."""

    def __init__(self, proxiers: Mapping[Family, Proxier[S]]) -> None:
        self.proxiers = proxiers

    def on_service(self, name: NamespacedName, service: Service | None) -> bool:
        """A Service as it stands now, None where it is gone. True where a sync is due."""
        return self._tell(lambda proxier: proxier.on_service(name, service))

    def on_endpoint_slice(self, item: EndpointSlice, *, removed: bool = False) -> bool:
        """An EndpointSlice as it stands now, or its removal. True where a sync is due."""
        return self._tell(lambda proxier: proxier.on_endpoint_slice(item, removed=removed))

    def on_node(self, node: Node) -> bool:
        """The proxy's own Node as it stands now. True where a sync is due."""
        return self._tell(lambda proxier: proxier.on_node(node))

    def on_service_cidrs(self, cidrs: tuple[str, ...]) -> bool:
        """The prefixes of all ServiceCIDRs. True where a sync is due."""
        return self._tell(lambda proxier: proxier.on_service_cidrs(cidrs))

    def _tell(self, tell: Callable[[Proxier[S]], bool]) -> bool:
        due = [tell(proxier) for proxier in self.proxiers.values()]
        return any(due)

    def sync(self, now: int = 0) -> Mapping[Family, S]:
        """Sync every family. ``now`` in nanoseconds."""
        return {family: proxier.sync(now) for family, proxier in self.proxiers.items()}


def kube_proxy(node: ProxyNode, backend: Callable[[Family], Backend[S]]) -> KubeProxy[S]:
    """A kube-proxy with a backend for each family of a node."""
    return KubeProxy({family: Proxier(family, node, backend(family)) for family in node.families})


def iptables_proxy(configuration: KubeProxyConfiguration, node: ProxyNode) -> KubeProxy[IptablesSync]:
    """A kube-proxy in iptables mode."""
    return kube_proxy(node, lambda family: IptablesBackend(iptables_settings(configuration, node, family)))


def nftables_proxy(configuration: KubeProxyConfiguration, node: ProxyNode) -> KubeProxy[NftablesSync]:
    """A kube-proxy in nftables mode."""
    from proxy.nftables.backend import NftablesBackend
    from proxy.nftables.settings import nftables_settings

    return kube_proxy(node, lambda family: NftablesBackend(nftables_settings(configuration, node, family)))


def ipvs_proxy(
    configuration: KubeProxyConfiguration, node: ProxyNode, connections: ConnectionCounts | None = None
) -> KubeProxy[IpvsSync]:
    """A kube-proxy in ipvs mode. ``connections`` tells how many a real server has, None that there are never any."""
    from proxy.ipvs.backend import IpvsBackend
    from proxy.ipvs.settings import ipvs_settings

    return kube_proxy(node, lambda family: IpvsBackend(ipvs_settings(configuration, node, family), connections))
