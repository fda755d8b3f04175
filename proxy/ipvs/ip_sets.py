"""The sets that the ipvs mode keeps: names, types, what they are for.

A set's IPv6 twin is called ``KUBE-6-…`` and cut to 31 characters, which is as long as a set's name may be.
Ref: pkg/proxy/ipvs/ipset.go, proxier.go:ipsetInfo, ipset/ipset.go:createSet() (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Family

LONGEST_NAME = 31

LOOP_BACK = "KUBE-LOOP-BACK"
CLUSTER_IP = "KUBE-CLUSTER-IP"
EXTERNAL_IP = "KUBE-EXTERNAL-IP"
EXTERNAL_IP_LOCAL = "KUBE-EXTERNAL-IP-LOCAL"
LOAD_BALANCER = "KUBE-LOAD-BALANCER"
LOAD_BALANCER_FW = "KUBE-LOAD-BALANCER-FW"
LOAD_BALANCER_LOCAL = "KUBE-LOAD-BALANCER-LOCAL"
LOAD_BALANCER_SOURCE_IP = "KUBE-LOAD-BALANCER-SOURCE-IP"
LOAD_BALANCER_SOURCE_CIDR = "KUBE-LOAD-BALANCER-SOURCE-CIDR"
NODE_PORT_TCP = "KUBE-NODE-PORT-TCP"
NODE_PORT_LOCAL_TCP = "KUBE-NODE-PORT-LOCAL-TCP"
NODE_PORT_UDP = "KUBE-NODE-PORT-UDP"
NODE_PORT_LOCAL_UDP = "KUBE-NODE-PORT-LOCAL-UDP"
NODE_PORT_SCTP = "KUBE-NODE-PORT-SCTP-HASH"
NODE_PORT_LOCAL_SCTP = "KUBE-NODE-PORT-LOCAL-SCTP-HASH"
HEALTH_CHECK_NODE_PORT = "KUBE-HEALTH-CHECK-NODE-PORT"
IPVS_IPS = "KUBE-IPVS-IPS"


class SetType(Enum):
    """How a set stores members; the value is ipset's name for it."""

    HASH_IP = "hash:ip"
    HASH_IP_PORT = "hash:ip,port"
    HASH_IP_PORT_IP = "hash:ip,port,ip"
    HASH_IP_PORT_NET = "hash:ip,port,net"
    BITMAP_PORT = "bitmap:port"


@dataclass(frozen=True, slots=True)
class SetKind:
    """A set's type, and the comment of the rules that match on it."""

    type: SetType
    comment: str


SETS: Mapping[str, SetKind] = {
    LOOP_BACK: SetKind(
        SetType.HASH_IP_PORT_IP, "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"
    ),
    CLUSTER_IP: SetKind(SetType.HASH_IP_PORT, "Kubernetes service cluster ip + port for masquerade purpose"),
    EXTERNAL_IP: SetKind(
        SetType.HASH_IP_PORT, "Kubernetes service external ip + port for masquerade and filter purpose"
    ),
    EXTERNAL_IP_LOCAL: SetKind(
        SetType.HASH_IP_PORT, "Kubernetes service external ip + port with externalTrafficPolicy=local"
    ),
    LOAD_BALANCER: SetKind(SetType.HASH_IP_PORT, "Kubernetes service lb portal"),
    LOAD_BALANCER_FW: SetKind(
        SetType.HASH_IP_PORT, "Kubernetes service load balancer ip + port for load balancer with sourceRange"
    ),
    LOAD_BALANCER_LOCAL: SetKind(
        SetType.HASH_IP_PORT, "Kubernetes service load balancer ip + port with externalTrafficPolicy=local"
    ),
    LOAD_BALANCER_SOURCE_IP: SetKind(
        SetType.HASH_IP_PORT_IP, "Kubernetes service load balancer ip + port + source IP for packet filter purpose"
    ),
    LOAD_BALANCER_SOURCE_CIDR: SetKind(
        SetType.HASH_IP_PORT_NET, "Kubernetes service load balancer ip + port + source cidr for packet filter purpose"
    ),
    NODE_PORT_TCP: SetKind(SetType.BITMAP_PORT, "Kubernetes nodeport TCP port for masquerade purpose"),
    NODE_PORT_LOCAL_TCP: SetKind(SetType.BITMAP_PORT, "Kubernetes nodeport TCP port with externalTrafficPolicy=local"),
    NODE_PORT_UDP: SetKind(SetType.BITMAP_PORT, "Kubernetes nodeport UDP port for masquerade purpose"),
    NODE_PORT_LOCAL_UDP: SetKind(SetType.BITMAP_PORT, "Kubernetes nodeport UDP port with externalTrafficPolicy=local"),
    # bitmap:port sees ports of TCP and UDP only (net/netfilter/ipset/ip_set_getport.c:ip_set_get_ip_port()).
    NODE_PORT_SCTP: SetKind(
        SetType.HASH_IP_PORT, "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'"
    ),
    NODE_PORT_LOCAL_SCTP: SetKind(
        SetType.HASH_IP_PORT, "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'"
    ),
    HEALTH_CHECK_NODE_PORT: SetKind(SetType.BITMAP_PORT, "Kubernetes health check node port"),
    IPVS_IPS: SetKind(SetType.HASH_IP, "Addresses on the ipvs interface"),
}
"""By IPv4 name, in the order in which kube-proxy makes them. Every set exists, with members or without."""


@dataclass(frozen=True, slots=True)
class IPSet:
    """A set with its members, each as ipset writes it (``10.96.0.10,tcp:80``). ``name`` is that of the family."""

    name: str
    type: SetType
    family: Family
    members: frozenset[str] = frozenset()

    def create(self) -> str:
        """The line of ``ipset restore`` that makes it."""
        return create_line(self.name, self.type, self.family)

    def lines(self) -> list[str]:
        """The lines of ``ipset restore`` that fill it, sorted."""
        return [f"add {self.name} {member}\n" for member in sorted(self.members)]


def set_name(name: str, family: Family) -> str:
    """The name of a set in a family, from its IPv4 name."""
    return name if family is Family.IPV4 else name.replace("KUBE-", "KUBE-6-", 1)[:LONGEST_NAME]


def create_line(name: str, kind: SetType, family: Family) -> str:
    """The line of ``ipset restore`` that makes a set as kube-proxy makes it."""
    if kind is SetType.BITMAP_PORT:
        return f"create {name} {kind.value} range 0-65535\n"
    inet = "inet" if family is Family.IPV4 else "inet6"
    return f"create {name} {kind.value} family {inet} hashsize 1024 maxelem 65536\n"
