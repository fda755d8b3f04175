"""Conntrack's sysctls and their defaults.

Ref: net/netfilter/nf_conntrack_standalone.c, and the timeouts of nf_conntrack_proto_{tcp,udp,icmp,icmpv6,sctp,generic}.c (v6.12).
Times are in seconds. ``nf_conntrack_max`` is what a machine with more than 4 GB gets.
"""

from __future__ import annotations

NF_CONNTRACK_SYSCTLS: dict[str, int] = {
    "net.netfilter.nf_conntrack_max": 262144,
    "net.netfilter.nf_conntrack_tcp_loose": 1,  # a connection is picked up in its middle
    "net.netfilter.nf_conntrack_tcp_timeout_syn_sent": 120,
    "net.netfilter.nf_conntrack_tcp_timeout_syn_recv": 60,
    "net.netfilter.nf_conntrack_tcp_timeout_established": 432000,  # 5 days; kube-proxy sets 86400
    "net.netfilter.nf_conntrack_tcp_timeout_fin_wait": 120,
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait": 60,  # kube-proxy sets 3600
    "net.netfilter.nf_conntrack_tcp_timeout_last_ack": 30,
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait": 120,
    "net.netfilter.nf_conntrack_tcp_timeout_close": 10,
    "net.netfilter.nf_conntrack_tcp_timeout_unacknowledged": 300,
    "net.netfilter.nf_conntrack_udp_timeout": 30,
    "net.netfilter.nf_conntrack_udp_timeout_stream": 120,
    "net.netfilter.nf_conntrack_icmp_timeout": 30,
    "net.netfilter.nf_conntrack_icmpv6_timeout": 30,
    "net.netfilter.nf_conntrack_generic_timeout": 600,
    "net.netfilter.nf_conntrack_sctp_timeout_closed": 10,
    "net.netfilter.nf_conntrack_sctp_timeout_cookie_wait": 3,
    "net.netfilter.nf_conntrack_sctp_timeout_cookie_echoed": 3,
    "net.netfilter.nf_conntrack_sctp_timeout_established": 210,
    "net.netfilter.nf_conntrack_sctp_timeout_shutdown_sent": 3,
    "net.netfilter.nf_conntrack_sctp_timeout_shutdown_recd": 3,
    "net.netfilter.nf_conntrack_sctp_timeout_shutdown_ack_sent": 3,
    "net.netfilter.nf_conntrack_sctp_timeout_heartbeat_sent": 30,
}
