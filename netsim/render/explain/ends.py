"""Reasons that come from where a packet ends: sockets, and whether the answer is taken."""

from __future__ import annotations

from netsim.render.explain.model import Explanation, Look

_SOCKETS = Look(
    "nsenter -t PID -n ss -ltnup", "what listens, and on which address (`[::]` takes both families unless v6only)"
)
_CAPTURE = Look("nsenter -t PID -n tcpdump -ni any host ADDRESS", "the packets in the pod's own namespace")
_GAP = Look("netsim trace --all", "every rule that was looked at")

EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        "PORT_CLOSED",
        "The packet reached the pod (or host) that it was for, and nobody listens on that port there: TCP is answered "
        "with RST, UDP with ICMP port unreachable, and the client sees 'connection refused'. Everything between is fine. "
        "Endpoints exist whether or not the port is right: targetPort is not checked against anything, and containerPort "
        "is documentation only. A process that binds 127.0.0.1 or one family alone looks the same.",
        (
            _SOCKETS,
            Look("kubectl get service -n NAMESPACE SERVICE -o jsonpath='{.spec.ports}'", "port and targetPort"),
            Look(
                "kubectl debug -it POD --image=busybox --target=CONTAINER -- netstat -ltn", "without access to the node"
            ),
        ),
        ("Correct the Service's targetPort.", "Let the process bind 0.0.0.0 and [::]."),
        ("wrong-target-port",),
        ("net/ipv4/tcp_ipv4.c tcp_v4_rcv(); net/ipv4/udp.c __udp4_lib_rcv() (v6.12)", "kubernetes/kubernetes#73049"),
    ),
    Explanation(
        "NODE_PORT_CLOSED",
        "The packet was for an address of the node and no rule translated it, so it is the node's own: nothing listens "
        "there, and it is refused. The node port may be another, or of another protocol; kube-proxy may take node ports "
        "on some addresses only (nodePortAddresses; nftables mode takes the primary address alone); localhost works in "
        "iptables mode and for IPv4 alone.",
        (
            Look("kubectl get services -A | grep PORT", "whose node port it is"),
            Look(
                "iptables-save -t nat | grep KUBE-NODEPORTS; nft list map ip kube-proxy service-nodeports",
                "what kube-proxy takes",
            ),
            Look("nft list set ip kube-proxy nodeport-ips; ipset list KUBE-NODE-PORT-TCP", "on which addresses"),
        ),
        ("Use the node's primary address.", "Set nodePortAddresses in kube-proxy's configuration."),
        ("nft-second-node-address", "nft-localhost-nodeport", "ipvs-localhost-nodeport"),
        ("kubernetes/kubernetes#124383, #67730, #96879",),
    ),
    Explanation(
        "DESTINATION_REFUSED",
        "The sender's own kernel refused to send: TCP does not connect to broadcast and multicast addresses (network is "
        "unreachable), and UDP sends to a broadcast address only where the socket asked for it with SO_BROADCAST "
        "(permission denied). No packet was made.",
        (
            Look("strace -e connect,sendto curl ADDRESS", "the error that the process gets"),
            Look("ip route get ADDRESS", "'broadcast' or 'multicast'"),
        ),
        ("Ask a unicast address.", "Set SO_BROADCAST, if a broadcast is meant."),
        references=("net/ipv4/tcp_ipv4.c tcp_v4_connect(); net/ipv4/udp.c udp_sendmsg() (v6.12)",),
    ),
    Explanation(
        "NO_CONNECTION",
        "The segment is no SYN and belongs to no connection of the host that got it, which answers with RST: 'connection "
        "reset by peer'. Either the connection is over on one side only, or its earlier packets went to another backend.",
        (
            Look("nsenter -t PID -n ss -tn", "the connections of the receiver"),
            Look("conntrack -L -s CLIENT", "where the connection goes"),
        ),
        ("Begin anew: the client has to connect again.",),
        ("nft-invalid-segment",),
        ("net/ipv4/tcp_ipv4.c tcp_v4_send_reset() (v6.12); RFC 9293 §3.10.7.1",),
    ),
    Explanation(
        "NOT_ANSWERED",
        "The host got the packet and says nothing: a reset or broadcast is never answered, an echo request only where "
        "icmp_echo_ignore_all is 0.",
        (
            Look("sysctl net.ipv4.icmp_echo_ignore_all net.ipv4.icmp_echo_ignore_broadcasts", "what is ignored"),
            _CAPTURE,
        ),
        ("Ask a unicast address; begin with a SYN.",),
        references=("net/ipv4/icmp.c icmp_echo() (v6.12); RFC 9293",),
    ),
    Explanation(
        "UNEXPECTED_PEER",
        "A connected UDP socket takes datagrams of its peer alone. The port is in use, and by somebody who talks to "
        "another.",
        (Look("nsenter -t PID -n ss -unp", "connected sockets, with their peers"),),
        ("Ask the port of the listening socket.",),
        references=("net/ipv4/udp.c compute_score() (v6.12)",),
    ),
    Explanation(
        "UNEXPECTED_ECHO",
        "An echo reply arrived for which nobody waits: who sent the request is elsewhere, or its addresses were changed "
        "one way only.",
        (_CAPTURE,),
        ("Look which way the request took, and who changed its addresses.",),
    ),
    Explanation(
        "PROTOCOL_NOT_SUPPORTED",
        "The host has no handler for the protocol (SCTP without its module): it answers with ICMP protocol unreachable.",
        (Look("cat /proc/net/protocols; lsmod | grep sctp", "the protocols that the kernel has"),),
        ("`modprobe sctp`.",),
        references=("net/ipv4/ip_input.c ip_protocol_deliver_rcu() (v6.12)",),
    ),
    Explanation(
        "REPLY_FROM_OTHER_PEER",
        "The answer came to the client, with the backend's address as its source instead of the Service's: whoever "
        "translated the request did not see the answer. The client knows no such peer, so it resets (TCP) or ignores it "
        "(UDP). Two pods on one bridge with bridge-nf-call-iptables=0 are the classic case: the bridge hands the answer "
        "over without the node's IP layer. With a Local policy in ipvs mode the answer goes straight back from another "
        "node.",
        (
            Look("sysctl net.bridge.bridge-nf-call-iptables", "1 where bridged packets pass the IP hooks"),
            Look("tcpdump -ni any host BACKEND", "in the client's namespace: the answer with the wrong source"),
            Look("conntrack -L -d SERVICE", "on the node that translated: [UNREPLIED]"),
        ),
        (
            "modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1.",
            "Masquerade the request (clusterCIDR, masqueradeAll), so that the answer has to come back.",
        ),
        ("bridge-nf-off", "ipvs-local-policy"),
        ("kubernetes/kubernetes#87426, #97081",),
    ),
    Explanation(
        "REPLY_NOT_TRANSLATED_BACK",
        "conntrack called an answer INVALID (a segment out of the window) and no rule dropped it, so it went on without "
        "being translated back. The client gets a segment of a peer that it does not know and resets: 'connection reset "
        "by peer' in the middle of a transfer.",
        (
            Look("conntrack -S | grep -v invalid=0", "the counter of invalid packets"),
            Look(
                "tcpdump -ni any 'host BACKEND and tcp[13] & 4 != 0'",
                "the reset that the client sends to the backend's own address",
            ),
        ),
        (
            "Drop what is INVALID in FORWARD (kube-proxy does), so that the sender repeats it.",
            "net.netfilter.nf_conntrack_tcp_be_liberal=1 (kube-proxy: conntrack.tcpBeLiberal).",
        ),
        references=("net/netfilter/nf_conntrack_proto_tcp.c tcp_in_window() (v6.12)", "kubernetes/kubernetes#74839"),
    ),
    Explanation(
        "REPLY_TO_OTHER_HOST",
        "The answer went to another host: the request's source address belongs to more than one.",
        (_CAPTURE, Look("ip route get CLIENT", "on the machine that answers")),
        ("Masquerade the request where it is translated.", "Give every host an address of its own."),
    ),
    Explanation(
        "REPLY_UNEXPECTED",
        "The answer came back to the client, and no socket waits for it: its ports were translated one way only.",
        (_CAPTURE, Look("conntrack -L -s CLIENT", "both tuples")),
        ("Find what translates one direction only: NOTRACK rules, two translations after each other.",),
    ),
    Explanation(
        "DELIVERED",
        "The first packet reached a socket of those that were meant, and what it answered came back to the client's "
        "socket from the address that it had asked.",
        (Look("curl -v ADDRESS:PORT", "the same from the client's pod"),),
    ),
    Explanation(
        "DELIVERED_ONE_WAY",
        "The first packet reached a socket; with --one-way nothing is said of the answer. A third of the failures that "
        "people meet are on the way back.",
        (_CAPTURE,),
        ("Leave --one-way out.",),
    ),
    Explanation(
        "NOT_MODELLED",
        "The packet met something that netsim does not model. It says so instead of guessing: docs/modelled.md lists what "
        "is modelled.",
        (Look("netsim verify", "what the kernel of this machine does with it"), _GAP),
        ("Leave the feature out of the topology, or look at the real node.",),
    ),
    Explanation(
        "NO_ANSWER",
        "A socket took the packet and answers nothing that the model knows of.",
        (_CAPTURE,),
        ("Use --one-way, if no answer is expected.",),
    ),
    Explanation(
        "NO_ENDING",
        "The recorded steps do not say where the packet ended. This is a gap of netsim.",
        (_GAP,),
        ("Report it with the topology.",),
    ),
    Explanation(
        "NOT_EXPLORED",
        "There are more branches than are looked at; this is the probability of the others.",
        (
            Look("netsim trace --pick N", "branch N alone"),
            Look("netsim trace --backend IP:PORT", "the branches to one backend"),
        ),
        ("Ask for one branch: --pick, --backend or --seed.",),
    ),
)
