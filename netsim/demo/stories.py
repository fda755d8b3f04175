"""The stories: what people who debug Kubernetes Service networking meet, why, where the packet dies, and who told of it.

A number of the evidence is a GitHub issue; ``k/k`` is kubernetes/kubernetes.
"""

from __future__ import annotations

from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    """One story. ``waits_for`` says why it is not shown, empty where it is."""

    number: int
    symptom: str
    cause: str
    dies: str
    evidence: str
    waits_for: str = ""


_POLICY = "NetworkPolicy, which is not modelled"
_BYTES = "checksums: packets are headers here, not bytes, so a wrong checksum cannot be seen"

STORIES: tuple[Story, ...] = (
    Story(
        1,
        'Instant "connection refused" on ClusterIP',
        "no ready endpoints",
        'filter FORWARD (pod) / OUTPUT (host): REJECT "has no endpoints"; nft `no-endpoint-services` vmap',
        "k/k#17359 #72534",
    ),
    Story(
        2,
        "Refused from node, hangs from pod (old versions)",
        "REJECT hung on OUTPUT only",
        "leaves by default route, un-DNATed",
        "k/k#60124 #78994",
    ),
    Story(
        3,
        "Pods healthy, Service dead",
        "selector ≠ labels → empty slices",
        "as in story 1: no endpoints",
        "rhobs#50, SREGym#100",
    ),
    Story(
        4,
        "Refused although endpoints exist",
        "wrong numeric targetPort (containerPort is only documentation)",
        "pod netns INPUT: no socket, RST",
        "rhobs#46, k/k#73049",
    ),
    Story(
        5,
        "Endpoint missing one port",
        "named targetPort absent in that pod",
        "slice carries no such port → as in story 1: no endpoints",
        "website#26790",
    ),
    Story(
        6,
        "1/N external requests time out",
        "externalTrafficPolicy Local, LB sends to node with no local pod",
        'DROP "has no local endpoints"',
        "SREGym#805, weave#3568",
    ),
    Story(
        7,
        "Works from some nodes only",
        "internalTrafficPolicy Local",
        "DROP (not REJECT) at source node",
        "k/k#121371, SREGym#803",
    ),
    Story(
        8,
        "Pod → LB IP blackholed on some nodes, nftables only",
        "Local policy drop also hits in-cluster clients",
        "nft `no-endpoint-services` : drop",
        "k/k#131765",
    ),
    Story(
        9,
        "ipvs + Local: SYN arrives, client never connects",
        "forwarded without SNAT; reply comes from pod IP",
        "client discards reply",
        "k/k#97081 #119131",
    ),
    Story(
        10,
        "Pod cannot reach itself via its Service, 1/N",
        "bridge port hairpin_mode off",
        "bridge: ingress port = egress port",
        "k/k#13375 #20475",
    ),
    Story(
        11,
        "Pod cannot reach itself via its Service, hairpin on",
        "no masquerade when src = endpoint",
        "pod netns: own source address, martian",
        "kube-router#9 #1235",
    ),
    Story(
        12,
        "Cross-node ok, same-node Service/DNS fails",
        "bridge-nf-call-iptables=0",
        "reply switched at L2, never un-NATed; client resets",
        "k/k#87426 #38802",
    ),
    Story(
        13,
        "NodePort/Service SYN vanishes",
        "rp_filter strict (max of all/dev)",
        "IP input source validation, after PREROUTING",
        "cilium#13130, lyft cni#38, k/k#124587",
    ),
    Story(14, "Calico drops although rp_filter=0", "CNI's own raw rpfilter rule", "raw PREROUTING", "calico#4630"),
    Story(
        15,
        "UDP/DNS sent to dead pod for hours",
        "stale conntrack DNAT refreshed by sender",
        "node owning dead pod IP: no route/neighbour",
        "k/k#125467 #139628",
    ),
    Story(
        16,
        "UDP blackholed right after start",
        "flow began before rules: entry without DNAT",
        "default route with VIP as dst",
        "k/k#48370 #122740",
    ),
    Story(
        17,
        "Small requests fine, TLS/large hang",
        "pod MTU > underlay − overhead",
        "VXLAN/tunnel egress, DF set, PMTU lost",
        "flannel#1614, kube-ovn#4254",
    ),
    Story(
        18,
        "63 s (or 1/3/7 s) delay to remote endpoint",
        "double masquerade + vxlan csum offload bug",
        "receiver: outer UDP bad checksum",
        "k/k#88986, calico#3145, flannel#1279",
        _BYTES,
    ),
    Story(
        19,
        "localhost:nodePort hangs",
        "ipvs, nftables, or any `::1`; iptables needs route_localnet",
        "output routing / martian reply",
        "k/k#67730 #96879 #90236, k0s#5760",
    ),
    Story(
        20,
        "NodePort dead on 2nd node IP after mode switch",
        "nftables default nodePortAddresses = primary",
        "not in nodeport-ips set → local INPUT, RST",
        "k/k#124383",
    ),
    Story(
        21,
        "Stuck to a dead/not-ready pod",
        "ClientIP affinity refreshed; ipvs persistence ignores weight 0",
        "DNAT to old endpoint",
        "k/k#110302 #71809 #89358",
    ),
    Story(
        22,
        '"No route to host" during rollouts, ipvs',
        "conn_reuse_mode=0 reuses TIME_WAIT to removed RS",
        "IPVS connection table",
        "k/k#81775 #93297",
    ),
    Story(
        23,
        "1 s stalls / 15 min blackhole, ipvs",
        "conn_reuse_mode=1 old kernels; expire_nodest_conn=0",
        "IPVS, first SYN dropped / RS gone",
        "k/k#70747 #71358",
    ),
    Story(
        24,
        "ipvs NodePort/VIP dead with host firewall",
        "VIPs are local (kube-ipvs0) → filter INPUT applies",
        "INPUT policy DROP",
        "k/k#98465 #97225",
    ),
    Story(
        25,
        "ssh to ClusterIP:22 reaches the node (ipvs)",
        "VIP is a local address",
        "delivered to host: security finding",
        "k/k#72236 #108460",
    ),
    Story(
        26,
        "Host → ClusterIP fails, ipvs",
        "no clusterCIDR/masqueradeAll: source = VIP",
        "remote reply to VIP, lost",
        "k/k#63241 #65158",
    ),
    Story(
        27,
        "Service:443 lands in another pod, ipvs + hostPort",
        "CNI-HOSTPORT-DNAT before KUBE-SERVICES, dst-type LOCAL",
        "nat PREROUTING, wrong DNAT",
        "k/k#66103, cni/plugins#269",
    ),
    Story(
        28,
        "Rare connect failures under load",
        "masquerade picked a NodePort number as source port",
        "reply captured by NodePort rule/VS",
        "k/k#139276, cilium#33723",
    ),
    Story(
        29,
        "Cross-node traffic dead after Docker/firewall install",
        "FORWARD policy DROP",
        "filter FORWARD policy",
        "k/k#40182 #39823 #59656",
    ),
    Story(
        30,
        "NodePort + FORWARD DROP, no clusterCIDR",
        "related/established accept not installed",
        "filter FORWARD on reply",
        "k/k#91545",
    ),
    Story(
        31,
        "firewalld node drops pod traffic",
        "zone chain in separate nft table still rejects",
        "`inet firewalld` filter_FORWARD",
        "firewalld#527, k/k#18802",
    ),
    Story(
        32, "Everything via node fails", "ip_forward=0", "routing decision, before FORWARD", "k/k#84254, kubeadm#580"
    ),
    Story(33, "Random drops under load", "nf_conntrack table full", "conntrack, PREROUTING/OUTPUT", "k/k#18604"),
    Story(
        34,
        '"Connection reset by peer" mid-transfer',
        "reply INVALID (out of window) → not un-DNATed",
        "client pod RSTs unknown peer",
        "k/k#74839 #117924",
    ),
    Story(
        35,
        "Legit asymmetric flow dropped",
        "kube-proxy's INVALID DROP rule",
        "filter FORWARD (KUBE-FORWARD)",
        "k/k#94861 #120412",
    ),
    Story(
        36,
        "DNS 5 s stalls",
        "A/AAAA race, same 5-tuple insert_failed",
        "conntrack confirm at POSTROUTING",
        "k/k#56903, cni/plugins#163",
    ),
    Story(
        37,
        "Outbound timeouts to one busy target",
        "SNAT source ports exhausted",
        "nat POSTROUTING (or cloud LB)",
        "cilium#23604, jenkins helpdesk#3908",
    ),
    Story(
        38,
        "Some IPs unreachable from pods",
        "pod CIDR overlaps LAN/Service CIDR",
        "wrong route chosen",
        "omnia#270, calico#2252, kops#16340",
    ),
    Story(
        39,
        "Names fail, IPs work",
        "egress default-deny forgot DNS UDP+TCP 53",
        "policy egress of client pod",
        "aws-np-agent#230",
        _POLICY,
    ),
    Story(
        40,
        "Policy allows ClusterIP yet drops (or the reverse)",
        "policy seen after/before DNAT differs by CNI",
        "policy hook relative to nat",
        "vpc-cni#3096, website#10151",
        _POLICY,
    ),
    Story(
        41,
        "Policy lists Service port 53, pods listen 5353",
        "policy matches pod port after DNAT",
        "ingress/egress policy",
        "openshift/enhancements#1856",
        _POLICY,
    ),
    Story(
        42,
        "ipBlock allow-list ignores real client",
        "source masqueraded (Cluster policy)",
        "ingress policy of server pod",
        "antrea#280, kube-router#744",
        _POLICY,
    ),
    Story(
        43,
        "IPv6 VIP refuses, IPv4 works",
        "slice has one family / app binds v4 only",
        "as in story 1 (no endpoints) or 4 (no socket), for that family",
        "k/k#94505 #121631, kpng#519",
    ),
    Story(
        44,
        "Drops in rolling update, Local policy",
        "only terminating pods on node (pre-1.26)",
        "DROP; now sent to serving+terminating",
        "k/k#85643 #97238",
    ),
    Story(
        45,
        "LB keeps using a dead node",
        "healthCheckNodePort/healthz checks wrong thing",
        "node: as in story 6: no local endpoints",
        "k/k#44311 #134648",
    ),
    Story(
        46,
        "Allowed client blocked, or filter bypassed",
        "loadBalancerSourceRanges; nodePort not covered; ipvs allows node IPs",
        "KUBE-FW / nft firewall chain, pre-DNAT",
        "k/k#119656 #88698 #33586",
    ),
    Story(
        47,
        "Traffic to a public IP lands in a pod",
        "externalIPs hijack (CVE-2020-8554)",
        "mis-delivered at nat PREROUTING/OUTPUT",
        "k/k#97076",
    ),
    Story(
        48,
        "PROXY-protocol LB fails from inside",
        "in-cluster short-circuit of LB IP (ipMode VIP)",
        "delivered without LB hop",
        "hairpin-proxy#29",
    ),
    Story(
        49,
        "Zone preference ignored",
        "hints missing on one endpoint / node unlabelled → all endpoints",
        "no death: wrong zone",
        "k/k#113731, enhancements#2434",
    ),
    Story(
        50,
        "Rules look right, traffic uses old ones",
        "iptables-legacy and -nft rules both live",
        "earlier stale DNAT",
        "k/k#109811, cilium#28260",
    ),
    Story(
        51,
        "Endpoints changed, node still old",
        "kube-proxy sync failing (nft version skew; partial-restore bug)",
        "DNAT to dead pod on that node only",
        "k/k#136786 #121362 #99299",
    ),
    Story(52, "New nodes unreachable at ~1k neighbours", "gc_thresh3 overflow", "neighbour resolution", "kops#4533"),
    Story(
        53,
        "Remote pods on one node dead after reboot",
        "stale VTEP MAC / FDB",
        "vxlan egress: unknown VTEP",
        "flannel#533 #654",
    ),
    Story(
        54,
        "Off-cluster client → ClusterIP no reply",
        "clusterCIDR unset: no masquerade",
        "reply bypasses node",
        "k/k#24224 #36835",
    ),
    Story(
        55,
        "Wrong NIC / asymmetric reply",
        "masquerade picks other interface address",
        "upstream firewall or rp_filter",
        "k/k#101910, kube-router#549",
    ),
    Story(
        56,
        "Traffic to unused ClusterIP port leaks out",
        "iptables has no catch-all (nftables rejects/drops)",
        "default route, maybe a loop",
        "k/k#22952",
    ),
)
