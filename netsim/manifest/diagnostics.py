"""Findings of a load, as a user reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from netsim.dataclass import dataclass

_SHOWN = 110
_LEAD = 60


class Severity(Enum):
    """An error keeps the load from succeeding, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``line`` and ``column`` count from 1; 0 where the finding is about the whole file.

    ``text`` is the line that is pointed at, ``help`` what to do next; both may be empty.
    """

    severity: Severity
    file: str
    line: int
    column: int
    message: str
    text: str = ""
    help: str = ""

    @property
    def place(self) -> str:
        """``file:line:column``, or the file alone."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        yield (
            f"{self.severity.value}: {self.place}: {self.message}"
            if self.file
            else f"{self.severity.value}: {self.message}"
        )
        if self.line and self.text.strip():
            text, column = _window(self.text, self.column)
            gutter = f"{self.line:>5} | "
            yield gutter + text
            yield " " * (len(gutter) - 2) + "| " + " " * (column - 1) + "^"
        if self.help:
            yield f"help: {self.help}"


def _window(text: str, column: int) -> tuple[str, int]:
    """The part of a long line around the column, with tabs as single spaces, and the column in it."""
    printable = "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    if len(printable) <= _SHOWN:
        return printable, min(column, len(printable) + 1)
    start = max(0, min(column - 1 - _LEAD, len(printable) - _SHOWN))
    end = start + _SHOWN
    head, tail = "…" if start else "", "…" if end < len(printable) else ""
    return head + printable[start:end] + tail, min(column, len(printable) + 1) - start + len(head)


class LoadError(Exception):
    """What keeps a load from succeeding: every error, and the warnings found beside them, in the order to print them."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(str(item) for item in diagnostics))
        self.diagnostics = tuple(diagnostics)


def in_order(diagnostics: Iterable[Diagnostic], files: Sequence[str]) -> tuple[Diagnostic, ...]:
    """By file in the order in which the files were given, then by line and column; each finding once."""
    rank = {name: index for index, name in enumerate(files)}
    unique = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda d: (rank.get(d.file, len(rank)), d.file, d.line, d.column, d.message)))
