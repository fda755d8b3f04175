"""JSON patch (RFC 6902), JSON merge patch (RFC 7386) and strategic merge patch.

Ref: apiserver/pkg/endpoints/handlers/patch.go, apimachinery/pkg/util/strategicpatch/patch.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsim.cluster.errors import BadRequest, Invalid
from netsim.cluster.patching.merge_keys import list_merge
from netsim.objects.json import Document, Json


def merge_patch(target: Json, patch: Json) -> Json:
    """RFC 7386: objects are merged, null removes, everything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


# --- RFC 6902 ---------------------------------------------------------------------------------------------------


def json_patch(document: Document, operations: Sequence[Json]) -> Document:
    """Apply the operations in order, all or none. Raises Invalid where one cannot be applied, BadRequest for none that is known."""
    result: Json = document
    for operation in operations:
        if not isinstance(operation, Mapping):
            raise BadRequest("a JSON patch is a list of operations")
        result = _operate(result, operation)
    if not isinstance(result, Mapping):
        raise BadRequest("a JSON patch leaves an object")
    return result


def _operate(document: Json, operation: Document) -> Json:
    path, name = _tokens(str(operation.get("path", ""))), operation.get("op")
    match name:
        case "add":
            return _put(document, path, operation.get("value"), insert=True)
        case "replace":
            _look(document, path, "replace")
            return _put(document, path, operation.get("value"), insert=False)
        case "remove":
            return _remove(document, path)
        case "move" | "copy":
            source = _tokens(str(operation.get("from", "")))
            value = _look(document, source, str(name))
            left = _remove(document, source) if name == "move" else document
            return _put(left, path, value, insert=True)
        case "test":
            if _look(document, path, "test") != operation.get("value"):
                raise Invalid(f"testing path {operation.get('path')} failed: test failed")
            return document
        case _:
            raise BadRequest(f'Unexpected kind: "{name}"')


def _tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _look(document: Json, path: Sequence[str], operation: str) -> Json:
    value = document
    for token in path:
        if isinstance(value, Mapping) and token in value:
            value = value[token]
        elif _is_list(value) and token.isdecimal() and int(token) < len(_items(value)):
            value = _items(value)[int(token)]
        else:
            raise Invalid(
                f"{operation} operation does not apply: doc is missing path: /{'/'.join(path)}: missing value"
            )
    return value


def _put(document: Json, path: Sequence[str], value: Json, *, insert: bool) -> Json:
    if not path:
        return value
    head, rest = path[0], path[1:]
    if _is_list(document):
        items = list(_items(document))
        index = len(items) if head == "-" else int(head) if head.isdecimal() else -1
        if not 0 <= index <= len(items) or (rest and index == len(items)):
            raise Invalid(f"add operation does not apply: doc is missing path: /{'/'.join(path)}: missing value")
        if rest:
            items[index] = _put(items[index], rest, value, insert=insert)
        elif insert:
            items.insert(index, value)
        else:
            items[index] = value
        return items
    if not isinstance(document, Mapping) or (rest and head not in document):
        raise Invalid(f"add operation does not apply: doc is missing path: /{'/'.join(path)}: missing value")
    return {**document, head: _put(document.get(head), rest, value, insert=insert)}


def _remove(document: Json, path: Sequence[str]) -> Json:
    _look(document, path, "remove")
    head, rest = path[0], path[1:]
    if _is_list(document):
        items = list(_items(document))
        if rest:
            items[int(head)] = _remove(items[int(head)], rest)
        else:
            del items[int(head)]
        return items
    assert isinstance(document, Mapping)
    if rest:
        return {**document, head: _remove(document[head], rest)}
    return {key: value for key, value in document.items() if key != head}


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _items(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


# --- strategic --------------------------------------------------------------------------------------------------

_DIRECTIVES = ("$patch", "$retainKeys")


def strategic_merge(target: Json, patch: Json, parent: str = "", name: str = "") -> Json:
    """Merge a strategic merge patch: lists of merge keys item by item, with ``$patch``, ``$retainKeys``, ``$deleteFromPrimitiveList``."""
    if isinstance(patch, Mapping):
        return _merge_objects(target, patch, name)
    if _is_list(patch):
        return _merge_lists(target, _items(patch), parent, name)
    return patch


def _merge_objects(target: Json, patch: Document, name: str) -> Json:
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key not in _DIRECTIVES}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise BadRequest(f"Unknown patch type found: {directive}")
    merged = dict(target) if isinstance(target, Mapping) else {}
    kept = patch.get("$retainKeys")
    if kept is not None:
        merged = {key: value for key, value in merged.items() if key in _items(kept)}
    for key, value in patch.items():
        if key in _DIRECTIVES or key.startswith("$setElementOrder/"):
            continue
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            merged[field] = [item for item in _items(merged.get(field)) if item not in _items(value)]
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = strategic_merge(merged.get(key), value, name, key)
    return merged


def _merge_lists(target: Json, patch: Sequence[Json], parent: str, name: str) -> Json:
    how = list_merge(parent, name)
    if how is None:
        return list(patch)
    if how.is_set:
        return list(dict.fromkeys((*_items(target), *patch)))
    if any(isinstance(item, Mapping) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, Mapping) and item.get("$patch") == "replace")]
    key = how.strategic
    items = list(_items(target))
    for change in patch:
        if not isinstance(change, Mapping) or key not in change:
            raise BadRequest(f"map: {change} does not contain declared merge key: {key}")
        at = next(
            (i for i, item in enumerate(items) if isinstance(item, Mapping) and item.get(key) == change[key]), None
        )
        if change.get("$patch") == "delete":
            items = [item for item in items if not (isinstance(item, Mapping) and item.get(key) == change[key])]
        elif at is None:
            items.insert(0 if name == "" else len(items), strategic_merge(None, change, parent, name))
        else:
            items[at] = strategic_merge(items[at], change, parent, name)
    return items
