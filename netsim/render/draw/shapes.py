"""What a picture is made of, in pixels from its top left corner; and how wide a text is.

Widths are estimates from above: the fonts that a viewer has are not known. Monospaced fonts are 0.6 em wide almost everywhere.
"""

from __future__ import annotations

from enum import Enum
from math import ceil
from typing import TypeAlias

from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first x to its right."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first y below it."""
        return self.y + self.height

    @property
    def centre(self) -> int:
        """The x of its middle."""
        return self.x + self.width // 2

    def overlaps(self, other: Box) -> bool:
        """Do the two share a pixel?"""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom

    def contains(self, other: Box) -> bool:
        """Does the other lie in it?"""
        return self.x <= other.x and other.right <= self.right and self.y <= other.y and other.bottom <= self.bottom


class Font(Enum):
    """The texts of a picture: (size in pixels, width of a character in em)."""

    HEADING = (17, 0.62)
    TITLE = (13, 0.66)
    MONO = (11, 0.61)
    SMALL = (10, 0.58)
    PORT = (9, 0.61)

    @property
    def size(self) -> int:
        """In pixels."""
        return int(self.value[0])

    def width(self, text: str) -> int:
        """Pixels that the text needs; a wide (East Asian) character counts double."""
        cells = sum(2 if ord(character) > 0x2E7F else 1 for character in text)
        return ceil(cells * self.size * self.value[1])


class Anchor(Enum):
    """Where a text stands by its x. The values are SVG's."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle with a style class, round corners and a tooltip."""

    style: str
    box: Box
    radius: int = 6
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; ``y`` is its base line."""

    style: str
    font: Font
    x: int
    y: int
    text: str
    anchor: Anchor = Anchor.START

    @property
    def box(self) -> Box:
        """The room that it takes."""
        width = self.font.width(self.text)
        left = {Anchor.START: self.x, Anchor.MIDDLE: self.x - width // 2, Anchor.END: self.x - width}[self.anchor]
        return Box(left, self.y - self.font.size, width, self.font.size + 3)


@dataclass(frozen=True, slots=True)
class Path:
    """A line of straight pieces with a style class and a tooltip."""

    style: str
    points: tuple[tuple[int, int], ...]
    tooltip: str = ""


Shape: TypeAlias = Rect | Text | Path


@dataclass(frozen=True, slots=True)
class Figure:
    """A finished picture. ``paths`` lie under ``shapes``; ``boxes`` says where each namespace stands."""

    width: int
    height: int
    paths: tuple[Path, ...]
    shapes: tuple[Shape, ...]
    boxes: dict[str, Box]
