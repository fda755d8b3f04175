"""Aligned columns as Go's text/tabwriter lays them out: a column is as wide as its widest cell in a run of lines that have it."""

from __future__ import annotations

from collections.abc import Sequence


def tabbed(rows: Sequence[Sequence[str]], *, least: int = 0, padding: int = 2) -> str:
    """Lines of cells. A line's last cell ends it and belongs to no column; a line of one cell ends every column above it."""
    widths = [[0] * max(0, len(row) - 1) for row in rows]
    for column in range(max((len(row) - 1 for row in rows), default=0)):
        start = 0
        while start < len(rows):
            end = start
            while end < len(rows) and len(rows[end]) - 1 > column:
                end += 1
            size = max([least, *(len(rows[i][column]) + padding for i in range(start, end))])
            for i in range(start, end):
                widths[i][column] = size
            start = end + 1
    lines = (_line(row, sizes) for row, sizes in zip(rows, widths, strict=True))
    return "\n".join(lines)


def _line(row: Sequence[str], sizes: Sequence[int]) -> str:
    padded = "".join(f"{cell:<{size}}" for cell, size in zip(row, sizes, strict=False))
    return (padded + (row[-1] if row else "")).rstrip()
