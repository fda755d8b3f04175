"""Which files a load reads, and their text.

A source is a file, ``-`` for the standard input, or a folder that stands for the ``*.yaml``, ``*.yml`` and ``*.json`` files in and
below it, sorted by path.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from netsim.dataclass import dataclass
from netsim.manifest.diagnostics import Diagnostic, Severity

STANDARD_INPUT = Path("-")
"""The source that stands for what is piped in."""

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Text:
    """A file that was read. ``file`` is its name as errors print it."""

    file: str
    text: str


def read_sources(sources: Sequence[Path | str]) -> Iterator[Text | Diagnostic]:
    """The text of every file in the given order (a file that is named twice is read once), or why it cannot be read."""
    seen: set[str] = set()
    for source in sources:
        for found in _expand(Path(source)):
            if found == STANDARD_INPUT:
                yield _piped_in()
            elif isinstance(found, Diagnostic):
                yield found
            elif (same := _identity(found)) not in seen:
                seen.add(same)
                yield read_file(found)


def _identity(path: Path) -> str:
    """One text for all names of a file."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return str(path)


def _expand(source: Path) -> list[Path | Diagnostic]:
    if source == STANDARD_INPUT:
        return [source]
    try:
        if not source.is_dir():
            return [source]
        found: list[Path | Diagnostic] = []
        found += sorted(path for path in source.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    except (OSError, ValueError) as error:
        return [_refusal(source, _reason(error))]
    if found:
        return found
    return [_refusal(source, "the folder has no manifests", "a manifest's name ends in .yaml, .yml or .json")]


@cache
def _piped_in() -> Text | Diagnostic:
    """What is piped in can be read once, and may be asked for again."""
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        message = f"the standard input is larger than {MAX_BYTES // 1024 // 1024} MiB"
        return Diagnostic(Severity.ERROR, "<stdin>", 0, 0, message)
    return decode_text("<stdin>", content)


def read_file(path: Path) -> Text | Diagnostic:
    """One file's text, or why it cannot be read."""
    try:
        if not path.exists():
            return _refusal(path, "no such file or folder")
        if not path.is_file():
            return _refusal(path, "not a regular file")
        if path.stat().st_size > MAX_BYTES:
            size = f"{path.stat().st_size / 1024 / 1024:.1f} MiB"
            return _refusal(path, f"the file is too large: {size}", f"at most {MAX_BYTES // 1024 // 1024} MiB are read")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        return _refusal(path, _reason(error))
    return decode_text(str(path), content)


def decode_text(file: str, content: bytes) -> Text | Diagnostic:
    """UTF-8 text of a file's bytes, or where they stop being text."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Diagnostic(Severity.ERROR, file, 0, 0, "the file is UTF-16, not UTF-8", help="save it as UTF-8")
    if b"\0" in content[:4096]:
        return Diagnostic(Severity.ERROR, file, 0, 0, "the file is binary", help="manifests are YAML or JSON text")
    try:
        return Text(file, content.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        begin = content.rfind(b"\n", 0, error.start) + 1
        column = len(content[begin : error.start].decode("utf-8", "replace")) + 1
        end = content.find(b"\n", error.start)
        text = content[begin : end if end >= 0 else len(content)].decode("utf-8", "replace").rstrip("\r")
        message = f"byte 0x{content[error.start]:02x} is not UTF-8 text"
        return Diagnostic(Severity.ERROR, file, line, column, message, text, "save the file as UTF-8")


def _refusal(path: Path, message: str, advice: str = "") -> Diagnostic:
    return Diagnostic(Severity.ERROR, str(path), 0, 0, message, help=advice)


def _reason(error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot be read: {reason or error}"
