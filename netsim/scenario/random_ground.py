"""Where drawn clusters stand: the addresses of each IP version, and the sysctls and routes that are drawn for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from netsim.dataclass import dataclass


class Families(Enum):
    """The IP versions of drawn worlds; the value is the word of ``--family``."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    DUAL = "dual"

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions, the first is that of single-stack Services."""
        return {Families.IPV4: (4,), Families.IPV6: (6,), Families.DUAL: (4, 6)}[self]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a cluster is drawn with, of one IP version."""

    version: int
    pods: str
    services: str
    sysctls: tuple[tuple[str, tuple[str, ...]], ...]
    """Sysctl of a node, and values that differ from what a node has."""
    routes: tuple[str, ...]
    gateways: tuple[str, str]
    """A second node, and nobody."""
    nobody: tuple[str, ...]
    """Destinations that belong to nobody, or to nobody in particular."""
    near: str
    far: str
    first_node: str
    external_ips: tuple[str, ...]
    ingress: Mapping[str, str]
    source_ranges: tuple[str, ...]
    node_port_addresses: tuple[tuple[str, ...], ...]


GROUNDS: Mapping[int, Ground] = {
    4: Ground(
        version=4,
        pods="10.244.0.0/16",
        services="10.96.0.0/12",
        sysctls=(
            ("net.ipv4.conf.all.rp_filter", ("1", "2")),
            ("net.ipv4.conf.eth0.rp_filter", ("1", "2")),
            ("net.ipv4.ip_forward", ("0",)),
            ("net.bridge.bridge-nf-call-iptables", ("0",)),
            ("net.ipv4.conf.all.route_localnet", ("1", "0")),
            ("net.ipv4.conf.all.accept_local", ("1",)),
            ("net.ipv4.icmp_echo_ignore_all", ("1",)),
            ("net.ipv4.conf.eth0.forwarding", ("0",)),
            ("net.netfilter.nf_conntrack_tcp_loose", ("0",)),
        ),
        routes=("10.244.2.0/25", "10.96.1.0/30", "172.16.0.0/12", "192.168.0.100/32"),
        gateways=("192.168.0.12", "192.168.0.99"),
        nobody=(
            *("10.244.1.77", "10.244.9.9", "192.168.0.99", "192.168.0.255"),
            *("172.16.0.1", "127.0.0.1", "10.96.1.200", "8.8.8.8"),
        ),
        near="192.168.0.100/24",
        far="172.31.0.5/24",
        first_node="192.168.0.11",
        external_ips=("192.168.0.50", "172.16.5.5", "192.168.0.12"),
        ingress={"red": "192.168.0.60", "blue": "192.168.0.61", "green": "192.168.0.62"},
        source_ranges=("192.168.0.0/24", "10.244.0.0/16", "192.168.0.100/32"),
        node_port_addresses=(("primary",), ("192.168.0.0/24",), ("127.0.0.0/8",), ("10.0.0.0/8",)),
    ),
    6: Ground(
        version=6,
        pods="fd00:10:244::/56",
        services="fd00:10:96::/112",
        sysctls=(
            ("net.ipv6.conf.all.forwarding", ("0",)),
            ("net.bridge.bridge-nf-call-ip6tables", ("0",)),
            ("net.netfilter.nf_conntrack_tcp_loose", ("0",)),
        ),
        routes=("fd00:10:244:2::/80", "fd00:10:96::100/120", "fd00:172::/64", "fd00:192:168::100/128"),
        gateways=("fd00:192:168::12", "fd00:192:168::99"),
        nobody=(
            *("fd00:10:244:1::77", "fd00:10:244:9::9", "fd00:192:168::99", "2001:db8::8"),
            *("fd00:172::1", "::1", "fd00:10:96::1c8"),
        ),
        near="fd00:192:168::100/64",
        far="fd00:172:31::5/64",
        first_node="fd00:192:168::11",
        external_ips=("fd00:192:168::50", "fd00:172:16::5", "fd00:192:168::12"),
        ingress={"red": "fd00:192:168::60", "blue": "fd00:192:168::61", "green": "fd00:192:168::62"},
        source_ranges=("fd00:192:168::/64", "fd00:10:244::/56", "fd00:192:168::100/128"),
        node_port_addresses=(("primary",), ("fd00:192:168::/64",), ("::1/128",), ("fd00:10::/32",)),
    ),
}


def grounds(families: Families) -> tuple[Ground, ...]:
    """The grounds of a world's IP versions."""
    return tuple(GROUNDS[version] for version in families.versions)
