"""What the kernel calls the model's reasons: ``skb_drop_reason``'s names, as the tracepoint ``skb:kfree_skb`` and dropwatch print them.

The model tells more apart than the kernel does (a REJECT from a DROP), and the kernel has no name for some. `netsim verify` compares each
row that a flow meets. Seen so on Linux 6.18: NETFILTER_*, IP_INADDRERRORS, IP_LOCAL_SOURCE, IP_RPFILTER, IP_FORWARDING_OFF, TTL_EXCEEDED,
NEIGH_FAILED, NO_SOCKET, TCP_INVALID, ICMP_UNEXPECTED, BRIDGE_INGRESS_EGRESS, NAT_NO_TUPLE, NO_TX_TARGET; the other rows are read in the
source. Ref: include/net/dropreason-core.h (v6.12, v6.18).
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.stack.reasons import DropReason

UNNAMED = "NOT_SPECIFIED"
"""The kernel dropped it and does not say why."""

NO_DROP: frozenset[str] = frozenset(
    {
        # the model's place of a drop: where the system call fails there never is a packet
        "connect()",
        "tcp_v4_connect",
        "tcp_v6_connect",
        "ip_route_output_key",
        "ip6_dst_lookup_tail",
        "ip4_datagram_connect",
        "__ip_append_data",
        "__ip6_append_data",
        # an ICMP error is taken by the kernel, also where no socket wants it
        "icmp_unreach",
        "icmp_redirect",
        # so is an echo request that icmp_echo_ignore_all leaves without an answer, in IPv4
        "icmp_echo",
    }
)

KERNEL_NAMES: Mapping[DropReason, tuple[str, ...]] = {
    # model's reason: what the kernel may call it, its proper name first; empty where it frees the packet without a word
    DropReason.NETFILTER_DROP: ("NETFILTER_DROP",),
    DropReason.NETFILTER_REJECT: ("NETFILTER_DROP",),  # the answer is another packet; this one is dropped
    DropReason.OTHERHOST: ("OTHERHOST",),
    DropReason.IP_OUTNOROUTES: ("IP_OUTNOROUTES", "NETFILTER_DROP", UNNAMED),  # of a rerouted packet the hook drops it
    DropReason.IP_INNOROUTES: ("IP_INNOROUTES", "IP_INADDRERRORS"),
    DropReason.IP_INADDRERRORS: ("IP_INADDRERRORS", "IP_INNOROUTES", UNNAMED),
    DropReason.IP_LOCAL_SOURCE: ("IP_LOCAL_SOURCE",),
    DropReason.IP_INVALID_SOURCE: ("IP_INVALID_SOURCE",),
    DropReason.IP_RPFILTER: ("IP_RPFILTER",),
    DropReason.IP_INVALID_DEST: ("IP_INVALID_DEST", "IP_LOCALNET"),
    DropReason.IP_FORWARDING_OFF: ("IP_INADDRERRORS", UNNAMED),
    DropReason.TTL_EXCEEDED: ("IP_INHDR", UNNAMED),  # it counts as a damaged header
    # ndisc_error_report() gives no reason; an error that is sent to the neighbour that just failed is purged from its queue
    DropReason.NEIGH_FAILED: ("NEIGH_FAILED", UNNAMED, "QUEUE_PURGE"),
    DropReason.PKT_TOO_BIG: ("PKT_TOO_BIG", UNNAMED),
    DropReason.NO_SOCKET: ("NO_SOCKET",),
    DropReason.TCP_INVALID: (
        *("NO_SOCKET", "TCP_FLAGS", "TCP_RESET", "TCP_CLOSE", "TCP_INVALID_SEQUENCE", "TCP_INVALID_ACK_SEQUENCE"),
        *(
            "TCP_INVALID_SYN",
            "TCP_OLD_ACK",
            "TCP_TOO_OLD_ACK",
            "TCP_ACK_UNSENT_DATA",
            "TCP_OLD_SEQUENCE",
            "TCP_OLD_DATA",
        ),
        UNNAMED,
    ),
    DropReason.UDP_UNEXPECTED_PEER: ("NO_SOCKET",),
    DropReason.ICMP_UNEXPECTED: ("NO_SOCKET",),
    DropReason.BRIDGE_INGRESS_EGRESS: (UNNAMED,),  # of a flood it is no drop
    DropReason.BRIDGE_ISOLATED: (UNNAMED,),
    DropReason.BRIDGE_NO_PORT: (UNNAMED,),
    DropReason.DEV_DOWN: (UNNAMED, "DEV_READY"),
    DropReason.NO_CARRIER: (),  # the queue is closed: noop_enqueue() frees it
    DropReason.NO_PEER: (),
    DropReason.CONNTRACK_FULL: ("NETFILTER_DROP",),
    DropReason.CONNTRACK_CLASH: ("NETFILTER_DROP",),
    DropReason.NAT_NO_TUPLE: ("NETFILTER_DROP",),
    DropReason.ROUTE_BLACKHOLE: ("IP_INNOROUTES", UNNAMED),
    DropReason.IPVS_NO_DESTINATION: ("NETFILTER_DROP",),
    DropReason.IPVS_DESTINATION_GONE: ("NETFILTER_DROP",),
    DropReason.IPVS_RESCHEDULED: ("NETFILTER_DROP",),
    DropReason.IPVS_ICMP_CHECKSUM: ("NETFILTER_DROP",),
    DropReason.IPVS_BOUNDARY: ("NETFILTER_DROP",),
    DropReason.NO_TX_TARGET: ("NO_TX_TARGET",),
    DropReason.VXLAN_VNI_NOT_FOUND: ("VXLAN_VNI_NOT_FOUND",),
    DropReason.VXLAN_INVALID_HDR: ("VXLAN_INVALID_HDR",),
    DropReason.VXLAN_ENTRY_EXISTS: ("VXLAN_ENTRY_EXISTS",),
    DropReason.MAC_INVALID_SOURCE: ("MAC_INVALID_SOURCE",),
    DropReason.LOCAL_MAC: ("LOCAL_MAC",),
    DropReason.DUMMY_DEVICE: (),
    DropReason.NEIGH_CREATEFAIL: ("NEIGH_CREATEFAIL", UNNAMED),
    DropReason.PROTO_NOT_SUPPORTED: ("IP_NOPROTO",),
}


AT_PLACES: Mapping[str, tuple[str, ...]] = {
    # the model's place: what the kernel says there, whatever the model knows of the cause
    "neigh_resolve_output": KERNEL_NAMES[DropReason.NEIGH_FAILED],
    "icmpv6_rcv": (UNNAMED,),
    "icmp_rcv": ("INVALID_PROTO",),
}


def kernel_names(reason: DropReason, where: str) -> tuple[str, ...]:
    """What the kernel may call a drop at one of the model's places; empty where it drops no packet there."""
    if where in NO_DROP:
        return ()
    return AT_PLACES.get(where) or KERNEL_NAMES.get(reason, ())
