"""The small parts of Markdown: words as they stand, spans of code, tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

_SPECIAL = "\\`*_[]<>|#&"


def escaped(text: str) -> str:
    """Text that Markdown takes as it stands."""
    return "".join(f"\\{c}" if c in _SPECIAL else c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def code(text: str) -> str:
    """A span of code, with a fence longer than any inside."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def table_lines(headers: Sequence[str], rows: Iterable[Iterable[str]], *, numbers: Iterable[int] = ()) -> Iterator[str]:
    """A table, a line a row, of cells that are Markdown already; the columns ``numbers``, counted from 0, stand to the right."""
    right = set(numbers)
    yield _row(headers)
    yield _row("---:" if column in right else "---" for column in range(len(headers)))
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
