"""Reasons that come from rules, and from what conntrack makes of a packet."""

from __future__ import annotations

from netsim.render.explain.model import Explanation, Look

_TRACE = Look(
    "nft add table ip t; nft add chain ip t c '{ type filter hook prerouting priority -350; }'; "
    "nft add rule ip t c ip daddr ADDRESS meta nftrace set 1; nft monitor trace",
    "every rule that the packet meets (nftables and iptables-nft); delete the table afterwards",
)
_COUNTERS = Look("iptables -t TABLE -vnL CHAIN --line-numbers", "the rule whose counter grows with each try")
_SNAT = Look("conntrack -S", "insert_failed and drop, for each CPU")

EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        "RULE_REJECT",
        "A rule with the target REJECT (iptables) or the statement reject (nftables) refused the packet and answered it, "
        "so that the client knows at once. Several sets of rules are in force at the same time: a packet has to pass the "
        "base chains of all of them, and an accept in one table does not help against a reject in another (firewalld's "
        "own nftables table, for example).",
        (_COUNTERS, Look("nft -a list ruleset | grep -n reject", "every rule that may have done it"), _TRACE),
        (
            "Accept the traffic before the rule, in the same chain.",
            "Put the pods' interfaces into a trusted zone of the firewall.",
        ),
        ("firewalld-rejects",),
        ("net/ipv4/netfilter/ipt_REJECT.c (v6.12)", "firewalld/firewalld#527; kubernetes/kubernetes#18802"),
    ),
    Explanation(
        "RULE_DROP",
        "A rule dropped the packet without an answer: the client waits until it gives up. It is not one of kube-proxy's "
        "(those have reasons of their own): look for the CNI's, the firewall's, or a rule somebody typed.",
        (_COUNTERS, _TRACE),
        (
            "Accept the traffic before the rule.",
            "Mend what the rule looks at: its author had a reason (Calico's rpfilter rule: the routes).",
        ),
        ("calico-rpfilter",),
        ("projectcalico/calico#4630",),
    ),
    Explanation(
        "POLICY_DROP",
        "No rule of the chain accepted the packet and its policy is DROP. Docker sets FORWARD to DROP when it starts, ufw "
        "denies routed traffic, hardened hosts close INPUT. Pods need FORWARD; in ipvs mode Services need INPUT too, as "
        "their addresses are local. The answer has to pass as well: a rule for new connections alone lets the request "
        "through and drops the reply.",
        (
            Look("iptables -S FORWARD | head -1; iptables-legacy -S FORWARD | head -1", "the policy, in both variants"),
            _COUNTERS,
            _TRACE,
        ),
        (
            "`iptables -P FORWARD ACCEPT`, or accept the pod CIDR both ways (flannel: --iptables-forward-rules).",
            "ufw: `ufw default allow routed`, or `ufw route allow`.",
            "Set kube-proxy's clusterCIDR, so that KUBE-FORWARD accepts the answers.",
        ),
        ("forward-drop", "docker-forward-drop", "ufw-denies-routed", "legacy-and-nft", "ipvs-host-firewall"),
        ("kubernetes/kubernetes#40182, #39823, #98465",),
    ),
    Explanation(
        "INVALID_STATE_DROP",
        "conntrack calls a packet INVALID that belongs to no connection it knows and may begin none: it saw only one "
        "direction (the other went past this node), or a TCP segment lies outside of the window. kube-proxy's iptables "
        "and nftables modes drop such packets in FORWARD, as they would leave untranslated and make the client reset the "
        "connection.",
        (
            Look("conntrack -S | grep -v invalid=0", "the counter of invalid packets"),
            Look("sysctl -w net.netfilter.nf_conntrack_log_invalid=6; dmesg -w", "why each is invalid"),
            Look("ip route get ADDRESS", "on every node of the way: where the two directions part"),
        ),
        (
            "Let both directions pass the same node.",
            "net.netfilter.nf_conntrack_tcp_be_liberal=1 (kube-proxy: conntrack.tcpBeLiberal), where segments are out of window.",
        ),
        ("asymmetric-reply", "invalid-asymmetric"),
        ("net/netfilter/nf_conntrack_proto_tcp.c (v6.12)", "kubernetes/kubernetes#74839, #94861, #117924"),
    ),
    Explanation(
        "CONNTRACK_FULL",
        "Every new connection needs an entry; when there are nf_conntrack_max of them and none can be dropped early (only "
        "those that are not ASSURED can), the packet is dropped. Old connections go on, new ones fail now and then: it "
        "looks like a random loss under load.",
        (
            Look("sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max", "how full it is"),
            Look("dmesg | grep 'nf_conntrack: table full'", "the kernel's complaint"),
            Look("conntrack -L | awk '{print $1,$4}' | sort | uniq -c | sort -rn | head", "what fills it"),
        ),
        (
            "Raise net.netfilter.nf_conntrack_max (kube-proxy: conntrack.maxPerCore and min).",
            "Shorten the time-outs of what fills it, or leave it out of conntrack (NOTRACK).",
        ),
        ("conntrack-full",),
        ("net/netfilter/nf_conntrack_core.c __nf_conntrack_alloc() (v6.12)", "kubernetes/kubernetes#18604"),
    ),
    Explanation(
        "CONNTRACK_CLASH",
        "Two packets of the same tuple were on their way at once, before either had its entry in the table. When the "
        "second is confirmed, the tuple is taken: it is dropped and insert_failed counts it. A resolver that asks for A "
        "and AAAA from one socket does just that, and waits 5 seconds before it asks again.",
        (_SNAT, Look("conntrack -L -p udp --dport 53", "the entry that came first")),
        (
            "options single-request-reopen in resolv.conf (glibc).",
            "NodeLocal DNSCache: its queries are not translated, and go on over TCP.",
        ),
        (),
        ("net/netfilter/nf_conntrack_core.c nf_ct_resolve_clash() (v6.12)", "kubernetes/kubernetes#56903"),
    ),
    Explanation(
        "NAT_NO_TUPLE",
        "For each pair of destination address and port a source address has some 64,000 ports (or fewer, where a rule "
        "names a range). When all are taken by connections to that one target, the next connection's first packet is "
        "dropped. Entries in TIME_WAIT count for two minutes.",
        (
            Look("conntrack -L -d ADDRESS | wc -l", "the connections to that target"),
            _SNAT,
            Look("iptables-save -t nat | grep -E 'SNAT|MASQUERADE'", "the rule, and its range of ports"),
        ),
        (
            "Use connections that last, or several addresses of the target.",
            "Masquerade to more than one address, or widen the range.",
            "MASQUERADE --random-fully does not give more ports: it avoids clashes, not exhaustion.",
        ),
        ("snat-ports-exhausted",),
        ("net/netfilter/nf_nat_core.c nf_nat_l4proto_unique_tuple() (v6.12)", "cilium/cilium#23604"),
    ),
)
