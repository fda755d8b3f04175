"""A trace drawn over the topology: where the packet goes, hop by hop, there and back.

Only the namespaces that it comes to are drawn. A hop is a numbered badge on its namespace; the numbers are told below the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from netsim.dataclass import dataclass
from netsim.render.draw.blocks import scene
from netsim.render.draw.dot import quoted
from netsim.render.draw.layout import MARGIN, lay_out
from netsim.render.draw.shapes import Anchor, Box, Figure, Font, Path, Rect, Shape, Text
from netsim.render.draw.svg import svg_document
from netsim.render.text import happened, headline
from netsim.topology.model import Device, Role, Topology, Veth
from netsim.trace.facts import short_label
from netsim.trace.model import Hop, Leg, Trace

BADGE = 18
LINE = 16
_OVER_OTHERS = (Role.SWITCH, Role.GATEWAY, Role.OUTSIDE)
LONGEST = 150
"""Characters of a line below the picture; more is cut."""


@dataclass(frozen=True, slots=True)
class _Stay:
    """A hop with its number; ``ends`` where the packet was lost there."""

    number: int
    hop: Hop
    back: bool
    ends: bool

    @property
    def style(self) -> str:
        return "end" if self.ends else "back" if self.back else "out"

    @property
    def words(self) -> str:
        return f"{short_label(self.hop.label)}: {'; '.join(happened(self.hop)) or 'passes'}"


def draw_walk_svg(topology: Topology, trace: Trace) -> str:
    """The decisive branch's first packet each way as an SVG document. The same trace gives the same bytes."""
    legs = _legs(trace)
    title = f"{trace.source} → {trace.target}"
    stays = list(_stays(legs))
    figure = lay_out(scene(_visited(topology, stays)), title, _cut(headline(trace)))
    return svg_document(_with_walk(figure, legs, stays), title, headline(trace))


def draw_walk_dot(topology: Topology, trace: Trace) -> str:
    """The same in the dot language: a vertex a namespace, an edge for each step from one to the next."""
    stays = list(_stays(_legs(trace)))
    lines = [
        f"digraph {quoted(f'{trace.source} → {trace.target}')} {{",
        f"  label={quoted(headline(trace))}; labelloc=t; fontname=sans; rankdir=LR;",
        '  node [fontname="monospace", fontsize=10, shape=box, style=rounded]; edge [fontname="monospace", fontsize=9];',
    ]
    for netns in dict.fromkeys(stay.hop.netns for stay in stays):
        told = [
            f"{stay.number}. {'; '.join(happened(stay.hop)) or 'passes'}" for stay in stays if stay.hop.netns == netns
        ]
        ends = ", color=red" if any(stay.ends and stay.hop.netns == netns for stay in stays) else ""
        text = "\n".join([topology.namespaces[netns].label, *map(_cut, told)])
        lines.append(f"  {quoted(netns)} [label={quoted(text)}{ends}];")
    for before, after in pairwise(stays):
        if before.back == after.back:
            style = " style=dashed" if after.back else ""
            lines.append(
                f"  {quoted(before.hop.netns)} -> {quoted(after.hop.netns)} [label={quoted(str(after.number))}{style}];"
            )
    return "\n".join([*lines, "}", ""])


def _legs(trace: Trace) -> list[Leg]:
    """The first packet, and the first that went back."""
    legs = trace.decisive.legs
    back = next((leg for leg in legs if leg.reply), None)
    return [leg for leg in (legs[0] if legs else None, back) if leg is not None]


def _stays(legs: Sequence[Leg]) -> Iterator[_Stay]:
    number = 0
    for leg in legs:
        for hop in leg.hops:
            number += 1
            yield _Stay(number, hop, leg.reply, ends=leg.received is None and hop is leg.hops[-1])


def _visited(topology: Topology, stays: Sequence[_Stay]) -> Topology:
    """The namespaces that the packet came to, without the devices that lead to others."""
    wanted = {stay.hop.netns for stay in stays}

    def shown(device: Device) -> bool:
        return not isinstance(device.kind, Veth) or device.kind.peer.netns in wanted

    namespaces = {
        name: replace(netns, devices=tuple(filter(shown, netns.devices)))
        for name, netns in topology.namespaces.items()
        if name in wanted
    }
    return replace(topology, namespaces=namespaces)


# --- the overlay ------------------------------------------------------------------------------------------------


def _with_walk(figure: Figure, legs: Sequence[Leg], stays: Sequence[_Stay]) -> Figure:
    places = _places(figure, stays)
    paths: list[Path] = []
    for before, after in pairwise(stays):
        if before.back == after.back:
            points = (_middle(places[before.number]), _middle(places[after.number]))
            paths.append(Path("back" if after.back else "out", points, f"{before.number} → {after.number}"))
    shapes = [shape for stay in stays for shape in _badge(stay, places[stay.number])]
    told = list(_told(legs, stays, figure.height))
    width = max(figure.width, *(text.box.right + MARGIN for text in told if isinstance(text, Text)))
    below = max(shape.box.bottom for shape in told) + MARGIN
    return Figure(width, below, figure.paths, (*figure.shapes, *paths, *shapes, *told), figure.boxes)


def _places(figure: Figure, stays: Sequence[_Stay]) -> dict[int, Box]:
    """A badge's place, those of several stays side by side: on its upper edge, or on the lower one where others hang below it."""
    counts: dict[str, int] = {}
    places: dict[int, Box] = {}
    for stay in stays:
        box = figure.boxes[stay.hop.netns]
        nth = counts[stay.hop.netns] = counts.get(stay.hop.netns, 0) + 1
        total = sum(other.hop.netns == stay.hop.netns for other in stays)
        x = box.centre + (2 * nth - total - 1) * (BADGE // 2 + 3) - BADGE // 2
        edge = box.bottom if stay.hop.role in _OVER_OTHERS else box.y
        places[stay.number] = Box(x, edge - BADGE // 2, BADGE, BADGE)
    return places


def _middle(box: Box) -> tuple[int, int]:
    return box.centre, box.y + box.height // 2


def _badge(stay: _Stay, place: Box) -> list[Shape]:
    return [
        Rect(f"{stay.style}-badge", place, BADGE // 2, stay.words),
        Text("onbadge", Font.SMALL, place.centre, place.y + 13, str(stay.number), Anchor.MIDDLE),
    ]


def _told(legs: Sequence[Leg], stays: Sequence[_Stay], top: int) -> Iterator[Rect | Text]:
    y = top + LINE
    waiting = iter(stays)
    for leg in legs:
        arrow = "←" if leg.reply else "→"
        yield Text("title", Font.TITLE, MARGIN, y, f"{arrow} {leg.name}  {leg.sent or ''}".rstrip())
        y += LINE + 4
        for _, stay in zip(leg.hops, waiting, strict=False):
            yield Rect(f"{stay.style}-badge", Box(MARGIN, y - 13, BADGE, BADGE), BADGE // 2)
            yield Text("onbadge", Font.SMALL, MARGIN + BADGE // 2, y, str(stay.number), Anchor.MIDDLE)
            yield Text("mono", Font.MONO, MARGIN + BADGE + 8, y, _cut(stay.words))
            y += LINE + 6
        y += 6


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
