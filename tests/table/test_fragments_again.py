"""In what sizes a packet is cut that was cut before: its buffers go out as they are, if they fit and have room for the headers.

Ref: net/ipv4/ip_output.c:ip_do_fragment(), net/ipv6/ip6_output.c:ip6_fragment(), ``skb_has_frag_list(skb)`` (v6.12). Compared with 6.18.
"""

from __future__ import annotations

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import Protocol
from netsim.scenario.random_world import load_text
from netsim.stack.ip_fragment import data_len
from netsim.stack.steps import Fragmentation, Transmit
from netsim.topology.model import Bridge, BridgePort, Listener, Topology
from netsim.trace.model import Flow
from netsim.trace.trace import trace
from tests.unit.stack_world import device, lo, netns, route, topology, veth

JOINS = "*filter\n:FORWARD ACCEPT\n-A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n"
FORWARDS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
}


def address(version: int, net: int, host: int) -> str:
    return f"10.0.{net}.{host}" if version == 4 else f"fd00:{net}::{host}"


def interface(version: int, net: int, host: int) -> str:
    return f"{address(version, net, host)}/{24 if version == 4 else 64}"


def rules_of(version: int, text: str) -> dict[str, str]:
    return {"rules": text} if version == 4 else {"rules6": text}


def through_a_bridge(version: int, second: int, third: int) -> Topology:
    """c — r's bridge, which joins, MTU 1400 — q — s; the MTUs of the links behind r."""
    default = "0.0.0.0/0" if version == 4 else "::/0"
    eth = interface(version, 1, 1), interface(version, 1, 2), interface(version, 2, 1), interface(version, 2, 2)
    return topology(
        netns("c", (lo(), veth("c/eth0", "r/p0", eth[0], mtu=1400)), (route(default, address(version, 1, 2)),)),
        netns(
            "r",
            (
                lo(),
                device("r", "br0", Bridge(), eth[1], mtu=1400),
                veth("r/p0", "c/eth0", port=BridgePort("br0"), mtu=1400),
                veth("r/eth1", "q/eth0", eth[2], mtu=second),
            ),
            (route(default, address(version, 2, 2)),),
            sysctls=FORWARDS,
            **rules_of(version, JOINS),
        ),
        netns(
            "q",
            (
                lo(),
                veth("q/eth0", "r/eth1", eth[3], mtu=second),
                veth("q/eth1", "s/eth0", interface(version, 3, 1), mtu=third),
            ),
            (route(interface(version, 1, 0), address(version, 2, 1)),),
            sysctls=FORWARDS,
        ),
        netns(
            "s",
            (lo(), veth("s/eth0", "q/eth1", interface(version, 3, 2), mtu=third)),
            (route(default, address(version, 3, 1)),),
        ),
    )


def translated(version: int, first: int, second: int) -> Topology:
    """c asks r on one link, and a rule of OUTPUT sends it to s on another."""
    to = address(version, 2, 2)
    nat = f"*nat\n:OUTPUT ACCEPT\n-A OUTPUT -d {address(version, 1, 2)} -j DNAT --to-destination {to}\nCOMMIT\n"
    return topology(
        netns(
            "c",
            (
                lo(),
                veth("c/eth0", "r/eth0", interface(version, 1, 1), mtu=first),
                veth("c/eth1", "s/eth0", interface(version, 2, 1), mtu=second),
            ),
            **rules_of(version, nat),
        ),
        netns("r", (lo(), veth("r/eth0", "c/eth0", interface(version, 1, 2), mtu=first))),
        netns(
            "s",
            (lo(), veth("s/eth0", "c/eth1", interface(version, 2, 2), mtu=second)),
            (route(interface(version, 1, 0), address(version, 2, 1)),),
        ),
    )


ROWS = [
    # id, IP version, world, MTUs, destination, payload, who cuts, the bytes that each part holds
    ("joined in a bridge", 4, through_a_bridge, (1500, 1500), (3, 2), 3000, "r", (1376, 1376, 256)),
    ("joined in a bridge", 6, through_a_bridge, (1500, 1500), (3, 2), 1460, "r", (1352, 116)),
    # its parts are too large for the way out, and r forgot their size
    ("joined in a bridge, too large", 4, through_a_bridge, (1300, 1300), (3, 2), 3000, "r", (1280, 1280, 448)),
    # r sends it whole: 1488 bytes
    ("gone on whole, cut by the next", 4, through_a_bridge, (1500, 1450), (3, 2), 1460, "q", (1376, 92)),
    ("gone on whole, too large then", 4, through_a_bridge, (1500, 1300), (3, 2), 1460, "q", (1280, 188)),
    ("translated to a wider way", 4, translated, (1400, 1420), (1, 2), 1460, "c", (1376, 92)),
    ("translated to a wider way", 6, translated, (1400, 1500), (1, 2), 3000, "c", (1352, 1352, 304)),
    ("translated to a narrower way", 4, translated, (1500, 1400), (1, 2), 3000, "c", (1376, 1376, 256)),
    ("translated to a narrower way", 6, translated, (1500, 1400), (1, 2), 1460, "c", (1352, 116)),
]


def asked(version: int, destination: tuple[int, int], payload: int) -> Flow:
    to = parse_address(address(version, *destination))
    return Flow("c", to, Protocol.UDP, 99, payload=payload, dont_fragment=False)


TUNNEL = """
apiVersion: netsim.io/v1alpha1
kind: Cluster
metadata: {name: fragments}
spec:
  nodes: [{name: node1}, {name: node2}]
  cni: {mtu: 1400, backend: vxlan}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  nodeName: node1
  containers: [{name: main, image: example.com/main}]
"""


def held_by(topology: Topology, flow: Flow, cutter: str) -> list[tuple[int, ...]]:
    """The bytes that the parts of each packet hold that a namespace cuts."""
    (branch,) = trace(topology, flow, source=flow.netns, target=str(flow.destination)).branches
    cuts = [
        step.fragments
        for hop in branch.legs[0].hops
        if hop.netns == cutter
        for step in hop.steps
        if isinstance(step, Fragmentation)
    ]
    return [tuple(map(data_len, parts)) for parts in cuts]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}, IPv{row[1]}" for row in ROWS])
def test_the_parts(row):
    _, version, world, mtus, destination, payload, cutter, held = row
    assert held_by(world(version, *mtus), asked(version, destination, payload), cutter) == [held]


def to_the_tunnel() -> tuple[Topology, Flow]:
    """From a pod with an MTU of 1400 to the other node's end of the tunnel, whose MTU is 1450."""
    flow = Flow("pod.default.p", parse_address("10.244.2.0"), Protocol.UDP, 53, payload=3000, dont_fragment=False)
    return load_text(TUNNEL).topology, flow


def test_a_tunnel_wants_more_room_than_the_buffers_have():
    """So they are cut evenly. Ref: include/linux/netdevice.h:LL_RESERVED_SPACE(), ``needed_headroom`` (v6.12)."""
    topology, flow = to_the_tunnel()
    assert held_by(topology, flow, "node.node1") == [(1424, 1424, 160)]


def narrow_peer(version: int) -> Topology:
    """The peer of a's device takes nothing as large as a sends; behind it c, whose packets b joins and sends to a narrow peer too."""
    default = "0.0.0.0/0" if version == 4 else "::/0"
    dns = (Listener(Protocol.UDP, 53, owner="dns"),)
    return topology(
        netns("a", (lo(), veth("a/eth0", "b/eth0", interface(version, 1, 1))), listeners=dns),
        netns(
            "b",
            (
                lo(),
                veth("b/eth0", "a/eth0", interface(version, 1, 2), mtu=1400),
                veth("b/eth1", "c/eth0", interface(version, 2, 2)),
                veth("b/eth2", "d/eth0", interface(version, 3, 2)),
            ),
            sysctls=FORWARDS,
            listeners=dns,
            **rules_of(version, JOINS),
        ),
        netns(
            "c",
            (lo(), veth("c/eth0", "b/eth1", interface(version, 2, 1))),
            (route(default, address(version, 2, 2)),),
        ),
        netns("d", (lo(), veth("d/eth0", "b/eth2", interface(version, 3, 1), mtu=1400))),
    )


REFUSED = [
    # id, who asks, whom, whose parts, how many of four go out
    ("a process, whose first part waits for the neighbour", "a", (1, 2), "a", "query", 2),
    ("a process that knows the neighbour", "b", (1, 1), "a", "answer", 1),
    ("a forwarder, of which all parts wait", "c", (3, 1), "b", "query", 4),
]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("row", REFUSED, ids=[row[0] for row in REFUSED])
def test_parts_behind_one_that_the_device_refuses(version, row):
    """``NET_XMIT_DROP`` ends it. Ref: net/ipv4/ip_output.c:ip_do_fragment(), drivers/net/veth.c:veth_xmit() (v6.12)."""
    _, asker, to, sender, leg, count = row
    (branch,) = trace(narrow_peer(version), large(version, asker, to), source=asker, target=str(to)).branches
    sent = [
        step
        for each in branch.legs
        if each.name == leg
        for hop in each.hops
        if hop.netns == sender
        for step in hop.steps
        if isinstance(step, Transmit)
    ]
    assert len(sent) == count


def large(version: int, asker: str, to: tuple[int, int]) -> Flow:
    there = parse_address(address(version, *to))
    return Flow(asker, there, Protocol.UDP, 53, payload=5000, dont_fragment=False)
