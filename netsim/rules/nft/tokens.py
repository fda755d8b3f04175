"""Words of an nft text, with their places."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netsim.rules.source import Origin, RuleSyntaxError

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\\\n)
      | (?P<comment>\#[^\n]*)
      | (?P<end>[;\n])
      | (?P<string>"[^"\n]*")
      | (?P<punctuation>==|!=|<=|>=|<<|>>|[{},()<>&|^=!])
      | (?P<word>[^\s;{},()"<>=!&|^\#]+)""",
    re.VERBOSE,
)


_COMPAT = re.compile(r"#\s*(xt_|match |target |unknown )")
"""What nft prints of an extension of iptables that it cannot translate: a part of the rule that is no comment."""

_LISTED = re.compile(r"(\S) (,|;)")


class Token(NamedTuple):
    """One token; ``kind`` is ``word``, ``string`` (without its quotes), ``punctuation``, ``end`` (``;`` or a line's end) or ``eof``."""

    kind: str
    text: str
    offset: int


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text. A quote that is not closed is a token of the kind ``error``."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            yield Token("error", text[at], at)
            return
        kind = found.lastgroup or ""
        if kind == "string":
            yield Token(kind, found[0][1:-1], at)
        elif kind == "comment" and _COMPAT.match(found[0]):
            yield from (Token("word", "xt", at), Token("string", found[0][1:].strip(), at))
        elif kind not in ("blank", "comment"):
            yield Token(kind, found[0], at)
        at = found.end()


class Source:
    """A text and its tokens, to be read one after the other. ``given`` are tokens that stand for another form of the text."""

    def __init__(self, text: str, file: str, given: Sequence[Token] | None = None) -> None:
        self.text = text
        self.file = file
        self.tokens: list[Token] = [*(tokens(text) if given is None else given), Token("eof", "", len(text))]
        self.at = 0
        self.variables: dict[str, list[Token]] = {}
        self._last = (0, "")
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def peek(self, ahead: int = 0) -> Token:
        """The next token, or one behind it; at the end always ``eof``."""
        index = self.at + ahead
        token: Token = self.tokens[index] if index < len(self.tokens) else self.tokens[-1]
        if token.text[:1] == "$" and token.kind == "word":
            self._expand(token, index)
            return self.peek(ahead)
        return token

    def _expand(self, token: Token, index: int) -> None:
        """Put a variable's tokens in its place."""
        if token.text[1:] not in self.variables:
            raise self.error(f"unknown identifier {token.text[1:]!r}", token, "define it first")
        values = [Token(each.kind, each.text, token.offset) for each in self.variables[token.text[1:]]]
        self.tokens[index : index + 1] = values

    def next(self) -> Token:
        """Take the next token."""
        token = self.peek()
        self.at += 1
        return token

    def part(self, length: int) -> None:
        """Make two tokens of the next one, of which the first has this length."""
        token = self.peek()
        ends = (token._replace(text=token.text[:length]), Token(token.kind, token.text[length:], token.offset + length))
        self.tokens[self.at : self.at + 1] = ends

    def word(self, what: str) -> str:
        """Take a word; raise RuleSyntaxError that says what was expected."""
        token = self.peek()
        if token.kind != "word":
            raise self.error(f"syntax error, unexpected {_name(token)}, expecting {what}", token)
        return self.next().text

    def string(self) -> str:
        """Take a quoted string or a word."""
        token = self.peek()
        if token.kind not in ("string", "word"):
            raise self.error(f"syntax error, unexpected {_name(token)}, expecting a string", token)
        return self.next().text

    def accept(self, *texts: str) -> bool:
        """Take the next tokens where they are exactly these words or signs."""
        for index, text in enumerate(texts):
            token = self.peek(index)
            if token.kind not in ("word", "punctuation") or token.text != text:
                return False
        self.at += len(texts)
        return True

    def expect(self, text: str) -> None:
        """Take this word or sign; raise RuleSyntaxError where there is another."""
        if not self.accept(text):
            raise self.error(f"syntax error, unexpected {_name(self.peek())}, expecting {text}", self.peek())

    def skip_ends(self) -> None:
        """Take ends of lines and semicolons."""
        while self.peek().kind == "end":
            self.at += 1

    def at_end(self) -> bool:
        """True where a statement ends: at a line's end, a semicolon, a closing brace or the end of the text."""
        token = self.peek()
        return token.kind in ("end", "eof") or (token.kind == "punctuation" and token.text == "}")

    def rest(self) -> str:
        """Take everything up to the end of the statement, as it is written."""
        start = self.at
        depth = 0
        while True:
            token = self.peek()
            if token.kind == "eof" or (depth == 0 and self.at_end()):
                return self.between(start, self.at)
            depth += {"{": 1, "}": -1}.get(token.text, 0) if token.kind == "punctuation" else 0
            self.at += 1

    def between(self, first: int, end: int) -> str:
        """The tokens from one place up to another, in one line and with one space between them."""
        found: list[str] = []
        for token in self.tokens[first:end]:
            if token.kind == "end":
                if found and found[-1] not in ("{", ";"):
                    found.append(";")
            else:
                if token.text == "}" and found and found[-1] == ";":
                    found.pop()
                found.append(f'"{token.text}"' if token.kind == "string" else token.text)
        return _LISTED.sub(r"\1\2", " ".join(found))

    def origin(self, token: Token | None = None) -> Origin:
        """The place of a token (the next one where none is given)."""
        offset = (token or self.peek()).offset
        number = bisect_right(self._lines, offset)
        start = self._lines[number - 1]
        return Origin(self.file, number, offset - start + 1, self._line(number))

    def _line(self, number: int) -> str:
        """A line's text; the same value for all that stands on it, since a long line may hold thousands of elements."""
        if number != self._last[0]:
            start = self._lines[number - 1]
            end = self.text.find("\n", start)
            self._last = (number, self.text[start : end if end >= 0 else len(self.text)])
        return self._last[1]

    def error(self, message: str, token: Token | None = None, advice: str = "") -> RuleSyntaxError:
        """An error at a token (the next one where none is given)."""
        return RuleSyntaxError(message, self.origin(token), advice)


def _name(token: Token) -> str:
    if token.kind == "eof":
        return "end of file"
    return "newline" if token.text == "\n" else repr(token.text)
