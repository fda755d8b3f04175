"""What ``netsim verify --guest --mode ipvs`` found where model and kernel disagreed: a test each, with the kernel's reason."""

from __future__ import annotations

from dataclasses import replace

from netsim.net.address import parse_address
from netsim.net.packet import Protocol
from netsim.topology.model import Dummy
from netsim.trace.model import Flow
from netsim.trace.trace import trace
from netsim.trace.walk import drive
from tests.table.ipvs_rows import TCP, UDP, Row
from tests.unit.stack_world import Walk, device, lo, netns, route, topology, veth


def templates(row: Row) -> list[str]:
    """The states of the templates that are left of a row's flow."""
    walk = Walk(row.world())
    protocol = Protocol.TCP if row.kind == "tcp" else Protocol.UDP
    drive(walk.network, walk.world, Flow(row.netns, parse_address(row.to), protocol, row.port), one_way=False)
    ipvs = walk.network.namespace("n").ipvs
    assert ipvs is not None
    return [conn.state_name for conn in ipvs.conns if conn.template]


def test_a_template_is_assured_by_a_connection_that_is_established():
    """Ref: net/netfilter/ipvs/ip_vs_proto_tcp.c:set_tcp_state(), include/net/ip_vs.h:ip_vs_control_assure_ct() (v6.12)."""
    assert templates(Row("persistent", ipvsadm=(f"{TCP[0]} -p 60", TCP[1]))) == ["ASSURED"]


def test_a_template_is_assured_by_a_datagram_that_is_answered():
    """Ref: net/netfilter/ipvs/ip_vs_proto_udp.c:udp_state_transition() (v6.12)."""
    assert templates(Row("persistent", port=53, kind="udp", ipvsadm=(f"{UDP[0]} -p 60", UDP[1]))) == ["ASSURED"]
    closed = (f"{UDP[0]} -p 60", UDP[1].replace("8053", "9999"))
    assert templates(Row("persistent", port=53, kind="udp", ipvsadm=closed)) == ["NONE"]


def test_a_gateway_that_is_an_own_address_of_another_device_is_asked_for():
    """The route names its device, and the local route of kube-ipvs0 is none of it. Ref: fib_semantics.c:fib_check_nh_v4_gw() (v6.12)."""
    vip = replace(device("a", "kube-ipvs0", Dummy(), "10.0.0.2/32"), up=False)
    here = netns("a", (lo(), veth("a/eth0", "b/eth0", "10.0.0.1/24"), vip), (route("10.9.0.0/16", "10.0.0.2", "eth0"),))
    there = netns("b", (lo(), veth("b/eth0", "a/eth0", "10.0.0.2/24"), device("b", "d0", Dummy(), "10.9.0.2/32")))
    flow = Flow("a", parse_address("10.9.0.2"), Protocol.ICMP)
    assert trace(topology(here, there), flow, source="a", target="b").verdict.value == "DELIVERED"
