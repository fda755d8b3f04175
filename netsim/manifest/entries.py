"""Documents with the file that they stand in: what every finding and every object points back to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.manifest.diagnostics import Diagnostic, Severity
from netsim.manifest.located import Located
from netsim.objects.json import Json, kind_of
from netsim.objects.path import Path, Problem, parse_path
from netsim.objects.schema import builtin
from netsim.rules.source import Origin


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that was read, by lines."""

    name: str
    lines: tuple[str, ...]

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty where there is none."""
        return self.lines[number - 1] if 1 <= number <= len(self.lines) else ""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One object of a file: a document, or an item of a list. ``document`` is what the file says, kind filled in."""

    file: SourceFile
    node: Located
    document: Mapping[str, Json]

    @property
    def api_version(self) -> str:
        """Its apiVersion."""
        return str(self.document["apiVersion"])

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.document["kind"])

    def origin(self, path: Path | str = ()) -> Origin:
        """Where a field stands: its key, a list's item, or the nearest thing around it."""
        line, column = self.node.at(parse_path(path) if isinstance(path, str) else path)
        return Origin(self.file.name, line, column, self.file.line(line))


@dataclass(slots=True)
class Report:
    """The findings of a load."""

    found: list[Diagnostic] = field(default_factory=list)

    def problem(self, entry: Entry, problem: Problem, severity: Severity = Severity.ERROR) -> None:
        """A finding about an object."""
        at = entry.origin(problem.path)
        self.found.append(
            Diagnostic(severity, at.file, at.line, at.column, problem.message, at.text, problem.advice),
        )

    def error(self, entry: Entry, path: Path, message: str, advice: str = "") -> None:
        """An error about an object."""
        self.problem(entry, Problem(path, message, advice))

    @property
    def failed(self) -> bool:
        """True where there is an error."""
        return any(item.severity is Severity.ERROR for item in self.found)


def entries_of(file: SourceFile, document: Located, report: Report) -> Iterator[Entry]:
    """The objects of a document: itself, or the items of the list that it is."""
    waiting: list[tuple[Located, str, str]] = [(document, "", "")]
    while waiting:
        node, api_version, kind = waiting.pop()
        entry = _entry(file, node, api_version, kind, report)
        if entry is None:
            continue
        if not _is_list(entry):
            yield entry
            continue
        items = node.entries.get("items")
        if items is None or not isinstance(items.value, list):
            found = "nothing" if items is None else kind_of(items.value)
            report.error(entry, ("items",), f"items: expected a list, found {found}")
            continue
        inherited = (entry.api_version, entry.kind.removesuffix("List")) if entry.kind != "List" else ("", "")
        waiting += [(item, *inherited) for item in reversed(items.items)]


def _entry(file: SourceFile, node: Located, api_version: str, kind: str, report: Report) -> Entry | None:
    if not isinstance(node.value, Mapping):
        entry = Entry(file, node, {})
        advice = "each document of a manifest is an object with apiVersion, kind and metadata"
        report.error(entry, (), f"expected a Kubernetes object, found {kind_of(node.value)}", advice)
        return None
    inherited: dict[str, Json] = {"apiVersion": api_version, "kind": kind} if kind else {}
    entry = Entry(file, node, {**inherited, **node.value})
    missing = [name for name in ("apiVersion", "kind") if entry.document.get(name) in (None, "")]
    if missing:
        advice = "each object has both, for example apiVersion: v1 and kind: Service"
        report.error(entry, (), f"the object has no {' and no '.join(missing)}", advice)
        return None
    wrong = [name for name in ("apiVersion", "kind") if not isinstance(entry.document[name], str)]
    for name in wrong:
        report.error(entry, (name,), f"{name}: expected a string, found {kind_of(entry.document[name])}")
    return None if wrong else entry


def _is_list(entry: Entry) -> bool:
    if entry.kind == "List":
        return entry.api_version == "v1"
    return entry.kind.endswith("List") and (entry.api_version, entry.kind.removesuffix("List")) in builtin().kinds
