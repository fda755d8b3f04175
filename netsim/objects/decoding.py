"""What Go's JSON decoder says of a document that has not the form of its kind.

The decoder keeps the first wrong value, and with strict decoding every field that nobody knows; positions in lists are told of
unknown fields only. Ref: sigs.k8s.io/json, apimachinery/pkg/runtime/strict (v1.37).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.path import Path, path_text
from netsim.objects.quantity import quantity
from netsim.objects.schema import FieldType, Kind, builtin

_QUANTITY: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_PREFIX = re.compile(r"(?:[A-Z][a-z]+)?V(\d+(?:(?:alpha|beta)\d+)?)")
_LONG: Final = frozenset(
    {
        # fields of 64 bits; all other integers have 32
        *("generation", "observedGeneration", "deletionGracePeriodSeconds", "gracePeriodSeconds"),
        *("terminationGracePeriodSeconds", "activeDeadlineSeconds", "tolerationSeconds", "startingDeadlineSeconds"),
        *("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "expirationSeconds", "revision"),
    }
)
_GO = {"s": "string", "b": "bool", "n": "float64", "t": "v1.Time", "y": "[]uint8", "x": "intstr.IntOrString"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """``wrong``: what the decoder gives up with, empty where it does not. ``unknown``: fields that are not there, each with its path."""

    wrong: str = ""
    unknown: tuple[str, ...] = ()


def decode_as(document: Document, kind: Kind) -> Decoded:
    """Read a document as its kind."""
    found = tuple(_fields(document, kind.type, (), ""))
    wrong = next((text for text, is_unknown in found if not is_unknown), "")
    return Decoded(wrong, tuple(text for text, is_unknown in found if is_unknown))


_Found = Iterator[tuple[str, bool]]
"""Texts, and whether each is of an unknown field."""


def _fields(value: Document, type_name: str, path: Path, dotted: str) -> _Found:
    fields = builtin().fields(type_name)
    for key, item in value.items():
        known: FieldType | None = fields.get(key)
        here = f"{dotted}.{key}" if dotted else key
        if known is None:
            yield f'unknown field "{path_text((*path, key))}"', True
        elif item is not None:
            yield from _value(item, known.notation, (*path, key), here, f"{_struct(type_name)}.{here}")


def _value(value: Json, notation: str, path: Path, dotted: str, field: str) -> _Found:
    match notation[0]:
        case "[" if isinstance(value, Sequence) and not isinstance(value, str):
            for index, item in enumerate(value):
                if item is not None:
                    yield from _value(item, notation[1:], (*path, index), dotted, field)
        case "{" if isinstance(value, Mapping):
            for key, item in value.items():
                if item is not None:
                    yield from _value(item, notation[1:], (*path, key), dotted, field)
        case "[" | "{":
            yield _wrong(value, notation, path, field), False
        case _ if notation in _SCALARS:
            yield from _scalar(value, notation, path, field)
        case "*":
            return
        case _ if isinstance(value, Mapping):
            yield from _fields(value, notation, path, dotted)
        case _:
            yield _wrong(value, notation, path, field), False


_SCALARS = frozenset("sibntyxq")


def _scalar(value: Json, notation: str, path: Path, field: str) -> _Found:
    if notation == "q":
        if not _is_quantity(value):
            yield _QUANTITY, False
    elif notation == "y" and isinstance(value, str):
        position = _not_base64(value)
        if position is not None:
            yield f"illegal base64 data at input byte {position}", False
    elif not _fits(value, notation, path):
        yield _wrong(value, notation, path, field), False


def _fits(value: Json, notation: str, path: Path) -> bool:
    match value:
        case bool():
            return notation == "b"
        case int():
            bits = 64 if path[-1] in _LONG else 32
            return notation == "n" or (notation in "ix" and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1))
        case float():
            return notation == "n"
        case str():
            return notation in "stx"
        case _:
            return False


def _is_quantity(value: Json) -> bool:
    try:
        quantity(value)
    except (ValueError, ArithmeticError):
        return False
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _not_base64(text: str) -> int | None:
    """Where a text stops to be base64, None where it does not."""
    wrong = re.search(r"[^A-Za-z0-9+/=\r\n]", text)
    if wrong is not None:
        return wrong.start()
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return len(text)
    return None


def _wrong(value: Json, notation: str, path: Path, field: str) -> str:
    return f"json: cannot unmarshal {_name(value, notation)} into Go struct field {field} of type {_go(notation, path)}"


def _name(value: Json, notation: str) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return f"number {value}" if notation in "ix" else "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def _go(notation: str, path: Path) -> str:
    """A type as Go writes it."""
    if notation[0] == "[":
        return f"[]{_go(notation[1:], path)}"
    if notation[0] == "{":
        return f"map[string]{_go(notation[1:], path)}"
    if notation == "i":
        return "int64" if path[-1] in _LONG else "int32"
    if notation in _GO:
        return _GO[notation]
    version = _PREFIX.match(notation)
    return f"v{version[1]}.{_struct(notation)}" if version else notation


def _struct(type_name: str) -> str:
    return _PREFIX.sub("", type_name, count=1)
