"""Where in a document something is, and what is wrong there.

A path is a tuple of keys and list positions: ``("spec", "ports", 0, "nodePort")``, written ``spec.ports[0].nodePort``.
A ``Problem`` is a finding of a check on one document; the manifest reader turns its path into file, line and column, the
API server into the ``field`` of a cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

from netsim.dataclass import dataclass

Path: TypeAlias = tuple[str | int, ...]

_PLAIN = re.compile(r"[A-Za-z0-9_$-]+")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[\"([^\"]*)\"\]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. ``advice`` says what to do next, empty where the message says it all."""

    path: Path
    message: str
    advice: str = ""

    def under(self, *prefix: str | int) -> Problem:
        """The same finding seen from further outside."""
        return Problem((*prefix, *self.path), self.message, self.advice)


def path_text(path: Path) -> str:
    """``spec.ports[0].nodePort``; keys with dots or slashes stand in brackets: ``metadata.labels["a.b/c"]``."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN.fullmatch(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f'["{step}"]')
    return "".join(parts)


def parse_path(text: str) -> Path:
    """The inverse of ``path_text``."""
    return tuple(
        int(match[2]) if match[2] is not None else match[1] if match[1] is not None else match[3]
        for match in _STEP.finditer(text)
    )


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one (case does not count), None where nothing is like it."""
    import difflib  # slow to import, and only errors need it

    folded = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None
