"""Walks as text, and the difference of two: the first divergence on top."""

from __future__ import annotations

from dataclasses import replace

from netsim.net.address import parse_address
from netsim.net.packet import IPHeader, Packet, Protocol, TCPFlags, TCPHeader
from netsim.topology.model import Netns, Role, Topology
from netsim.trace.model import Flow
from netsim.verify.capture import Frame
from netsim.verify.compare import compare, difference_text
from netsim.verify.foretold import Foretold
from netsim.verify.observe import Observation, Placed
from netsim.verify.rule_trace import Hit
from netsim.verify.walk import Matched, Passing, PortNames, Walk, packet_text
from tests.unit.trace_world import GOOD_TCP, tracing

A, B = parse_address("10.0.0.1"), parse_address("10.0.0.2")
FLOW = Flow("a", B, Protocol.TCP, 80)
WORLD = Topology("w", {name: Netns(name, Role.NODE, name) for name in "ab"})
BRANCH = tracing(GOOD_TCP).branches[0]


def syn(sport=40000, ttl=64):
    return Packet(IPHeader(A, B, Protocol.TCP, ttl=ttl, dont_fragment=True), TCPHeader(sport, 80, TCPFlags.SYN))


def model(frames, matched=(), ports=frozenset(), conntrack=()):
    passing = tuple(Passing("SYN", netns, "eth0", outgoing, packet) for netns, outgoing, packet in frames)
    matches = tuple(Matched("SYN", "b", 4, *match) for match in matched)
    return Foretold(BRANCH, Walk(passing, matches, conntrack, ("the client: silence",), ports))


def kernel(frames, hits=(), conntrack=None):
    seen = Observation(FLOW, client="silence", conntrack=conntrack or {})
    seen.frames = [
        (0, Frame(netns, "eth0", outgoing, packet, at)) for at, (netns, outgoing, packet) in enumerate(frames)
    ]
    seen.hits = [Placed(0, "b", Hit(syn(), *hit)) for hit in hits]
    return seen


THERE = [("a", True, syn()), ("b", False, syn())]


def test_walks_that_are_equal_agree():
    found = compare(
        WORLD, [model(THERE, [("filter", "INPUT", 2, "")])], kernel(THERE, [("filter", "INPUT", 2, "DROP")])
    )
    assert found.agrees
    assert difference_text(found) == ""


def test_the_first_divergence_stands_on_top():
    found = compare(
        WORLD,
        [model(THERE, [("filter", "INPUT", 2, ""), ("filter", "INPUT", None, "DROP")])],
        kernel([THERE[0], ("b", False, syn(ttl=63))], [("filter", "INPUT", 2, "DROP")]),
    )
    assert difference_text(found).splitlines() == [
        "SYN in b:",
        "  - in on eth0: 10.0.0.1:40000 → 10.0.0.2:80, TCP SYN, ttl 64, DF",
        "  - filter INPUT: rule 3",
        "  - filter INPUT: policy DROP",
        "  + in on eth0: 10.0.0.1:40000 → 10.0.0.2:80, TCP SYN, ttl 63, DF",
        "  + filter INPUT: rule 3",
    ]


def test_a_frame_that_the_model_does_not_know_is_a_difference():
    found = compare(WORLD, [model(THERE[:1])], kernel(THERE))
    assert difference_text(found).splitlines() == [
        "SYN in b:",
        "  + in on eth0: 10.0.0.1:40000 → 10.0.0.2:80, TCP SYN, ttl 64, DF",
    ]


def test_the_nearest_branch_is_told():
    far, near = model([("a", True, syn(ttl=1))]), model(THERE[:1])
    assert compare(WORLD, [far, near], kernel(THERE)).branch is near


def test_a_port_that_chance_picks_stands_for_any_other_but_for_the_same_everywhere():
    entry = "udp src=10.0.0.1 dst=10.0.0.2 sport=40000 dport=80 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=80 dport={} mark=0"
    foretold = model(
        [("a", True, syn(5555)), ("b", False, syn(5555))],
        ports=frozenset({5555}),
        conntrack=(("b", entry.format(5555)),),
    )

    class Shown:
        def __init__(self, port):
            self.port = port

        def __str__(self):
            return entry.format(self.port)

    same = kernel([("a", True, syn(6666)), ("b", False, syn(6666))], conntrack={"b": (Shown(6666),)})
    other = kernel([("a", True, syn(6666)), ("b", False, syn(7777))], conntrack={"b": (Shown(6666),)})
    assert compare(WORLD, [foretold], same).agrees
    assert not compare(WORLD, [foretold], other).agrees


def test_a_port_that_should_have_been_kept_stands_for_itself():
    assert not compare(WORLD, [model(THERE)], kernel([("a", True, syn(1024)), THERE[1]])).agrees


def test_packets_as_text():
    names = PortNames({40000})
    assert packet_text(syn(), names) == "10.0.0.1:port-1 → 10.0.0.2:80, TCP SYN, ttl 64, DF"
    data = replace(syn(), payload=3).with_l4(flags=TCPFlags.PSH | TCPFlags.ACK)
    assert packet_text(data, names) == "10.0.0.1:port-1 → 10.0.0.2:80, TCP PSH-ACK, ttl 64, DF, 3 bytes"
