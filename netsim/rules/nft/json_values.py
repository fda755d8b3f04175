"""JSON with the place of each value, for errors that name lines. Ref: RFC 8259."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from netsim.dataclass import dataclass

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it begins. Numbers with a fraction do not occur."""

    value: JsonValue
    offset: int


JsonValue: TypeAlias = str | int | bool | Sequence[Node] | Mapping[str, Node] | None


class JsonSyntaxError(ValueError):
    """What is no JSON, and where."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def read_json(text: str) -> Node:
    """The value of a text. Raises JsonSyntaxError."""
    reader = _Reader(text)
    found = reader.value()
    reader.skip()
    if reader.at < len(text):
        raise JsonSyntaxError("unexpected text behind the value", reader.at)
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self) -> None:
        found = _BLANK.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def peek(self) -> str:
        self.skip()
        return self.text[self.at : self.at + 1]

    def take(self, sign: str) -> None:
        if self.peek() != sign:
            raise JsonSyntaxError(f"expecting {sign!r}", self.at)
        self.at += 1

    def value(self) -> Node:
        sign, start = self.peek(), self.at
        match sign:
            case "{":
                return Node(self._object(), start)
            case "[":
                return Node(self._array(), start)
            case '"':
                return Node(self._string(), start)
            case _:
                return Node(self._scalar(), start)

    def _scalar(self) -> JsonValue:
        for word, meaning in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return meaning
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            raise JsonSyntaxError("expecting a value", self.at)
        if found[1] or found[2]:
            raise JsonSyntaxError("expecting a whole number", self.at)
        self.at = found.end()
        return int(found[0])

    def _string(self) -> str:
        self.skip()
        found = _STRING.match(self.text, self.at)
        if found is None:
            raise JsonSyntaxError("the string is not closed", self.at)
        try:
            value = json.loads(found[0])
        except json.JSONDecodeError:
            raise JsonSyntaxError("the string has an unknown escape", self.at) from None
        self.at = found.end()
        return str(value)

    def _array(self) -> list[Node]:
        self.take("[")
        found: list[Node] = []
        while self.peek() != "]":
            if found:
                self.take(",")
            found.append(self.value())
        self.take("]")
        return found

    def _object(self) -> dict[str, Node]:
        self.take("{")
        found: dict[str, Node] = {}
        while self.peek() != "}":
            if found:
                self.take(",")
            if self.peek() != '"':
                raise JsonSyntaxError("expecting a key in quotes", self.at)
            key = self._string()
            self.take(":")
            found[key] = self.value()
        self.take("}")
        return found
