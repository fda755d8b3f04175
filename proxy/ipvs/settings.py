"""What the ipvs backend takes from configuration and node, resolved once at start."""

from __future__ import annotations

from collections.abc import Mapping

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, Prefix
from proxy.addresses import prefixes_of_family
from proxy.config.duration import SECOND
from proxy.config.model import KubeProxyConfiguration
from proxy.iptables.settings import match_local
from proxy.local_detector import local_detector
from proxy.node import ProxyNode
from proxy.node_port_addresses import node_port_addresses
from proxy.sysctls import conntrack_sysctls

DEFAULT_SCHEDULER = "rr"

PORT_HASHING_SCHEDULER = "mh"
"""The scheduler that is told to hash the client's port, too. Ref: FlagSourceHash, which is IP_VS_SVC_F_SCHED_MH_PORT."""

SYSCTLS: Mapping[str, str] = {
    # IPVS leaves its connections to conntrack, or MASQUERADE would pass them over.
    "net.ipv4.vs.conntrack": "1",
    # A connection to a real server that is gone ends at once, instead of hanging.
    "net.ipv4.vs.expire_nodest_conn": "1",
    # Persistence does not lead to a real server of weight 0.
    "net.ipv4.vs.expire_quiescent_template": "1",
    "net.ipv4.ip_forward": "1",
}
"""Set at start, in both families. ``conn_reuse_mode`` is left as it is, as kube-proxy does on Linux 5.9 and later."""

STRICT_ARP_SYSCTLS: Mapping[str, str] = {
    # ARP is answered, and asked, with addresses of the interface itself: never with those of kube-ipvs0.
    "net.ipv4.conf.all.arp_ignore": "1",
    "net.ipv4.conf.all.arp_announce": "2",
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """``ipvsadm --set``, in whole seconds; 0 leaves the kernel's."""

    tcp: int
    tcp_fin: int
    udp: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one family.

    ``if_not_local`` is a match for traffic of others than the node's own pods, empty where that cannot be told.
    ``node_port_ips`` are the addresses that serve node ports. ``own_addresses`` are those of the node's other devices:
    they are not put on kube-ipvs0. Virtual servers in ``excluded`` prefixes are never deleted.
    ``sysctls`` are set at start; ``timeouts`` too, None where all are left as they are.
    """

    family: Family
    scheduler: str
    masquerade_all: bool
    masquerade_mark: str
    if_not_local: str
    node_port_ips: tuple[Address, ...]
    own_addresses: frozenset[Address]
    excluded: tuple[Prefix, ...]
    sysctls: Mapping[str, str]
    timeouts: Timeouts | None

    @property
    def hashes_client_port(self) -> bool:
        """True where the scheduler hashes the client's port beside its address."""
        return self.scheduler == PORT_HASHING_SCHEDULER


def ipvs_settings(configuration: KubeProxyConfiguration, node: ProxyNode, family: Family) -> Settings:
    """Resolve the settings of a family. Ref: pkg/proxy/ipvs/proxier.go:NewProxier()."""
    own = _own_addresses(node, family)
    served = node_port_addresses(configuration.effective_node_port_addresses, family, node.ips.values())
    node_port_ips = own if served.match_all else served.of(node.addresses)
    if_local = match_local(local_detector(configuration, family, node.pod_cidrs))
    strict = STRICT_ARP_SYSCTLS if configuration.ipvs.strict_arp else {}
    return Settings(
        family=family,
        scheduler=configuration.ipvs.scheduler or DEFAULT_SCHEDULER,
        masquerade_all=configuration.masquerade_all,
        masquerade_mark=f"{configuration.masquerade_mark:#010x}",
        if_not_local=f"! {if_local}" if if_local else "",
        node_port_ips=tuple(ip for ip in node_port_ips if not ip.is_loopback),
        own_addresses=frozenset(own),
        excluded=prefixes_of_family(configuration.ipvs.exclude_cidrs, family),
        sysctls={**conntrack_sysctls(configuration), **SYSCTLS, **strict},
        timeouts=_timeouts(configuration),
    )


def _own_addresses(node: ProxyNode, family: Family) -> tuple[Address, ...]:
    """The node's addresses without loopback and IPv6 link-local ones, sorted. Ref: netlink_linux.go:isValidForSet()."""
    found = {a for a in node.addresses if a.version == family.value and not a.is_loopback}
    return tuple(sorted((a for a in found if a.version == 4 or not a.is_link_local), key=int))


def _timeouts(configuration: KubeProxyConfiguration) -> Timeouts | None:
    ipvs = configuration.ipvs
    if not (ipvs.tcp_timeout or ipvs.tcp_fin_timeout or ipvs.udp_timeout):
        return None
    return Timeouts(ipvs.tcp_timeout // SECOND, ipvs.tcp_fin_timeout // SECOND, ipvs.udp_timeout // SECOND)
