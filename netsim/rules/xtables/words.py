"""Words of an iptables-restore line: how quotes and backslashes work, forth and back.

Double quotes hold spaces together; inside them a backslash takes the next character as it is. A single quote is an
ordinary character, and so is a backslash outside of quotes. A quote that is never closed runs to the end of the line.
Compared with iptables 1.8.9. Ref: iptables/xshared.c:add_param_to_argv() (v1.8.9).
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


def split(line: str) -> list[str]:
    """The words of a line."""
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
    """The words of a line with their places."""
    words: list[Word] = []
    text: list[str] = []
    start, quoted, escaped, open_word = 0, False, False, False
    for index, character in enumerate(line):
        if not open_word:
            start = index
        if escaped:
            text.append(character)
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
            open_word = True
        elif character in _BLANK and not quoted:
            if open_word:
                words.append(Word("".join(text), start + 1))
            text, open_word = [], False
        else:
            text.append(character)
            open_word = True
    if open_word:
        words.append(Word("".join(text), start + 1))
    return words


def quote(text: str) -> str:
    """Free text as iptables-save prints it. Ref: libxtables/xtables.c:xtables_save_string() (v1.8.9)."""
    return text if _SAFE.fullmatch(text) else '"' + _ESCAPED.sub(r"\\\1", text) + '"'


def quote_where_needed(word: str) -> str:
    """A word with quotes where a blank, a quote or a backslash would break it."""
    return quote(word) if not word or any(character in word for character in " \t\"'\\") else word
