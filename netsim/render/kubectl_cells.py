"""What the columns of ``kubectl get`` are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from netsim.cluster.documents import list_at, mapping_at, strings_at
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.render.kubectl_pod import mappings

NONE, UNSET, UNKNOWN = "<none>", "<unset>", "<unknown>"


@dataclass(frozen=True, slots=True)
class Cells:
    """What rows need beside the object: how old a time is, and how long a number of seconds."""

    age_of: Callable[[str], str]
    lasting: Callable[[float], str]

    def age(self, item: Object) -> str:
        """The object's age."""
        return self.age_of(item.metadata.creation_timestamp) if item.metadata.creation_timestamp else UNKNOWN

    def between(self, start: str, end: str) -> str:
        """How long something took, or has taken where it has not ended."""
        if not end:
            return self.age_of(start)
        return self.lasting((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


Row = Callable[[Object, Cells], list[str]]


@dataclass(frozen=True, slots=True)
class Layout:
    """Headers and rows of a kind; ``wide`` and ``wide_row`` are what ``-o wide`` adds."""

    headers: tuple[str, ...]
    row: Row
    wide: tuple[str, ...] = ()
    wide_row: Row = lambda _item, _cells: []


def text(value: Json, absent: str = "") -> str:
    """A scalar as kubectl prints it; ``absent`` for none."""
    if value is None or value == "":
        return absent
    return str(value).lower() if isinstance(value, bool) else str(value)


def value_at(item: Object, *path: str) -> Json:
    """The value at a path of an object, None without one."""
    return mapping_at(item.document, *path[:-1]).get(path[-1])


def count(item: Object, *path: str) -> str:
    """The number at a path, ``0`` without one."""
    return text(value_at(item, *path), "0")


def joined(values: Sequence[Json]) -> str:
    """Values with commas between them."""
    return ",".join(str(value) for value in values)


def selector_text(selector: Mapping[str, str]) -> str:
    """``app=web,tier=front``; ``<none>`` for an empty one."""
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items())) or NONE


def more_of(shown: Sequence[str], left: int) -> str:
    """Some values, and how many more there are."""
    return ",".join(shown) + (f" + {left} more..." if left > 0 else "") if shown else ""


def label_selector_text(document: Document) -> str:
    """A label selector in words, in the order of keys. Ref: metav1.FormatLabelSelector()."""
    parts = [(key, f"{key}={value}") for key, value in strings_at(document, "matchLabels").items()]
    for expression in mappings(list_at(document, "matchExpressions")):
        key, values = str(expression.get("key")), ",".join(sorted(map(str, list_at(expression, "values"))))
        match expression.get("operator"):
            case "In":
                told = f"{key} in ({values})"
            case "NotIn":
                told = f"{key} notin ({values})"
            case "Exists":
                told = key
            case _:
                told = f"!{key}"
        parts.append((key, told))
    return ",".join(told for _, told in sorted(parts, key=lambda part: part[0])) or NONE
