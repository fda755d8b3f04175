"""Words of an iptables-restore line: how quotes and backslashes work, forth and back.

Double quotes hold spaces together; inside them a backslash takes the next character as it is, and a closing quote ends the
word whatever follows. A single quote is an ordinary character, and so is a backslash outside of quotes. Compared with
iptables 1.8.9; a quote that is never closed, which it takes up to and with the end of the line, is refused here.
Ref: iptables/xshared.c:add_param_to_argv() (v1.8.9).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile(r"""(["'\\])""")
_BLANK = " \t\n"


class Word(NamedTuple):
    """One word without its quotes; ``column`` counts from 1."""

    text: str
    column: int


class UnclosedQuoteError(ValueError):
    """A quote that is never closed; ``column`` counts from 1."""

    def __init__(self, column: int) -> None:
        super().__init__("the quote is not closed")
        self.column = column


def split(line: str) -> list[str]:
    """The words of a line; raise UnclosedQuoteError."""
    if '"' not in line:
        return line.split()
    if "\\" not in line:
        parts = line.split('"')
        if len(parts) % 2 and all(_stands_alone(parts, i) for i in range(1, len(parts), 2)):
            words: list[str] = []
            for index, part in enumerate(parts):
                if index % 2:
                    words.append(part)
                else:
                    words += part.split()
            return words
    return [word.text for word in split_with_columns(line)]


def _stands_alone(parts: list[str], index: int) -> bool:
    """True where blanks (or the line's ends) surround the quoted part, so that it is a word of its own."""
    before, after = parts[index - 1], parts[index + 1]
    first, last = index == 1, index == len(parts) - 2
    return (before[-1:] in _BLANK if before else first) and (after[:1] in _BLANK if after else last)


def split_with_columns(line: str) -> list[Word]:
    """The words of a line with their places; raise UnclosedQuoteError."""
    words: list[Word] = []
    text = ""
    start, quoted, escaped = 0, False, False
    for index, character in enumerate(line):
        if not text and not quoted:
            start = index
        if quoted and not escaped and character == "\\":
            escaped = True
        elif character == '"' and not escaped:
            if quoted:
                words.append(Word(text, start + 1))
                text = ""
            quoted = not quoted
        elif character in _BLANK and not quoted:
            if text:
                words.append(Word(text, start + 1))
            text = ""
        else:
            text += character
            escaped = False
    if quoted:
        raise UnclosedQuoteError(start + 1)
    return [*words, Word(text, start + 1)] if text else words


def quote(text: str) -> str:
    """Free text as iptables-save prints it. Ref: libxtables/xtables.c:xtables_save_string() (v1.8.9)."""
    return text if _SAFE.fullmatch(text) else '"' + _ESCAPED.sub(r"\\\1", text) + '"'


def quote_where_needed(word: str) -> str:
    """A word with quotes where a blank, a quote or a backslash would break it."""
    return quote(word) if not word or any(character in word for character in " \t\"'\\") else word
