"""Markdown with a mermaid diagram, as code hosts render it, and a table of addresses for those that do not."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.render.draw.machines import addressed, by_machine, rows
from netsim.render.draw.summary import summary
from netsim.render.markdown_text import code, escaped, table_lines
from netsim.topology.graph import joined
from netsim.topology.model import Netns, Role, Topology


def draw_md(topology: Topology, title: str) -> str:
    """The topology as Markdown: a heading, a mermaid flowchart and a table of every address."""
    names = {name: f"n{index}" for index, name in enumerate(topology.namespaces)}
    lines = [
        f"# {escaped(title)}",
        "",
        f"{summary(topology)}.",
        "",
        "```mermaid",
        "flowchart TB",
        *_vertices(topology, names),
    ]
    for one, other, pairs in joined(topology):
        lines += [f'  {names[one]} ---|"{_mermaid(f"{a.device} – {b.device}")}"| {names[other]}' for a, b in pairs]
    return "\n".join([*lines, "```", "", *_table(topology), ""])


def _vertices(topology: Topology, names: dict[str, str]) -> list[str]:
    alone, nodes = by_machine(topology)
    lines = [f"  {_vertex(netns, names[netns.name])}" for netns in alone]
    for index, (node, members) in enumerate(nodes.items()):
        lines.append(f'  subgraph m{index} ["{_mermaid(node)}"]')
        lines += [f"    {_vertex(netns, names[netns.name])}" for netns in members]
        lines.append("  end")
    return lines


def _vertex(netns: Netns, name: str) -> str:
    text = "<br/>".join(map(_mermaid, rows(netns)))
    left, right = ("[[", "]]") if netns.role is Role.SWITCH else ("(", ")")
    return f'{name}{left}"{text}"{right}'


def _table(topology: Topology) -> Iterator[str]:
    cells = (
        (
            escaped(netns.label),
            code(device.name),
            ", ".join(code(str(address)) for address in device.addresses),
            code(str(device.mac)),
        )
        for netns in topology.namespaces.values()
        for device in addressed(netns)
    )
    return table_lines(("Namespace", "Device", "Addresses", "MAC"), cells)


def _mermaid(text: str) -> str:
    """Mermaid's own entities: ``#quot;`` and numbers, and nothing that HTML would read as a tag."""
    return "".join(f"#{ord(c)};" if c in '"#&<>`|[]{}' or not c.isprintable() else c for c in text)
