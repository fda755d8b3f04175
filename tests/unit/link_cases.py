"""Flows through ``link_worlds``: what becomes of the first packet. The model's tests and the real kernel's read the same rows."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.net.address import MAC, parse_address
from netsim.net.packet import Protocol
from netsim.topology.model import MacvlanMode, RuleAction, Topology
from netsim.trace.model import Flow
from tests.unit.link_worlds import (
    MARKING,
    arp,
    balanced,
    bridged_tunnel,
    dead_endpoint,
    firewalled,
    known,
    learning,
    macvlans,
    marked,
    moved_vtep,
    other_port,
    other_vni,
    overlay,
    own_endpoint,
    policed,
    proxied,
    rule,
    stale_fdb,
    static_fdb,
    unanswered,
    vtep_down,
)

TCP, UDP, ICMP = Protocol.TCP, Protocol.UDP, Protocol.ICMP
PORTS = {TCP: 80, UDP: 53, ICMP: 0}


@dataclass(frozen=True)
class Case:
    """A flow, and its verdict and reason in the model: one for every branch."""

    id: str
    world: Topology
    src: str
    dst: str
    answer: str
    protocol: Protocol = TCP
    payload: int = 0
    source: str | None = None
    dont_fragment: bool = True
    modelled_only: str = ""

    def flow(self) -> Flow:
        return Flow(
            self.src,
            parse_address(self.dst),
            self.protocol,
            PORTS[self.protocol],
            source=parse_address(self.source) if self.source else None,
            payload=self.payload,
            dont_fragment=self.dont_fragment,
        )


OK = "DELIVERED"
TUNNELS = (
    Case("vxlan tcp", overlay(), "a", "10.244.1.2", OK),
    Case("vxlan udp", overlay(), "a", "10.244.1.2", OK, UDP, 100),
    Case("vxlan from a node", overlay(), "n1", "10.244.1.2", OK),
    Case("vxlan full size", overlay(), "a", "10.244.1.2", OK, payload=1410),
    Case("vxlan query too large", overlay(pod_mtu=1500), "a", "10.244.1.2", "PACKET_TOO_BIG", UDP, 1460),
    Case("stale MAC", stale_fdb(), "a", "10.244.1.2", "WRONG_MAC"),
    Case("no FDB entry", moved_vtep(), "a", "10.244.1.2", "VTEP_UNKNOWN"),
    Case("other identifier", other_vni(), "a", "10.244.1.2", "VNI_UNKNOWN"),
    Case("other port", other_port(), "a", "10.244.1.2", "NODE_PORT_CLOSED", UDP),
    Case("dead endpoint", dead_endpoint(), "a", "10.244.1.2", "NEIGHBOUR_FAILED"),
    Case("tunnel dropped on its way out", firewalled("OUTPUT"), "a", "10.244.1.2", "RULE_DROP"),
    Case("tunnel dropped where it ends", firewalled("INPUT"), "a", "10.244.1.2", "RULE_DROP"),
    Case("the mark goes along", marked(), "a", "10.244.1.2", OK),
    Case("learnt endpoints", learning(), "p", "10.9.0.2", OK),
    Case("nobody behind the tunnel", learning(), "p", "10.9.0.77", "NEIGHBOUR_FAILED"),
    Case("bridged tunnel", bridged_tunnel(), "a", "10.9.0.2", OK),
    Case("bridged tunnel, nobody", bridged_tunnel(), "a", "10.9.0.9", "NEIGHBOUR_FAILED"),
)
MACVLAN = (
    Case("macvlan to macvlan", macvlans(), "a", "10.0.0.12", OK),
    Case("macvlan to a far host", macvlans(), "a", "10.0.0.2", OK),
    Case("a far host to macvlan", macvlans(), "x", "10.0.0.11", OK),
    Case("macvlan to its host", macvlans(), "a", "10.0.0.1", "NEIGHBOUR_FAILED"),
    Case("a host to its macvlan", macvlans(), "h", "10.0.0.11", "NEIGHBOUR_FAILED"),
    Case("private macvlans", macvlans(MacvlanMode.PRIVATE), "a", "10.0.0.12", "NEIGHBOUR_FAILED"),
)
BRIDGES = (
    Case("static FDB entry", static_fdb("vethb"), "a", "10.244.0.3", OK),
    Case("static FDB entry of the wrong port, which ARP's answer moves", static_fdb("vetha"), "a", "10.244.0.3", OK),
)
SERVER = "10.5.0.1"
LOOSE = {"net.ipv4.conf.all.rp_filter": "2"}
STRICT = {"net.ipv4.conf.all.rp_filter": "1"}
RULES = (
    Case("no rule", policed(), "c", SERVER, OK),
    Case("by source", policed(rule(100, 100, src="10.0.0.5/32")), "c", SERVER, OK),
    Case("by another source", policed(rule(100, 100, src="10.0.0.6/32")), "c", SERVER, OK),
    Case("by the second source", policed(rule(100, 100, src="10.0.0.6/32")), "c", SERVER, OK, source="10.0.0.6"),
    Case("by destination", policed(rule(100, 100, dst="10.5.0.0/24")), "c", SERVER, OK),
    Case("by device", policed(rule(100, 100, iif="c0")), "c", SERVER, OK),
    Case("by another device", policed(rule(100, 100, iif="up1")), "c", SERVER, OK),
    Case("made here", policed(rule(100, 100, iif="lo")), "r", SERVER, OK),
    Case(
        "not from there", policed(rule(100, 100, src="10.0.0.5/32", inverted=True)), "c", SERVER, OK, source="10.0.0.6"
    ),
    Case(
        "prohibit", policed(rule(100, action=RuleAction.PROHIBIT, src="10.0.0.5/32")), "c", SERVER, "ROUTE_UNREACHABLE"
    ),
    Case("unreachable", policed(rule(100, action=RuleAction.UNREACHABLE, dst="10.5.0.0/16")), "c", SERVER, "NO_ROUTE"),
    Case("blackhole", policed(rule(100, action=RuleAction.BLACKHOLE, iif="c0")), "c", SERVER, "ROUTE_BLACKHOLE"),
    Case("prohibit made here", policed(rule(100, action=RuleAction.PROHIBIT, iif="lo")), "r", SERVER, "NO_ROUTE", UDP),
    Case("by protocol", policed(rule(100, action=RuleAction.PROHIBIT, protocol=6)), "c", SERVER, "ROUTE_UNREACHABLE"),
    Case("by another protocol", policed(rule(100, action=RuleAction.PROHIBIT, protocol=17)), "c", SERVER, OK),
    Case("by port", policed(rule(100, action=RuleAction.PROHIBIT, dports=(80, 90))), "c", SERVER, "ROUTE_UNREACHABLE"),
    Case("by another port", policed(rule(100, action=RuleAction.PROHIBIT, dports=(81, 90))), "c", SERVER, OK),
    Case(
        "by source port",
        policed(rule(100, action=RuleAction.PROHIBIT, sports=(40000, 40000))),
        "c",
        SERVER,
        "ROUTE_UNREACHABLE",
    ),
    Case("by port made here", policed(rule(100, 100, dports=(80, 80), protocol=6)), "r", SERVER, OK),
    Case(
        "gone on",
        policed(rule(100, action=RuleAction.GOTO, target=300), rule(200, action=RuleAction.PROHIBIT), rule(300, 100)),
        "c",
        SERVER,
        OK,
    ),
    Case(
        "gone on to nowhere",
        policed(rule(100, action=RuleAction.GOTO, target=300), rule(200, action=RuleAction.PROHIBIT)),
        "c",
        SERVER,
        "ROUTE_UNREACHABLE",
    ),
    Case("nothing done", policed(rule(100, action=RuleAction.NOP)), "c", SERVER, OK),
    Case("by user", policed(rule(100, action=RuleAction.PROHIBIT, uids=(0, 999))), "c", SERVER, "ROUTE_UNREACHABLE"),
    Case("by another user", policed(rule(100, action=RuleAction.PROHIBIT, uids=(1, 999))), "r", SERVER, OK),
    Case("suppressed", policed(rule(100, 101, suppress_prefixlength=0)), "c", SERVER, OK),
    Case("not suppressed", policed(rule(100, 100, suppress_prefixlength=0)), "c", SERVER, OK),
    Case("an empty table", policed(rule(100, 77)), "c", SERVER, OK),
    Case(
        "by mark",
        policed(rule(100, 100, fwmark=1, fwmask=0xFF), iptables=MARKING.format("PREROUTING")),
        "c",
        SERVER,
        OK,
    ),
    Case(
        "by mark made here",
        policed(rule(100, 100, fwmark=1, fwmask=0xFF), iptables=MARKING.format("OUTPUT")),
        "r",
        SERVER,
        OK,
    ),
    Case("by another mark", policed(rule(100, 100, fwmark=2), iptables=MARKING.format("PREROUTING")), "c", SERVER, OK),
    Case(
        "by mark, strict",
        policed(rule(100, 100, fwmark=1), iptables=MARKING.format("PREROUTING"), sysctls=STRICT, back="10.2.0.2"),
        "c",
        SERVER,
        "REPLY_RP_FILTER",
    ),
    Case(
        "asymmetric, strict: no answer to ARP",
        policed(sysctls=STRICT, back="10.2.0.2"),
        "c",
        SERVER,
        "REPLY_NEIGHBOUR_FAILED",
    ),
    Case("asymmetric, loose", policed(sysctls=LOOSE, back="10.2.0.2"), "c", SERVER, OK),
    Case("asymmetric, off", policed(back="10.2.0.2"), "c", SERVER, OK),
)
SRC_VALID_MARK = {"net.ipv4.conf.all.src_valid_mark": "1", **STRICT}
HASH_POLICY, HASH_FIELDS = "net.ipv4.fib_multipath_hash_policy", "net.ipv4.fib_multipath_hash_fields"
USE_NEIGH = "net.ipv4.fib_multipath_use_neigh"
MULTIPATH = (
    Case("two ways", balanced(1, 1), "c", SERVER, OK),
    Case(
        "two ways by ports", balanced(3, 1, sysctls={"net.ipv4.fib_multipath_hash_policy": "1"}), "c", SERVER, OK, UDP
    ),
    Case("two ways by inner addresses", balanced(1, 1, sysctls={HASH_POLICY: "2"}), "c", SERVER, OK),
    Case("two ways by fields", balanced(1, 3, sysctls={HASH_POLICY: "3", HASH_FIELDS: "55"}), "c", SERVER, OK, UDP),
    Case("a way that failed", unanswered(balanced(1, 1)), "c", SERVER, OK),
    Case("a way that failed, passed over", unanswered(balanced(1, 1, sysctls={USE_NEIGH: "1"})), "c", SERVER, OK),
    Case("two ways made here", balanced(2, 1), "r", SERVER, OK),
    Case("two ways, source bound", balanced(1, 1), "r", SERVER, OK, source="10.2.0.2"),
    Case("two ways, strict", balanced(1, 1, sysctls=STRICT), "c", SERVER, OK),
)
NEIGHBOURS = (
    Case("arp_ignore 0", arp("arp_ignore", "0"), "x", "10.7.0.1", OK),
    Case("arp_ignore 1", arp("arp_ignore", "1"), "x", "10.7.0.1", "NEIGHBOUR_FAILED"),
    Case("arp_ignore 1, own", arp("arp_ignore", "1"), "x", "10.0.0.1", OK),
    Case("arp_ignore 2, other subnet", arp("arp_ignore", "2"), "x", "10.8.0.1", "NEIGHBOUR_FAILED"),
    Case("arp_ignore 3, scope global", arp("arp_ignore", "3"), "x", "10.7.0.1", OK),
    Case("arp_ignore 8", arp("arp_ignore", "8"), "x", "10.0.0.1", "NEIGHBOUR_FAILED"),
    Case("another card's address", arp("arp_ignore", "0"), "x", "10.8.0.1", OK),
    Case("no proxy_arp", arp("proxy_arp", "0"), "x", "10.8.0.9", "NEIGHBOUR_FAILED"),
    Case("proxy_arp", arp("proxy_arp", "1"), "x", "10.8.0.9", OK),
    Case("proxy_arp, no way", arp("proxy_arp", "1"), "x", "10.6.0.9", "NEIGHBOUR_FAILED"),
    Case("proxy_arp, same link", arp("proxy_arp", "1"), "x", "10.0.0.77", "NEIGHBOUR_FAILED"),
    Case("an address that is answered for", proxied(), "x", "10.8.0.9", OK),
    Case("a stale neighbour with another's MAC", known("stale", MAC(0x020000000099)), "x", "10.0.0.1", "WRONG_MAC"),
    Case("a failed neighbour", known("failed", None), "x", "10.0.0.1", OK),
    Case("arp_filter", arp("arp_filter", "1"), "x", "10.8.0.1", OK),
    Case("arp_announce 1", arp("arp_announce", "1"), "s", "10.0.0.2", OK, source="10.8.0.1"),
    Case("arp_announce 2", arp("arp_announce", "2"), "s", "10.0.0.2", OK, source="10.0.1.1"),
)
CASES = (*TUNNELS, *MACVLAN, *BRIDGES, *RULES, *MULTIPATH, *NEIGHBOURS)
UNBUILT = (
    # the kernel sends what did not fit into the smaller segment after it; the model's exchange ends with the first
    Case("vxlan pods too large, path MTU found", overlay(pod_mtu=1500), "a", "10.244.1.2", OK, payload=1460),
    # both nodes are one kernel there, whose hash gives both directions of a ping the same source port
    Case("vxlan ping", overlay(), "a", "10.244.1.2", OK, ICMP, 56),
    Case("vxlan device down", vtep_down(), "a", "10.244.1.2", "NODE_PORT_CLOSED", UDP),
    Case("own endpoint", own_endpoint(), "a", "10.244.1.2", "LOOP", UDP),
)
