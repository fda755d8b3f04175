"""KubeProxyConfiguration as the proxiers see it, after defaults.

Only fields that change what is programmed, or when, are here; the others are named in ``proxy.config.fields``.
Ref: staging/src/k8s.io/kube-proxy/config/v1alpha1/types.go, pkg/proxy/apis/config/types.go (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from netsim.dataclass import dataclass
from proxy.config.duration import HOUR, SECOND


class ProxyMode(Enum):
    """How Services are programmed on Linux."""

    IPTABLES = "iptables"
    IPVS = "ipvs"
    NFTABLES = "nftables"


class LocalMode(Enum):
    """How traffic of the node's own pods is told from other traffic."""

    CLUSTER_CIDR = "ClusterCIDR"
    NODE_CIDR = "NodeCIDR"
    BRIDGE_INTERFACE = "BridgeInterface"
    INTERFACE_NAME_PREFIX = "InterfaceNamePrefix"


@dataclass(frozen=True, slots=True)
class DetectLocal:
    """``detectLocal``: what ``detectLocalMode`` needs to know."""

    bridge_interface: str = ""
    interface_name_prefix: str = ""


@dataclass(frozen=True, slots=True)
class IPTables:
    """``iptables``. Periods are in nanoseconds, as Go counts them."""

    masquerade_bit: int = 14
    masquerade_all: bool = False
    localhost_node_ports: bool = True
    sync_period: int = 30 * SECOND
    min_sync_period: int = 1 * SECOND


@dataclass(frozen=True, slots=True)
class IPVS:
    """``ipvs``. Periods and timeouts are in nanoseconds; a timeout of 0 leaves the system's."""

    scheduler: str = ""
    strict_arp: bool = False
    exclude_cidrs: tuple[str, ...] = ()
    tcp_timeout: int = 0
    tcp_fin_timeout: int = 0
    udp_timeout: int = 0
    sync_period: int = 30 * SECOND
    min_sync_period: int = 0


@dataclass(frozen=True, slots=True)
class NFTables:
    """``nftables``. Periods are in nanoseconds."""

    masquerade_bit: int = 14
    masquerade_all: bool = False
    sync_period: int = 30 * SECOND
    min_sync_period: int = 1 * SECOND


@dataclass(frozen=True, slots=True)
class Conntrack:
    """``conntrack``, as far as the model follows it. Timeouts are in nanoseconds; 0 leaves the system's."""

    tcp_be_liberal: bool = False
    tcp_established_timeout: int = 24 * HOUR
    tcp_close_wait_timeout: int = 1 * HOUR
    udp_timeout: int = 0
    udp_stream_timeout: int = 0


@dataclass(frozen=True, slots=True)
class KubeProxyConfiguration:
    """The whole configuration. ``node_port_addresses`` is empty where unset; ask ``effective_node_port_addresses``."""

    mode: ProxyMode = ProxyMode.IPTABLES
    hostname_override: str = ""
    bind_address: str = "0.0.0.0"
    cluster_cidrs: tuple[str, ...] = ()
    detect_local_mode: LocalMode = LocalMode.CLUSTER_CIDR
    detect_local: DetectLocal = DetectLocal()
    iptables: IPTables = IPTables()
    ipvs: IPVS = IPVS()
    nftables: NFTables = NFTables()
    node_port_addresses: tuple[str, ...] = ()
    conntrack: Conntrack = Conntrack()
    feature_gates: Mapping[str, bool] = field(default_factory=dict)

    @property
    def effective_node_port_addresses(self) -> tuple[str, ...]:
        """``nodePortAddresses`` with its default: every address for iptables and ipvs, the primary ones for nftables."""
        if not self.node_port_addresses and self.mode is ProxyMode.NFTABLES:
            return ("primary",)
        return self.node_port_addresses

    @property
    def masquerade_all(self) -> bool:
        """``masqueradeAll`` of the mode's section (ipvs reads that of iptables)."""
        return self._netfilter.masquerade_all

    @property
    def masquerade_mark(self) -> int:
        """The packet mark that asks for masquerading, from the mode's ``masqueradeBit`` (ipvs reads that of iptables)."""
        return 1 << self._netfilter.masquerade_bit

    @property
    def sync_period(self) -> int:
        """How often failed syncs and clean-ups are repeated, in nanoseconds."""
        return self._periods.sync_period

    @property
    def min_sync_period(self) -> int:
        """The shortest time between two syncs, in nanoseconds."""
        return self._periods.min_sync_period

    @property
    def _netfilter(self) -> IPTables | NFTables:
        return self.nftables if self.mode is ProxyMode.NFTABLES else self.iptables

    @property
    def _periods(self) -> IPTables | IPVS | NFTables:
        return self.ipvs if self.mode is ProxyMode.IPVS else self._netfilter
