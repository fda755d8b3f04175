"""Flowtables: which packets of a connection pass the hooks by. Against the kernel's source: the kernel of the checks has none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import Protocol
from netsim.rules.nft.parse import parse
from netsim.rules.source import RuleSyntaxErrors
from netsim.stack.steps import ConntrackStep, NftChainPass
from netsim.topology.model import Topology
from netsim.trace.model import Flow, Leg, Trace
from netsim.trace.trace import trace
from tests.unit.stack_world import FORWARDING, WEB, netns, route, topology, veth

RULES = """table inet t {
	flowtable f {
		hook ingress priority filter
		devices = { "in0", "out0" }
	}
	chain forward { type filter hook forward priority 0; policy accept;
		ct state established flow add @f
	}
	%s
}
"""


def world(more: str = "") -> Topology:
    """Client c – router r with a flowtable – server s."""
    client = netns("c", (veth("c/eth0", "r/in0", "10.1.0.2/24"),), (route("default", "10.1.0.1"),))
    server = netns("s", (veth("s/eth0", "r/out0", "10.2.0.2/24"),), (route("default", "10.2.0.1"),), listeners=WEB)
    devices = (veth("r/in0", "c/eth0", "10.1.0.1/24"), veth("r/out0", "s/eth0", "10.2.0.1/24"))
    router = replace(netns("r", devices, sysctls=FORWARDING), nftables=(parse(RULES % more, "flows"),))
    return topology(client, router, server)


def walked(topology: Topology, protocol: Protocol = Protocol.TCP, destination: str = "10.2.0.2") -> Trace:
    flow = Flow("c", parse_address(destination), protocol, {Protocol.TCP: 80, Protocol.UDP: 53}[protocol], payload=100)
    return trace(topology, flow, source="c", target="s")


def at_router(leg: Leg) -> str:
    """``long`` where the packet passed the forward chain, ``short`` where the flowtable sent it on."""
    steps = [step for hop in leg.hops if hop.netns == "r" for step in hop.steps]
    short = any(isinstance(step, ConntrackStep) and step.action == "offload" for step in steps)
    assert short != any(isinstance(step, NftChainPass) and step.chain == "forward" for step in steps)
    return "short" if short else "long"


def ways(found: Trace) -> list[tuple[str, str]]:
    return [(leg.name, at_router(leg)) for leg in found.branches[0].legs]


def test_tcp_takes_the_short_way_once_it_is_established() -> None:
    found = walked(world())
    assert found.verdict.value == "DELIVERED"
    told = ways(found)
    assert told[:3] == [("SYN", "long"), ("SYN-ACK", "long"), ("ACK", "long")]
    assert len(told) > 3
    assert {way for _, way in told[3:]} == {"short"}


def test_udp_takes_it_after_an_answer() -> None:
    assert ways(walked(world(), Protocol.UDP)) == [("query", "long"), ("answer", "long")]


NAT = """chain pre { type nat hook prerouting priority dstnat; ip daddr 10.9.0.9 tcp dport 80 dnat ip to 10.2.0.2:80; }
chain post { type nat hook postrouting priority srcnat; oifname "out0" masquerade; }"""


def test_addresses_change_on_the_short_way_too() -> None:
    found = walked(world(NAT), destination="10.9.0.9")
    (data, *_) = [leg for leg in found.branches[0].legs[3:] if not leg.reply]
    assert found.verdict.value == "DELIVERED"
    assert data.received is not None
    assert (str(data.received.ip.src), str(data.received.ip.dst), data.received.ip.ttl) == ("10.2.0.1", "10.2.0.2", 63)


def test_rules_do_not_see_what_takes_the_short_way() -> None:
    """A rule that drops segments with data does not harm a connection that is offloaded before any comes."""
    more = "chain late { type filter hook forward priority 10; tcp flags & psh == psh drop; meta length > 100 drop; }"
    assert walked(world(more)).verdict.value == "DELIVERED"
    without = replace(
        world(more).namespaces["r"], nftables=(parse((RULES % more).replace("flow add @f", "accept"), "f"),)
    )
    spaces = {**world(more).namespaces, "r": without}
    assert walked(Topology("no flows", spaces)).verdict.value == "DROPPED"


def test_a_flowtable_that_is_not_there() -> None:
    with pytest.raises(RuleSyntaxErrors, match="there is no flowtable g"):
        parse("table ip t { chain c { flow add @g\n} }", "t")
