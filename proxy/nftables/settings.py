"""What the nftables backend takes from configuration and node, resolved once at start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family
from proxy.config.model import KubeProxyConfiguration
from proxy.local_detector import FromBridge, FromInterfacePrefix, FromPrefix, LocalDetector, local_detector
from proxy.node import ProxyNode
from proxy.node_port_addresses import node_port_addresses
from proxy.sysctls import conntrack_sysctls


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one family.

    ``masquerade_mark`` is the text of the packet mark that asks for masquerading.
    ``if_local`` and ``if_not_local`` are matches for traffic of the node's own pods, empty where that cannot be told.
    ``node_port_ips`` are the addresses that serve node ports, None where every local address but loopback does.
    ``sysctls`` are set at start.
    """

    family: Family
    masquerade_all: bool
    masquerade_mark: str
    if_local: str
    if_not_local: str
    node_port_ips: tuple[Address, ...] | None
    sysctls: Mapping[str, str]

    @property
    def masquerade(self) -> str:
        """The statement that marks a packet for masquerading."""
        return f"mark set mark or {self.masquerade_mark}"

    @property
    def ip(self) -> str:
        """The family's word: of the table, and in matches of its addresses."""
        return ip_word(self.family)

    @property
    def address_type(self) -> str:
        """The type of the family's addresses in sets."""
        return "ipv4_addr" if self.family is Family.IPV4 else "ipv6_addr"


def ip_word(family: Family) -> str:
    """``ip`` or ``ip6``."""
    return "ip" if family is Family.IPV4 else "ip6"


def nftables_settings(configuration: KubeProxyConfiguration, node: ProxyNode, family: Family) -> Settings:
    """Resolve the settings of a family. Ref: pkg/proxy/nftables/proxier.go:NewProxier() (v1.37).

    Node ports are never served on loopback: there is no ``route_localnet`` in this mode.
    """
    served = node_port_addresses(configuration.effective_node_port_addresses, family, node.ips.values())
    detector = local_detector(configuration, family, node.pod_cidrs)
    node_port_ips = tuple(ip for ip in served.of(node.addresses) if not ip.is_loopback)
    return Settings(
        family=family,
        masquerade_all=configuration.masquerade_all,
        masquerade_mark=f"{configuration.masquerade_mark:#010x}",
        if_local=_match(detector, family, ""),
        if_not_local=_match(detector, family, "!= "),
        node_port_ips=None if served.match_all else node_port_ips,
        sysctls=conntrack_sysctls(configuration),
    )


def _match(detector: LocalDetector | None, family: Family, operator: str) -> str:
    """A detector as an nftables match, empty where there is none. Ref: pkg/proxy/util/localdetector.go."""
    match detector:
        case None:
            return ""
        case FromPrefix(prefix):
            return f"{ip_word(family)} saddr {operator}{prefix}"
        case FromBridge(interface):
            return f"iifname {operator}{interface}"
        case FromInterfacePrefix(name_prefix):
            return f"iifname {operator}{name_prefix}*"
        case _:
            assert_never(detector)
