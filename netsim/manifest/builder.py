"""YAML events → located values.

An own stack takes the place of recursion, so depth is bounded; an alias is the same value as its anchor and is never copied, and
the size that it would have when written out is bounded too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Any, Final

import yaml

from netsim.dataclass import dataclass
from netsim.manifest.located import Fault, Located
from netsim.manifest.scalars import ScalarError, key_text, resolve_plain, resolve_tagged
from netsim.objects.json import Json

MAX_DEPTH: Final = 100
MAX_ALIASED: Final = 100_000

_MERGE = "<<"


class UnreadableError(Exception):
    """A document that cannot be read any further; ``fault`` says where and why."""

    def __init__(self, mark: Any, message: str, advice: str = "") -> None:
        super().__init__(message)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        self.fault = Fault(line, column, message, advice)


def without_surrogates(text: str) -> str:
    """Text with U+FFFD for each surrogate that is not half of a pair, as Go's decoder reads it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read. ``key`` is the mapping key that waits for its value."""

    node: Located
    anchor: str | None
    is_mapping: bool
    key: tuple[str, int, int] | None = None
    merges: list[Located] = field(default_factory=list)


class Builder:
    """Builds located values from the events of one text."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Located | None] = {}
        self._root: Located | None = None
        self._written = 0

    def documents(self, source: Any) -> Iterator[Located]:
        """Every document that is not empty. Raises UnreadableError and yaml.YAMLError."""
        while not isinstance(event := source.get_event(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentEndEvent):
                if self._root is not None and self._root.value is not None:
                    yield self._root
                self._root = None
                self._anchors.clear()
            else:
                self._take(event)

    def _take(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(event)

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        top = self._stack[-1] if self._stack else None
        plain = event.implicit[0] and not event.tag
        if plain and event.value == _MERGE and top is not None and top.is_mapping and top.key is None:
            top.key = (_MERGE, -1, -1)
            return
        try:
            value = resolve_plain(event.value) if plain else self._quoted(event)
        except ScalarError as error:
            raise UnreadableError(mark, str(error)) from None
        self._written += 1
        node = Located(value, mark.line + 1, mark.column + 1, block=event.style in ("|", ">"))
        if event.anchor:
            self._anchors[event.anchor] = node
        self._add(node, mark)

    @staticmethod
    def _quoted(event: Any) -> Json:
        if event.tag and event.tag != "!":
            return resolve_tagged(event.value, event.tag)
        text = str(event.value)
        return text if text.isascii() else without_surrogates(text)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise UnreadableError(event.start_mark, f"no anchor &{event.anchor} stands before this alias")
        node = self._anchors[event.anchor]
        if node is None:
            raise UnreadableError(event.start_mark, f"the anchor &{event.anchor} contains itself")
        self._add(node, event.start_mark)

    def _open(self, event: Any) -> None:
        mark = event.start_mark
        if len(self._stack) >= MAX_DEPTH:
            raise UnreadableError(mark, f"the document is nested more than {MAX_DEPTH} levels deep")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if self._stack and self._stack[-1].is_mapping and self._stack[-1].key is None:
            raise UnreadableError(mark, f"a {'mapping' if is_mapping else 'list'} cannot be a key", _TEMPLATE_ADVICE)
        self._written += 1
        node = Located({} if is_mapping else [], mark.line + 1, mark.column + 1)
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(node, event.anchor, is_mapping))

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        node = done.node
        for merged in done.merges:
            for key, item in merged.entries.items():
                if key not in node.entries:
                    node.entries[key], node.keys[key] = item, merged.keys[key]
                    node.weight += item.weight
        if done.is_mapping:
            node.value = {key: item.value for key, item in node.entries.items()}
        else:
            node.value = [item.value for item in node.items]
        if done.anchor:
            self._anchors[done.anchor] = node
        self._add(node, event.start_mark)

    def _add(self, node: Located, mark: Any) -> None:
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        top.node.weight += node.weight
        if top.node.weight > self._written + MAX_ALIASED:
            raise UnreadableError(mark, *_EXCESSIVE)
        if not top.is_mapping:
            top.node.items.append(node)
        elif top.key is None:
            top.key = self._key(node, mark)
        else:
            self._entry(top, top.key, node, mark)
            top.key = None

    @staticmethod
    def _key(node: Located, mark: Any) -> tuple[str, int, int]:
        text = key_text(node.value)
        if text is None:
            kind = "null" if node.value is None else "a mapping or a list"
            raise UnreadableError(mark, f"a key must be text, and this one is {kind}")
        return text, mark.line + 1, mark.column + 1

    def _entry(self, top: _Open, key: tuple[str, int, int], node: Located, mark: Any) -> None:
        name, line, column = key
        if line == -1:
            self._merge(top, node, mark)
            return
        if name in top.node.entries:
            first = top.node.keys[name]
            advice = f"the first is at line {first[0]}; keep one of them"
            self.faults.append(Fault(line, column, f'the key "{name}" is there twice', advice))
            return
        top.node.entries[name], top.node.keys[name] = node, (line, column)

    @staticmethod
    def _merge(top: _Open, node: Located, mark: Any) -> None:
        sources = node.items if isinstance(node.value, list) else [node]
        if not all(isinstance(source.value, dict) for source in sources):
            raise UnreadableError(mark, "the value of << must be a mapping or a list of mappings")
        top.merges.extend(sources)


_TEMPLATE_ADVICE = (
    "an unquoted {{ … }} of a template is a mapping to YAML: render the template first, or quote the text"
)
_EXCESSIVE = (
    f"the aliases of the document stand for more than {MAX_ALIASED:,} values when they are written out",
    "an alias inside an anchor multiplies what it stands for",
)
