"""Graphviz: a cluster a node, so that ``dot -Tsvg`` lays it out its own way."""

from __future__ import annotations

from netsim.render.draw.machines import by_machine, rows
from netsim.render.draw.summary import summary
from netsim.topology.graph import joined
from netsim.topology.model import Netns, Role, Topology

SHAPES = {
    Role.OUTSIDE: 'shape=box, style="rounded,dashed"',
    Role.GATEWAY: 'shape=box, style="rounded,filled", fillcolor="#f3f0fb"',
    Role.SWITCH: 'shape=box, style="filled", fillcolor="#334155", fontcolor="white"',
    Role.NODE: 'shape=box, style="rounded,filled", fillcolor="#eef4fb"',
    Role.EXTERNAL: 'shape=box, style="rounded,filled", fillcolor="#fdf5ea"',
    Role.POD: 'shape=box, style="rounded,filled", fillcolor="white"',
}


def draw_dot(topology: Topology, title: str) -> str:
    """The topology in the dot language: namespaces with their addresses, an edge a veth pair."""
    lines = [
        f"graph {quoted(title)} {{",
        f"  label={quoted(f'{title}: {summary(topology)}')}; labelloc=t; fontname=sans;",
        '  node [fontname="monospace", fontsize=10]; edge [fontname="monospace", fontsize=8];',
        *_machines(topology),
    ]
    for one, other, pairs in joined(topology):
        lines += [
            f"  {quoted(one)} -- {quoted(other)} [taillabel={quoted(a.device)}, headlabel={quoted(b.device)}];"
            for a, b in pairs
        ]
    return "\n".join([*lines, "}", ""])


def _machines(topology: Topology) -> list[str]:
    alone, nodes = by_machine(topology)
    lines = [f"  {_vertex(netns)}" for netns in alone]
    for index, (node, members) in enumerate(nodes.items()):
        lines.append(f"  subgraph cluster_{index} {{ label={quoted(node)}; style=rounded;")
        lines += [f"    {_vertex(netns)}" for netns in members]
        lines.append("  }")
    return lines


def _vertex(netns: Netns) -> str:
    return f"{quoted(netns.name)} [{SHAPES[netns.role]}, label={quoted(chr(10).join(rows(netns)))}];"


def quoted(text: str) -> str:
    """A string of the dot language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
