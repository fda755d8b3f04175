"""The inside of one block: sizes first, then shapes at a place. Title and cards above, pods in a grid below their bridge."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

from netsim.dataclass import dataclass
from netsim.render.draw.blocks import Block, Bus, Chip, Leaf
from netsim.render.draw.shapes import Anchor, Box, Font, Path, Rect, Shape, Text

PAD = 12
GAP = 10
LINE = 14
BAR = 24
RAIL = 6
DROP = 24
PORTS_PER_LINE = 6


@dataclass(frozen=True, slots=True)
class Drawn:
    """A block's shapes from the lowest to the highest, the place of each of its chips and of its pods."""

    shapes: tuple[Shape, ...]
    chips: dict[str, Box]
    pods: dict[str, Box]


def size(block: Block, lower: Sequence[str]) -> tuple[int, int]:
    """Width and height of a block; ``lower`` are the devices whose chips stand at its bottom edge."""
    upper_chips, lower_chips = _split(block, lower)
    head_width = _title_width(block) + sum(GAP + _chip_width(chip) for chip in upper_chips)
    widths = [head_width, _row_width(lower_chips), *(bus_size(bus)[0] for bus in block.buses)]
    height = PAD + _head_height(block, upper_chips) + sum(GAP + 4 + bus_size(bus)[1] for bus in block.buses)
    below = GAP + max(map(_chip_height, lower_chips)) if lower_chips else 0
    return max(widths) + 2 * PAD, height + below + PAD


def draw(block: Block, lower: Sequence[str], box: Box) -> Drawn:
    """The block's shapes in the box that it was given."""
    upper_chips, lower_chips = _split(block, lower)
    head = _head_height(block, upper_chips)
    chips = _row(upper_chips, box.right - PAD - _row_width(upper_chips), box.y + PAD)
    chips |= _row(
        lower_chips,
        box.centre - _row_width(lower_chips) // 2,
        box.bottom - PAD - max(map(_chip_height, lower_chips), default=0),
    )
    shapes: list[Shape] = [Rect(f"block {block.role.value}", box, 10, block.netns), *_title(block, box)]
    pods: dict[str, Box] = {}
    top = box.y + PAD + head
    for bus in block.buses:
        top += GAP + 4
        _, height = bus_size(bus)
        shapes += [_routed(chips[chip.device], Box(box.x + PAD, top, box.width - 2 * PAD, BAR)) for chip in upper_chips]
        hanging, places = _bus(bus, Box(box.x + PAD, top, box.width - 2 * PAD, height))
        shapes += hanging
        pods |= places
        top += height
    for chip in block.chips:
        edges = (box.y, chips[chip.device].y) if chip in upper_chips else (chips[chip.device].bottom, box.bottom)
        shapes += _stub(chip, chips[chip.device].centre, edges)
        shapes += _chip(chip, chips[chip.device], block.netns)
    return Drawn(tuple(shapes), chips, pods)


def bus_size(bus: Bus) -> tuple[int, int]:
    """Width and height of a bridge with all that hangs on it."""
    columns, width, height = _grid(bus.leaves)
    rows = ceil(len(bus.leaves) / columns) if bus.leaves else 0
    label = Font.TITLE.width(bus.device) + 2 * GAP + Font.MONO.width(_label(bus.lines))
    rail = RAIL + GAP if rows > 1 else 0
    grid = rail + columns * width + (columns - 1) * GAP if bus.leaves else 0
    first = BAR + DROP + height if rows else BAR
    return max(label, grid), first + max(rows - 1, 0) * (GAP + RAIL + DROP + height)


# --- head ---------------------------------------------------------------------------------------------------------


def _title(block: Block, box: Box) -> list[Shape]:
    x, y = box.x + PAD, box.y + PAD + Font.TITLE.size
    shapes: list[Shape] = [
        Text("title", Font.TITLE, x, y, block.title),
        Text("muted", Font.SMALL, x, y + LINE, block.subtitle),
    ]
    for row, line in enumerate(listen_lines(block.ports)):
        shapes.append(Text("muted", Font.SMALL, x, y + (2 + row) * LINE, line))
    return shapes


def listen_lines(ports: Sequence[str]) -> list[str]:
    """``listens on 80, 443``, a few a line."""
    groups = [ports[start : start + PORTS_PER_LINE] for start in range(0, len(ports), PORTS_PER_LINE)]
    return [("listens on " if index == 0 else "") + ", ".join(group) for index, group in enumerate(groups)]


def _title_width(block: Block) -> int:
    small = [block.subtitle, *listen_lines(block.ports)]
    return max(Font.TITLE.width(block.title), *(Font.SMALL.width(text) for text in small))


def _head_height(block: Block, chips: Sequence[Chip]) -> int:
    text = Font.TITLE.size + LINE + len(listen_lines(block.ports)) * LINE + 2
    return max([text, *map(_chip_height, chips)])


def _split(block: Block, lower: Sequence[str]) -> tuple[list[Chip], list[Chip]]:
    return [chip for chip in block.chips if chip.device not in lower], [
        chip for chip in block.chips if chip.device in lower
    ]


# --- chips --------------------------------------------------------------------------------------------------------


def _chip_width(chip: Chip) -> int:
    return max(Font.TITLE.width(chip.device), *(Font.MONO.width(line) for line in ("", *chip.lines))) + 2 * 8


def _chip_height(chip: Chip) -> int:
    return 8 + LINE * (1 + len(chip.lines))


def _row_width(chips: Sequence[Chip]) -> int:
    return sum(map(_chip_width, chips)) + GAP * max(len(chips) - 1, 0)


def _row(chips: Sequence[Chip], x: int, y: int) -> dict[str, Box]:
    places = {}
    for chip in chips:
        places[chip.device] = Box(x, y, _chip_width(chip), _chip_height(chip))
        x += _chip_width(chip) + GAP
    return places


def _chip(chip: Chip, box: Box, netns: str) -> list[Shape]:
    x, y = box.x + 8, box.y + LINE
    texts: list[Shape] = [Text("mono", Font.MONO, x, y + LINE * (1 + row), line) for row, line in enumerate(chip.lines)]
    return [Rect("chip", box, 4, f"{netns}/{chip.device}"), Text("device", Font.MONO, x, y, chip.device), *texts]


def _stub(chip: Chip, x: int, edges: tuple[int, int]) -> list[Shape]:
    """The piece of a wire that is inside the block."""
    return [Path("wire", ((x, edges[0]), (x, edges[1])))] if chip.wired else []


# --- a bridge and its pods ------------------------------------------------------------------------------------------


def _bus(bus: Bus, room: Box) -> tuple[list[Shape], dict[str, Box]]:
    columns, width, height = _grid(bus.leaves)
    rows = [bus.leaves[start : start + columns] for start in range(0, len(bus.leaves), columns)]
    rail = RAIL + GAP if len(rows) > 1 else 0
    left = room.x + rail + max(room.width - rail - (columns * width + (columns - 1) * GAP), 0) // 2
    shapes: list[Shape] = [Rect("bridge", Box(room.x, room.y, room.width, BAR), 3, bus.device)]
    shapes.append(Text("onbar-device", Font.TITLE, room.x + GAP, room.y + 16, bus.device))
    x = room.x + 2 * GAP + Font.TITLE.width(bus.device)
    shapes.append(Text("onbar-mono", Font.MONO, x, room.y + 16, _label(bus.lines)))
    pods: dict[str, Box] = {}
    bar_bottom = room.y + BAR
    for index, row in enumerate(rows):
        if index:
            bar_top = bar_bottom + DROP + height + GAP
            shapes.append(Rect("bridge", Box(room.x, bar_top, room.width, RAIL), 3, bus.device))
            bar_bottom = bar_top + RAIL
        for column, leaf in enumerate(row):
            place = Box(left + column * (width + GAP), bar_bottom + DROP, width, height)
            pods[leaf.netns] = place
            shapes.append(
                Path("wire", ((place.centre, bar_bottom), (place.centre, place.y)), f"{leaf.port} – {leaf.netns}")
            )
            shapes.append(Text("muted", Font.PORT, place.centre + 4, bar_bottom + 15, leaf.port))
            shapes += _leaf(leaf, place)
    if len(rows) > 1:
        shapes.insert(0, Rect("bridge", Box(room.x, room.y, RAIL, bar_bottom - room.y), 3, bus.device))
    return shapes, pods


def _leaf(leaf: Leaf, box: Box) -> list[Shape]:
    y = box.y + 6 + Font.TITLE.size
    shapes: list[Shape] = [
        Rect("block pod", box, 6, leaf.netns),
        Text("title", Font.TITLE, box.centre, y, leaf.title, Anchor.MIDDLE),
    ]
    for line in leaf.lines:
        y += LINE
        shapes.append(Text("mono", Font.MONO, box.centre, y, line, Anchor.MIDDLE))
    for line in listen_lines(leaf.ports):
        y += LINE
        shapes.append(Text("muted", Font.SMALL, box.centre, y, line, Anchor.MIDDLE))
    return shapes


def _grid(leaves: Sequence[Leaf]) -> tuple[int, int, int]:
    """Columns, and the width and height of a cell."""
    if not leaves:
        return 1, 0, 0
    columns = max(1, ceil(sqrt(len(leaves) * 0.6)))
    return columns, max(map(_leaf_width, leaves)), max(map(_leaf_height, leaves))


def _leaf_width(leaf: Leaf) -> int:
    texts = [
        Font.TITLE.width(leaf.title),
        *map(Font.MONO.width, leaf.lines),
        *map(Font.SMALL.width, listen_lines(leaf.ports)),
    ]
    return max(*texts, 2 * (Font.PORT.width(leaf.port) + 6)) + 2 * 10


def _leaf_height(leaf: Leaf) -> int:
    return 6 + Font.TITLE.size + LINE * (len(leaf.lines) + len(listen_lines(leaf.ports))) + 8


def _label(lines: Sequence[str]) -> str:
    return "  ".join(lines)


def _routed(chip: Box, bar: Box) -> Path:
    return Path("routed", ((chip.centre, chip.bottom), (chip.centre, bar.y)))
