"""Reasons that come from routing, from where a packet may come from, and from its size and time to live."""

from __future__ import annotations

from netsim.render.explain.model import Explanation, Look

_ROUTE = Look(
    "ip route get ADDRESS from SOURCE iif DEVICE", "the decision for just this packet, the rules of `ip rule` included"
)
_TABLES = Look("ip rule; ip route show table all", "every rule and table")
_MARTIANS = Look(
    "sysctl -w net.ipv4.conf.all.log_martians=1; dmesg -w", "'martian source' with the address and the device"
)

EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        "NO_ROUTE",
        "No route of the tables that `ip rule` leads to covers the destination, and there is no default route. A process "
        "of the host gets 'network is unreachable' from connect(); a packet that is forwarded is answered with ICMP "
        "network unreachable.",
        (_ROUTE, _TABLES),
        (
            "Add the route, or a default route.",
            "For a pod's address: look why the CNI did not write the route to that node.",
        ),
        references=("net/ipv4/route.c ip_route_output_key_hash_rcu(), ip_route_input_slow() (v6.12)",),
    ),
    Explanation(
        "ROUTE_UNREACHABLE",
        "A route of type unreachable or prohibit covers the destination: somebody wrote down that it is not to be "
        "reached. CNIs keep such a route for blocks of addresses whose pods are gone.",
        (_ROUTE, _TABLES),
        ("Remove the route, or add a more specific one.",),
        references=("net/ipv4/fib_semantics.c fib_props[] (v6.12)",),
    ),
    Explanation(
        "ROUTE_BLACKHOLE",
        "A blackhole route covers the destination: what matches it vanishes without an answer (a local process gets "
        "EINVAL). Calico writes one for its own blocks on each node; a pod's own /32 route is more specific, so reaching "
        "the blackhole means that the pod is gone.",
        (_ROUTE, Look("ip route show type blackhole", "the routes that swallow packets")),
        (
            "Find out who still uses the address: a stale endpoint or conntrack entry.",
            "Remove the route, or add a more specific one.",
        ),
        references=("net/ipv4/fib_semantics.c fib_props[] (v6.12)",),
    ),
    Explanation(
        "LEFT_MODEL",
        "The packet left by a default route and netsim knows nothing of what is behind. In iptables mode that is how a "
        "Service address ends that no rule translates: a port that the Service does not have, a Service that was deleted, "
        "a connection that began before the rules were there. On a real network somebody's router then drops it, or sends "
        "it back: a loop.",
        (
            _ROUTE,
            Look(
                "iptables-save -t nat | grep ADDRESS; nft list map ip kube-proxy service-ips",
                "whether any rule knows the address",
            ),
            Look(
                "conntrack -L -d ADDRESS", "an entry from before the rules: its reply tuple has the Service's address"
            ),
        ),
        (
            "Ask for a port that the Service has.",
            "Remove the old entry: `conntrack -D -d ADDRESS`.",
            "Add the host to the topology (spec.external), if it is one.",
        ),
        ("unused-clusterip-port", "route-missing", "conntrack-before-rules"),
        ("kubernetes/kubernetes#22952, #48370",),
    ),
    Explanation(
        "MARTIAN_SOURCE",
        "The packet came in from outside with one of the host's own addresses as its source, which Linux never believes "
        "(but for accept_local). A pod that reaches itself through its Service without a masquerade is the usual case; a "
        "node that asks a Service address in ipvs mode without a masquerade is another: the address is local on every "
        "node.",
        (
            _MARTIANS,
            Look("nstat -az TcpExtTCPReqQFullDrop IpExtInNoRoutes", "counters of the namespace"),
            Look("conntrack -L -s SOURCE", "whether it was masqueraded on the way"),
        ),
        (
            "Let the hairpin masquerade work: kube-proxy marks it where source = endpoint (KUBE-MARK-MASQ); look who clears the mark.",
            "ipvs: net.ipv4.vs.conntrack=1, without which MASQUERADE does nothing.",
        ),
        ("hairpin-no-masquerade", "ipvs-node-to-clusterip", "nft-hairpin-elsewhere"),
        (
            "net/ipv4/fib_frontend.c fib_validate_source() (v6.12)",
            "kubernetes/kubernetes#63241; cloudnativelabs/kube-router#9",
        ),
    ),
    Explanation(
        "INVALID_SOURCE",
        "No packet from the wire may have that source: loopback, broadcast, multicast or zero. A connection to localhost "
        "that is translated to a pod would leave with the source 127.0.0.1; kube-proxy's iptables mode masquerades it.",
        (_MARTIANS,),
        (
            "Masquerade what leaves from 127.0.0.0/8 (iptables.localhostNodePorts does).",
            "Ask an address of the node instead of localhost.",
        ),
        references=("net/ipv4/route.c ip_route_input_slow() (v6.12)", "RFC 1122 §3.2.1.3"),
    ),
    Explanation(
        "RP_FILTER",
        "rp_filter asks: would I send to this source by the device that the packet came in by? In strict mode (1) another "
        "device is enough to drop it, in loose mode (2) only no route at all. The larger of `all` and the device counts, "
        "so that setting the device to 0 does not help while `all` is 1. It happens after PREROUTING: the rules there "
        "have seen the packet, nothing later does.",
        (
            Look("nstat -az TcpExtIPReversePathFilter", "the counter"),
            Look("sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.DEVICE.rp_filter", "the larger of the two counts"),
            Look("ip route get SOURCE", "the device by which the answer would go"),
        ),
        ("net.ipv4.conf.DEVICE.rp_filter=2.", "Make the routes symmetric."),
        ("rp-filter",),
        (
            "net/ipv4/fib_frontend.c __fib_validate_source() (v6.12); RFC 3704",
            "kubernetes/kubernetes#124587; cilium/cilium#13130",
        ),
    ),
    Explanation(
        "MARTIAN_DESTINATION",
        "The destination cannot come from that device: 127.0.0.0/8 on the wire without route_localnet.",
        (
            _MARTIANS,
            Look(
                "sysctl net.ipv4.conf.all.route_localnet net.ipv4.conf.DEVICE.route_localnet",
                "either of them lets it in",
            ),
        ),
        (
            "Use an address of the node that is no loopback address.",
            "Set route_localnet=1, and mind who may then reach 127.0.0.1.",
        ),
        references=("net/ipv4/route.c ip_route_input_slow() (v6.12)",),
    ),
    Explanation(
        "IP_FORWARDING_OFF",
        "The host got a packet that is for somebody else and does not forward. Every node has to: pods are other hosts to "
        "it. kubeadm checks it once; a later `sysctl --system`, a hardening script or a reboot can turn it off again.",
        (
            Look("sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding", "1 where it forwards"),
            Look("grep -rn ip_forward /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d", "who sets it"),
        ),
        ("`sysctl -w net.ipv4.ip_forward=1` (IPv6: net.ipv6.conf.all.forwarding), and keep it in /etc/sysctl.d.",),
        ("ip-forward-off",),
        ("net/ipv4/route.c ip_route_input_slow() (v6.12)", "kubernetes/kubeadm#580"),
    ),
    Explanation(
        "TTL_EXCEEDED",
        "Every router takes 1 off the time to live, and the one that would make it 0 drops the packet and answers ICMP "
        "time exceeded. Nodes are routers; IPVS counts as one more.",
        (
            Look("traceroute -n ADDRESS", "the way, hop by hop"),
            Look("nstat -az IpExtInNoRoutes IcmpOutTimeExcds", "who answers"),
        ),
        ("Send with a larger TTL.",),
        references=("net/ipv4/ip_forward.c ip_forward() (v6.12)",),
    ),
    Explanation(
        "LOOP",
        "The packet goes in circles until its time to live is used up: two routers think that the other one has it. A "
        "Service address without a rule does that where the router sends the Service CIDR back to the nodes.",
        (Look("traceroute -n ADDRESS", "the same addresses again and again"), _ROUTE),
        (
            "Compare the routes to the address on the hosts of the circle.",
            "Give the Service CIDR an unreachable route on the router.",
        ),
        references=("kubernetes/kubernetes#22952",),
    ),
    Explanation(
        "PACKET_TOO_BIG",
        "The packet is larger than the next device's MTU and must not be fragmented (TCP always sets Don't Fragment; IPv6 "
        "never fragments on the way). The router answers with ICMP fragmentation needed and the MTU. Small requests work, "
        "large ones hang, where that answer is dropped or never reaches the sender: a black hole.",
        (
            Look("ping -M do -s 1472 ADDRESS", "1472 + 28 = 1500 bytes: 'message too long' or silence"),
            Look(
                "ip link show DEVICE; ip route get ADDRESS", "the MTU of each device on the way, and a cached path MTU"
            ),
            Look("tcpdump -ni any 'icmp[0]=3 and icmp[1]=4'", "the answer, and how far it gets"),
        ),
        (
            "Make the pods' MTU the underlay's minus the encapsulation (vxlan: 50 bytes, IPv6 70; ipip: 20).",
            "Let ICMP type 3 through everywhere.",
            "Clamp the MSS: -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu.",
        ),
        ("mtu",),
        ("RFC 1191, RFC 8201; net/ipv4/ip_output.c (v6.12)", "flannel-io/flannel#1614"),
    ),
    Explanation(
        "REPLY_LEFT_MODEL",
        "The answer left by a default route instead of going back to the client: the machine that answers has no route to "
        "the client's address, and nobody masqueraded the request.",
        (
            Look("ip route get CLIENT", "on the machine that answers"),
            Look("conntrack -L -s CLIENT", "whether it was masqueraded"),
        ),
        (
            "Give the machine a route to the client.",
            "Masquerade the request, so that the answer comes back the same way.",
        ),
        references=("kubernetes/kubernetes#24224",),
    ),
)
