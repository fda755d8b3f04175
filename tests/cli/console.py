"""Console blocks of a Markdown file: commands and what they print.

    ```console
    $ netsim trace pod-a svc-x
    DELIVERED to …
    ```

A line of ``...`` alone stands for any number of lines. A block's commands run in the file's folder's context: ``cd`` is the
repository's root. A line ``$ echo $?`` after a command shows its exit status.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    file: Path
    line: int
    command: str
    output: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.command)

    @property
    def id(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def examples(file: Path) -> Iterator[Example]:
    text = file.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1)) + 1
        command: str | None = None
        at, output = 0, list[str]()
        for offset, line in enumerate(block[1].splitlines()):
            if line.startswith("$ "):
                if command is not None:
                    yield Example(file, at, command, "\n".join(output))
                command, at, output = line[2:], first + offset, []
            else:
                output.append(line)
        if command is not None:
            yield Example(file, at, command, "\n".join(output))


def as_pattern(output: str) -> re.Pattern[str]:
    """The expected output as a pattern, with ``...`` lines matching anything."""
    parts = [
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line.rstrip()) + r" *\n" for line in output.splitlines()
    ]
    return re.compile("".join(parts))


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("topologies/*/README.md"))]
