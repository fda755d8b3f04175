"""YAML and JSON files that are no manifests (a replay's case, a list of expectations): one document a file, with places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from netsim.dataclass import dataclass
from netsim.manifest.diagnostics import Diagnostic, LoadError, Severity
from netsim.manifest.document import read_documents
from netsim.manifest.located import Located, split_lines
from netsim.manifest.sources import Text, read_file
from netsim.objects.json import Document
from netsim.objects.path import parse_path


@dataclass(frozen=True, slots=True)
class PlainDocument:
    """One file's document. ``problem`` makes a diagnostic that points at one of its fields."""

    file: str
    document: Document
    _located: Located = field(repr=False)
    _lines: tuple[str, ...] = field(repr=False)

    def problem(self, path: str, message: str, advice: str = "") -> Diagnostic:
        """An error at a field such as ``kubeProxy.mode``, or at the nearest thing around it."""
        line, column = self._located.at(parse_path(path))
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        return Diagnostic(Severity.ERROR, self.file, line, column, message, text, advice)


def read_plain(path: Path) -> PlainDocument:
    """Read a file that holds one mapping. Raises LoadError."""
    text = read_file(path)
    if isinstance(text, Diagnostic):
        raise LoadError((text,))
    lines = tuple(split_lines(text.text))
    documents, faults = read_documents(text.text)
    if faults:
        raise LoadError(tuple(_fault(text, lines, f.line, f.column, f.message, f.advice) for f in faults))
    if len(documents) != 1 or not isinstance(documents[0].value, Mapping):
        what = (
            "an empty file" if not documents else f"{len(documents)} documents" if len(documents) > 1 else "no mapping"
        )
        raise LoadError((_fault(text, lines, 1, 1, f"expected one document with fields, found {what}", ""),))
    return PlainDocument(text.file, documents[0].value, documents[0], lines)


def _fault(text: Text, lines: tuple[str, ...], line: int, column: int, message: str, advice: str) -> Diagnostic:
    shown = lines[line - 1] if 0 < line <= len(lines) else ""
    return Diagnostic(Severity.ERROR, text.file, line, column, message, shown, advice)
