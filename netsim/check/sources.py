"""What the world of a document of expectations or of a timeline is loaded from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def beside(file: Path, name: str) -> str:
    """A file or folder seen from the document's own folder; a name that is neither is a shipped topology's."""
    return str(file.parent / name) if (file.parent / name).exists() or "/" in name else name


def sources_of(file: Path, topology: Sequence[str], given: Sequence[str] = (), *, with_world: bool) -> tuple[str, ...]:
    """What is given, what the document names, the file itself, or nothing in particular, in this order."""
    own = (str(file),) if with_world else ()
    return tuple(given) or tuple(topology) or own
