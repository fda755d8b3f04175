"""Reading the fields of the Cluster document: typed, with every error at its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from netsim.dataclass import dataclass
from netsim.manifest.entries import Entry, Report
from netsim.manifest.located import Located
from netsim.objects.cluster import PlacedDocument, RulesText
from netsim.objects.json import Json, kind_of
from netsim.objects.path import Path, Problem, path_text
from netsim.objects.schema import unknown_field
from netsim.rules.source import Origin

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a document, for findings that come later."""

    entry: Entry
    path: Path

    @property
    def origin(self) -> Origin:
        """The place in the file."""
        return self.entry.origin(self.path)


@dataclass(frozen=True, slots=True)
class Text:
    """A string with its place."""

    value: str
    spot: Spot


class Section:
    """An object inside a document. Reading a field that has the wrong type reports it and answers None."""

    def __init__(self, entry: Entry, path: Path, report: Report) -> None:
        self.entry, self.path, self.report = entry, path, report
        node = entry.node.inside(path)
        value = node.value if node is not None else None
        self._value: Mapping[str, Json] = value if isinstance(value, Mapping) else {}

    @property
    def spot(self) -> Spot:
        """Where the section stands."""
        return Spot(self.entry, self.path)

    def spot_of(self, *steps: str | int) -> Spot:
        """Where a field stands."""
        return Spot(self.entry, (*self.path, *steps))

    def error(self, message: str, advice: str = "", *steps: str | int) -> None:
        """Report an error at a field."""
        self.report.error(self.entry, (*self.path, *steps), message, advice)

    def allow(self, *names: str) -> None:
        """Report every field that is not one of these."""
        for key in self._value:
            if key not in names:
                self.report.problem(self.entry, unknown_field((*self.path, key), dict.fromkeys(names)))

    def has(self, name: str) -> bool:
        """True where the field is there and not null."""
        return self._value.get(name) is not None

    def names(self) -> tuple[str, ...]:
        """Every field's name, in order."""
        return tuple(self._value)

    def raw(self, name: str) -> Json:
        """The field as it stands."""
        return self._value.get(name)

    def text(self, name: str) -> Text | None:
        """A string."""
        return self._text(self._value.get(name), name)

    def boolean(self, name: str) -> bool | None:
        """A boolean."""
        value = self._value.get(name)
        if value is None or isinstance(value, bool):
            return value
        self._wrong("a boolean", value, name)
        return None

    def integer(self, name: str, lowest: int, highest: int) -> int | None:
        """An integer between two others, both included."""
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong("an integer", value, name)
            return None
        if not lowest <= value <= highest:
            self.error(f"{self._name(name)}: must be between {lowest} and {highest}, not {value}", "", name)
            return None
        return value

    def texts(self, name: str) -> list[Text]:
        """A list of strings; one string, or several with commas between them, is read as such a list."""
        value = self._value.get(name)
        if isinstance(value, str):
            spot = self.spot_of(name)
            return [Text(part.strip(), spot) for part in value.split(",") if part.strip()]
        found = (self._text(item, name, index) for index, item in enumerate(self._list(value, name)))
        return [item for item in found if item is not None]

    def mapping(self, name: str) -> dict[str, str] | None:
        """An object of strings."""
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self._wrong("an object", value, name)
            return None
        found: dict[str, str] = {}
        for key, item in value.items():
            text = self._text(item, name, key)
            if text is not None:
                found[key] = text.value
        return found

    def section(self, name: str) -> Section:
        """An object; an empty one where it is absent."""
        value = self._value.get(name)
        if value is not None and not isinstance(value, Mapping):
            self._wrong("an object", value, name)
        return Section(self.entry, (*self.path, name), self.report)

    def sections(self, name: str, *, or_text: bool = False) -> Iterator[tuple[Section, Json]]:
        """The items of a list, each as a section with its raw value; what is no object (``or_text``: and no text) is reported."""
        for index, item in enumerate(self._list(self._value.get(name), name)):
            if item is None or isinstance(item, Mapping) or (or_text and isinstance(item, str)):
                yield Section(self.entry, (*self.path, name, index), self.report), item
            else:
                self._wrong("an object", item, name, index)

    def parsed(self, text: Text | None, parse: Callable[[str], T]) -> T | None:
        """What a parser makes of a string; its ValueError is reported at the string's place."""
        if text is None:
            return None
        try:
            return parse(text.value)
        except ValueError as error:
            advice = getattr(error, "advice", "")
            self.report.problem(
                text.spot.entry, Problem(text.spot.path, f"{path_text(text.spot.path)}: {error}", advice)
            )
            return None

    # --- what other parts read ----------------------------------------------------------------------------------

    def rules(self, name: str) -> RulesText | None:
        """A text of rules with the place of its first line."""
        text = self.text(name)
        node = self.entry.node.inside((*self.path, name))
        if text is None or node is None:
            return None
        return RulesText(text.value, _first_line(self.entry, node))

    def placed(self, name: str) -> PlacedDocument | None:
        """An object that is handed on as it stands, with the place of each of its fields."""
        if not self.has(name):
            return None
        self.section(name)
        node = self.entry.node.inside((*self.path, name))
        if node is None or not isinstance(node.value, Mapping):
            return None
        return placed_document(self.entry, (*self.path, name))

    # --- errors -------------------------------------------------------------------------------------------------

    def _name(self, *steps: str | int) -> str:
        return path_text((*self.path, *steps))

    def _wrong(self, expected: str, found: Json, *steps: str | int) -> None:
        self.error(f"{self._name(*steps)}: expected {expected}, found {kind_of(found)}", "", *steps)

    def _list(self, value: Json, name: str) -> list[Json]:
        if value is None or isinstance(value, list):
            return value or []
        self._wrong("a list", value, name)
        return []

    def _text(self, value: Json, *steps: str | int) -> Text | None:
        if value is None:
            return None
        if isinstance(value, str):
            return Text(value, self.spot_of(*steps))
        advice = "put the value in quotes" if isinstance(value, bool | int | float) else ""
        self.error(f"{self._name(*steps)}: expected a string, found {kind_of(value)}", advice, *steps)
        return None


def placed_document(entry: Entry, path: Path) -> PlacedDocument | None:
    """An object inside an entry, with the places of all its fields."""
    root = entry.node.inside(path)
    if root is None or not isinstance(root.value, Mapping):
        return None
    places: dict[Path, Origin] = {}
    waiting: list[tuple[Path, Located]] = [((), root)]
    while waiting:
        inner, node = waiting.pop()
        if inner:
            places[inner] = entry.origin((*path, *inner))
        waiting += [((*inner, key), item) for key, item in node.entries.items()]
        waiting += [((*inner, index), item) for index, item in enumerate(node.items)]
    return PlacedDocument(root.value, entry.origin(path), dict(sorted(places.items(), key=lambda item: str(item[0]))))


def _first_line(entry: Entry, node: Located) -> Origin:
    if not node.block:
        return Origin(entry.file.name, node.line, node.column, entry.file.line(node.line))
    line = node.line + 1
    text = entry.file.line(line)
    return Origin(entry.file.name, line, len(text) - len(text.lstrip()) + 1, text)
