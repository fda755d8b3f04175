"""What the CNI plugins and flannel's backends make of a node: devices, routes, entries and rules."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from netsim import load
from netsim.net.address import Family, parse_address, parse_prefix
from netsim.net.packet import Protocol
from netsim.objects.cluster import CNIBackend, CNIPlugin
from netsim.render.tables import wiring
from netsim.rules.xtables.dump import dump
from netsim.rules.xtables.restore import Payload, restore
from netsim.topology.build import build
from netsim.topology.cni.portmap import chain_of, portmap_rules
from netsim.topology.model import IPIP, Vxlan
from netsim.topology.plan import HostPort
from netsim.topology.validate import validate
from tests.unit.link_worlds import bridged_tunnel, macvlans, overlay, policed, rule
from tests.unit.topology_plans import dual_stack

CNI = Path(__file__).parents[1] / "data" / "cni"


def planned(plugin: CNIPlugin, backend: CNIBackend):
    plan = dual_stack()
    return replace(plan, cni=replace(plan.cni, plugin=plugin, backend=backend))


@pytest.mark.parametrize("plugin", list(CNIPlugin))
@pytest.mark.parametrize("backend", list(CNIBackend))
def test_every_profile_is_sound(plugin, backend):
    assert validate(build(planned(plugin, backend))) == []


def test_vxlan_has_a_device_an_entry_and_a_route_for_each_other_node():
    node = build(planned(CNIPlugin.BRIDGE, CNIBackend.VXLAN)).namespaces["node.node1"]
    devices = {device.name: device for device in node.devices if isinstance(device.kind, Vxlan)}
    assert {name: device.mtu for name, device in devices.items()} == {"flannel.1": 1450, "flannel-v6.1": 1430}
    through = [(str(r.to), str(r.via), r.device, r.onlink) for r in node.routes if r.device in devices]
    neighbours = {(n.device, str(n.address)): n.mac for n in node.neighbours}
    assert through
    for to, via, device, onlink in through:
        assert onlink
        assert via == to.split("/")[0]
        mac = neighbours[str(device), via]
        assert [entry.device for entry in node.fdb if entry.mac == mac] == [device]


def test_ipip_sends_to_the_next_hop_and_has_no_ipv6():
    node = build(planned(CNIPlugin.BRIDGE, CNIBackend.IPIP)).namespaces["node.node1"]
    (device,) = (device for device in node.devices if isinstance(device.kind, IPIP))
    routes = [route for route in node.routes if route.device == device.name]
    assert device.mtu == 1480
    assert routes
    assert all(route.to.version == 4 and route.onlink for route in routes)


def test_ptp_has_no_bridge_and_a_host_route_to_each_address():
    world = build(planned(CNIPlugin.PTP, CNIBackend.HOST_GW))
    node, pod = world.namespaces["node.node1"], world.namespaces["pod.default.a"]
    assert node.device("cni0") is None
    eth0 = pod.device("eth0")
    assert eth0 is not None
    assert eth0.noprefixroute
    for address in eth0.addresses:
        ways = [r for r in node.routes if r.to == parse_prefix(f"{address.ip}/{address.max_prefixlen}")]
        assert [node.device(str(way.device)) is not None for way in ways] == [True]


PORTS = (
    HostPort(Protocol.TCP, 8080, 80),
    HostPort(Protocol.UDP, 5353, 53, parse_address("192.168.0.11")),
)


def mapped(family: Family) -> list[str]:
    plan = dual_stack()
    pods = [replace(pod, host_ports=PORTS) for pod in plan.pods if pod.node == "node1" and not pod.host_network][:1]
    text = portmap_rules(plan.machines[0], pods, family)
    restore(None, Payload(text, family, "portmap"), noflush=True)
    return [
        line.replace(chain_of(pods[0]), "CHAIN")
        for line in text.splitlines()
        if "CHAIN" in line or chain_of(pods[0]) in line
    ]


def test_portmap_marks_what_comes_back_and_leads_the_port_to_the_pod():
    rules = mapped(Family.IPV4)
    assert [line for line in rules if "-A CHAIN" in line][:3] == [
        "-A CHAIN -s 10.244.1.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK",
        "-A CHAIN -s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK",
        "-A CHAIN -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.1.2:80",
    ]
    assert any("-d 192.168.0.11/32 -p udp" in line for line in rules)


def test_portmap_leaves_an_address_of_the_other_family_out():
    assert not any("5353" in line and "DNAT" in line.split("-j")[-1] for line in mapped(Family.IPV6))


@pytest.mark.parametrize("family", list(Family))
def test_the_rules_of_host_ports_are_those_of_the_real_plugin(family):
    """The plugin portmap v1.9.1, run in a namespace for a pod with the plugin bridge's addresses; iptables-save v1.8.9 (nf_tables)."""
    machine = load(CNI / "host-ports.yaml").scenario.topology.namespaces["node.node1"]
    ours = next(dump(ruleset) for ruleset in machine.xtables if ruleset.family is family)
    real = (CNI / f"portmap.{family.kubernetes.lower()}.iptables-save").read_text()
    assert cni_rules(ours) == cni_rules(real)


def cni_rules(text: str) -> dict[str, list[str]]:
    """The rules of portmap by chain, each chain's in order."""
    rules = defaultdict(list)
    for line in text.splitlines():
        if line.startswith("-A") and "CNI-" in line:
            rules[line.split()[1]].append(line)
    assert rules
    return rules


def test_a_node_without_host_ports_has_no_rules_of_portmap():
    plan = dual_stack()
    assert portmap_rules(plan.machines[0], plan.pods, Family.IPV4) == ""


@pytest.mark.parametrize(
    ("world", "line"),
    [
        (overlay(), "vxlan 1 local 192.168.0.11 port 8472"),
        (overlay(), "10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink"),
        (bridged_tunnel(), "vxlan 7 local 10.0.0.1 remote 10.0.0.2 port 4789, port of br0"),
        (macvlans(), "macvlan (bridge) on h/eth0"),
        (policed(rule(100, 100, src="10.0.0.5/32")), "rule 100: from 10.0.0.5 lookup 100"),
    ],
)
def test_the_wiring_is_told(world, line):
    assert line in wiring(world)
