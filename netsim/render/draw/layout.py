"""Where everything stands: a tree from top to bottom, switches as bars over what is plugged into them.

A bar with more beneath it than fits into ``ROW`` goes on in a further row, joined by a rail at its left. Links that are in no tree run
in lanes of their own, just above the row of the block that they start at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.render.draw import body
from netsim.render.draw.blocks import Link, Scene, Tree
from netsim.render.draw.shapes import Box, Figure, Font, Path, Rect, Shape, Text
from netsim.topology.model import Endpoint

ROW = 1500
MARGIN = 24
SPACE = 28
FALL = 34
LANE = 12
BAR = 30
RAIL = 8
HEADER = 56
FOOTER = 40


@dataclass(slots=True)
class _Canvas:
    """What has been drawn so far. ``lanes`` is the room that links outside the trees need above every row."""

    lanes: int
    extra: tuple[Link, ...] = ()
    paths: list[Path] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    boxes: dict[str, Box] = field(default_factory=dict)
    chips: dict[Endpoint, Box] = field(default_factory=dict)
    bars: dict[str, list[Box]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def fall(self) -> int:
        return FALL + self.lanes * LANE


def lay_out(scene: Scene, title: str, subtitle: str) -> Figure:
    """The finished picture of a scene under a title."""
    canvas = _Canvas(len(scene.extra), scene.extra)
    y = HEADER + canvas.lanes * LANE
    width = max(Font.HEADING.width(title), Font.SMALL.width(subtitle), _legend_width())
    for root in scene.roots:
        across, down = _size(root, canvas)
        width = max(width, across)
        y += down + SPACE
    inner, y = width, HEADER + canvas.lanes * LANE
    for root in scene.roots:
        across, down = _size(root, canvas)
        _place(root, canvas, MARGIN + (inner - across) // 2, y)
        y += down + SPACE
    for lane, link in enumerate(scene.extra):
        _extra(link, lane, canvas)
    heading: list[Shape] = [
        Text("heading", Font.HEADING, MARGIN, 30, title),
        Text("muted", Font.SMALL, MARGIN, 46, subtitle),
    ]
    legend, legend_paths = _legend(y + 4)
    shapes = (*heading, *canvas.shapes, *legend)
    return Figure(inner + 2 * MARGIN, y + FOOTER - 12, (*canvas.paths, *legend_paths), shapes, canvas.boxes)


# --- sizes --------------------------------------------------------------------------------------------------------


def _size(tree: Tree, canvas: _Canvas) -> tuple[int, int]:
    """Width and height of a block with all beneath it, worked out once."""
    known = canvas.sizes.get(tree.block.netns)
    if known is None:
        known = canvas.sizes[tree.block.netns] = _measured(tree, canvas)
    return known


def _measured(tree: Tree, canvas: _Canvas) -> tuple[int, int]:
    if tree.block.is_switch:
        rows = _rows(tree, canvas)
        widths = [_row_width(row, canvas) for row in rows]
        rail = RAIL + SPACE if len(rows) > 1 else 0
        heights = [canvas.fall + max(_size(child, canvas)[1] for child in row) for row in rows]
        return max([_bar_label(tree), *(width + rail for width in widths)]), BAR + sum(heights) + max(
            len(rows) - 1, 0
        ) * (SPACE + RAIL)
    width, height = body.size(tree.block, _lower(tree))
    if not tree.children:
        return width, height
    below = max(_size(child, canvas)[1] for child in tree.children)
    return max(width, _row_width(tree.children, canvas)), height + _channel(tree, canvas) + below


def _rows(tree: Tree, canvas: _Canvas) -> list[list[Tree]]:
    rows: list[list[Tree]] = []
    for child in tree.children:
        if rows and _row_width([*rows[-1], child], canvas) <= ROW:
            rows[-1].append(child)
        else:
            rows.append([child])
    return rows


def _row_width(row: Sequence[Tree], canvas: _Canvas) -> int:
    return sum(_size(child, canvas)[0] for child in row) + SPACE * (len(row) - 1)


def _bar_label(tree: Tree) -> int:
    return Font.TITLE.width(tree.block.subtitle) + Font.MONO.width(tree.block.title) + 3 * 12


def _channel(tree: Tree, canvas: _Canvas) -> int:
    return canvas.fall + LANE * max(len(tree.children) - 1, 0)


def _lower(tree: Tree) -> list[str]:
    """The devices that something hangs on."""
    return [child.link.upper.device for child in tree.children if child.link is not None]


# --- places -------------------------------------------------------------------------------------------------------


def _place(tree: Tree, canvas: _Canvas, x: int, y: int) -> None:
    if tree.block.is_switch:
        _place_switch(tree, canvas, x, y)
        return
    across, _ = _size(tree, canvas)
    width, height = body.size(tree.block, _lower(tree))
    left = x + (across - _row_width(tree.children, canvas)) // 2
    for child in tree.children:
        _place(child, canvas, left, y + height + _channel(tree, canvas))
        left += _size(child, canvas)[0] + SPACE
    middle = _above(tree.children, canvas) or x + across // 2
    box = Box(min(max(middle - width // 2, x), x + across - width), y, width, height)
    drawn = body.draw(tree.block, _lower(tree), box)
    canvas.boxes[tree.block.netns] = box
    canvas.boxes |= drawn.pods
    canvas.chips |= {Endpoint(tree.block.netns, device): place for device, place in drawn.chips.items()}
    canvas.shapes += drawn.shapes
    _falls(tree, box, canvas)


def _above(children: Sequence[Tree], canvas: _Canvas) -> int | None:
    """Where a block must stand so that the wire to its only child is straight; None where that does not matter."""
    if len(children) != 1 or children[0].link is None:
        return None
    chip = canvas.chips.get(children[0].link.lower)
    return None if chip is None else chip.centre


def _place_switch(tree: Tree, canvas: _Canvas, x: int, y: int) -> None:
    rows = _rows(tree, canvas)
    width, _ = _size(tree, canvas)
    rail = RAIL + SPACE if len(rows) > 1 else 0
    bars = [Box(x, y, width, BAR)]
    for index, row in enumerate(rows):
        bar = bars[-1]
        left = x + rail + (0 if rail else (width - _row_width(row, canvas)) // 2)
        top = bar.bottom + canvas.fall
        for child in row:
            _place(child, canvas, left, top)
            left += _size(child, canvas)[0] + SPACE
            _hang(child, bar, canvas)
        if index + 1 < len(rows):
            bars.append(Box(x, top + max(_size(child, canvas)[1] for child in row) + SPACE, width, RAIL))
    _draw_bars(tree, bars, canvas)


def _draw_bars(tree: Tree, bars: Sequence[Box], canvas: _Canvas) -> None:
    block, first = tree.block, bars[0]
    canvas.bars[block.netns] = list(bars)
    canvas.boxes[block.netns] = first
    shapes: list[Shape] = [Rect("switch", bar, 4, block.netns) for bar in bars]
    if len(bars) > 1:
        shapes.insert(0, Rect("switch", Box(first.x, first.y, RAIL, bars[-1].bottom - first.y), 4, block.netns))
    shapes.append(Text("onbar-device", Font.TITLE, first.x + 12, first.y + 20, block.subtitle))
    x = first.x + 24 + Font.TITLE.width(block.subtitle)
    shapes.append(Text("onbar-mono", Font.MONO, x, first.y + 20, block.title))
    canvas.shapes += shapes


def _hang(child: Tree, bar: Box, canvas: _Canvas) -> None:
    """The wire from a bar down to what is plugged into it."""
    if child.link is None:
        return
    chip = canvas.chips.get(child.link.lower)
    target = chip if chip is not None else canvas.boxes[child.block.netns]
    canvas.paths.append(Path("wire", ((target.centre, bar.bottom), (target.centre, target.y)), _names(child.link)))


def _falls(tree: Tree, box: Box, canvas: _Canvas) -> None:
    """The wires from a block down to what hangs on it; each that must go sideways has a lane of its own, so that none cross."""
    wires = []
    for child in tree.children:
        if child.link is not None:
            start = canvas.chips.get(child.link.upper, box)
            goal = canvas.chips.get(child.link.lower, canvas.boxes[child.block.netns])
            span = goal if not child.block.is_switch else Box(goal.x + 16, goal.y, goal.width - 32, goal.height)
            end = min(max(start.centre, span.x), span.right) if child.block.is_switch else goal.centre
            wires.append((start, end, goal.y, _names(child.link)))
    for index, (start, end, bottom, names) in enumerate(wires):
        rank = index if end < start.centre else len(wires) - 1 - index
        lane = box.bottom + 14 + LANE * rank
        turn = ((start.centre, lane), (end, lane)) if end != start.centre else ()
        canvas.paths.append(Path("wire", ((start.centre, start.bottom), *turn, (end, bottom)), names))


def _extra(link: Link, lane: int, canvas: _Canvas) -> None:
    """A link outside the trees: up from the one, along its lane, and to the other."""
    start = canvas.chips.get(link.upper)
    goal = canvas.chips.get(link.lower)
    if start is None:
        start, goal, link = goal, None, Link(link.lower, link.upper)
    if start is None:
        _between_bars(link, lane, canvas)
        return
    y = canvas.boxes[link.upper.netns].y - 8 - LANE * lane
    if goal is not None:
        end, bottom = goal.centre, goal.y
    else:
        bar = _nearest_bar(canvas.bars[link.lower.netns], y)
        end = min(max(start.centre, bar.x + 16 + LANE * lane), bar.right - 16 - LANE * lane)
        bottom = bar.bottom if bar.bottom <= y else bar.y
    canvas.paths.append(
        Path("wire", ((start.centre, start.y), (start.centre, y), (end, y), (end, bottom)), _names(link))
    )


def _between_bars(link: Link, lane: int, canvas: _Canvas) -> None:
    one, other = canvas.bars[link.upper.netns][-1], canvas.bars[link.lower.netns][0]
    x = min(max(one.x, other.x) + 16 + LANE * lane, one.right - 8)
    end = min(max(x, other.x + 8), other.right - 8)
    middle = (one.bottom + other.y) // 2
    canvas.paths.append(Path("wire", ((x, one.bottom), (x, middle), (end, middle), (end, other.y)), _names(link)))


def _nearest_bar(bars: Sequence[Box], y: int) -> Box:
    above = [bar for bar in bars if bar.bottom <= y]
    return above[-1] if above else bars[0]


def _names(link: Link) -> str:
    return f"{link.upper} – {link.lower}"


# --- legend -------------------------------------------------------------------------------------------------------

LEGEND = (("wire", "veth pair"), ("routed", "routed by the node"), ("switch", "switch"), ("bridge", "bridge on a node"))


def _legend_width() -> int:
    return sum(26 + 6 + Font.SMALL.width(text) + 22 for _, text in LEGEND)


def _legend(y: int) -> tuple[list[Shape], list[Path]]:
    x, shapes, paths = MARGIN, list[Shape](), list[Path]()
    for style, text in LEGEND:
        if style in ("wire", "routed"):
            paths.append(Path(style, ((x, y), (x + 26, y))))
        else:
            shapes.append(Rect(style, Box(x, y - 4, 26, 8), 3))
        shapes.append(Text("muted", Font.SMALL, x + 32, y + 4, text))
        x += 26 + 6 + Font.SMALL.width(text) + 22
    return shapes, paths
