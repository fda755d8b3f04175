"""Reasons that come from Services: what kube-proxy's rules refuse, drop, or do not know."""

from __future__ import annotations

from netsim.render.explain.model import Explanation, Look

_SLICES = Look(
    "kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE -o wide",
    "the endpoints, their ports and whether they are ready",
)
_SELECTED = Look(
    "kubectl get pods -n NAMESPACE --selector KEY=VALUE --show-labels -o wide",
    "with the Service's selector: the pods that it selects, and whether they are Ready",
)
_NFT_NO_ENDPOINTS = Look("nft list map ip kube-proxy no-endpoint-services", "nftables mode: what is refused or dropped")

EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        "NO_ENDPOINTS",
        "kube-proxy writes a rule for each Service port without a usable endpoint that rejects its traffic at once: a "
        "client sees 'connection refused' within a millisecond instead of a time-out. The rule stands in filter FORWARD "
        "and OUTPUT (iptables mode) or in the map no-endpoint-services (nftables mode), so the refusal comes from the "
        "node of the client, not from a backend. The usual causes, in this order: the selector names labels that no pod "
        "has; the pods are there and not Ready; a named targetPort is the name of no container port.",
        (
            _SLICES,
            _SELECTED,
            Look("kubectl describe pod -n NAMESPACE POD", "a pod that is not Ready: its probes and events"),
            Look("iptables-save -t filter | grep 'has no endpoints'", "iptables mode: the rule that refuses"),
            _NFT_NO_ENDPOINTS,
        ),
        (
            "Make the Service's selector and the pods' labels agree.",
            "Let a pod become Ready: its readiness probe, its image, its node.",
            "Name the container's port, or use its number as targetPort.",
        ),
        ("no-endpoints", "selector-mismatch", "named-port-absent"),
        ("pkg/proxy/iptables/proxier.go syncProxyRules() (v1.37)", "kubernetes/kubernetes#17359, #72534"),
    ),
    Explanation(
        "NO_LOCAL_ENDPOINTS",
        "With a traffic policy of Local a node only uses endpoints of its own. Where it has none, kube-proxy drops the "
        "packet instead of refusing it: a load balancer that probes healthCheckNodePort should never have sent it there, "
        "and a refusal would look like an answer of the Service. externalTrafficPolicy is for what comes from outside by "
        "node ports, external IPs and load balancers, internalTrafficPolicy for the cluster IP.",
        (
            _SLICES,
            Look(
                "kubectl get service -n NAMESPACE SERVICE -o yaml | grep -i trafficPolicy",
                "which of the two policies is Local",
            ),
            Look("curl -s http://NODE:HEALTHCHECKNODEPORT/healthz", "what the load balancer is told: localEndpoints"),
            Look("iptables-save -t filter | grep 'has no local endpoints'", "iptables mode: the rule that drops"),
            _NFT_NO_ENDPOINTS,
        ),
        (
            "Run an endpoint on the node (a DaemonSet has one on each).",
            "Let the load balancer probe healthCheckNodePort, so that it only sends to nodes with endpoints.",
            "Set the policy to Cluster; the pod then sees the node's address as its client's.",
        ),
        ("internal-local", "nodeport-local"),
        (
            "kubernetes.io: Service Internal Traffic Policy; Preserving the client source IP",
            "kubernetes/kubernetes#121371",
        ),
    ),
    Explanation(
        "SOURCE_RANGE_DENIED",
        "loadBalancerSourceRanges are enforced by every node, in the chain KUBE-FW-… or firewall-…, before the packet is "
        "translated: what is in none of the ranges is dropped. The address that counts is the one that arrives at the "
        "node: behind a proxy or a masquerade that is not the client's. Node ports of the same Service are not covered.",
        (
            Look(
                "kubectl get service -n NAMESPACE SERVICE -o jsonpath='{.spec.loadBalancerSourceRanges}'", "the ranges"
            ),
            Look("tcpdump -ni any host LOADBALANCERIP and port PORT", "the source that really arrives"),
            Look("iptables-save | grep KUBE-FW-; nft list chain ip kube-proxy firewall-check", "the rules"),
        ),
        ("Add the client's range.", "Use a load balancer that keeps the client's address."),
        ("source-ranges",),
        ("kubernetes/kubernetes#88698, #119656",),
    ),
    Explanation(
        "LOCALNET_BLOCKED",
        "So that node ports can be asked on localhost, kube-proxy's iptables mode sets route_localnet, which would let "
        "neighbours reach services that listen on 127.0.0.1 only. The rule 'block incoming localnet connections' takes "
        "that back for everybody but the node itself.",
        (Look("iptables-save -t filter | grep 'block incoming localnet'", "the rule"),),
        ("Ask an address of the node that is no loopback address.",),
        (),
        ("CVE-2020-8558; kubernetes/kubernetes#92315",),
    ),
    Explanation(
        "VIP_PORT_NOT_SERVED",
        "In ipvs mode every Service address is an address of the node itself, on kube-ipvs0. A port that is no virtual "
        "server would therefore reach whatever the node listens on (ssh on 22, the kubelet on 10250). KUBE-IPVS-FILTER "
        "refuses new connections to a Service address on ports that no Service has there.",
        (
            Look("ipvsadm -Ln | grep ADDRESS", "the virtual servers of that address"),
            Look("ipset list KUBE-IPVS-IPS; iptables -t filter -S KUBE-IPVS-FILTER", "the addresses, and the rule"),
            Look("ip addr show kube-ipvs0", "the Service addresses that the node has"),
        ),
        ("Use a port of the Service.", "Add the port to the Service."),
        ("ipvs-ssh-to-clusterip",),
        ("kubernetes/kubernetes#72236, #108460",),
    ),
    Explanation(
        "CLUSTER_IP_PORT_UNKNOWN",
        "In nftables mode kube-proxy knows the whole Service CIDR. A known cluster IP that is asked on a port that it "
        "does not have is rejected at once; in iptables mode the same packet leaves by the default route and is lost.",
        (
            Look(
                "nft list chain ip kube-proxy cluster-ips-check; nft list set ip kube-proxy cluster-ips",
                "the check and the addresses",
            ),
            Look("kubectl get services -A | grep -w ADDRESS", "whose address it is, and its ports"),
        ),
        ("Use a port of the Service.", "Add the port to the Service."),
        ("nft-unused-clusterip-port",),
        ("pkg/proxy/nftables/proxier.go (v1.37)", "kubernetes/kubernetes#22952"),
    ),
    Explanation(
        "CLUSTER_IP_UNALLOCATED",
        "In nftables mode an address of the Service CIDR that no Service has is dropped: the client waits. It is usually "
        "a Service that was deleted, or made anew with another address, and is still in somebody's configuration or DNS "
        "cache.",
        (
            Look("kubectl get services -A | grep -w ADDRESS", "nothing: nobody has it"),
            Look("nft list chain ip kube-proxy cluster-ips-check", "the rule that drops"),
        ),
        ("Ask for the Service by name.", "Give the Service its address (spec.clusterIP) if others depend on it."),
        ("nft-unallocated-clusterip",),
        ("pkg/proxy/nftables/README.md (v1.37)",),
    ),
    Explanation(
        "ARRIVED_ELSEWHERE",
        "The packet was delivered, and to somebody else than was meant. That is worse than a failure, as nothing "
        "complains. A rule that comes earlier than kube-proxy's translated it (a hostPort, a stale rule of the other "
        "iptables variant), an externalIP took traffic for an address on the Internet, or the address is local and a "
        "process of the node has the port.",
        (
            Look("conntrack -L -d ADDRESS", "where connections really go (the reply tuple's source)"),
            Look(
                "iptables-save -t nat | grep -n PREROUTING; iptables-legacy-save -t nat",
                "the order of the jumps, and the other variant",
            ),
            Look("kubectl get services -A -o wide | grep ADDRESS", "an externalIP that takes the address"),
        ),
        (
            "Take the rule away that comes first, or let kube-proxy's jump stand before it.",
            "Forbid externalIPs by admission (DenyServiceExternalIPs).",
        ),
        ("ipvs-hostport",),
        ("CVE-2020-8554; kubernetes/kubernetes#97076, #66103",),
    ),
)
