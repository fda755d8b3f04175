from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from netsim.render.draw import draw_dot, draw_md, draw_svg
from netsim.render.draw.blocks import scene
from netsim.render.draw.layout import lay_out
from netsim.render.draw.shapes import Figure, Font, Path
from netsim.render.draw.summary import summary
from netsim.render.draw.svg import DARK, LIGHT
from netsim.topology.build import build
from netsim.topology.model import Topology
from netsim.topology.plan import ClusterPlan
from tests.cli.commands import netsim
from tests.unit.topology_plans import cluster, external, machine, pod, two_nodes

SVG = "{http://www.w3.org/2000/svg}"


def figure(plan: ClusterPlan) -> Figure:
    return lay_out(scene(build(plan)), "title", "subtitle")


def wires(figure: Figure) -> list[Path]:
    return [path for path in figure.paths if path.tooltip]


def many_nodes() -> ClusterPlan:
    machines = tuple(machine(number) for number in range(1, 13))
    return cluster(
        *machines, pods=tuple(pod(f"p{n}-{k}", n, f"10.244.{n}.{k + 2}") for n in range(1, 13) for k in range(5))
    )


def test_layers_from_top_to_bottom() -> None:
    boxes = figure(two_nodes()).boxes
    order = ["outside", "gateway", "switch.lan0", "node.node1", "pod.default.a"]
    assert [boxes[name].y for name in order] == sorted(boxes[name].y for name in order)
    assert boxes["node.node1"].y == boxes["node.node2"].y == boxes["external.client"].y


def test_every_wire_meets_both_of_its_ends() -> None:
    plan = cluster(
        machine(1, "192.168.0.11/24", "10.9.0.5/24"),
        machine(2),
        externals=(external("db", "10.9.0.77/24"), external("far", "203.0.113.7")),
    )
    drawn = figure(plan)
    assert len(wires(drawn)) == 9
    for wire in wires(drawn):
        for end, (x, y) in zip(wire.tooltip.split(" – "), (wire.points[0], wire.points[-1]), strict=True):
            box = drawn.boxes[end.split("/")[0]]
            assert box.x <= x <= box.right, wire
            assert box.y <= y <= box.bottom, wire


def test_wires_are_straight_or_turn_at_right_angles() -> None:
    for plan in (two_nodes(), many_nodes()):
        for path in figure(plan).paths:
            assert all(a[0] == b[0] or a[1] == b[1] for a, b in zip(path.points, path.points[1:], strict=False))


def test_a_wide_network_goes_on_in_further_rows() -> None:
    drawn = figure(many_nodes())
    rows = {drawn.boxes[f"node.node{number}"].y for number in range(1, 13)}
    assert len(rows) > 1
    assert drawn.width < 1700


def test_names_are_escaped() -> None:
    topology = build(cluster(machine(1), externals=(external('<b>&"x"', "192.168.0.100/24"),)))
    document = draw_svg(topology, "a < b & c")
    texts = [element.text for element in ET.fromstring(document).iter(f"{SVG}text")]
    assert '<b>&"x"' in texts
    assert "a < b & c" in texts
    assert '<b>&"x"' not in document
    assert r"<b>&\"x\"" in draw_dot(topology, "x")
    assert "<b>" not in draw_md(topology, "x").replace(r"\<b\>", "")


def test_control_characters_do_not_break_the_document() -> None:
    topology = build(cluster(machine(1), externals=(external("a\x00b\x1b", "192.168.0.100/24"),)))
    texts = [element.text for element in ET.fromstring(draw_svg(topology, "t")).iter(f"{SVG}text")]
    assert "a�b�" in texts


def test_every_style_that_is_used_is_defined_for_light_and_dark() -> None:
    walks = [
        netsim("trace", "-t", *words, "-o", "svg").out
        for words in (("default", "pod-a", "svc-x"), ("rp-filter", "client", "10.10.0.12:30080"))
    ]
    drawn = [element for text in (draw_svg(build(two_nodes()), "t"), *walks) for element in ET.fromstring(text).iter()]
    used = {name for element in drawn for name in element.get("class", "").split() if not name.endswith("-font")}
    assert {f".{name}" for name in used} == set(LIGHT) == set(DARK)
    assert "@media screen and (prefers-color-scheme: dark)" in draw_svg(build(two_nodes()), "t")


READABLE = [
    # text, and what it stands on
    (".heading", ".paper"),
    (".muted", ".paper"),
    *[
        (text, ground)
        for text in (".title", ".muted")
        for ground in (".node", ".pod", ".external", ".gateway", ".outside")
    ],
    (".mono", ".chip"),
    (".mono", ".pod"),
    (".device", ".chip"),
    (".onbar-device", ".switch"),
    (".onbar-mono", ".bridge"),
]


@pytest.mark.parametrize("styles", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), READABLE, ids=[f"{a}{b}" for a, b in READABLE])
def test_text_is_readable(styles: dict[str, str], text: str, ground: str) -> None:
    """WCAG 2.2 §1.4.3: a contrast of at least 4.5."""
    bright, dim = sorted((luminance(styles[text]), luminance(styles[ground])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 4.5


def luminance(style: str) -> float:
    found = re.search(r"fill:#([0-9a-f]{6})", style)
    assert found is not None
    channels = [int(found[1][i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_wide_characters_count_double() -> None:
    assert Font.MONO.width("漢字") == Font.MONO.width("abcd")


def test_summary_counts() -> None:
    assert summary(build(two_nodes())) == "1 network, 2 nodes, 3 pods, 1 external host"
    assert summary(Topology("empty", {})) == ""


def test_an_empty_topology_is_an_empty_picture() -> None:
    ET.fromstring(draw_svg(Topology("empty", {}), "nothing"))
    assert draw_md(Topology("empty", {}), "nothing").startswith("# nothing")


def test_dot_has_a_cluster_a_machine_and_an_edge_a_pair() -> None:
    text = draw_dot(build(two_nodes()), "t")
    assert text.count("subgraph cluster_") == 2
    assert text.count(" -- ") == 1 + 4 + 3
    assert '"switch.lan0" -- "node.node1" [taillabel="node1-eth0", headlabel="eth0"];' in text
