"""Flows past nftables rules that see frames (families bridge, netdev, arp), on node n between pods a and b. For model and kernel alike."""

from __future__ import annotations

from netsim.net.packet import Protocol
from netsim.rules.nft.parse import parse
from netsim.topology.model import Topology
from tests.unit.link_cases import Case
from tests.unit.stack_world import changed, same_node

OK, LOST, DROPPED = "DELIVERED", "NEIGHBOUR_FAILED", "RULE_DROP"
A, B, N = "10.244.0.2", "10.244.0.3", "10.244.0.1"
ICMP, UDP = Protocol.ICMP, Protocol.UDP


def ruled(table: str, hooked: str, rules: str, *, lent: bool = False, at: str = "n") -> Topology:
    """Node n with one chain; ``lent``: bridged frames pass the IP hooks too."""
    text = f"table {table} t {{ chain c {{ type filter hook {hooked} priority 0; policy accept;\n{rules}\n}}\n}}\n"
    world = same_node(sysctls={"net.bridge.bridge-nf-call-iptables": "1" if lent else "0"})
    return changed(world, at, nftables=(parse(text, "frames"),))


CASES = (
    Case("bridge forward drops", ruled("bridge", "forward", "ip saddr 10.244.0.2 drop"), "a", B, DROPPED),
    Case("bridge forward lets others", ruled("bridge", "forward", "ip saddr 10.244.0.9 drop"), "a", B, OK),
    Case(
        "bridge forward by ports",
        ruled("bridge", "forward", 'iifname "vetha" oifname "vethb" ip protocol udp drop'),
        "a",
        B,
        DROPPED,
        UDP,
    ),
    Case(
        "bridge forward the other way",
        ruled("bridge", "forward", 'iifname "vethb" oifname "vetha" tcp dport 80 drop'),
        "a",
        B,
        OK,
    ),
    Case(
        "bridge forward by MAC",
        ruled("bridge", "forward", "ether type ip ether daddr ff:ff:ff:ff:ff:ff drop"),
        "a",
        B,
        OK,
    ),
    Case("bridge prerouting drops", ruled("bridge", "prerouting", "tcp dport 80 drop"), "a", B, DROPPED),
    Case("bridge input drops", ruled("bridge", "input", "ip daddr 10.244.0.1 drop"), "a", N, DROPPED, ICMP),
    Case("bridge input not for others", ruled("bridge", "input", "ip daddr 10.244.0.3 drop"), "a", B, OK),
    Case("bridge output drops", ruled("bridge", "output", "ip daddr 10.244.0.3 drop"), "n", B, DROPPED),
    Case("bridge output not forwarded", ruled("bridge", "output", "ip daddr 10.244.0.3 drop"), "a", B, OK),
    Case(
        "bridge postrouting drops",
        ruled("bridge", "postrouting", 'oifname "vethb" ip protocol tcp drop'),
        "a",
        B,
        DROPPED,
    ),
    Case("bridge drops answers", ruled("bridge", "forward", "tcp sport 80 drop"), "a", B, "REPLY_RULE_DROP"),
    Case("bridge with br_netfilter", ruled("bridge", "forward", "tcp dport 80 drop", lent=True), "a", B, DROPPED),
    Case("bridge drops ARP", ruled("bridge", "forward", "ether type arp drop"), "a", B, LOST),
    Case("bridge drops ARP replies", ruled("bridge", "forward", "arp operation reply drop"), "a", B, LOST),
    Case(
        "bridge drops ARP of another",
        ruled("bridge", "forward", "arp operation request arp daddr ip 10.244.0.9 drop"),
        "a",
        B,
        OK,
    ),
    Case(
        "bridge lets ARP alone", ruled("bridge", "forward", "ether type arp accept\nip protocol icmp drop"), "a", B, OK
    ),
    Case("arp input drops", ruled("arp", "input", "arp saddr ip 10.244.0.2 drop"), "a", N, LOST, ICMP),
    Case("arp input not bridged", ruled("arp", "input", "drop"), "a", B, OK),
    Case("arp output drops", ruled("arp", "output", "arp operation request drop"), "n", B, LOST, UDP),
    Case("arp output by address", ruled("arp", "output", "arp daddr ip 10.244.0.9 drop"), "n", B, OK),
    Case("arp at the pod", ruled("arp", "input", "arp operation request drop", at="b"), "a", B, LOST),
    Case("ingress drops", ruled("netdev", 'ingress device "vetha"', "tcp dport 80 drop"), "a", B, DROPPED),
    Case("ingress elsewhere", ruled("netdev", 'ingress device "vethb"', "tcp dport 80 drop"), "a", B, OK),
    Case("ingress drops ARP", ruled("netdev", 'ingress device "vetha"', "ether type arp drop"), "a", B, LOST),
    Case("ingress of inet", ruled("inet", 'ingress device "vetha"', "udp dport 53 drop"), "a", B, DROPPED, UDP),
    Case("egress drops", ruled("netdev", 'egress device "vethb"', "ip daddr 10.244.0.3 drop"), "a", B, DROPPED, ICMP),
    Case(
        "egress drops what is made here",
        ruled("netdev", 'egress device "cni0"', "ip protocol udp drop"),
        "n",
        B,
        DROPPED,
        UDP,
    ),
    Case(
        "egress drops answers", ruled("netdev", 'egress device "vetha"', "tcp sport 80 drop"), "a", B, "REPLY_RULE_DROP"
    ),
    Case(
        "egress of a pod", ruled("netdev", 'egress device "eth0"', "ip daddr 10.244.0.3 drop", at="a"), "a", B, DROPPED
    ),
    Case(
        "ingress sends elsewhere",
        ruled("netdev", 'ingress device "vetha"', 'ip daddr 10.244.0.3 fwd to "vethb"'),
        "a",
        B,
        OK,
    ),
    Case(
        "egress accepts",
        ruled("netdev", 'egress device "vethb"', "ip daddr 10.244.0.3 ip protocol icmp accept"),
        "a",
        B,
        OK,
        ICMP,
    ),
)

# the kernel walks it the same way, but a capture does not show what ``fwd`` gives to the bridge device
UNSEEN = (
    Case(
        "ingress sends to a neighbour",
        ruled("netdev", 'ingress device "vetha"', 'ip daddr 10.244.0.3 fwd ip to 10.244.0.3 device "cni0"'),
        "a",
        B,
        OK,
    ),
)
