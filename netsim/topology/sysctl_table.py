"""The table of ``netsim.topology.sysctl``: every sysctl that netsim knows, a row each.

``*`` stands for ``all``, ``default`` or a device. ``modelled`` is true where the walk obeys the value, and where the value
changes no packet's way (logging, statistics, what the model never sends). The rest may only have its default.
"""

from __future__ import annotations

from netsim.dataclass import dataclass

INT_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Sysctl:
    """One sysctl. ``first`` and ``last`` bound each of its ``count`` numbers; ``count`` 0 is text of any form.

    ``default_of_all`` is the default of ``conf.all`` where that differs from a device's.
    """

    name: str
    default: str
    first: int
    last: int
    modelled: bool
    meaning: str
    count: int = 1
    default_of_all: str | None = None

    def refuses(self, value: str) -> str | None:
        """Why the kernel would not take the value (EINVAL), None where it would."""
        if self.count == 0:
            return None
        words = value.split()
        if len(words) != self.count or not all(word.removeprefix("-").isdecimal() for word in words):
            return "expected a whole number" if self.count == 1 else f"expected {self.count} whole numbers"
        if any(not self.first <= int(word) <= self.last for word in words):
            return f"out of range {self.first}–{self.last}"
        return None


def _switch(name: str, default: int, meaning: str, *, modelled: bool = False, last: int = 1) -> Sysctl:
    return Sysctl(name, str(default), 0, last, modelled, meaning)


def _number(
    name: str, default: int, meaning: str, *, first: int = 0, last: int = INT_MAX, modelled: bool = False
) -> Sysctl:
    return Sysctl(name, str(default), first, last, modelled, meaning)


def _seconds(name: str, default: int) -> Sysctl:
    return Sysctl(
        f"net.netfilter.nf_conntrack_{name}",
        str(default),
        0,
        INT_MAX,
        modelled=True,
        meaning="conntrack timeout, seconds",
    )


KNOWN: tuple[Sysctl, ...] = (
    # --- IPv4: forwarding and validation -------------------------------------------------------------------------
    _switch("net.ipv4.ip_forward", 0, "forward packets between devices", modelled=True),
    _switch("net.ipv4.conf.*.forwarding", 0, "forward what came in on this device", modelled=True),
    _switch("net.ipv4.conf.*.rp_filter", 0, "reverse path filter: 0 off, 1 strict, 2 loose", modelled=True, last=2),
    _switch("net.ipv4.conf.*.route_localnet", 0, "127/8 is no martian", modelled=True),
    _switch("net.ipv4.conf.*.accept_local", 0, "take packets whose source is an own address", modelled=True),
    _switch("net.ipv4.conf.*.log_martians", 0, "logs only; changes no packet's way", modelled=True),
    _switch("net.ipv4.conf.*.src_valid_mark", 0, "the reverse path look-up uses the mark", modelled=True),
    _switch("net.ipv4.conf.*.bc_forwarding", 0, "forward directed broadcasts"),
    _switch(
        "net.ipv4.conf.*.send_redirects",
        1,
        "tell senders of a better next hop on their link",
        modelled=True,
    ),
    _switch("net.ipv4.conf.*.accept_redirects", 1, "believe redirects", modelled=True),
    _switch("net.ipv4.conf.*.secure_redirects", 1, "believe only redirects to gateways", modelled=True),
    _switch("net.ipv4.conf.*.shared_media", 1, "networks on one link are neighbours", modelled=True),
    Sysctl(
        "net.ipv4.conf.*.accept_source_route",
        "1",
        0,
        1,
        modelled=True,
        meaning="packets here have no IP options",
        default_of_all="0",
    ),
    _switch(
        "net.ipv4.conf.*.ignore_routes_with_linkdown",
        0,
        "routes through a device without carrier do not count",
        modelled=True,
    ),
    _switch(
        "net.ipv4.fib_multipath_hash_policy",
        0,
        "what of a flow chooses among nexthops: 0 layer 3, 1 layer 4, 2 inner layer 3, 3 its fields",
        modelled=True,
        last=3,
    ),
    _number("net.ipv4.fib_multipath_hash_fields", 7, "what policy 3 hashes", first=1, last=0xFFF, modelled=True),
    _switch("net.ipv4.fib_multipath_use_neigh", 0, "nexthops whose neighbour failed do not count", modelled=True),
    _switch("net.ipv4.conf.*.promote_secondaries", 0, "addresses do not change during a walk", modelled=True),
    _switch("net.ipv4.conf.*.drop_unicast_in_l2_multicast", 0, "drop unicast packets in broadcast frames"),
    _switch("net.ipv4.conf.*.disable_policy", 0, "IPsec only", modelled=True),
    _switch("net.ipv4.conf.*.disable_xfrm", 0, "IPsec only", modelled=True),
    # --- ARP ------------------------------------------------------------------------------------------------------
    _switch("net.ipv4.conf.*.arp_ignore", 0, "which ARP requests are answered", modelled=True, last=8),
    _switch("net.ipv4.conf.*.arp_announce", 0, "which source an ARP request has", modelled=True, last=2),
    _switch("net.ipv4.conf.*.arp_filter", 0, "answer ARP only on the device that routes back", modelled=True),
    _switch("net.ipv4.conf.*.arp_accept", 0, "learn from gratuitous ARP", last=2),
    _switch(
        "net.ipv4.conf.*.arp_notify", 0, "gratuitous ARP when a device comes up; none does during a walk", modelled=True
    ),
    _switch("net.ipv4.conf.*.proxy_arp", 0, "answer ARP for what is routed elsewhere", modelled=True),
    _switch("net.ipv4.conf.*.proxy_arp_pvlan", 0, "answer ARP back out of the same device", modelled=True),
    _switch("net.ipv4.conf.*.drop_gratuitous_arp", 0, "the model sends no gratuitous ARP", modelled=True),
    _number(
        "net.ipv4.neigh.default.gc_thresh1", 128, "neighbour table: below this nothing is collected", modelled=True
    ),
    _number(
        "net.ipv4.neigh.default.gc_thresh2",
        512,
        "neighbour table: no entry of a walk is old enough to be collected",
        modelled=True,
    ),
    _number("net.ipv4.neigh.default.gc_thresh3", 1024, "neighbour table: hard limit", modelled=True),
    # --- IPv4: the host -------------------------------------------------------------------------------------------
    _number("net.ipv4.ip_default_ttl", 64, "TTL of packets made here", first=1, last=255),
    _switch("net.ipv4.ip_nonlocal_bind", 0, "who may listen; listeners are given here", modelled=True),
    _switch("net.ipv4.ip_no_pmtu_disc", 0, "path MTU discovery", last=3),
    _switch("net.ipv4.ip_forward_use_pmtu", 0, "forwarding believes learnt path MTUs", modelled=True),
    _number("net.ipv4.route.mtu_expires", 600, "how long a learnt path MTU is believed, s", modelled=True),
    _number("net.ipv4.route.min_pmtu", 552, "smaller path MTUs are not believed, bytes", first=68, modelled=True),
    _number("net.ipv6.route.mtu_expires", 600, "how long a learnt path MTU is believed, s", modelled=True),
    _switch("net.ipv4.ip_forward_update_priority", 1, "socket priority only", modelled=True),
    _switch("net.ipv4.ip_early_demux", 1, "speed only", modelled=True),
    _switch("net.ipv4.fwmark_reflect", 0, "answers that the kernel makes carry the packet's mark"),
    _switch("net.ipv4.tcp_fwmark_accept", 0, "accepted sockets take the packet's mark"),
    Sysctl(
        "net.ipv4.ip_local_port_range",
        "32768 60999",
        1,
        65535,
        modelled=False,
        meaning="ports of outgoing connections",
        count=2,
    ),
    Sysctl("net.ipv4.ip_local_reserved_ports", "", 0, 0, modelled=False, meaning="ports never chosen", count=0),
    _number(
        "net.ipv4.ip_unprivileged_port_start",
        1024,
        "who may listen; listeners are given here",
        last=65536,
        modelled=True,
    ),
    Sysctl(
        "net.ipv4.ping_group_range",
        "1 0",
        0,
        2**32 - 2,
        modelled=True,
        meaning="who may ping; everyone may here",
        count=2,
    ),
    _switch("net.ipv4.icmp_echo_ignore_all", 0, "do not answer ping", modelled=True),
    _switch("net.ipv4.icmp_echo_ignore_broadcasts", 1, "do not answer ping to a broadcast address", modelled=True),
    _switch("net.ipv4.icmp_errors_use_inbound_ifaddr", 0, "source of ICMP errors"),
    _switch("net.ipv4.icmp_ignore_bogus_error_responses", 1, "logs only", modelled=True),
    _number("net.ipv4.icmp_ratelimit", 1000, "a single walk never meets the limit, ms", modelled=True),
    _number("net.ipv4.icmp_ratemask", 6168, "which ICMP types are limited", modelled=True),
    _number("net.ipv4.icmp_msgs_per_sec", 1000, "a single walk never meets the limit", modelled=True),
    _number("net.ipv4.icmp_msgs_burst", 50, "a single walk never meets the limit", modelled=True),
    # --- bridge-netfilter -----------------------------------------------------------------------------------------
    _switch("net.bridge.bridge-nf-call-iptables", 1, "bridged IPv4 packets pass the IP hooks", modelled=True),
    _switch("net.bridge.bridge-nf-call-ip6tables", 1, "bridged IPv6 packets pass the IP hooks", modelled=True),
    _switch("net.bridge.bridge-nf-call-arptables", 1, "there are no arptables rules here", modelled=True),
    _switch("net.bridge.bridge-nf-filter-vlan-tagged", 0, "no VLAN tags here", modelled=True),
    _switch("net.bridge.bridge-nf-filter-pppoe-tagged", 0, "no PPPoE here", modelled=True),
    _switch("net.bridge.bridge-nf-pass-vlan-input-dev", 0, "no VLAN tags here", modelled=True),
    # --- conntrack ------------------------------------------------------------------------------------------------
    _number("net.netfilter.nf_conntrack_max", 262144, "entries in the table; 0 is no limit", modelled=True),
    _number("net.netfilter.nf_conntrack_buckets", 262144, "speed only", first=1, modelled=True),
    _number("net.netfilter.nf_conntrack_expect_max", 4096, "no helpers here", first=1, modelled=True),
    _switch("net.netfilter.nf_conntrack_tcp_be_liberal", 0, "no segment is out of window", modelled=True),
    _switch("net.netfilter.nf_conntrack_tcp_loose", 1, "a connection may be picked up in its middle", modelled=True),
    _switch(
        "net.netfilter.nf_conntrack_tcp_ignore_invalid_rst",
        0,
        "a reset with an old number is not INVALID",
        modelled=True,
    ),
    _number(
        "net.netfilter.nf_conntrack_tcp_max_retrans", 3, "equal segments before a shorter life", last=255, modelled=True
    ),
    _switch("net.netfilter.nf_conntrack_checksum", 1, "checksums are always right here", modelled=True),
    _switch("net.netfilter.nf_conntrack_acct", 0, "counts only", modelled=True),
    _switch("net.netfilter.nf_conntrack_timestamp", 0, "notes the time only", modelled=True),
    _switch("net.netfilter.nf_conntrack_events", 2, "tells listeners only", last=2, modelled=True),
    _number("net.netfilter.nf_conntrack_log_invalid", 0, "logs only", last=255, modelled=True),
    _seconds("generic_timeout", 600),
    _seconds("icmp_timeout", 30),
    _seconds("icmpv6_timeout", 30),
    _seconds("udp_timeout", 30),
    _seconds("udp_timeout_stream", 120),
    _seconds("tcp_timeout_syn_sent", 120),
    _seconds("tcp_timeout_syn_recv", 60),
    _seconds("tcp_timeout_established", 432000),
    _seconds("tcp_timeout_fin_wait", 120),
    _seconds("tcp_timeout_close_wait", 60),
    _seconds("tcp_timeout_last_ack", 30),
    _seconds("tcp_timeout_time_wait", 120),
    _seconds("tcp_timeout_close", 10),
    _seconds("tcp_timeout_max_retrans", 300),
    _seconds("tcp_timeout_unacknowledged", 300),
    _seconds("sctp_timeout_closed", 10),
    _seconds("sctp_timeout_cookie_wait", 3),
    _seconds("sctp_timeout_cookie_echoed", 3),
    _seconds("sctp_timeout_established", 210),
    _seconds("sctp_timeout_shutdown_sent", 3),
    _seconds("sctp_timeout_shutdown_recd", 3),
    _seconds("sctp_timeout_shutdown_ack_sent", 3),
    _seconds("sctp_timeout_heartbeat_sent", 30),
    # --- IPVS (defaults from ipvs-sysctl.rst) ------------------------------------------------------------------------
    _switch("net.ipv4.vs.conntrack", 0, "IPVS keeps conntrack entries", modelled=True),
    _switch("net.ipv4.vs.conn_reuse_mode", 1, "what a reused port does", modelled=True, last=2),
    _switch("net.ipv4.vs.expire_nodest_conn", 0, "connections of a removed real server expire at once", modelled=True),
    _switch("net.ipv4.vs.expire_quiescent_template", 0, "persistence to a server of weight 0 ends", modelled=True),
    _switch("net.ipv4.vs.sloppy_tcp", 0, "any segment may begin a connection", modelled=True),
    _switch("net.ipv4.vs.sloppy_sctp", 0, "any chunk may begin an association", modelled=True),
    _switch("net.ipv4.vs.snat_reroute", 1, "route the answer of a real server again", modelled=True),
    _switch("net.ipv4.vs.nat_icmp_send", 0, "ICMP errors for what comes from a real server unasked", modelled=True),
    _switch("net.ipv4.vs.drop_entry", 0, "drop entries when memory is short", last=3),
    _switch("net.ipv4.vs.drop_packet", 0, "drop packets when memory is short", last=3),
    _switch("net.ipv4.vs.secure_tcp", 0, "stricter TCP states", last=3),
    _switch("net.ipv4.vs.ignore_tunneled", 0, "do not schedule tunneled packets"),
    _switch("net.ipv4.vs.schedule_icmp", 0, "schedule ICMP errors of tunneled packets"),
    _switch("net.ipv4.vs.pmtu_disc", 1, "a tunnelled packet keeps its DF", modelled=True),
    # --- IPv6 -----------------------------------------------------------------------------------------------------
    _switch(
        "net.ipv6.fib_multipath_hash_policy",
        0,
        "what of a flow chooses among nexthops: 0 layer 3, 1 layer 4, 2 inner layer 3, 3 its fields",
        modelled=True,
        last=3,
    ),
    _number("net.ipv6.fib_multipath_hash_fields", 7, "what policy 3 hashes", first=1, last=0xFFF, modelled=True),
    _switch(
        "net.ipv6.conf.*.forwarding",
        0,
        "of all: forward packets; of a device: be a router on it",
        modelled=True,
        last=2,
    ),
    _switch("net.ipv6.conf.*.disable_ipv6", 0, "no IPv6 on the device", modelled=True),
    _switch("net.ipv6.conf.*.accept_ra", 1, "there are no router advertisements here", modelled=True, last=2),
    _switch("net.ipv6.conf.*.accept_redirects", 1, "believe redirects", modelled=True),
    _number("net.ipv6.conf.*.accept_source_route", 0, "packets here have no routing header", first=-1, modelled=True),
    _switch("net.ipv6.conf.*.autoconf", 1, "there are no router advertisements here", modelled=True),
    Sysctl(
        "net.ipv6.conf.*.accept_dad", "1", 0, 2, modelled=True, meaning="addresses are settled here", default_of_all="0"
    ),
    _number("net.ipv6.conf.*.use_tempaddr", 0, "addresses are given here", first=-1, last=2, modelled=True),
    _switch("net.ipv6.conf.*.addr_gen_mode", 0, "how link-local addresses are made: EUI-64 here", last=3),
    _switch("net.ipv6.conf.*.proxy_ndp", 0, "answer ND for those it was told of", modelled=True),
    _number("net.ipv6.conf.*.hop_limit", 64, "hop limit of packets made here", first=1, last=255),
    _number("net.ipv6.conf.*.mtu", 1280, "the device's MTU for IPv6", first=1280, last=65536),
    _switch("net.ipv6.ip_nonlocal_bind", 0, "bind to an address that is not here", modelled=True),
    _switch("net.ipv6.bindv6only", 0, "a socket on :: takes no IPv4"),
    _switch("net.ipv6.icmp.echo_ignore_all", 0, "do not answer ping", modelled=True),
    _number("net.ipv6.icmp.ratelimit", 100, "a single walk never meets the limit, ms", modelled=True),
    _number(
        "net.ipv6.neigh.default.gc_thresh1", 128, "neighbour table: below this nothing is collected", modelled=True
    ),
    _number(
        "net.ipv6.neigh.default.gc_thresh2",
        512,
        "neighbour table: no entry of a walk is old enough to be collected",
        modelled=True,
    ),
    _number("net.ipv6.neigh.default.gc_thresh3", 1024, "neighbour table: hard limit", modelled=True),
)
