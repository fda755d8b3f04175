"""What ``netsim verify --guest --mode ipvs`` found where model and kernel disagreed: a test each, with the kernel's reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import Protocol
from netsim.rules.conntrack.dump import insert_words
from netsim.rules.conntrack.parse import parse as parse_conntrack
from netsim.rules.ipvs.connections import parse as parse_connections
from netsim.scenario.build import load_world
from netsim.scenario.every_flow import every_flow
from netsim.topology.model import Bridge, BridgePort, Dummy
from netsim.trace.model import Flow
from netsim.trace.trace import trace
from netsim.trace.walk import drive
from netsim.verify.plan import AddAddress, AddRoute, operations
from proxy.config.model import ProxyMode
from tests.cli.console import ROOT
from tests.table.ipvs_rows import TCP, UDP, Row
from tests.unit.stack_world import Walk, device, lo, netns, route, topology, veth

KNOWN = "tcp 6 20 LAST_ACK src=10.1.0.2 dst=10.96.0.1 sport=40000 dport=80 src=10.2.0.2 dst=10.1.0.2 sport=8080 dport=40000 mark=0"
"""As IPVS leaves it: the reply comes from the real server."""


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


def test_of_two_hosts_that_answer_arp_the_first_one_counts():
    """Every node has a load balancer's address. Ref: net/ipv4/arp.c:arp_process(), "use the FIRST one" (v6.12)."""
    hosts = [netns("h0", (veth("h0/eth0", "s/p0", "10.0.0.1/24"),))]
    for number in (1, 2):
        vip = replace(device(f"h{number}", "kube-ipvs0", Dummy(), "10.0.0.50/32"), up=False)
        hosts.append(
            netns(f"h{number}", (lo(), veth(f"h{number}/eth0", f"s/p{number}", f"10.0.0.{number + 1}/24"), vip))
        )
    ports = [veth(f"s/p{number}", f"h{number}/eth0", port=BridgePort("br0")) for number in range(3)]
    world = topology(netns("s", (device("s", "br0", Bridge()), *ports)), *hosts)
    found = trace(world, Flow("h0", parse_address("10.0.0.50"), Protocol.ICMP), source="h0", target="vip")
    assert [hop.netns for hop in found.branches[0].forward] == ["h0", "s", "h2"]


def test_an_error_in_the_tunnel_is_an_answer_to_a_client_on_the_node():
    """IPVS tells it to who sent the packet, here the node itself. Ref: net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_icmp() (v6.12)."""
    row = Row(
        "refused",
        netns="n",
        port=53,
        kind="udp",
        ipvsadm=("-A -u 10.96.0.1:53 -s rr", "-a -u 10.96.0.1:53 -r 10.2.0.2:53 -i"),
    )
    flow = Flow("n", parse_address(row.to), Protocol.UDP, 53, owner="n/process")
    found = trace(row.world(), flow, source="n", target="vip")
    assert [(leg.name, leg.reply) for leg in found.branches[0].legs] == [
        ("query", False),
        ("ICMP port unreachable", True),
        ("ICMP port unreachable", True),
    ]


def test_connections_that_ipvs_made_are_inserted_without_nat():
    """The kernel would translate their packets before IPVS sees them. Ref: net/netfilter/nf_conntrack_netlink.c (v6.12)."""
    (entry,) = parse_conntrack(KNOWN, "known")
    assert "--dst-nat" in insert_words(entry)
    words = insert_words(replace(entry, by_ipvs=True))
    assert "--dst-nat" not in words
    assert words[words.index("-r") :][:6] == ["-r", "10.2.0.2", "-q", "10.1.0.2", "--reply-port-src", "8080"]


@pytest.mark.parametrize("mode", [ProxyMode.IPTABLES, ProxyMode.NFTABLES], ids=lambda mode: mode.value)
def test_an_entry_that_ipvs_made_is_not_translated_where_ipvs_is_gone(mode: ProxyMode):
    """Rules of nat are for first packets, and the entry bears no NAT. Ref: nf_nat_core.c:nf_nat_packet() (v6.12)."""
    world = load_world([ROOT / "topologies/ipvs-first-syn-dropped"], mode=mode)[0]
    flows = {(each.source, each.target): each for each in every_flow(world)}
    asked = flows["pod/default/client", "svc/default/web:80 clusterIP 10.96.1.1"]
    assert (
        trace(world.topology, asked.flow, source=asked.source, target=asked.target).branches[0].reason == "LEFT_MODEL"
    )


@pytest.mark.parametrize(
    ("known", "made"),
    [
        ("TCP 00:20 TIME_WAIT 10.1.0.2:40000 10.96.0.1:80 10.2.0.2:8080", True),
        ("UDP 00:20 UDP 10.1.0.2:40000 10.96.0.1:80 10.2.0.2:8080", False),
        ("TCP 00:20 TIME_WAIT 10.1.0.2:40001 10.96.0.1:80 10.2.0.2:8080", False),
        ("TCP 00:20 TIME_WAIT 10.1.0.2:40000 10.96.0.1:81 10.2.0.2:8080", False),
        ("TCP 00:20 TIME_WAIT 10.1.0.2:40000 10.96.0.1:80 10.2.0.3:8080", False),
    ],
    ids=["its own", "protocol", "client", "virtual server", "real server"],
)
def test_ipvs_made_the_entry_of_its_own_connection(known: str, made: bool):
    (connection,), (entry,) = parse_connections(known, "known"), parse_conntrack(KNOWN, "known")
    assert connection.made(entry) is made


BEHIND_A_SMALLER_MTU = """
apiVersion: netsim.io/v1alpha1
kind: Cluster
metadata: {name: smaller}
spec:
  kubeProxy: {mode: ipvs}
  podCIDR: [10.244.0.0/16, "fd00:10:244::/56"]
  serviceCIDR: [10.96.0.0/16, "fd00:10:96::/112"]
  nodes:
  - name: node1
    routes:
    - {to: 10.244.2.0/24, via: 192.168.0.12, device: eth0, mtu: 1400}
    - {to: "fd00:10:244:2::/64", via: "fd00:192:168::12", device: eth0, mtu: 1400}
  - name: node2
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {nodeName: node1, containers: [{name: main, image: example.com/main}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: node2
  containers: [{name: main, image: example.com/main, ports: [{containerPort: 54, protocol: UDP}]}]
---
apiVersion: v1
kind: Service
metadata: {name: dns}
spec:
  selector: {app: web}
  ipFamilyPolicy: RequireDualStack
  ports: [{port: 53, targetPort: 54, protocol: UDP}]
"""


@pytest.mark.parametrize("source", ["pod/default/client", "node/node1"])
@pytest.mark.parametrize(
    ("version", "dont_fragment", "told"),
    [(4, True, [(63, 1400)]), (4, False, []), (6, True, [(63, 1400)]), (6, False, [(63, 1400)])],
    ids=["v4 df", "v4", "v6 df", "v6"],
)
def test_a_route_of_ipvs_has_an_mtu(
    tmp_path: Path, source: str, version: int, dont_fragment: bool, told: list[tuple[int, int]]
):
    """Its error quotes the packet with one TTL less, and in IPv6 it cuts nothing, whatever the sender says.

    Ref: net/netfilter/ipvs/ip_vs_xmit.c:__ip_vs_get_out_rt(), __mtu_check_toobig_v6(), dst_mtu() (v6.12). Seen on Linux 6.1.
    """
    file = tmp_path / "smaller.yaml"
    file.write_text(BEHIND_A_SMALLER_MTU, encoding="utf-8")
    world = load_world([file])[0]
    flows = every_flow(world, version=version)
    asked = next(each for each in flows if each.source == source and each.target.startswith("svc/default/dns:53"))
    flow = replace(asked.flow, payload=1380, dont_fragment=dont_fragment)
    (branch,) = trace(world.topology, flow, source=source, target=asked.target).branches
    errors = [leg.sent.l4 for leg in branch.legs if leg.name.endswith(("fragmentation needed", "packet too big"))]
    assert [(error.quoted.ip.ttl, error.mtu) for error in errors] == told
    assert branch.reason == ("PACKET_TOO_BIG" if told else "DELIVERED")


def test_the_addresses_of_kube_ipvs0_come_after_the_routes():
    """One of them may be another node's, and the gateway of a route. Ref: net/ipv6/route.c:ip6_validate_gw() (v6.12)."""
    vip = replace(device("a", "kube-ipvs0", Dummy(), "fd00::2/128"), up=False)
    here = netns("a", (lo(), veth("a/eth0", "b/eth0", "fd00::1/64"), vip), (route("fd01::/64", "fd00::2", "eth0"),))
    there = netns("b", (lo(), veth("b/eth0", "a/eth0", "fd00::2/64")))
    steps = [step for step in operations(topology(here, there)) if step.netns == "a"]
    order = [f"{type(step).__name__} {step.device}" for step in steps if isinstance(step, AddAddress)]
    assert order == ["AddAddress eth0", "AddAddress kube-ipvs0"]
    (way,) = [number for number, step in enumerate(steps) if isinstance(step, AddRoute)]
    assert isinstance(steps[way + 1], AddAddress)
