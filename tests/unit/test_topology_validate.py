from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.net.address import MAC, parse_address, parse_interface, parse_prefix
from netsim.net.packet import Protocol
from netsim.topology.build import build
from netsim.topology.graph import as_graph, loops, segments
from netsim.topology.model import (
    Bridge,
    BridgePort,
    Device,
    Endpoint,
    Listener,
    Neighbour,
    Netns,
    Role,
    Route,
    RouteType,
    Topology,
    Veth,
)
from netsim.topology.validate import Severity, validate
from tests.unit.topology_plans import two_nodes


def veth(name: str, netns: str, device: str, mac: int = 0x02, *addresses: str, master: str | None = None) -> Device:
    port = BridgePort(master) if master else None
    return Device(
        name,
        Veth(Endpoint(netns, device)),
        MAC(0x02 << 40 | mac),
        addresses=tuple(map(parse_interface, addresses)),
        port=port,
    )


def world(*namespaces: Netns) -> Topology:
    return Topology("test", {netns.name: netns for netns in namespaces})


def host(name: str, *devices: Device, **more: object) -> Netns:
    return Netns(name, Role.EXTERNAL, name, devices=devices, **more)  # type: ignore[arg-type]


def pair(**more: object) -> Topology:
    return world(
        host("a", veth("eth0", "b", "eth0", 1, "10.0.0.1/24"), **more),
        host("b", veth("eth0", "a", "eth0", 2, "10.0.0.2/24")),
    )


def test_a_built_topology_is_sound() -> None:
    assert validate(build(two_nodes())) == []
    assert validate(pair()) == []


VIA = parse_address("10.9.0.1")
NET = parse_prefix("172.16.0.0/12")
BROKEN = [
    ("another name", Topology("t", {"x": host("a")}), "is the namespace 'a' under another name"),
    (
        "two devices",
        world(host("a", Device("br0", Bridge(), MAC(2 << 40)), Device("br0", Bridge(), MAC(2 << 40)))),
        "2 devices named br0",
    ),
    ("long name", world(host("a", Device("a-name-of-16-char", Bridge(), MAC(2 << 40)))), "is no device name"),
    ("bad name", world(host("a", Device("a/b", Bridge(), MAC(2 << 40)))), "is no device name"),
    ("no peer", world(host("a", veth("eth0", "b", "eth0"))), "its peer b/eth0 does not exist"),
    ("own peer", world(host("a", veth("eth0", "a", "eth0"))), "is its own peer"),
    (
        "one-sided peer",
        world(host("a", veth("x", "b", "x", 1)), host("b", veth("x", "c", "x", 2))),
        "has another peer, c/x",
    ),
    (
        "peer is a bridge",
        world(host("a", veth("x", "b", "x")), host("b", Device("x", Bridge(), MAC(2 << 40)))),
        "its peer b/x is no veth",
    ),
    ("group MAC", world(host("a", Device("br0", Bridge(), MAC(1 << 40)))), "is no unicast address"),
    (
        "no master",
        world(host("a", veth("x", "a", "y", 1, master="br0"), veth("y", "a", "x", 2))),
        "its master br0 does not exist",
    ),
    (
        "master no bridge",
        world(host("a", veth("x", "a", "y", 1, master="y"), veth("y", "a", "x", 2))),
        "its master y is no bridge",
    ),
    ("route's device", pair(routes=(Route(NET, device="eth7"),)), "the device eth7 does not exist"),
    (
        "route's gateway",
        pair(routes=(Route(NET, device="eth0", via=VIA),)),
        "the gateway 10.9.0.1 is on no network of eth0",
    ),
    ("route's source", pair(routes=(Route(NET, device="eth0", source=VIA),)), "the source 10.9.0.1 is no address"),
    ("route to nowhere", pair(routes=(Route(NET),)), "names neither a gateway nor a device"),
    (
        "route twice",
        pair(routes=(Route(NET, device="eth0"), Route(NET, device="eth0"))),
        "has 2 routes to 172.16.0.0/12",
    ),
    ("neighbour", pair(neighbours=(Neighbour("eth9", VIA, MAC(1)),)), "the device eth9 does not exist"),
    ("sysctl", pair(sysctls={"net.ipv4.ip_forward": "7"}), "out of range 0–1"),
    (
        "two listeners",
        pair(listeners=(Listener(Protocol.TCP, 80), Listener(Protocol.TCP, 80, VIA))),
        "both listen on tcp port 80",
    ),
    (
        "same MAC",
        world(host("a", veth("x", "b", "x", 1)), host("b", veth("x", "a", "x", 1))),
        "has the MAC address 02:00:00:00:00:01 of a/x",
    ),
    (
        "same address",
        world(host("a", veth("x", "b", "x", 1, "10.0.0.1/24")), host("b", veth("x", "a", "x", 2, "10.0.0.1/8"))),
        "has the address 10.0.0.1 of a/x",
    ),
]


@pytest.mark.parametrize(("topology", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_what_is_broken_is_named(topology: Topology, message: str) -> None:
    errors = [str(problem) for problem in validate(topology) if problem.severity is Severity.ERROR]
    assert any(message in error for error in errors), errors


@pytest.mark.parametrize(
    "more",
    [
        {"routes": (Route(NET, type=RouteType.BLACKHOLE),)},
        {"routes": (Route(NET, device="eth0", via=VIA, onlink=True),)},
        {"routes": (Route(NET, device="eth0"), Route(NET, device="eth0", metric=5))},
        {"listeners": (Listener(Protocol.TCP, 80), Listener(Protocol.UDP, 80))},
        {"listeners": (Listener(Protocol.TCP, 80, parse_address("10.0.0.1")), Listener(Protocol.TCP, 80, VIA))},
    ],
    ids=["blackhole", "onlink", "metric", "protocols", "addresses"],
)
def test_what_the_kernel_takes_is_taken(more: dict[str, object]) -> None:
    assert validate(pair(**more)) == []


def switches_joined_twice() -> Topology:
    one = host(
        "s1",
        Device("br0", Bridge(), MAC(0x020000000010)),
        veth("p1", "s2", "p1", 11, master="br0"),
        veth("p2", "s2", "p2", 12, master="br0"),
    )
    other = host(
        "s2",
        Device("br0", Bridge(), MAC(0x020000000020)),
        veth("p1", "s1", "p1", 21, master="br0"),
        veth("p2", "s1", "p2", 22, master="br0"),
    )
    return world(one, other)


def test_a_loop_is_allowed_and_named() -> None:
    (notice,) = validate(switches_joined_twice())
    assert notice.severity is Severity.NOTICE
    assert notice.message == ("a layer 2 loop without spanning tree: s1/br0 – s1/p1 – s2/p1 – s2/br0 – s2/p2 – s1/p2")
    assert len(loops(switches_joined_twice())) == 1


def test_a_segment_ends_at_a_host() -> None:
    groups = segments(build(two_nodes()))
    lan = next(group for group in groups if Endpoint("node.node1", "eth0") in group)
    assert Endpoint("external.client", "eth0") in lan
    assert Endpoint("node.node1", "cni0") not in lan
    pods = next(group for group in groups if Endpoint("node.node1", "cni0") in group)
    assert Endpoint("pod.default.a", "eth0") in pods
    assert Endpoint("pod.default.c", "eth0") not in pods


def test_the_graph_has_every_device_and_link() -> None:
    topology = build(two_nodes())
    graph = as_graph(topology)
    devices = sum(len(netns.devices) for netns in topology.namespaces.values())
    assert graph.number_of_nodes() == devices + len(topology.namespaces)
    ports = [device for netns in topology.namespaces.values() for device in netns.devices if device.port is not None]
    veths = [
        device for netns in topology.namespaces.values() for device in netns.devices if isinstance(device.kind, Veth)
    ]
    assert graph.number_of_edges() == devices + len(ports) + len(veths) // 2
    assert graph.nodes["node.node1"]["label"] == "node/node1"
    assert graph.edges[Endpoint("pod.default.a", "eth0"), next(d for d in _ports(topology))]["link"] == "veth"


def _ports(topology: Topology) -> list[Endpoint]:
    return [
        Endpoint("node.node1", device.name)
        for device in topology.namespaces["node.node1"].devices
        if device.port is not None
    ]


def test_an_unplugged_end_makes_no_edge() -> None:
    topology = build(two_nodes())
    without = replace(
        topology, namespaces={name: netns for name, netns in topology.namespaces.items() if name != "pod.default.a"}
    )
    assert "pod.default.a" not in as_graph(without)
    assert any("its peer pod.default.a/eth0 does not exist" in str(problem) for problem in validate(without))
