"""The matrix on a terminal: a grid of signs, its columns by number, and what is not delivered by reason."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from netsim.matrix.grid import LEGEND, Fared, Grid, Sign, command_of
from netsim.matrix.survey import Matrix, decisive
from netsim.render.style import Style
from netsim.trace.model import Verdict

GROUP = 5
"""Columns stand in groups of so many."""

MOST_REASONS = 12


def text(matrix: Matrix, grid: Grid, style: Style, width: int) -> str:
    """The whole answer, at most ``width`` characters wide where names allow it."""
    return "\n".join(_lines(matrix, grid, style, width)) + "\n"


def _lines(matrix: Matrix, grid: Grid, style: Style, width: int) -> Iterator[str]:
    if not grid.cells:
        yield "no flows"
        return
    label = max(map(len, grid.sources))
    for first, block in _blocks(grid.destinations, max(GROUP, width - label - 2)):
        numbers = range(first + 1, first + len(block) + 1)
        yield from (f"{'':{label}}  {line}".rstrip() for line in _header(numbers))
        for source in grid.sources:
            signs = [_sign(grid.cell(source, name).sign, style) for name in block]
            yield f"{source:{label}}  {_grouped(signs)}".rstrip()
        yield ""
    yield from _columns(grid.destinations)
    yield ""
    used = {grid.cell(source, name).sign for source in grid.sources for name in grid.destinations}
    yield from (
        f"{sign.value or ' '}  {words}" for sign, words in LEGEND.items() if sign in used and sign is not Sign.NOTHING
    )
    yield ""
    yield from _summary(matrix, grid, style)


def _blocks(names: Sequence[str], room: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Columns side by side as far as there is room: a group of five takes six characters."""
    size = max(1, (room + 1) // (GROUP + 1)) * GROUP
    for first in range(0, len(names), size):
        yield first, names[first : first + size]


def _header(numbers: range) -> Iterator[str]:
    """The columns' numbers from top to bottom."""
    digits = len(str(numbers[-1]))
    for place in range(digits):
        yield _grouped([str(number).rjust(digits)[place] for number in numbers])


def _grouped(signs: Sequence[str]) -> str:
    return " ".join("".join(signs[first : first + GROUP]) for first in range(0, len(signs), GROUP))


_PARTS: Mapping[Sign, str] = {
    # sign: the part of a text that it is coloured as
    Sign.DELIVERED: "good",
    Sign.REFUSED: "bad",
    Sign.PARTLY: "doubtful",
    Sign.UNKNOWN: "doubtful",
    Sign.NOTHING: "",
}


def _sign(sign: Sign, style: Style) -> str:
    return style.paint(sign.value, _PARTS[sign])


def _columns(names: Sequence[str]) -> Iterator[str]:
    digits = len(str(len(names)))
    yield from (f"{number:{digits}}  {name}" for number, name in enumerate(names, 1))


def _summary(matrix: Matrix, grid: Grid, style: Style) -> Iterator[str]:
    reasons = grid.reasons()
    delivered = matrix.flows - sum(fared.flows for fared in reasons)
    yield f"{delivered} of {matrix.flows} flows are delivered"
    for fared in reasons[:MOST_REASONS]:
        worst = decisive(fared.ways)
        words = worst.reason if worst.verdict is Verdict.UNKNOWN else f"{worst.verdict.value} {worst.reason}"
        yield f"  {fared.flows} {style.verdict(worst.verdict, words)}: {_example(fared)}"
    if len(reasons) > MOST_REASONS:
        yield f"  … and {len(reasons) - MOST_REASONS} more reasons"


def _example(fared: Fared) -> str:
    return shlex.join(command_of(fared))
