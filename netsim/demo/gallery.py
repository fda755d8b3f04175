"""A story as it is shown: its topologies' lessons, the trace that explains each, and the mend with its proof."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from netsim.dataclass import dataclass
from netsim.demo.mended import MENDED, Mended
from netsim.demo.stories import STORIES, Story
from netsim.manifest.load import load_text
from netsim.scenario.sources import shipped
from netsim.scenario.world import World

ANNOTATION = "netsim.io/story"
_STORY = re.compile(rf'{re.escape(ANNOTATION)}: *"?([\d, ]+)"?')
_CONSOLE = re.compile(r"^```console\n\$ netsim (.*?)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One shipped topology that tells a story. ``words`` are those of ``netsim trace`` that its README begins with."""

    name: str
    file: Path
    title: str
    text: str
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command line that shows it."""
        return shlex.join(("netsim", "trace", *self.words))

    @property
    def mended(self) -> Mended | None:
        """What mends it, where that is not found by itself."""
        return MENDED.get(self.name)


def story(number: int) -> Story | None:
    """The story of that number."""
    return next((found for found in STORIES if found.number == number), None)


@cache
def lessons() -> dict[int, tuple[Lesson, ...]]:
    """The topologies of each story."""
    found: dict[int, list[Lesson]] = {}
    for topology in shipped():
        told = _STORY.search(topology.file.read_text(encoding="utf-8"))
        for number in re.split(r"[ ,]+", told[1].strip()) if told else ():
            found.setdefault(int(number), []).append(_lesson(topology.name, topology.file, topology.title))
    return {number: tuple(told) for number, told in found.items()}


def _lesson(name: str, file: Path, title: str) -> Lesson:
    readme = (file.parent / "README.md").read_text(encoding="utf-8")
    command = _CONSOLE.search(readme)
    assert command is not None
    words = [word for word in shlex.split(command[1])[1:] if word != "--summary"]
    text = readme[: command.start()].partition("\n")[2].strip()
    return Lesson(name, file, title, text, tuple(words))


def edited(lesson: Lesson, mended: Mended) -> World:
    """The lesson's world with the edits made. Raises LoadError."""
    from netsim.scenario.build import world_of

    text = lesson.file.read_text(encoding="utf-8")
    for old, new in mended.edits:
        assert text.count(old) >= 1, f"{lesson.name}: {old!r} is not there"
        text = text.replace(old, new)
    return world_of(load_text(text, str(lesson.file)))


def diff(mended: Mended) -> Sequence[str]:
    """The edits as lines that begin with ``-`` and ``+``; lines that stay are left out."""
    lines: list[str] = []
    for old, new in mended.edits:
        before, after = old.splitlines(), new.splitlines()
        lines += [f"- {line}" for line in before if line not in after]
        lines += [f"+ {line}" for line in after if line not in before]
    return lines
