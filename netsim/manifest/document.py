"""YAML and JSON text → JSON values of which every part knows its line and column.

The text is read event by event with an own stack, so that depth is bounded and nothing recurses; an alias is the same value
as its anchor and is never copied, and the size that it would have when written out is bounded too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from netsim.manifest.scalars import ScalarError, key_text, resolve_plain, resolve_tagged
from netsim.objects.json import Json
from netsim.objects.path import Path

MAX_DEPTH: Final = 100
MAX_ALIASED: Final = 100_000
MAX_SYNTAX_ERRORS: Final = 20

_MERGE = "<<"


@dataclass(slots=True)
class Located:
    """A value with its place; lines and columns count from 1.

    ``entries`` holds a mapping's values and ``keys`` the places of its keys; ``items`` holds a list's values.
    ``weight`` is the number of values it has when every alias is written out; ``block`` marks a text of the styles | and >.
    """

    value: Json
    line: int
    column: int
    entries: dict[str, Located] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: list[Located] = field(default_factory=list)
    weight: int = 1
    block: bool = False

    def at(self, path: Path) -> tuple[int, int]:
        """Line and column of a field's key or of a list's item; of the nearest thing around it where it is absent."""
        here, place = self, (self.line, self.column)
        for step in path:
            if isinstance(step, str) and step in here.entries:
                here, place = here.entries[step], here.keys.get(step, place)
            elif isinstance(step, int) and step < len(here.items):
                here = here.items[step]
                place = (here.line, here.column)
            else:
                break
        return place

    def inside(self, path: Path) -> Located | None:
        """The value at a path, None where there is none."""
        here: Located | None = self
        for step in path:
            match step:
                case _ if here is None:
                    return None
                case str():
                    here = here.entries.get(step)
                case _:
                    here = here.items[step] if step < len(here.items) else None
        return here


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text cannot be read, and where."""

    line: int
    column: int
    message: str
    advice: str = ""


class _UnreadableError(Exception):
    def __init__(self, mark: Any, message: str, advice: str = "") -> None:
        super().__init__(message)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        self.fault = Fault(line, column, message, advice)


class _PureEvents(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


def _events(text: str) -> Any:
    c_parser = getattr(yaml, "cyaml", None)
    return c_parser.CParser(text) if c_parser is not None else _PureEvents(text)


def read_documents(text: str, *, pure: bool = False) -> tuple[list[Located], list[Fault]]:
    """The documents of a text, empty ones left out, and what is wrong with it. Reading stops at a syntax error.

    ``pure`` reads with PyYAML's Python parser even where the C parser is there.
    """
    if text.lstrip().startswith(("{", "[")):
        parsed = _read_json(text)
        if parsed is not None:
            return parsed
    documents: list[Located] = []
    faults: list[Fault] = []
    rest, start = text, 0
    while len(faults) < MAX_SYNTAX_ERRORS:
        fault = _read_yaml(rest, documents, faults, pure=pure)
        following = _next_document(rest, max(fault.line - 1, start + 1)) if fault is not None and fault.line else None
        if following is None:
            break
        rest, start = following
    return documents, faults


def _read_yaml(text: str, documents: list[Located], faults: list[Fault], *, pure: bool) -> Fault | None:
    """Read until the end or until the first syntax error, which is the answer."""
    builder = _Builder()
    stopped: Fault | None = None
    try:
        source = _PureEvents(text) if pure else _events(text)
        documents.extend(builder.documents(source))
    except _UnreadableError as error:
        stopped = error.fault
    except yaml.YAMLError as error:
        stopped = _syntax_fault(error, text)
    except RecursionError:
        stopped = Fault(0, 0, "the document is nested too deeply")
    faults += builder.faults
    if stopped is not None:
        faults.append(stopped)
    return stopped


def _next_document(text: str, index: int) -> tuple[str, int] | None:
    """The text from the first ``---`` at or after a line (counted from 0), and that line.

    As many empty lines stand before it as keep the line numbers.
    """
    lines = text.split("\n")
    for number in range(index, len(lines)):
        if lines[number].startswith("---") and not lines[number][3:4].strip():
            return "\n" * number + "\n".join(lines[number:]), number
    return None


# --- YAML -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read. ``key`` is the mapping key that waits for its value."""

    node: Located
    anchor: str | None
    is_mapping: bool
    key: tuple[str, int, int] | None = None
    merges: list[Located] = field(default_factory=list)


class _Builder:
    """Builds located values from the events of one text."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Located | None] = {}
        self._root: Located | None = None
        self._written = 0

    def documents(self, source: Any) -> Iterator[Located]:
        """Every document that is not empty. Raises _UnreadableError and yaml.YAMLError."""
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
            raise _UnreadableError(mark, str(error)) from None
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
            raise _UnreadableError(event.start_mark, f"no anchor &{event.anchor} stands before this alias")
        node = self._anchors[event.anchor]
        if node is None:
            raise _UnreadableError(event.start_mark, f"the anchor &{event.anchor} contains itself")
        self._add(node, event.start_mark)

    def _open(self, event: Any) -> None:
        mark = event.start_mark
        if len(self._stack) >= MAX_DEPTH:
            raise _UnreadableError(mark, f"the document is nested more than {MAX_DEPTH} levels deep")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if self._stack and self._stack[-1].is_mapping and self._stack[-1].key is None:
            raise _UnreadableError(mark, f"a {'mapping' if is_mapping else 'list'} cannot be a key", _TEMPLATE_ADVICE)
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
            raise _UnreadableError(mark, *_EXCESSIVE)
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
            raise _UnreadableError(mark, f"a key must be text, and this one is {kind}")
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
            raise _UnreadableError(mark, "the value of << must be a mapping or a list of mappings")
        top.merges.extend(sources)


_TEMPLATE_ADVICE = (
    "an unquoted {{ … }} of a template is a mapping to YAML: render the template first, or quote the text"
)
_EXCESSIVE = (
    f"the aliases of the document stand for more than {MAX_ALIASED:,} values when they are written out",
    "an alias inside an anchor multiplies what it stands for",
)


def _syntax_fault(error: yaml.YAMLError, text: str) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(error, yaml.reader.ReaderError):
        position = error.position if isinstance(error.position, int) else 0
        before = text.encode("utf-8", "replace")[:position].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
        return Fault(line, column, f"the character U+{code:04X} is not allowed in YAML")
    problem = str(getattr(error, "problem", None) or error)
    context = getattr(error, "context", None)
    message = f"not valid YAML: {problem}" + (f" {context}" if context else "")
    if mark is None:
        return Fault(0, 0, message)
    return Fault(mark.line + 1, mark.column + 1, message, _syntax_advice(problem, mark, text))


def _syntax_advice(problem: str, mark: Any, text: str) -> str:
    line = next(iter(text.splitlines()[mark.line : mark.line + 1]), "")
    if line[: mark.column + 1].strip(" ") == "\t":
        return "YAML is indented with spaces, not with tabs"
    if "mapping values are not allowed" in problem:
        return 'check the indentation here and above; text that contains ": " must be in quotes'
    if "could not find expected ':'" in problem:
        return "a key ends with a colon and a space"
    return ""


# --- JSON -------------------------------------------------------------------------------------------------------

_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def without_surrogates(text: str) -> str:
    """Text with U+FFFD for each surrogate that is not half of a pair, as Go's decoder reads it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _read_json(text: str) -> tuple[list[Located], list[Fault]] | None:
    """A text that is one JSON value. None where it is not JSON: it may be YAML in flow style.

    Values come from the JSON reader; places from the YAML reader, to which JSON is YAML once tabs between the tokens and
    escapes inside strings are blanked out, column for column.
    """
    try:
        value: Json = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if _SURROGATE.search(text):
        value = json.loads(without_surrogates(json.dumps(value, ensure_ascii=False)))
    masked = _ESCAPE.sub(lambda match: "x" * len(match[0]), text).replace("\t", " ")
    builder = _Builder()
    try:
        located = next(builder.documents(_events(masked)), None)
    except _UnreadableError as error:
        return [], [*builder.faults, error.fault]
    except yaml.YAMLError:
        located = None
    if located is None:
        return [Located(value, 1, 1)], []
    _put_values(located, value)
    return [located], builder.faults


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _put_values(located: Located, value: Json) -> None:
    """Replace what the YAML reader understood by what the JSON reader read; the two have one shape."""
    waiting: list[tuple[Located, Json]] = [(located, value)]
    while waiting:
        node, item = waiting.pop()
        node.value = item
        if isinstance(item, dict):
            waiting += [(inside, item[key]) for key, inside in node.entries.items() if key in item]
        elif isinstance(item, list):
            waiting += list(zip(node.items, item, strict=False))
