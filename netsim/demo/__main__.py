"""``python -m netsim.demo docs/stories``: write the gallery's pages after a change to the stories or their topologies."""

from __future__ import annotations

import sys
from pathlib import Path

from netsim.demo.gallery import Lesson, lessons
from netsim.demo.stories import STORIES, Story

_HEAD = """# The gallery of failures

Each story is one that people met. `netsim demo NUMBER` shows it: the symptom, the trace that explains it, and the mend, proved by tracing
again. This page is written by `python -m netsim.demo docs/stories`.

| story | symptom | cause | topologies |
| --- | --- | --- | --- |
"""


def main(folder: Path) -> None:
    """The index; the topologies' own pages are beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(index(), encoding="utf-8")


def index() -> str:
    """The table of all stories."""
    return _HEAD + "".join(map(_row, STORIES))


def _row(story: Story) -> str:
    told = ", ".join(map(_link, lessons().get(story.number, ()))) or f"waits for {story.waits_for}"
    return f"| {story.number} | {story.symptom} | {story.cause} | {told} |\n"


def _link(lesson: Lesson) -> str:
    return f"[{lesson.name}](../../topologies/{lesson.name}/README.md)"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
