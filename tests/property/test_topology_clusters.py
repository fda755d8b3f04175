from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.address import parse_address, parse_interface, parse_prefix
from netsim.net.packet import Protocol
from netsim.render.draw import draw_dot, draw_md, draw_svg
from netsim.render.draw.blocks import scene
from netsim.render.draw.layout import lay_out
from netsim.render.draw.shapes import Box, Rect, Text
from netsim.topology.build import build
from netsim.topology.graph import segments
from netsim.topology.model import Endpoint, Listener, Role, Topology
from netsim.topology.plan import ClusterPlan, CNIPlan, ExternalPlan, MachinePlan, PodPlan
from netsim.topology.validate import validate
from tests.unit.topology_plans import two_nodes

NAMES = st.text(st.sampled_from("ab-.9"), min_size=1, max_size=30)
ODD_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=12)


@st.composite
def clusters(draw: st.DrawFn) -> ClusterPlan:
    """Up to 5 nodes in up to 3 networks, with pods and external hosts, of one family or both."""
    dual = draw(st.booleans())
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    machines = tuple(machine(draw, name, index, dual) for index, name in enumerate(names))
    pods = tuple(pod for index, node in enumerate(machines) for pod in pods_of(draw, node, index))
    hosts = draw(st.lists(ODD_NAMES, max_size=3, unique=True))
    externals = tuple(
        ExternalPlan(name, (parse_interface(draw(st.sampled_from((f"192.168.0.{100 + i}/24", f"203.0.113.{7 + i}")))),))
        for i, name in enumerate(hosts)
    )
    cidrs = ("10.244.0.0/16", "fd00:244::/48")[: 2 if dual else 1]
    cni = CNIPlan(tuple(map(parse_prefix, cidrs)), hairpin=draw(st.booleans()), mtu=draw(st.sampled_from((1450, 1500))))
    return ClusterPlan("random", machines, cni, pods, externals)


def machine(draw: st.DrawFn, name: str, index: int, dual: bool) -> MachinePlan:
    networks = draw(st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True))
    addresses = [f"192.168.{network}.{11 + index}/24" for network in networks]
    addresses += [f"fd00:10:0:{network}::{11 + index}/64" for network in networks if dual]
    cidrs = (f"10.244.{index}.0/24", f"fd00:244:0:{index}::/64")[: 2 if dual else 1]
    return MachinePlan(
        name,
        tuple(map(parse_interface, addresses)),
        pod_cidrs=tuple(map(parse_prefix, cidrs)),
        control_plane=index == 0,
        sysctls=draw(st.sampled_from(({}, {"net.ipv4.conf.all.rp_filter": "1"}))),
    )


def pods_of(draw: st.DrawFn, node: MachinePlan, index: int) -> list[PodPlan]:
    return [
        PodPlan(
            namespace=draw(st.sampled_from(("default", "kube-system"))),
            name=f"p{index}-{number}-{draw(NAMES)}",
            node=node.name,
            addresses=tuple(parse_address(str(cidr.network_address + 2 + number)) for cidr in node.pod_cidrs),
            host_network=draw(st.booleans()) and draw(st.booleans()),
            containers=("web",),
            listeners=(Listener(Protocol.TCP, 8000 + number),),
        )
        for number in range(draw(st.integers(0, 4)))
    ]


@given(clusters())
@settings(max_examples=60, deadline=None)
def test_every_cluster_that_can_be_described_is_sound(plan: ClusterPlan) -> None:
    topology = build(plan)
    assert validate(topology) == []
    assert build(plan) == topology


@given(clusters())
@settings(max_examples=30, deadline=None)
def test_every_pod_is_on_its_nodes_bridge_and_every_host_on_a_switch(plan: ClusterPlan) -> None:
    topology = build(plan)
    groups = {endpoint: group for group in segments(topology) for endpoint in group}
    for netns in topology.namespaces.values():
        if netns.role is Role.POD:
            assert Endpoint(f"node.{netns.node}", "cni0") in groups[Endpoint(netns.name, "eth0")]
        if netns.role in (Role.NODE, Role.EXTERNAL):
            assert any(topology.namespaces[e.netns].role is Role.SWITCH for e in groups[Endpoint(netns.name, "eth0")])


@given(clusters(), ODD_NAMES)
@settings(max_examples=40, deadline=None)
def test_every_picture_is_well_formed_and_shows_everything(plan: ClusterPlan, title: str) -> None:
    topology = build(plan)
    root = ET.fromstring(draw_svg(topology, title))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for pod in plan.pods:
        if not pod.host_network:
            assert str(pod.addresses[0]) in texts
    for node in plan.machines:
        assert {node.name, str(node.addresses[0])} <= set(texts)
    for name in topology.namespaces:
        assert draw_dot(topology, title).count(name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) > 0
    assert draw_md(topology, title).count("```") == 2


@given(clusters())
@settings(max_examples=40, deadline=None)
def test_nothing_overlaps_and_nothing_is_cut(plan: ClusterPlan) -> None:
    topology = build(plan)
    figure = lay_out(scene(topology), "title", "subtitle")
    assert set(figure.boxes) == set(topology.namespaces)
    top_level = [figure.boxes[name] for name, netns in topology.namespaces.items() if netns.role is not Role.POD]
    pods = [figure.boxes[name] for name, netns in topology.namespaces.items() if netns.role is Role.POD]
    for boxes in (top_level, pods):
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for name, netns in topology.namespaces.items():
        if netns.role is Role.POD:
            assert figure.boxes[f"node.{netns.node}"].contains(figure.boxes[name])
    paper = Box(0, 0, figure.width, figure.height)
    assert all(paper.contains(shape.box) for shape in figure.shapes if isinstance(shape, Rect | Text))
    texts = [shape.box for shape in figure.shapes if isinstance(shape, Text)]
    assert not any(one.overlaps(other) for one, other in combinations(texts, 2))


def test_pictures_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from netsim.render.draw import *; from netsim.topology.build import build;"
        "from tests.unit.topology_plans import dual_stack; t = build(dual_stack());"
        "print(draw_svg(t, 'x'), draw_dot(t, 'x'), draw_md(t, 'x'))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_unusual_wiring_is_drawn_too() -> None:
    """What no plan makes: parts that do not hang together, and a pod that hangs on nothing."""
    topology = build(two_nodes())
    kept = {name: netns for name, netns in topology.namespaces.items() if name not in ("gateway", "switch.lan0")}
    kept["pod.default.c"] = replace(kept["pod.default.c"], devices=())
    figure = lay_out(scene(Topology("torn", kept)), "torn", "")
    assert set(figure.boxes) == set(kept)
    outer = [figure.boxes[name] for name in kept if name not in ("pod.default.a", "pod.default.b")]
    assert not any(one.overlaps(other) for one, other in combinations(outer, 2))
