"""The pieces that every description under ``kubectl describe`` is made of, as lines of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from netsim.cluster.documents import list_at, text_at
from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.render.kubectl_cells import NONE
from netsim.render.kubectl_pod import mappings

Lines: TypeAlias = "list[list[str]]"


def rfc1123(timestamp: str) -> str:
    """``Wed, 01 Jan 2025 00:00:00 +0000``; the text itself where it is no time."""
    try:
        return datetime.fromisoformat(timestamp).strftime("%a, %d %b %Y %H:%M:%S %z")
    except ValueError:
        return timestamp


def several(label: str, values: Sequence[str]) -> Lines:
    """A label with one value a line."""
    return [[label if index == 0 else "", value] for index, value in enumerate(values or [NONE])]


def pairs(label: str, values: Mapping[str, str], sign: str) -> Lines:
    """A label with one ``key=value`` a line, sorted."""
    return several(label, [f"{key}{sign}{value}" for key, value in sorted(values.items())])


def head(item: Object, *, labels: bool = True) -> Lines:
    """Name and namespace, and where ``labels`` its labels and annotations."""
    place = [["Namespace:", item.metadata.namespace]] if item.metadata.namespace else []
    both = [*pairs("Labels:", item.metadata.labels, "="), *pairs("Annotations:", item.metadata.annotations, ": ")]
    return [["Name:", item.metadata.name], *place, *(both if labels else [])]


def conditions(item: Object) -> Lines:
    """The table of an object's conditions."""
    found = mappings(list_at(item.document, "status", "conditions"))
    return [["Conditions:"], *table(("Type", "Status"), [[str(c.get("type")), str(c.get("status"))] for c in found])]


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Lines:
    """Headers, rules under them, and rows, two blanks further in."""
    rules = ["-" * len(header) for header in headers]
    return [[f"  {line[0]}", *line[1:]] for line in (headers, rules, *rows)]


def toleration_text(toleration: Document) -> str:
    """A toleration in words."""
    key, value, effect = (text_at(toleration, name) for name in ("key", "value", "effect"))
    text = key + (f"={value}" if value else "") + (f":{effect}" if effect else "")
    if toleration.get("operator") == "Exists" and not value:
        text = f"{text} op=Exists" if key or effect else ":op=Exists"
    seconds = toleration.get("tolerationSeconds")
    return f"{text} for {seconds}s" if seconds is not None else text
