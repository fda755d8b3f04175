"""Server-side apply: who manages which field, what a manager gives up, and where two disagree.

Ref: apimachinery/pkg/util/managedfields, structured-merge-diff/v6/merge/update.go (v1.37). A field is a path; the items of a list with keys
are told apart by those keys, every other list is one field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from netsim.cluster.errors import Conflict
from netsim.cluster.patching.merge_keys import DEFAULTS, ListMerge, list_merge
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json

Path: TypeAlias = "tuple[str, ...]"
"""Steps as ``fieldsV1`` writes them: ``f:name``, ``k:{"name":"a"}``, ``v:"x"``."""

_UNMANAGED = {
    ("f:apiVersion",),
    ("f:kind",),
    *(("f:metadata", f"f:{n}") for n in (
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds",
    )),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manager:
    """Who wrote fields, and how: ``Apply`` or ``Update``."""

    name: str
    operation: str = "Apply"
    fields: frozenset[Path] = frozenset()


def fields_of(document: Document) -> frozenset[Path]:
    """The leaves of a document that somebody can manage."""
    return frozenset(p for p in _leaves(document, (), "", "") if not any(p[: len(u)] == u for u in _UNMANAGED))


def _leaves(value: Json, path: Path, parent: str, name: str) -> Iterator[Path]:
    how = list_merge(parent, name) if isinstance(value, Sequence) and not isinstance(value, str) else None
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, f"f:{key}"), name, key)
    elif how is not None and isinstance(value, Sequence):
        for item in value:
            step = _step(how, item)
            yield (*path, step)
            if isinstance(item, Mapping):
                for key, inner in item.items():
                    yield from _leaves(inner, (*path, step, f"f:{key}"), name, key)
    else:
        yield path


def _step(how: ListMerge, item: Json) -> str:
    if how.is_set or not isinstance(item, Mapping):
        return f"v:{json.dumps(item)}"
    keys = {key: item.get(key, DEFAULTS.get(key)) for key in how.applied}
    return "k:" + json.dumps({k: v for k, v in keys.items() if v is not None}, sort_keys=True, separators=(",", ":"))


def apply(
    live: Document | None, applied: Document, manager: str, managers: Sequence[Manager], *, force: bool
) -> tuple[Document, tuple[Manager, ...]]:
    """The object after a manager applied its configuration, and who manages what then.

    Raises Conflict where another manager has a field with another value and ``force`` is not given.
    """
    mine = fields_of(applied)
    before = next((m.fields for m in managers if m.name == manager and m.operation == "Apply"), frozenset())
    others = [m for m in managers if not (m.name == manager and m.operation == "Apply")]
    if live is None:
        return applied, (Manager(manager, "Apply", mine),)
    clashes = [(m, p) for m in others for p in sorted(mine & m.fields) if _differs(live, applied, p)]
    if clashes and not force:
        raise _conflict(clashes)
    taken = {path for _, path in clashes}
    others = [Manager(m.name, m.operation, m.fields - taken) for m in others]
    held = frozenset().union(*(m.fields for m in others)) if others else frozenset()
    merged = _merged(live, applied, "", "")
    for path in sorted(before - mine - held, key=lambda p: (len(p), p)):
        merged = _without(merged, path, held | mine)
    assert isinstance(merged, Mapping)
    left = tuple(m for m in others if m.fields)
    return merged, tuple(sorted((*left, Manager(manager, "Apply", mine)), key=lambda m: (m.name, m.operation)))


def updated(before: Document, after: Document, manager: str, managers: Sequence[Manager]) -> tuple[Manager, ...]:
    """Who manages what after a plain update: what it changed is the updater's, and nobody's else."""
    old, new = fields_of(before), fields_of(after)
    changed = frozenset(p for p in new if p not in old or _differs(before, after, p))
    mine = next((m.fields for m in managers if (m.name, m.operation) == (manager, "Update")), frozenset())
    rest = [m for m in managers if (m.name, m.operation) != (manager, "Update")]
    kept = [Manager(m.name, m.operation, (m.fields & new) - changed) for m in rest]
    own = Manager(manager, "Update", (mine & new) | changed)
    return tuple(sorted((m for m in (*kept, own) if m.fields), key=lambda m: (m.name, m.operation)))


def _differs(first: Json, second: Json, path: Path) -> bool:
    """True where a field has two values; that an item is in a list is no value."""
    return path[-1].startswith("f:") and _value(first, path) != _value(second, path)


def _conflict(clashes: Sequence[tuple[Manager, Path]]) -> Conflict:
    """Ref: managedfields/internal/conflict.go:NewConflictError()."""
    by: dict[str, list[str]] = {}
    for manager, path in clashes:
        by.setdefault(manager.name, []).append(dotted(path))
    count = len(clashes)
    if count == 1:
        ((name, fields),) = by.items()
        return Conflict(f'Apply failed with 1 conflict: conflict with "{name}": {fields[0]}')
    lines = [
        f'conflicts with "{name}":\n' + "\n".join(f"- {field}" for field in fields)
        for name, fields in sorted(by.items())
    ]
    return Conflict(f"Apply failed with {count} conflicts: " + "\n".join(lines))


def dotted(path: Path) -> str:
    """``.spec.template.spec.containers[name="web"].image``."""
    text = ""
    for step in path:
        mark, _, rest = step.partition(":")
        if mark == "f":
            text += f".{rest}"
        elif mark == "k":
            keys = json.loads(rest)
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]"
        else:
            text += f"[={rest}]"
    return text


def _value(value: Json, path: Path) -> Json:
    for step in path:
        mark, _, rest = step.partition(":")
        member = value.get(rest) if isinstance(value, Mapping) else None
        value = member if mark == "f" else _item(value, step)
    return value


def _item(value: Json, step: str) -> Json:
    mark, _, rest = step.partition(":")
    wanted = json.loads(rest)
    for item in value if isinstance(value, Sequence) and not isinstance(value, str) else ():
        if mark == "v" and item == wanted:
            return item
        if (
            mark == "k"
            and isinstance(item, Mapping)
            and all(item.get(k, DEFAULTS.get(k)) == v for k, v in wanted.items())
        ):
            return item
    return None


def _merged(live: Json, applied: Json, parent: str, name: str) -> Json:
    if isinstance(applied, Mapping) and isinstance(live, Mapping):
        return {**live, **{key: _merged(live.get(key), value, name, key) for key, value in applied.items()}}
    how = list_merge(parent, name)
    if how is None or not isinstance(applied, Sequence) or isinstance(applied, str) or not isinstance(live, Sequence):
        return applied
    items = list(live)
    steps = [_step(how, item) for item in items]
    for item in applied:
        step = _step(how, item)
        if step in steps:
            items[steps.index(step)] = _merged(items[steps.index(step)], item, parent, name)
        else:
            items.append(item)
            steps.append(step)
    return items


def _without(value: Json, path: Path, held: frozenset[Path], at: Path = ()) -> Json:
    """Remove a field, and whatever is empty then and nobody holds."""
    step, rest = path[0], path[1:]
    here = (*at, step)
    if rest:
        inner = _value(value, (step,))
        if inner is None:
            return value
        left = _without(inner, rest, held, here)
        if left or any(p[: len(here)] == here for p in held):
            return _replaced(value, step, left)
    if any(p[: len(here)] == here for p in held):
        return value
    return _replaced(value, step, None)


def _replaced(value: Json, step: str, new: Json) -> Json:
    mark, _, name = step.partition(":")
    if mark == "f" and isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if key != name}
        return kept if new is None else {key: new if key == name else item for key, item in value.items()}
    old = _item(value, step)
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return [new if item is old else item for item in items if not (item is old and new is None)]


# --- as they are stored -----------------------------------------------------------------------------------------


def read_managers(document: Document) -> tuple[Manager, ...]:
    """The managers in ``metadata.managedFields``."""
    metadata = document.get("metadata")
    entries = metadata.get("managedFields") if isinstance(metadata, Mapping) else None
    found = []
    for entry in entries if isinstance(entries, Sequence) and not isinstance(entries, str) else ():
        if isinstance(entry, Mapping):
            fields = frozenset(_paths(entry.get("fieldsV1"), ()))
            found.append(Manager(str(entry.get("manager")), str(entry.get("operation")), fields))
    return tuple(found)


def _paths(tree: Json, path: Path) -> Iterator[Path]:
    if not isinstance(tree, Mapping) or not tree:
        if path:
            yield path
        return
    for step, inner in tree.items():
        if step == ".":
            yield path
        else:
            yield from _paths(inner, (*path, step))


def managed_fields(managers: Sequence[Manager], api_version: str, time: str) -> list[Json]:
    """``metadata.managedFields`` of some managers."""
    return [
        {
            "apiVersion": api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": _tree(manager.fields),
            "manager": manager.name,
            "operation": manager.operation,
            "time": time,
        }
        for manager in managers
    ]


def _tree(paths: frozenset[Path]) -> dict[str, Json]:
    inner: dict[str, set[Path]] = {}
    for path in paths:
        inner.setdefault(path[0], set()).add(path[1:])
    tree: dict[str, Json] = {}
    for step, rests in sorted(inner.items()):
        below = _tree(frozenset(rest for rest in rests if rest))
        tree[step] = {".": {}, **below} if () in rests and below else below
    return tree
