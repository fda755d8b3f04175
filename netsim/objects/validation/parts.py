"""Parts of a document whose shape has been checked, as validation reads them: what is absent is empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.objects.json import Document, Json
from netsim.objects.path import Path


def mapping_at(document: Document, name: str) -> Document:
    """The object at a key."""
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def text_at(document: Document, name: str, default: str = "") -> str:
    """The text at a key; an empty one counts as absent."""
    value = document.get(name)
    return value if isinstance(value, str) and value else default


def number_at(document: Document, name: str) -> int:
    """The integer at a key, 0 where there is none."""
    value = document.get(name)
    return value if isinstance(value, int) else 0


def texts_at(document: Document, name: str) -> Mapping[str, str]:
    """The map of texts at a key."""
    return {key: value for key, value in mapping_at(document, name).items() if isinstance(value, str)}


def list_at(document: Document, name: str) -> tuple[Json, ...]:
    """The list at a key."""
    value = document.get(name)
    return tuple(value) if isinstance(value, list | tuple) else ()


def items_at(document: Document, path: Path) -> Iterator[tuple[Path, Document]]:
    """The objects of the list at the last key of ``path``, each with its own path."""
    for index, entry in enumerate(list_at(document, str(path[-1]))):
        if isinstance(entry, Mapping):
            yield (*path, index), entry
