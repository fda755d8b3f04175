"""What nftables mode does otherwise than iptables mode: the first row that holds explains an answer."""

from __future__ import annotations

from netsim.scenario.mode_row import (
    NOT_TRANSLATED_OUT,
    REFUSED_BY_FIREWALL,
    STRAY,
    TRANSLATED,
    UNTRANSLATED,
    Circumstance,
    Difference,
    of,
)
from proxy.config.model import ProxyMode

_NFT, _C = ProxyMode.NFTABLES, Circumstance

NFTABLES_DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "nft-unused-port",
        _NFT,
        UNTRANSLATED,
        of("CLUSTER_IP_PORT_UNKNOWN"),
        "a cluster IP's ports that no Service has are rejected (chain cluster-ips-check); iptables mode lets the packet go on",
        "KEP-3866; k/k#22952; kube-proxy pkg/proxy/nftables/proxier.go",
        "nft-unused-clusterip-port",
    ),
    Difference(
        "nft-unallocated-address",
        _NFT,
        UNTRANSLATED,
        of("CLUSTER_IP_UNALLOCATED"),
        "addresses of the Service CIDR that no Service has are dropped (chain cluster-ips-check)",
        "KEP-3866; k/k#22952; kube-proxy pkg/proxy/nftables/proxier.go",
        "nft-unallocated-clusterip",
    ),
    Difference(
        "nft-external-no-endpoints",
        _NFT,
        NOT_TRANSLATED_OUT,
        of("NO_ENDPOINTS"),
        "an external address without endpoints is refused to everybody (chain service-endpoints-check at hook output); iptables mode "
        "(KUBE-EXTERNAL-SERVICES) lets the node itself pass",
        "kube-proxy pkg/proxy/nftables/proxier.go:setupNFTables(); pkg/proxy/iptables/proxier.go:syncProxyRules()",
        "ipvs-external-no-endpoints",
        (_C.FROM_NODE,),
    ),
    Difference(
        "nft-localhost-node-port",
        _NFT,
        TRANSLATED,
        of("NODE_PORT_CLOSED", "PORT_CLOSED"),
        "no NodePorts at 127.0.0.1: route_localnet is left alone",
        "kubernetes.io, Virtual IPs and Service Proxies; k/k#67730",
        "nft-localhost-nodeport",
        (_C.TO_LOOPBACK,),
    ),
    Difference(
        "nft-node-port-addresses",
        _NFT,
        TRANSLATED,
        of("NODE_PORT_CLOSED"),
        "nodePortAddresses defaults to the node's primary address; in iptables mode to all",
        "kubernetes.io, Virtual IPs and Service Proxies; k/k#124383",
        "nft-second-node-address",
    ),
    Difference(
        "nft-invalid-segment",
        _NFT,
        of("INVALID_STATE_DROP", "REPLY_INVALID_STATE_DROP"),
        STRAY | of("REPLY_NEIGHBOUR_FAILED"),
        "only iptables mode drops what conntrack calls INVALID (KUBE-FORWARD)",
        "k/k#94861; k/k#120412; kube-proxy pkg/proxy/iptables/proxier.go",
        "nft-invalid-segment",
    ),
    Difference(
        "nft-forward-policy",
        _NFT,
        of("DELIVERED"),
        REFUSED_BY_FIREWALL,
        "kube-proxy opens no holes in the node's firewall: an accept in its own table does not spare the others' chains; in iptables mode "
        "KUBE-FORWARD accepts what kube-proxy marked, and what is related",
        "KEP-3866; kubernetes.io, Virtual IPs and Service Proxies",
        "nodeport-forward-drop",
        (_C.OWN_RULES,),
    ),
    Difference(
        "nft-own-accept",
        _NFT,
        NOT_TRANSLATED_OUT,
        of("NO_ENDPOINTS", "NO_LOCAL_ENDPOINTS"),
        "an accept among the node's own rules does not keep a packet from kube-proxy's table, as it does from KUBE-SERVICES behind it",
        "KEP-3866; nft(8), VERDICT STATEMENT",
        "no-endpoints-accepted-first",
        (_C.OWN_RULES,),
    ),
    Difference(
        "nft-host-port",
        _NFT,
        of("ARRIVED_ELSEWHERE"),
        of("DELIVERED"),
        "kube-proxy's nat chains stand beside those of iptables, and of two with equal priority the one that was loaded later is first: "
        "CNI-HOSTPORT-DNAT comes behind them",
        "Linux net/netfilter/core.c:nf_hook_entries_grow(); containernetworking/plugins#269",
        "hostport-before-nodeport",
    ),
    Difference(
        "nft-hairpin-elsewhere",
        _NFT,
        of("DELIVERED", "PORT_CLOSED"),
        of("DELIVERED", "MARTIAN_SOURCE"),
        "hairpins are masqueraded by a set that holds the node's own endpoints only (hairpin-connections); in iptables mode by a rule "
        "for every endpoint",
        "kube-proxy pkg/proxy/nftables/proxier.go:syncProxyRules()",
        "nft-hairpin-elsewhere",
        (_C.SAME_BACKENDS,),
    ),
    Difference(
        "nft-hairpin-mark",
        _NFT,
        of("MARTIAN_SOURCE"),
        of("DELIVERED"),
        "hairpins are masqueraded by their addresses (hairpin-connections), so that it does not matter who clears kube-proxy's mark",
        "kube-proxy pkg/proxy/nftables/proxier.go:setupNFTables()",
        "hairpin-no-masquerade",
        (_C.OWN_RULES,),
    ),
)
