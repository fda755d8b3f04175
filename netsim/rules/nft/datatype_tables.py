"""Which datatype each key and header field has, and the names that a datatype's values may have.

Ref: nftables 1.0.6 src/{datatype,meta,ct,proto,fib}.c.
"""

from __future__ import annotations

INTEGER, SYMBOL = "integer", "symbol"

META: dict[str, str] = {
    # meta key: datatype
    "length": INTEGER,
    "protocol": "ether_type",
    "priority": "classid",
    "mark": "mark",
    "iif": "iface_index",
    "iifname": "ifname",
    "iiftype": "iface_type",
    "oif": "iface_index",
    "oifname": "ifname",
    "oiftype": "iface_type",
    "skuid": "uid",
    "skgid": "gid",
    "nfproto": "nf_proto",
    "l4proto": "inet_proto",
    "pkttype": "pkt_type",
    "cpu": INTEGER,
    "iifgroup": "devgroup",
    "oifgroup": "devgroup",
    "cgroup": INTEGER,
    "ibrname": "ifname",
    "obrname": "ifname",
    "nftrace": INTEGER,
    "random": INTEGER,
    "ipsec": "boolean",
    "time": "timestamp",
    "day": "day",
    "hour": "hour",
    "secmark": INTEGER,
    "rtclassid": "realm",
    "sdif": "iface_index",
    "sdifname": "ifname",
    "iifkind": "ifkind",
    "oifkind": "ifkind",
    "ibrpvid": INTEGER,
    "ibrvproto": "ether_type",
}
OLD_META = {"secpath": "ipsec"}
"""Former names of keys."""
SHORT_META = (
    "mark",
    "iif",
    "iifname",
    "iiftype",
    "oif",
    "oifname",
    "oiftype",
    "skuid",
    "skgid",
    "iifgroup",
    "oifgroup",
    "cgroup",
)
CT: dict[str, str] = {
    "state": "ct_state",
    "direction": "ct_dir",
    "status": "ct_status",
    "mark": "mark",
    "expiration": "duration",
    "l3proto": "nf_proto",
    "protocol": "inet_proto",
    "proto-src": "inet_service",
    "proto-dst": "inet_service",
    "ip saddr": "ipv4_addr",
    "ip daddr": "ipv4_addr",
    "ip6 saddr": "ipv6_addr",
    "ip6 daddr": "ipv6_addr",
    "zone": INTEGER,
    "helper": "ct_helper",
    "label": "ct_label",
    "event": "ct_event",
    "bytes": INTEGER,
    "packets": INTEGER,
    "avgpkt": INTEGER,
    "id": INTEGER,
    "secmark": INTEGER,
}
_PORTS = {"sport": "inet_service", "dport": "inet_service"}
PAYLOAD: dict[str, dict[str, str]] = {
    # protocol: field: datatype
    "ip": {
        "version": INTEGER,
        "hdrlength": INTEGER,
        "dscp": "dscp",
        "length": INTEGER,
        "id": INTEGER,
        "frag-off": INTEGER,
        "ttl": INTEGER,
        "protocol": "inet_proto",
        "checksum": INTEGER,
        "saddr": "ipv4_addr",
        "daddr": "ipv4_addr",
    },
    "ip6": {
        "version": INTEGER,
        "dscp": "dscp",
        "flowlabel": INTEGER,
        "length": INTEGER,
        "nexthdr": "inet_proto",
        "hoplimit": INTEGER,
        "saddr": "ipv6_addr",
        "daddr": "ipv6_addr",
    },
    "tcp": {**_PORTS, "flags": "tcp_flag", "sequence": INTEGER, "ackseq": INTEGER, "window": INTEGER},
    "udp": {**_PORTS, "length": INTEGER, "checksum": INTEGER},
    "udplite": dict(_PORTS),
    "sctp": {**_PORTS, "vtag": INTEGER},
    "dccp": dict(_PORTS),
    "th": dict(_PORTS),
    "ether": {"saddr": "ether_addr", "daddr": "ether_addr", "type": "ether_type"},
    "vlan": {"id": INTEGER, "dei": INTEGER, "cfi": INTEGER, "pcp": INTEGER, "type": "ether_type"},
    "arp": {
        "htype": INTEGER,
        "ptype": "ether_type",
        "hlen": INTEGER,
        "plen": INTEGER,
        "operation": "arp_op",
        "saddr ether": "ether_addr",
        "daddr ether": "ether_addr",
        "saddr ip": "ipv4_addr",
        "daddr ip": "ipv4_addr",
    },
    "icmp": {"type": "icmp_type", "code": "icmp_code", "id": INTEGER, "sequence": INTEGER, "mtu": INTEGER},
    "icmpv6": {"type": "icmpv6_type", "code": "icmpv6_code", "id": INTEGER, "sequence": INTEGER, "mtu": INTEGER},
}
SYMBOLS: dict[str, tuple[str, ...]] = {
    # datatypes whose literals are names
    "ct_state": ("invalid", "new", "established", "related", "untracked"),
    "ct_dir": ("original", "reply"),
    "ct_status": ("expected", "seen-reply", "assured", "confirmed", "snat", "dnat", "dying"),
    "fib_addrtype": (
        *("unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit"),
    ),
    "pkt_type": ("host", "unicast", "broadcast", "multicast", "other"),
    "nf_proto": ("ipv4", "ipv6"),
    "tcp_flag": ("fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"),
    "ether_type": ("ip", "ip6", "arp", "vlan", "8021q", "8021ad"),
    "icmp_type": (
        *("echo-reply", "destination-unreachable", "source-quench", "redirect", "echo-request", "router-advertisement"),
        *("router-solicitation", "time-exceeded", "parameter-problem", "timestamp-request", "timestamp-reply"),
        *("info-request", "info-reply", "address-mask-request", "address-mask-reply"),
    ),
    "icmpv6_type": (
        *(
            "destination-unreachable",
            "packet-too-big",
            "time-exceeded",
            "parameter-problem",
            "echo-request",
            "echo-reply",
        ),
        *("mld-listener-query", "mld-listener-report", "mld-listener-done", "nd-router-solicit", "nd-router-advert"),
        *("nd-neighbor-solicit", "nd-neighbor-advert", "nd-redirect", "router-renumbering", "mld2-listener-report"),
    ),
}
SYMBOLS |= {
    "arp_op": ("request", "reply", "inrequest", "inreply", "nak", "rrequest", "rreply"),
    "boolean": ("exists", "missing"),
    "ct_event": (
        "new",
        "related",
        "destroy",
        "reply",
        "assured",
        "protoinfo",
        "helper",
        "mark",
        "seqadj",
        "secmark",
        "label",
    ),
}
BITS = ("ct_state", "ct_status", "tcp_flag", "ct_event")
QUOTED = ("ifname", "iface_index", "ifkind", "ct_helper", "day", "hour", "timestamp", "realm")
"""Datatypes whose names stand in quotes where ``nft list`` prints them."""
