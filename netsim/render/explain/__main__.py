"""``python -m netsim.render.explain docs/reasons``: write the pages after a change to the tables."""

from __future__ import annotations

import sys
from pathlib import Path

from netsim.render.explain.page import index, page
from netsim.trace.reasons import reasons


def main(folder: Path) -> None:
    """One file for each reason, an index, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"README.md": index()} | {f"{code}.md": page(code) for code in reasons()}
    for old in folder.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
