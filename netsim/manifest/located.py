"""Values that know where they were written."""

from __future__ import annotations

import re
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.objects.json import Json
from netsim.objects.path import Path


@dataclass(slots=True)
class Located:
    """A value with its place; lines and columns count from 1.

    ``entries`` holds a mapping's values and ``keys`` the places of its keys; ``items`` holds a list's values.
    ``weight`` is the number of values it has when every alias is written out; ``block`` marks a text of the styles | and >.
    """

    value: Json
    line: int
    column: int
    entries: dict[str, Located] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: list[Located] = field(default_factory=list)
    weight: int = 1
    block: bool = False

    def at(self, path: Path) -> tuple[int, int]:
        """Line and column of a field's key or of a list's item; of the nearest thing around it where it is absent."""
        here, place = self, (self.line, self.column)
        for step in path:
            if isinstance(step, str) and step in here.entries:
                here, place = here.entries[step], here.keys.get(step, place)
            elif isinstance(step, int) and step < len(here.items):
                here = here.items[step]
                place = (here.line, here.column)
            else:
                break
        return place

    def inside(self, path: Path) -> Located | None:
        """The value at a path, None where there is none."""
        here: Located | None = self
        for step in path:
            match step:
                case _ if here is None:
                    return None
                case str():
                    here = here.entries.get(step)
                case _:
                    here = here.items[step] if step < len(here.items) else None
        return here


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text cannot be read, and where."""

    line: int
    column: int
    message: str
    advice: str = ""


_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")


def split_lines(text: str) -> tuple[str, ...]:
    """The lines of a text, by the line breaks of YAML 1.1, by which the parser counts. YAML 1.1 §4.1.4."""
    return tuple(_BREAK.split(text))
