"""What the iptables backend takes from configuration and node, resolved once at start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family
from proxy.config.model import KubeProxyConfiguration
from proxy.local_detector import FromBridge, FromInterfacePrefix, FromPrefix, LocalDetector, local_detector
from proxy.node import ProxyNode
from proxy.node_port_addresses import node_port_addresses
from proxy.sysctls import TCP_BE_LIBERAL, conntrack_sysctls

LOCALNET_SYSCTL = "net.ipv4.conf.all.route_localnet"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one family.

    ``if_local`` and ``if_not_local`` are matches for traffic of the node's own pods, empty where that cannot be told.
    ``node_port_ips`` are the addresses that serve node ports, None where every local address does.
    ``localhost_node_ports``: node ports are served on 127.0.0.0/8, which needs ``route_localnet`` and a guard.
    ``sync_period`` in nanoseconds. ``sysctls`` are set at start.
    """

    family: Family
    masquerade_all: bool
    masquerade_mark: str
    if_local: str
    if_not_local: str
    localhost_node_ports: bool
    conntrack_tcp_be_liberal: bool
    node_port_ips: tuple[Address, ...] | None
    sync_period: int
    sysctls: Mapping[str, str]


def iptables_settings(configuration: KubeProxyConfiguration, node: ProxyNode, family: Family) -> Settings:
    """Resolve the settings of a family. Ref: pkg/proxy/iptables/proxier.go:NewProxier()."""
    sysctls = {**node.sysctls, **conntrack_sysctls(configuration)}
    served = node_port_addresses(configuration.effective_node_port_addresses, family, node.ips.values())
    localhost = configuration.iptables.localhost_node_ports and served.contains_ipv4_loopback
    if_local = match_local(local_detector(configuration, family, node.pod_cidrs))
    liberal = sysctls.get(TCP_BE_LIBERAL, "0").strip() not in ("", "0")
    return Settings(
        family=family,
        masquerade_all=configuration.masquerade_all,
        masquerade_mark=f"{configuration.masquerade_mark:#010x}",
        if_local=if_local,
        if_not_local=f"! {if_local}" if if_local else "",
        localhost_node_ports=localhost,
        conntrack_tcp_be_liberal=liberal,
        node_port_ips=None if served.match_all else served.of(node.addresses),
        sync_period=configuration.sync_period,
        sysctls={**conntrack_sysctls(configuration), **({LOCALNET_SYSCTL: "1"} if localhost else {})},
    )


def match_local(detector: LocalDetector | None) -> str:
    """A detector as an iptables match, empty where there is none. Ref: pkg/proxy/util/localdetector.go."""
    match detector:
        case None:
            return ""
        case FromPrefix(prefix):
            return f"-s {prefix}"
        case FromBridge(interface):
            return f"-i {interface}"
        case FromInterfacePrefix(name_prefix):
            return f"-i {name_prefix}+"
        case _:
            assert_never(detector)
