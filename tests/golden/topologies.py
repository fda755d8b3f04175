"""The shipped topologies: each is a lesson, with the command that its README begins with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.console import ROOT, examples

EXPECTED: dict[str, tuple[str, ...]] = {
    # file beside the manifests: what is asked for. The JSON ends in .txt, so that loading the folder does not take it for a manifest.
    "expected.txt": (),
    "expected.json.txt": ("-o", "json"),
}


@dataclass(frozen=True)
class Lesson:
    folder: Path
    words: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def answer(self) -> Any:
        """The trace as JSON that stands beside it, behind warnings: test_topologies holds it to be what netsim prints."""
        lines = (self.folder / "expected.json.txt").read_text(encoding="utf-8").splitlines()
        return json.loads("\n".join(lines[lines.index("{") :]))


def lessons() -> Iterator[Lesson]:
    for folder in sorted(path for path in (ROOT / "topologies").iterdir() if path.is_dir()):
        first = next(iter(examples(folder / "README.md")))
        program, command, *words = first.words
        assert (program, command) == ("netsim", "trace"), f"{folder.name}: its README begins with a trace"
        yield Lesson(folder, tuple(word for word in words if word != "--summary"))
