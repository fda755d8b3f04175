"""Devices, forwarding entries, neighbours, rules and routes of a machine: from the Cluster document to its namespace."""

from __future__ import annotations

import pytest

from netsim.manifest import LoadError
from netsim.manifest.load import load_text
from netsim.net.address import parse_address
from netsim.scenario.build import world_of
from netsim.topology.model import (
    Bridge,
    Dummy,
    FdbEntry,
    Macvlan,
    NeighbourState,
    Netns,
    PolicyRule,
    ProxyNeighbour,
    RouteScope,
    RuleAction,
    Topology,
    Vlan,
)
from netsim.topology.validate import Severity, validate

HEAD = "apiVersion: netsim.io/v1alpha1\nkind: Cluster\nspec:\n  nodes:\n  - name: node1\n"
POD = """\
  - name: node2
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {nodeName: node1, containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}
"""


def built(text: str) -> Topology:
    lines = "".join(f"    {line}\n" for line in text.strip().splitlines())
    world = world_of(load_text(HEAD + lines + POD))
    assert [str(p) for p in validate(world.topology) if p.severity is Severity.ERROR] == []
    return world.topology


def node(text: str) -> Netns:
    return built(text).namespaces["node.node1"]


def errors(text: str) -> list[tuple[int, str]]:
    with pytest.raises(LoadError) as caught:
        built(text)
    return [(d.line, d.message) for d in caught.value.diagnostics]


DEVICES = """
devices:
- {name: dummy0, kind: dummy, addresses: [169.254.20.10/32, "fd00:20::10/128"]}
- {name: eth0.100, kind: vlan, parent: eth0, id: 100, addresses: [10.77.0.1/24], mtu: 1400}
- {name: mv0, kind: macvlan, parent: eth0, mode: private, addresses: [192.168.0.50/24], mac: 02:00:00:00:00:50}
- {name: br1, kind: bridge, addresses: [10.78.0.1/24], ageingTime: 30}
- {name: dummy1, kind: dummy, up: false, master: br1, learning: false}
- {pod: a, hairpin: false, isolated: true}
- {name: lo, addresses: [10.79.0.1/32]}
"""


def test_devices_of_every_kind():
    machine = node(DEVICES)
    found = {device.name: device for device in machine.devices}
    assert isinstance(found["dummy0"].kind, Dummy)
    assert [str(address) for address in found["dummy0"].addresses] == ["169.254.20.10/32", "fd00:20::10/128"]
    assert found["eth0.100"].kind == Vlan("eth0", 100)
    assert (found["eth0.100"].mac, found["eth0.100"].mtu) == (found["eth0"].mac, 1400)
    assert isinstance(found["mv0"].kind, Macvlan)
    assert str(found["mv0"].kind.parent) == "node.node1/eth0"
    assert found["br1"].kind == Bridge(30)
    port = found["dummy1"].port
    assert port is not None
    assert (found["dummy1"].up, port.master, port.learning) == (False, "br1", False)
    towards = next(d for d in machine.devices if d.port is not None and d.port.master == "cni0")
    assert towards.port is not None
    assert (towards.port.hairpin, towards.port.isolated) == (False, True)
    assert "10.79.0.1/32" in [str(address) for address in found["lo"].addresses]


def test_a_link_that_is_down_and_one_without_carrier():
    eth0 = node("devices: [{name: eth0, up: false}]").device("eth0")
    assert eth0 is not None
    assert not eth0.up
    world = built("devices: [{name: eth0, carrier: false}]")
    ports = world.namespaces["switch.lan0"].devices
    assert [port.up for port in ports if port.name.startswith("node1")] == [False]


def test_entries_and_what_a_machine_answers_for():
    machine = node(
        """
devices: [{name: br1, kind: bridge}, {name: dummy1, kind: dummy, master: br1}]
fdb: [{device: dummy1, mac: 02:00:00:00:00:12}]
neighbours:
- {device: eth0, address: 192.168.0.12, state: failed}
- {device: eth0, address: 192.168.0.13, mac: 02:00:00:00:00:13, state: stale}
- {device: eth0, address: 192.168.0.77, proxy: true}
"""
    )
    assert [(entry.device, str(entry.mac)) for entry in machine.fdb] == [("dummy1", "02:00:00:00:00:12")]
    assert [entry.state for entry in machine.neighbours] == [NeighbourState.FAILED, NeighbourState.STALE]
    assert machine.proxies == (ProxyNeighbour("eth0", parse_address("192.168.0.77")),)
    assert isinstance(machine.fdb[0], FdbEntry)


def test_every_selector_of_a_rule_and_every_metric_of_a_route():
    machine = node(
        """
rules:
- {priority: 10, protocol: tcp, sport: 1024-65535, dport: 443, tos: 16, uidRange: 0-999, table: 100}
- {priority: 20, action: goto, target: 30, family: IPv6}
- {priority: 30, action: nop, protocol: 47}
routes:
- {to: default, via: 192.168.0.1, table: 100, mtu: 1400, mtuLock: true, advmss: 1300}
- {to: 10.9.0.0/24, device: eth0, scope: host}
"""
    )
    first, second, third = machine.rules
    assert str(first) == "10: from all uidrange 0-999 ipproto tcp sport 1024-65535 dport 443 lookup 100"
    assert first.tos == 16
    assert second == PolicyRule(20, action=RuleAction.GOTO, target=30, version=6)
    assert (third.protocol, third.action) == (47, RuleAction.NOP)
    tables = {route.table: route for route in machine.routes if route.origin is not None}
    assert (tables[100].mtu, tables[100].mtu_lock, tables[100].advmss) == (1400, True, 1300)
    assert tables[254].scope is RouteScope.HOST


def test_a_route_by_a_network_of_a_further_device():
    device = "devices: [{name: eth0.7, kind: vlan, parent: eth0, id: 7, addresses: [10.77.0.1/24]}]"
    text = f"{device}\nroutes: [{{to: 10.80.0.0/16, via: 10.77.0.2}}]"
    assert any(str(route.via) == "10.77.0.2" for route in node(text).routes)


REFUSED = (
    ("devices: [{kind: dummy}]", 6, "the device has no name"),
    ("devices: [{name: x, pod: a}]", 6, "the device has both a name and a pod"),
    ("devices: [{name: x, kind: dumy}]", 6, 'spec.nodes[0].devices[0].kind: unknown kind "dumy"'),
    ("devices: [{name: x, kind: dummy, id: 7}]", 6, "only a device of kind vlan has id"),
    ("devices: [{name: x, kind: vlan, parent: eth0}]", 6, "a vlan device has an id"),
    ("devices: [{name: x, kind: vlan, id: 1}]", 6, "a vlan device stands on another one: its parent"),
    ("devices:\n- {name: eth7, up: false}", 7, "node/node1: there is no device eth7"),
    ("devices:\n- {name: eth0, kind: dummy}", 7, "node/node1: eth0 is there already"),
    (
        "devices:\n- {name: x, kind: vlan, id: 1, parent: eth9}",
        7,
        "node/node1: there is no device eth9 for x to stand on",
    ),
    (
        "devices:\n- {name: x, kind: vlan, id: 1, parent: eth0, mtu: 9000}",
        7,
        "node/node1: the MTU of x is larger than that of eth0, 1500",
    ),
    ("devices:\n- {name: cni0, carrier: false}", 7, "node/node1: cni0 has no cable"),
    ("devices:\n- {name: eth0, isolated: true}", 7, "node/node1: eth0 is no bridge port"),
    ("devices:\n- {name: eth0, master: lo}", 7, "node/node1: the master lo of eth0 is no bridge"),
    ("devices:\n- {name: lo, mtu: 1500}", 7, "node/node1: lo has no MAC, no bridge and no other MTU"),
    (
        "devices:\n- {pod: b, up: false}",
        7,
        "node/node1: no pod default/b runs on this machine with a network of its own",
    ),
    (
        "fdb:\n- {device: eth0, mac: 02:00:00:00:00:01}",
        7,
        "node/node1: the FDB entry 02:00:00:00:00:01: eth0 is no bridge port",
    ),
    ("fdb:\n- {device: eth0}", 7, "a forwarding entry has a device and a mac"),
    ("neighbours:\n- {device: eth0, address: 192.168.0.9}", 7, "a neighbour has a device, an address and a mac"),
    (
        "neighbours:\n- {device: eth0, address: 192.168.0.9, mac: 02:00:00:00:00:01, state: failed}",
        7,
        "a neighbour that is failed has no mac",
    ),
    (
        "neighbours:\n- {device: eth9, address: 192.168.0.9, state: failed}",
        7,
        "node/node1: the neighbour 192.168.0.9: there is no device eth9",
    ),
    ("rules:\n- {priority: 9, action: goto}", 7, "goto has a target, a larger priority, and nothing else has one"),
    (
        "rules:\n- {priority: 9, dport: 9-7, table: 1}",
        7,
        "spec.nodes[0].rules[0].dport: 9-7 is no range of numbers up to 65535",
    ),
    ("rules:\n- {priority: 9, from: 10.0.0.0/8, family: IPv6, table: 1}", 7, "10.0.0.0/8 is not of the family IPv6"),
    (
        "sysctls:\n  net.ipv4.ip_forward: 1\n  net.ipv4.conf.all.rp_filtr: 1",
        8,
        "node/node1: 'net.ipv4.conf.all.rp_filtr' is not a sysctl that netsim knows",
    ),
    ("labels:\n  a: b\n  zone: 'x y'", 8, "spec.nodes[0].labels: Invalid value"),
)


@pytest.mark.parametrize(("text", "line", "message"), REFUSED, ids=[row[2][:50] for row in REFUSED])
def test_what_cannot_be_is_told_at_its_line(text, line, message):
    ((at, said),) = errors(text)
    assert at == line
    assert said.startswith(message)


def test_a_given_address_of_a_pod_is_told_at_its_line():
    text = HEAD + POD + "status:\n  phase: Running\n  podIP: 10.9.9.9\n"
    with pytest.raises(LoadError) as caught:
        world_of(load_text(text))
    (told,) = caught.value.diagnostics
    assert told.text.strip() == "podIP: 10.9.9.9"
