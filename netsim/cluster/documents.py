"""Changing JSON documents that nobody may change: copies that share what stays the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from netsim.objects.json import Document, Json, is_object


def is_mapping(value: Json) -> TypeGuard[Document]:
    """True for a JSON object."""
    return is_object(value)


def mapping_at(document: Document, *path: str) -> Document:
    """The JSON object at a path of keys, empty where there is none."""
    value = _at(document, path)
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def list_at(document: Document, *path: str) -> Sequence[Json]:
    """The list at a path of keys, empty where there is none."""
    value = _at(document, path)
    if type(value) is list:
        return value
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def text_at(document: Document, *path: str) -> str:
    """The text at a path of keys, empty where there is none."""
    value = _at(document, path)
    return value if isinstance(value, str) else ""


def _at(document: Document, path: tuple[str, ...]) -> Json:
    value: Json = document
    for key in path:
        if type(value) is not dict and not isinstance(
            value, Mapping
        ):  # nearly all are dicts, and the second check is slow
            return None
        value = value.get(key)
    return value


def strings_at(document: Document, *path: str) -> dict[str, str]:
    """The JSON object of strings at a path of keys (labels, annotations), empty where there is none."""
    return {key: str(value) for key, value in mapping_at(document, *path).items()}


def with_value(document: Document, path: Sequence[str], value: Json) -> Document:
    """A copy with ``value`` at a path of keys; objects on the way are made where they are absent."""
    head, *rest = path
    child = with_value(mapping_at(document, head), rest, value) if rest else value
    return {**document, head: child}


def without(document: Document, path: Sequence[str]) -> Document:
    """A copy without the key at a path."""
    head, *rest = path
    if head not in document:
        return document
    if rest:
        return {**document, head: without(mapping_at(document, head), rest)}
    return {key: value for key, value in document.items() if key != head}


def compact(**fields: Json) -> dict[str, Json]:
    """A JSON object of the fields that say something: None and empty values are left out, False and 0 stay.

    Python's ``_`` at the end of a name that is a keyword is dropped.
    """
    return {
        key.rstrip("_"): value for key, value in fields.items() if value is not None and value not in ("", [], {}, ())
    }


def canonical(value: Json) -> str:
    """One text for equal values: sorted keys, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
