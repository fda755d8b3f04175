"""Reasons that come from IPVS."""

from __future__ import annotations

from netsim.render.explain.model import Explanation, Look

_SERVERS = Look("ipvsadm -Ln --stats", "virtual servers, real servers, weights and connections")
_CONNECTIONS = Look("ipvsadm -Lnc | grep CLIENT", "the connections that IPVS remembers, and their timers")
_SYSCTLS = Look("sysctl -a 2>/dev/null | grep net.ipv4.vs", "the parameters; kube-proxy sets some of them")

EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        "IPVS_NO_DESTINATION",
        "The virtual server has no real server that takes new connections: none, or all with weight 0 (kube-proxy gives "
        "that to endpoints that are going away). IPVS answers with ICMP port unreachable from the Service's address: "
        "'connection refused'.",
        (_SERVERS, Look("kubectl get endpointslices -A | grep SERVICE", "whether there are ready endpoints")),
        ("Mend the Service's selector, its targetPort's name, or its pods' readiness.",),
        references=("net/netfilter/ipvs/ip_vs_core.c ip_vs_leave() (v6.1)",),
    ),
    Explanation(
        "IPVS_DESTINATION_GONE",
        "IPVS remembers the connection and its real server has been removed. With expire_nodest_conn=0 it drops the "
        "packet in silence, so that the server may come back: the client hangs until it gives up (15 minutes for TCP).",
        (_CONNECTIONS, _SYSCTLS),
        ("net.ipv4.vs.expire_nodest_conn=1 (kube-proxy sets it): the client gets a reset at once.",),
        ("ipvs-real-server-gone",),
        ("net/netfilter/ipvs/ip_vs_core.c ip_vs_in_hook() (v6.1)", "kubernetes/kubernetes#71358"),
    ),
    Explanation(
        "IPVS_RESCHEDULED",
        "The client uses a source port again whose old connection is still in TIME_WAIT. With conn_reuse_mode=1 IPVS "
        "wants to schedule anew; where conntrack is on, old kernels had to drop the first SYN to get rid of the old "
        "entries. The client repeats it a second later.",
        (_CONNECTIONS, _SYSCTLS),
        ("A kernel of 5.9 or later with conn_reuse_mode=1.", "Connections that last, or more source ports."),
        ("ipvs-first-syn-dropped",),
        (
            "net/netfilter/ipvs/ip_vs_core.c ip_vs_in_hook(), conn_reuse_mode (v6.1)",
            "kubernetes/kubernetes#70747, #93297",
        ),
    ),
    Explanation(
        "IPVS_BOUNDARY",
        "IPVS keeps loopback inside the host: what has a loopback address may not go to a real server elsewhere, so a "
        "node port on localhost never works in ipvs mode.",
        (_SERVERS,),
        ("Use an address of the node that is no loopback address.",),
        references=(
            "net/netfilter/ipvs/ip_vs_xmit.c crosses_local_route_boundary() (v6.1)",
            "kubernetes/kubernetes#67730",
        ),
    ),
    Explanation(
        "IPVS_ICMP_CHECKSUM",
        "IPVS checks an ICMPv6 error of a real server with the rules of ICMP, without a pseudo-header, and takes it for "
        "damaged.",
        (Look("nstat -az | grep Icmp6", "in the namespaces of the client and the real server"),),
        ("Do not count on ICMPv6 errors from behind a virtual server: keep the path's MTU the same.",),
        references=("net/netfilter/ipvs/ip_vs_core.c handle_response_icmp() (v6.1)",),
    ),
    Explanation(
        "VIP_NOT_LOCAL",
        "IPVS looks at packets in LOCAL_IN: the virtual address has to be an address of the node. kube-proxy puts every "
        "Service address on kube-ipvs0; where that device or the address is missing, the packet is routed on and IPVS "
        "never sees it.",
        (
            Look("ip addr show kube-ipvs0", "the addresses"),
            Look("ip route get ADDRESS", "'local' where it is the node's own"),
            _SERVERS,
        ),
        ("`ip addr add ADDRESS/32 dev kube-ipvs0`.", "Restart kube-proxy."),
        references=("pkg/proxy/ipvs/README.md (v1.37)",),
    ),
)
