"""The rows of ``mode_differences``: what nftables and ipvs mode do otherwise than iptables mode, why, and who says so.

Reasons are those of ``netsim.trace.reason_table``. A row explains an answer where every outcome that iptables mode has alone has one of
its ``iptables`` reasons, every outcome that the other mode has alone one of its ``other`` reasons, and each circumstance holds. The first
row that does is the explanation, so rows about few flows come before those about many.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from proxy.config.model import ProxyMode


class Circumstance(Enum):
    """What a row may ask of a flow, its world, and the two answers; the value says it in words."""

    TO_LOOPBACK = "the destination is a loopback address"
    POLICY_LOCAL = "the Service has traffic policy Local"
    FROM_NODE = "a node asks"
    FROM_INSIDE = "a node or a pod asks"
    VIRTUAL_SOURCE = "who asks has an address that is a Service's too"
    REMEMBERED = "a machine knows connections from before"
    OWN_RULES = "a node has rules of its own"
    SAME_BACKENDS = "the same backends"
    FEWER_BACKENDS = "fewer backends than in iptables mode"


@dataclass(frozen=True, slots=True)
class Difference:
    """What one mode does otherwise than iptables mode.

    ``name`` is stable. ``why`` is a sentence without a full stop; ``source`` names documentation, issues (``k/k#1``: kubernetes/kubernetes)
    or source code; ``topology`` is a shipped one that shows it.
    """

    name: str
    mode: ProxyMode
    iptables: frozenset[str]
    other: frozenset[str]
    why: str
    source: str
    topology: str
    circumstances: tuple[Circumstance, ...] = ()


def _of(*reasons: str) -> frozenset[str]:
    return frozenset(reasons)


# what becomes of a packet that iptables mode does not translate, and of a segment of no connection
_UNTRANSLATED = _of(
    *("LEFT_MODEL", "NO_ROUTE", "NEIGHBOUR_FAILED", "ROUTE_UNREACHABLE", "TTL_EXCEEDED", "LOOP", "IP_FORWARDING_OFF"),
    *("ARRIVED_ELSEWHERE", "POLICY_DROP", "RULE_REJECT", "RULE_DROP"),
)
_NOT_TRANSLATED_OUT = _of("LEFT_MODEL", "NO_ROUTE", "ARRIVED_ELSEWHERE", "NEIGHBOUR_FAILED")
_TRANSLATED = _of(
    *("DELIVERED", "NO_ENDPOINTS", "NO_LOCAL_ENDPOINTS", "PORT_CLOSED", "NEIGHBOUR_FAILED", "LEFT_MODEL", "NO_ROUTE"),
    *("REPLY_NO_ROUTE", "REPLY_NEIGHBOUR_FAILED", "NO_ANSWER"),
)
_STRAY = _of(
    *("NO_CONNECTION", "NOT_ANSWERED", "PORT_CLOSED", "LEFT_MODEL", "NODE_PORT_CLOSED", "TTL_EXCEEDED"),
    *("NEIGHBOUR_FAILED", "CLUSTER_IP_PORT_UNKNOWN", "DELIVERED_ONE_WAY", "NO_ROUTE", "DELIVERED", "NO_ANSWER"),
)
_REFUSED_BY_FIREWALL = _of("POLICY_DROP", "RULE_DROP", "RULE_REJECT")
_LOST_ANSWER = _of(
    *("REPLY_FROM_OTHER_PEER", "REPLY_MARTIAN_SOURCE", "MARTIAN_SOURCE", "RP_FILTER", "REPLY_RP_FILTER", "NO_ANSWER"),
)
_NFT, _IPVS = ProxyMode.NFTABLES, ProxyMode.IPVS
_C = Circumstance

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "nft-unused-port",
        _NFT,
        _UNTRANSLATED,
        _of("CLUSTER_IP_PORT_UNKNOWN"),
        "a cluster IP's ports that no Service has are rejected (chain cluster-ips-check); iptables mode lets the packet go on",
        "KEP-3866; k/k#22952; kube-proxy pkg/proxy/nftables/proxier.go",
        "nft-unused-clusterip-port",
    ),
    Difference(
        "nft-unallocated-address",
        _NFT,
        _UNTRANSLATED,
        _of("CLUSTER_IP_UNALLOCATED"),
        "addresses of the Service CIDR that no Service has are dropped (chain cluster-ips-check)",
        "KEP-3866; k/k#22952; kube-proxy pkg/proxy/nftables/proxier.go",
        "nft-unallocated-clusterip",
    ),
    Difference(
        "nft-external-no-endpoints",
        _NFT,
        _NOT_TRANSLATED_OUT,
        _of("NO_ENDPOINTS"),
        "an external address without endpoints is refused to everybody (chain service-endpoints-check at hook output); iptables mode "
        "(KUBE-EXTERNAL-SERVICES) lets the node itself pass",
        "kube-proxy pkg/proxy/nftables/proxier.go:setupNFTables(); pkg/proxy/iptables/proxier.go:syncProxyRules()",
        "ipvs-external-no-endpoints",
        (_C.FROM_NODE,),
    ),
    Difference(
        "nft-localhost-node-port",
        _NFT,
        _TRANSLATED,
        _of("NODE_PORT_CLOSED", "PORT_CLOSED"),
        "no NodePorts at 127.0.0.1: route_localnet is left alone",
        "kubernetes.io, Virtual IPs and Service Proxies; k/k#67730",
        "nft-localhost-nodeport",
        (_C.TO_LOOPBACK,),
    ),
    Difference(
        "nft-node-port-addresses",
        _NFT,
        _TRANSLATED,
        _of("NODE_PORT_CLOSED"),
        "nodePortAddresses defaults to the node's primary address; in iptables mode to all",
        "kubernetes.io, Virtual IPs and Service Proxies; k/k#124383",
        "nft-second-node-address",
    ),
    Difference(
        "nft-invalid-segment",
        _NFT,
        _of("INVALID_STATE_DROP", "REPLY_INVALID_STATE_DROP"),
        _STRAY | _of("REPLY_NEIGHBOUR_FAILED"),
        "only iptables mode drops what conntrack calls INVALID (KUBE-FORWARD)",
        "k/k#94861; k/k#120412; kube-proxy pkg/proxy/iptables/proxier.go",
        "nft-invalid-segment",
    ),
    Difference(
        "nft-hairpin-elsewhere",
        _NFT,
        _of("DELIVERED", "PORT_CLOSED"),
        _of("DELIVERED", "MARTIAN_SOURCE"),
        "hairpins are masqueraded by a set that holds the node's own endpoints only (hairpin-connections); in iptables mode by a rule "
        "for every endpoint",
        "kube-proxy pkg/proxy/nftables/proxier.go:syncProxyRules()",
        "nft-hairpin-elsewhere",
        (_C.SAME_BACKENDS,),
    ),
    Difference(
        "nft-hairpin-mark",
        _NFT,
        _of("MARTIAN_SOURCE"),
        _of("DELIVERED"),
        "hairpins are masqueraded by their addresses (hairpin-connections), so that it does not matter who clears kube-proxy's mark",
        "kube-proxy pkg/proxy/nftables/proxier.go:setupNFTables()",
        "hairpin-no-masquerade",
        (_C.OWN_RULES,),
    ),
    Difference(
        "ipvs-localhost-node-port",
        _IPVS,
        _TRANSLATED,
        _of("NODE_PORT_CLOSED", "PORT_CLOSED"),
        "no NodePorts at 127.0.0.1: kube-proxy makes no virtual server of a loopback address",
        "k/k#67730; k/k#96879; kube-proxy pkg/proxy/ipvs/proxier.go:syncProxyRules()",
        "ipvs-localhost-nodeport",
        (_C.TO_LOOPBACK,),
    ),
    Difference(
        "ipvs-unused-port",
        _IPVS,
        _UNTRANSLATED,
        _of("VIP_PORT_NOT_SERVED"),
        "a Service's address is an address of the node (kube-ipvs0), and KUBE-IPVS-FILTER refuses its other ports",
        "k/k#72236; k/k#108460; kube-proxy pkg/proxy/ipvs/README.md",
        "unused-clusterip-port",
    ),
    Difference(
        "ipvs-no-endpoints",
        _IPVS,
        _of("NO_ENDPOINTS"),
        _of("IPVS_NO_DESTINATION"),
        "without endpoints IPVS itself refuses, with the same ICMP error that a rule answers in iptables mode",
        "Linux net/netfilter/ipvs/ip_vs_core.c:ip_vs_leave()",
        "no-endpoints",
    ),
    Difference(
        "ipvs-external-no-endpoints",
        _IPVS,
        _NOT_TRANSLATED_OUT,
        _of("IPVS_NO_DESTINATION"),
        "an external address without endpoints is refused to everybody; iptables mode (KUBE-EXTERNAL-SERVICES) lets the node itself pass",
        "kube-proxy pkg/proxy/iptables/proxier.go:syncProxyRules()",
        "ipvs-external-no-endpoints",
        (_C.FROM_NODE,),
    ),
    Difference(
        "ipvs-internal-local",
        _IPVS,
        _of("NO_LOCAL_ENDPOINTS"),
        _of("IPVS_NO_DESTINATION"),
        "internalTrafficPolicy Local without an endpoint on the node: refused at once, where iptables mode drops without an answer",
        "k/k#121371; Linux net/netfilter/ipvs/ip_vs_core.c:ip_vs_leave()",
        "internal-local",
        (_C.POLICY_LOCAL,),
    ),
    Difference(
        "ipvs-external-local",
        _IPVS,
        _of("NO_LOCAL_ENDPOINTS"),
        _of("DELIVERED", "NO_ANSWER", "PORT_CLOSED") | _LOST_ANSWER,
        "externalTrafficPolicy Local without an endpoint on the node: the virtual server has all endpoints instead",
        "k/k#97081; kube-proxy pkg/proxy/ipvs/proxier.go:syncEndpoint()",
        "ipvs-local-policy",
        (_C.POLICY_LOCAL,),
    ),
    Difference(
        "ipvs-local-from-inside",
        _IPVS,
        _of("DELIVERED", "PORT_CLOSED", "MARTIAN_SOURCE"),
        _of("DELIVERED", "PORT_CLOSED") | _LOST_ANSWER,
        "iptables mode takes what comes from inside the cluster to an external address of policy Local as if the policy were Cluster "
        "(KUBE-EXT-…); the one virtual server has the node's own endpoints for everybody",
        "kube-proxy pkg/proxy/iptables/proxier.go:syncProxyRules(); pkg/proxy/ipvs/proxier.go:syncEndpoint()",
        "nft-hairpin-elsewhere",
        (_C.POLICY_LOCAL, _C.FROM_INSIDE, _C.FEWER_BACKENDS),
    ),
    Difference(
        "ipvs-local-source",
        _IPVS,
        _of("DELIVERED", "PORT_CLOSED"),
        _of("DELIVERED", "PORT_CLOSED") | _LOST_ANSWER,
        "iptables mode masquerades what comes from inside the cluster to an external address of policy Local; ipvs mode masquerades "
        "nothing there",
        "kube-proxy pkg/proxy/iptables/proxier.go:syncProxyRules(); pkg/proxy/ipvs/README.md (KUBE-NODE-PORT-LOCAL-TCP)",
        "nodeport-local",
        (_C.POLICY_LOCAL, _C.FROM_INSIDE),
    ),
    Difference(
        "ipvs-node-source",
        _IPVS,
        _of("DELIVERED"),
        _of("DELIVERED", "MARTIAN_SOURCE", "NO_ANSWER"),
        "a node's packet to a Service has the Service's own address (kube-ipvs0) for its source, which only a masquerade changes",
        "k/k#63241; k/k#65158",
        "ipvs-node-to-clusterip",
        (_C.FROM_NODE, _C.SAME_BACKENDS),
    ),
    Difference(
        "ipvs-remembered",
        _IPVS,
        _of("DELIVERED", "LEFT_MODEL", "NEIGHBOUR_FAILED"),
        _of("IPVS_DESTINATION_GONE", "IPVS_RESCHEDULED", "NEIGHBOUR_FAILED", "REPLY_FROM_OTHER_PEER", "DELIVERED"),
        "IPVS has a connection table of its own beside conntrack's, and goes by what stands in it",
        "k/k#81775; k/k#93297; k/k#70747; k/k#71358; k/k#89358",
        "ipvs-port-reused",
        (_C.REMEMBERED,),
    ),
    Difference(
        "ipvs-host-firewall",
        _IPVS,
        _of("DELIVERED"),
        _REFUSED_BY_FIREWALL,
        "a Service's address is local, so that the node's firewall sees its packets in INPUT",
        "k/k#98465; k/k#97225",
        "ipvs-host-firewall",
        (_C.OWN_RULES,),
    ),
    Difference(
        "ipvs-forward-rules",
        _IPVS,
        _REFUSED_BY_FIREWALL,
        frozenset(f"REPLY_{reason}" for reason in _REFUSED_BY_FIREWALL) | _of("DELIVERED"),
        "clients' packets go from INPUT to OUTPUT, so that rules of FORWARD see answers only",
        "Linux net/netfilter/ipvs/ip_vs_core.c:ip_vs_ops4[]",
        "legacy-and-nft",
        (_C.OWN_RULES,),
    ),
    Difference(
        "ipvs-host-port",
        _IPVS,
        _of("DELIVERED"),
        _of("ARRIVED_ELSEWHERE"),
        "a Service's address is of type LOCAL, so that a hostPort of the node (CNI-HOSTPORT-DNAT) takes its packets",
        "k/k#66103; containernetworking/plugins#269",
        "ipvs-hostport",
    ),
    Difference(
        "ipvs-local-elsewhere",
        _IPVS,
        _of("DELIVERED", "NODE_PORT_CLOSED", "PORT_CLOSED"),
        _of("NEIGHBOUR_FAILED", "NO_ROUTE", "MARTIAN_SOURCE"),
        "an external IP is an address of every node (kube-ipvs0), so that no node talks to the host that really has it",
        "k/k#97076 (CVE-2020-8554); kube-proxy pkg/proxy/ipvs/README.md",
        "external-ip-hijack",
        (_C.VIRTUAL_SOURCE,),
    ),
    Difference(
        "ipvs-hairpin-routed",
        _IPVS,
        _of("HAIRPIN_OFF"),
        _of("REPLY_HAIRPIN_OFF"),
        "IPVS routes the packet, where DNAT in PREROUTING leaves it to the bridge, so that the bridge port's hairpin mode stops the "
        "answer first",
        "Linux net/netfilter/ipvs/ip_vs_xmit.c; net/bridge/br_forward.c:should_deliver()",
        "hairpin-off",
    ),
    Difference(
        "ipvs-hairpin-mark",
        _IPVS,
        _of("MARTIAN_SOURCE"),
        _of("DELIVERED"),
        "hairpins are masqueraded by their addresses (set KUBE-LOOP-BACK), so that it does not matter who clears kube-proxy's mark",
        "kube-proxy pkg/proxy/ipvs/README.md",
        "hairpin-no-masquerade",
        (_C.OWN_RULES,),
    ),
    Difference(
        "ipvs-invalid-segment",
        _IPVS,
        _of("INVALID_STATE_DROP", "REPLY_INVALID_STATE_DROP"),
        _STRAY | _of("REPLY_NEIGHBOUR_FAILED"),
        "only iptables mode drops what conntrack calls INVALID (KUBE-FORWARD)",
        "k/k#94861; k/k#120412; kube-proxy pkg/proxy/iptables/proxier.go",
        "pod-cidr-overlap",
    ),
)
