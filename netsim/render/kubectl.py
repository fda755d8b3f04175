"""Objects as ``kubectl get`` prints them: its columns, its spacing, its ages.

Ref: staging/src/k8s.io/cli-runtime/pkg/printers/tableprinter.go, tabwriter.go; apimachinery pkg/util/duration/duration.go (v1.37).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from netsim.cluster.resources import resource_of
from netsim.objects.json import Json
from netsim.objects.meta import Object
from netsim.render.kubectl_cells import Cells
from netsim.render.kubectl_columns import GENERIC, KINDS
from netsim.render.tabwriter import tabbed

_MIN_WIDTH, _PADDING = 6, 3


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Lines of left-aligned cells, three blanks apart; the last cell of a line ends it."""
    return tabbed(rows, least=_MIN_WIDTH, padding=_PADDING)


def human_duration(seconds: float) -> str:
    """``5s``, ``3m20s``, ``2d3h``. Ref: duration.go:HumanDuration()."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(0, whole)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 365 * 8 else f"{days // 365}y"


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"


def objects_table(
    items: Sequence[Object], age: Callable[[str], str], *, wide: bool, namespaces: bool, prefixed: bool = False
) -> str:
    """A table of objects of one kind. ``age`` turns an RFC 3339 time into an age.

    ``prefixed``: names with their kind, as kubectl writes them where it prints several kinds.
    """
    kind = items[0].kind
    layout = KINDS.get(kind, GENERIC)
    cells = Cells(age, human_duration)
    head = ["NAMESPACE"] if namespaces else []
    headers = [*layout.headers, *(layout.wide if wide else ())]
    rows: list[list[str]] = [[*head, *headers]]
    name = headers.index("NAME") if "NAME" in headers else None
    for item in items:
        row = [*layout.row(item, cells), *(layout.wide_row(item, cells) if wide else ())]
        if prefixed and name is not None:
            row[name] = f"{resource_of(kind, item.api_version).qualified_singular}/{row[name]}"
        place = [item.metadata.namespace] if namespaces else []
        rows.append([*place, *row])
    return columns(rows)


def names(items: Iterable[Object]) -> str:
    """``pod/web``, ``deployment.apps/web``: one a line."""
    return "\n".join(f"{resource_of(i.kind, i.api_version).qualified_singular}/{i.metadata.name}" for i in items)


def as_list(items: Sequence[Object], *, single: bool) -> Json:
    """The document itself, or a ``List`` of them."""
    if single and len(items) == 1:
        return items[0].document
    return {
        "apiVersion": "v1",
        "items": [item.document for item in items],
        "kind": "List",
        "metadata": {"resourceVersion": ""},
    }


def as_json(value: Json) -> str:
    """JSON as kubectl prints it: four blanks, sorted keys."""
    return json.dumps(plain(value), indent=4, sort_keys=True, ensure_ascii=False)


def as_yaml(value: Json) -> str:
    """YAML as kubectl prints it: sorted keys, block style."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # the C one is not always there
        def ignore_aliases(self, data: object) -> bool:
            del data
            return True

    return str(yaml.dump(plain(value), Dumper=Dumper, sort_keys=True, allow_unicode=True, width=1_000_000)).rstrip("\n")


def plain(value: Json) -> Json:
    """The same value of plain dicts and lists."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value
