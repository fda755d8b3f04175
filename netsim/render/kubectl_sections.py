"""The pieces that every description under ``kubectl describe`` is made of, as lines of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.render.kubectl_cells import NONE, label_selector_text
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
    """The table of a pod's conditions; nothing where there are none."""
    found = mappings(list_at(item.document, "status", "conditions"))
    rows = [[f"  {c.get('type')} ", str(c.get("status"))] for c in found]
    return [["Conditions:"], ["  Type", "Status"], *rows] if rows else []


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Lines:
    """Headers, rules under them, and rows, two blanks further in."""
    rules = ["-" * len(header) for header in headers]
    return [[f"  {line[0]}", *line[1:]] for line in (headers, rules, *rows)]


def toleration_lines(spec: Document, indent: str = "") -> Lines:
    """A pod's tolerations in the order of their keys."""
    found = sorted(mappings(list_at(spec, "tolerations")), key=lambda toleration: text_at(toleration, "key"))
    return several(f"{indent}Tolerations:", [_toleration(toleration) for toleration in found])


def _toleration(toleration: Document) -> str:
    key, value, effect = (text_at(toleration, name) for name in ("key", "value", "effect"))
    text = key + (f"={value}" if value else "") + (f":{effect}" if effect else "")
    if toleration.get("operator") == "Exists" and not value:
        text = f"{text} op=Exists" if key or effect else "op=Exists"
    seconds = toleration.get("tolerationSeconds")
    return f"{text} for {seconds}s" if seconds is not None else text


def spread_lines(spec: Document, indent: str = "") -> Lines:
    """How a pod's fellows are to be spread; nothing where nothing is said."""
    found = sorted(mappings(list_at(spec, "topologySpreadConstraints")), key=lambda c: text_at(c, "topologyKey"))
    told = []
    for rule in found:
        selector = f" for selector {label_selector_text(mapping_at(rule, 'labelSelector'))}"
        skew = (
            f"{rule.get('topologyKey')}:{rule.get('whenUnsatisfiable')} when max skew {rule.get('maxSkew')} is exceeded"
        )
        told.append(skew + (selector if rule.get("labelSelector") is not None else ""))
    return several(f"{indent}Topology Spread Constraints:", told) if told else []
