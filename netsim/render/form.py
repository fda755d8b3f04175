"""How lines of text are made: what to tell, how wide, and where to break."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from enum import Enum

from netsim.dataclass import dataclass
from netsim.render.style import PLAIN, Style

WORD_WIDTH = 10


class Detail(Enum):
    """How much is told."""

    MINIMAL = "minimal"
    SUMMARY = "summary"
    MATCHED = "matched"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Format:
    """How lines are made: what to tell, in which colours, how wide (columns)."""

    detail: Detail = Detail.MATCHED
    style: Style = PLAIN
    width: int = 100


def said(word: str, text: str, form: Format, part: str = "word") -> Iterator[str]:
    """A word and what there is to say, in as many lines as it takes."""
    head = form.style.paint(f"{word:<{WORD_WIDTH}}", part)
    lines = wrapped(text, form.width - 4 - WORD_WIDTH - 1) or [""]
    yield f"{head} {lines[0]}".rstrip()
    for line in lines[1:]:
        yield f"{'':<{WORD_WIDTH}}   {line}"


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines that break at spaces only; a word that is too long stays whole."""
    return textwrap.wrap(text, max(width, 40), break_long_words=False, break_on_hyphens=False)


def counted(number: int, noun: str) -> str:
    """``1 node``, ``3 nodes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def filled(groups: Sequence[str], width: int) -> list[str]:
    """Groups in as few lines as there are, each at most ``width`` columns, or one group."""
    lines: list[str] = []
    for group in groups:
        if lines and len(lines[-1]) + 1 + len(group) <= width:
            lines[-1] += f" {group}"
        else:
            lines.append(group.strip())
    return lines
