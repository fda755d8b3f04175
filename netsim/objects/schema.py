"""The fields of every built-in kind, and the check of a document against them.

The data is ``schema.json`` beside this file, made by ``tools/schema.py`` from the official client's models; that file
explains the notation. It is read once, when first asked for. The check answers what the API server's strict field
validation answers: unknown kind, unknown field, wrong type, missing field.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath

from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json, kind_of
from netsim.objects.path import Path, Problem, nearest, path_text

_MAX_DEPTH = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """A served kind. ``plural`` is the resource's name in URLs and on kubectl's command line."""

    api_version: str
    name: str
    type: str
    namespaced: bool
    plural: str


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field's type in the schema's notation, without the mark of what is required."""

    notation: str
    required: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """All kinds by (apiVersion, kind), and the types that they are made of."""

    source: str
    kinds: Mapping[tuple[str, str], Kind]
    types: Mapping[str, str]

    def fields(self, type_name: str) -> Mapping[str, FieldType]:
        """The fields of a type by JSON name."""
        return _fields(self.types[type_name])

    def versions_of(self, kind: str) -> tuple[str, ...]:
        """The apiVersions that serve a kind: stable ones first."""
        found = (version for version, name in self.kinds if name == kind)
        return tuple(sorted(found, key=lambda version: ("alpha" in version or "beta" in version, version)))


@functools.cache
def builtin() -> Schema:
    """The schema of the Kubernetes release named in its ``source``."""
    data = json.loads(FilePath(__file__).with_name("schema.json").read_text(encoding="utf-8"))
    kinds = {
        (version, name): Kind(version, name, type_name, namespaced, plural)
        for version, served in data["kinds"].items()
        for name, (type_name, namespaced, plural) in served.items()
    }
    return Schema(data["source"], kinds, data["types"])


@functools.cache
def _fields(text: str) -> Mapping[str, FieldType]:
    pairs = (word.split(":") for word in text.split())
    return {name: FieldType(kind.removesuffix("!"), kind.endswith("!")) for name, kind in pairs}


def find_kind(api_version: str, kind: str) -> Kind | Problem:
    """The served kind, or why there is none: another apiVersion serves it, or the nearest name."""
    schema = builtin()
    found = schema.kinds.get((api_version, kind))
    if found is not None:
        return found
    versions = schema.versions_of(kind)
    if versions:
        advice = f"{kind} is served as apiVersion: {' or '.join(versions)}"
        return Problem(("apiVersion",), f"no kind {kind} in apiVersion {api_version}", advice)
    near = nearest(kind, {name for _, name in schema.kinds})
    if near is not None and (near.lower() == kind.lower() or _is_builtin_group(api_version)):
        advice = f"did you mean {near} (apiVersion: {schema.versions_of(near)[0]})?"
        return Problem(("kind",), f"unknown kind {kind}", advice)
    advice = (
        "custom resources change nothing that is modelled; leave this document out, "
        "or give what its operator makes of it (Pods, Services, EndpointSlices)"
    )
    return Problem(("kind",), f"unknown kind {kind} of apiVersion {api_version}", advice)


def _is_builtin_group(api_version: str) -> bool:
    group = api_version.rpartition("/")[0]
    return group in {version.rpartition("/")[0] for version, _ in builtin().kinds}


def check(document: Document, kind: Kind) -> Iterator[Problem]:
    """Every field that the kind does not have, that has the wrong type, or that is missing."""
    yield from _check_fields(document, kind.type, ())


def _check_fields(value: Mapping[str, Json], type_name: str, path: Path) -> Iterator[Problem]:
    fields = builtin().fields(type_name)
    for key, item in value.items():
        known = fields.get(key)
        if known is None:
            yield unknown_field((*path, key), fields)
        elif item is not None:
            yield from _check_value(item, known.notation, (*path, key))
    if path[:1] != ("status",):
        for name, known in fields.items():
            if known.required and value.get(name) is None:
                yield Problem(path, f"{path_text((*path, name))}: Required value")


def unknown_field(path: Path, known: Mapping[str, object]) -> Problem:
    """A field that is not there, with the nearest one that is."""
    near = nearest(str(path[-1]), known)
    fields = f"known fields: {', '.join(sorted(known))}" if len(known) <= 12 else ""
    advice = fields if near is None else f"did you mean {near}?"
    return Problem(path, f'unknown field "{path_text(path)}"', advice)


def _check_value(value: Json, notation: str, path: Path) -> Iterator[Problem]:
    if len(path) > _MAX_DEPTH:
        yield Problem(path[:-1], "the document is nested too deeply")
    elif notation.startswith("["):
        yield from _check_list(value, notation[1:], path)
    elif notation.startswith("{"):
        yield from _check_map(value, notation[1:], path)
    elif notation in _SCALARS:
        yield from _check_scalar(value, notation, path)
    elif isinstance(value, Mapping):
        yield from _check_fields(value, notation, path)
    else:
        yield _wrong(path, "an object", value)


def _check_list(value: Json, notation: str, path: Path) -> Iterator[Problem]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        yield _wrong(path, "a list", value)
        return
    for index, item in enumerate(value):
        if item is None:
            yield Problem((*path, index), f"{path_text((*path, index))} is empty")
        else:
            yield from _check_value(item, notation, (*path, index))


def _check_map(value: Json, notation: str, path: Path) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield _wrong(path, "an object", value)
        return
    for key, item in value.items():
        if item is not None:
            yield from _check_value(item, notation, (*path, key))


_TEXT = "a string"
_SCALARS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "s": ((str,), _TEXT),
    "i": ((int,), "an integer"),
    "b": ((bool,), "a boolean"),
    "n": ((int, float), "a number"),
    "t": ((str,), "a time such as 2026-01-31T12:00:00Z"),
    "y": ((str,), "a base64 string"),
    "x": ((int, str), "an integer or a string"),
    "q": ((int, float, str), "a quantity such as 100m or 64Mi"),
    "*": ((object,), "any value"),
}


def _check_scalar(value: Json, notation: str, path: Path) -> Iterator[Problem]:
    types, name = _SCALARS[notation]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types and notation != "*"):
        yield _wrong(path, name, value)
    elif notation in "ix" and isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Problem(path, f"{path_text(path)}: {value} does not fit in 64 bits")


def _wrong(path: Path, expected: str, found: Json) -> Problem:
    shown = f" {json.dumps(found)}" if isinstance(found, str | int | float) else ""
    advice = ""
    if expected == _TEXT and isinstance(found, bool | int | float):
        advice = "put the value in quotes"
    elif isinstance(found, str) and expected == "an integer" and found.lstrip("-").isdecimal():
        advice = f"remove the quotes: {int(found)}"
    elif isinstance(found, str) and expected == "a boolean" and found.lower() in {"true", "false"}:
        advice = f"remove the quotes: {found.lower()}"
    return Problem(path, f"{path_text(path)}: expected {expected}, found {kind_of(found)}{shown}", advice)
