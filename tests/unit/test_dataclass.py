"""``netsim.dataclass``: what the standard library's dataclasses do, its own functions do with these."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from netsim.dataclass import dataclass

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Point:
    """Two numbers, and what does not count."""

    x: int
    y: int = 2
    seen: list[int] = field(default_factory=list, compare=False, repr=False)
    size: int = field(init=False, default=7)


@dataclass(frozen=True, slots=True)
class Other:
    """The same values, another class."""

    x: int
    y: int = 2


@dataclass(slots=True)
class Counter:
    """It changes."""

    count: int = 0
    by_name: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.by_name["start"] = self.count


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """It has an order."""

    major: int
    minor: int
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Handle:
    """The same only as itself."""

    name: str


@dataclass(frozen=True, slots=True)
class Named:
    """Equality, hash and text of its own."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and other.name.lower() == self.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())

    def __repr__(self) -> str:
        return f"<{self.name}>"


@dataclass(slots=True)
class Tree:
    """It may hold itself."""

    children: list[Tree]


def test_equality_and_hash_are_of_the_class_and_the_fields_that_compare() -> None:
    assert Point(1) == Point(1, 2, [5])
    assert hash(Point(1)) == hash(Point(1, 2, [5])) == hash((1, 2, 7))
    assert Point(1) != Point(1, 3)
    others: list[object] = [Other(1), 1, (1, 2, 7)]
    assert Point(1) not in others
    assert len({Point(1), Point(1), Point(2)}) == 2


def test_equality_and_hash_of_an_empty_class() -> None:
    @dataclass(frozen=True, slots=True)
    class Empty:
        """Nothing."""

    assert Empty() == Empty()
    assert hash(Empty()) == hash(())
    assert repr(Empty()).endswith("Empty()")


def test_own_methods_stay() -> None:
    assert Named("A") == Named("a")
    assert len({Named("A"), Named("a")}) == 1
    assert repr(Named("A")) == "<A>"


def test_a_handle_is_the_same_only_as_itself() -> None:
    mine = Handle("a")
    assert mine == mine
    assert mine != Handle("a")
    assert len({mine, Handle("a")}) == 2


def test_what_changes_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter())


def test_the_text_names_the_fields() -> None:
    assert repr(Point(1)) == "Point(x=1, y=2, size=7)"
    tree = Tree([])
    tree.children.append(tree)
    assert repr(tree) == "Tree(children=[...])"


def test_order_is_of_the_fields_that_compare() -> None:
    assert sorted([Version(2, 1), Version(1, 9, "z"), Version(1, 3)]) == [Version(1, 3), Version(1, 9), Version(2, 1)]
    assert Version(1, 1) < Version(1, 2) <= Version(1, 2, "b")
    assert Version(1, 2) > Version(1, 1)
    assert Version(1, 1) >= Version(1, 1, "b")
    with pytest.raises(TypeError, match="not supported"):
        assert Version(1, 1) < 1  # type: ignore[operator]
    with pytest.raises(TypeError, match="not supported"):
        assert Point(1) < Point(2)  # type: ignore[operator]


def test_frozen_instances_refuse_changes() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x
    with pytest.raises(FrozenInstanceError):
        point.z = 2  # type: ignore[attr-defined]
    assert not hasattr(point, "__dict__")


def test_what_may_change_changes() -> None:
    counter = Counter(3)
    counter.count += 1
    assert (counter.count, counter.by_name) == (4, {"start": 3})
    with pytest.raises(AttributeError):
        counter.other = 1  # type: ignore[attr-defined]


def test_factories_make_a_value_for_each() -> None:
    assert Point(1).seen is not Point(1).seen
    assert Point(1, seen=[3]).seen == [3]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value)), replace])
@pytest.mark.parametrize(
    "value", [Point(1, 3, [4]), Counter(2), Version(1, 2, "x")], ids=lambda value: type(value).__name__
)
def test_copies_are_equal(value: Any, again: Callable[[Any], Any]) -> None:
    made = again(value)
    assert made == value
    assert made is not value
    assert dataclasses.asdict(made) == dataclasses.asdict(value)


def test_the_signature_is_the_fields_own() -> None:
    standard: Any = dataclasses.dataclass(frozen=True)(
        type("Point", (), {"__annotations__": {"x": "int", "y": "int"}, "y": 2, "__doc__": "."})
    )
    assert str(inspect.signature(Other)) == str(inspect.signature(standard)) == "(x: 'int', y: 'int' = 2) -> None"
    assert Other.__match_args__ == standard.__match_args__ == ("x", "y")


def test_patterns_and_replace() -> None:
    match replace(Point(1), y=5):
        case Point(x, y):
            assert (x, y) == (1, 5)


@pytest.mark.parametrize(
    ("arguments", "names", "message"),
    [((), {}, "missing 1 required"), ((1,), {"z": 1}, "unexpected keyword"), ((1, 2, [], 9), {}, "positional")],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], names: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Point(*arguments, **names)


def test_a_class_without_slots_is_refused() -> None:
    with pytest.raises(TypeError, match="without slots"):
        dataclass(slots=False)


def test_a_subclass_has_the_fields_of_both() -> None:
    @dataclass(frozen=True, slots=True)
    class Deep(Other):
        """One more."""

        z: int = 3

    assert Deep(1) == Deep(1, 2, 3)
    assert Deep(1) != Other(1)
    assert Other(1) != Deep(1)
    assert [each.name for each in fields(Deep)] == ["x", "y", "z"]


def test_no_class_asks_for_what_is_not_made() -> None:
    sources = [path.read_text(encoding="utf-8") for root in ("netsim", "proxy") for path in (ROOT / root).rglob("*.py")]
    users = [text for text in sources if "from netsim.dataclass import" in text]
    assert len(users) > 200
    assert not [text for text in users if re.search(r"\b(InitVar\[|kw_only=|KW_ONLY\b)", text)]
