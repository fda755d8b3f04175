"""Write what the documentation's examples and the shipped topologies' traces print now into their files.

    python tools/examples.py          rewrite them
    git diff                          and look at every change: each is a change that users see

Outputs of console blocks that have a line ``...`` are left to the writer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.cli.commands import netsim  # noqa: E402  # the path comes first
from tests.cli.console import documents, examples  # noqa: E402
from tests.golden.topologies import EXPECTED, lessons  # noqa: E402


def rewrite_document(file: Path) -> None:
    """Put what each example prints below its command."""
    lines = file.read_text(encoding="utf-8").splitlines()
    for example in reversed(list(examples(file))):
        if "..." in example.output.splitlines():
            continue
        printed = [line.rstrip() for line in netsim(*example.words[1:]).all.splitlines()]
        old = example.output.splitlines()
        lines[example.line : example.line + len(old)] = printed
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Rewrite everything."""
    os.chdir(ROOT)
    os.environ.pop("NETSIM_TOPOLOGY", None)
    for lesson in lessons():
        for name, extra in EXPECTED.items():
            (lesson.folder / name).write_text(netsim("trace", *lesson.words, *extra).all, encoding="utf-8")
    for file in documents():
        rewrite_document(file)


if __name__ == "__main__":
    main()
