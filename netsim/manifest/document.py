"""YAML and JSON text → JSON values of which every part knows its line and column."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import yaml

from netsim.manifest.builder import MAX_DEPTH, Builder, UnreadableError, without_surrogates
from netsim.manifest.located import Fault, Located, split_lines
from netsim.objects.json import Json

MAX_SYNTAX_ERRORS: Final = 20


def read_documents(text: str, *, pure: bool = False) -> tuple[list[Located], list[Fault]]:
    """The documents of a text, empty ones left out, and what is wrong with it. A syntax error ends its document only.

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
    builder = Builder()
    stopped: Fault | None = None
    try:
        source = _PureEvents(text) if pure else _events(text)
        documents.extend(builder.documents(source))
    except UnreadableError as error:
        stopped = error.fault
    except yaml.YAMLError as error:
        stopped = _too_deep(error, text) or _syntax_fault(error, text)
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
    lines = split_lines(text)
    for number in range(index, len(lines)):
        if lines[number].startswith("---") and not lines[number][3:4].strip():
            return "\n" * number + "\n".join(lines[number:]), number
    return None


# --- YAML --------------------------------------------------------------------------------------------------------------


class _PureEvents(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


def _events(text: str) -> Any:
    c_parser = getattr(yaml, "cyaml", None)
    return c_parser.CParser(text) if c_parser is not None else _PureEvents(text)


def _too_deep(error: yaml.YAMLError, text: str) -> Fault | None:
    """Where our own limit of depth was passed, if the error is that of libyaml (some 1,000 levels, since PyYAML 6.0.4).

    libyaml reads 1,024 characters ahead for a key's colon, so its limit can be met first: what stands before it is read again.
    """
    mark = getattr(error, "problem_mark", None)
    if mark is None or "maximum nesting depth" not in str(getattr(error, "problem", "")):
        return None
    lines = split_lines(text)
    before = (*lines[: mark.line], lines[mark.line][: mark.column])
    return _read_yaml("\n".join(before), [], [], pure=False)


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
    line = next(iter(split_lines(text)[mark.line : mark.line + 1]), "")
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


def _read_json(text: str) -> tuple[list[Located], list[Fault]] | None:
    """A text that is one JSON value. None where it is not JSON: it may be YAML in flow style.

    Values come from the JSON reader; places from the YAML reader, to which JSON is YAML once tabs between the tokens and
    escapes inside strings are blanked out, column for column.
    """
    try:
        value: Json = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    if _SURROGATE.search(text):
        value = json.loads(without_surrogates(json.dumps(value, ensure_ascii=False)))
    masked = _ESCAPE.sub(lambda match: match[0].translate(_MASK), text).replace("\t", " ")
    builder = Builder()
    try:
        located = next(builder.documents(_events(masked)), None)
    except UnreadableError as error:
        return [], [*builder.faults, error.fault]
    except yaml.YAMLError:
        located = None
    if located is None:
        return _without_places(value)
    _put_values(located, value)
    return [located], builder.faults


def _without_places(value: Json) -> tuple[list[Located], list[Fault]]:
    """JSON that YAML cannot read (a key of more than 1,024 characters, a line break before a colon): all of it is at its start."""
    root = Located(value, 1, 1)
    level = [root]
    for _ in range(MAX_DEPTH):
        inner: list[Located] = []
        for node in level:
            if isinstance(node.value, dict):
                node.entries = {key: Located(item, 1, 1) for key, item in node.value.items()}
                node.keys = dict.fromkeys(node.entries, (1, 1))
                inner += node.entries.values()
            elif isinstance(node.value, list):
                node.items = [Located(item, 1, 1) for item in node.value]
                inner += node.items
        level = inner
    return (
        ([root], []) if not level else ([], [Fault(0, 0, f"the document is nested more than {MAX_DEPTH} levels deep")])
    )


_MASK = str.maketrans({"\\": "\ue000", '"': "\ue001"})
"""Escapes keep their length and stay different from each other, without what ends a string."""


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value


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
