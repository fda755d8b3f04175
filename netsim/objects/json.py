"""JSON values, read-only by type, and the reading of typed views from them."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
Document: TypeAlias = Mapping[str, Json]

T = TypeVar("T")


class DecodeError(ValueError):
    """A JSON value that has not the form of the view it is read as; ``path`` is like ``spec.ports[0].port``."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


def decode(view: type[T], document: Json, path: str = "") -> T:
    """Read a frozen dataclass from JSON. Field ``cluster_ip`` reads key ``clusterIP`` or what its metadata's ``json`` says.

    Keys that the view does not have are left alone: the view is a part of the object. Raises DecodeError with the path.
    """
    if not isinstance(document, Mapping):
        raise DecodeError(path, f"expected an object, found {kind_of(document)}")
    values: dict[str, object] = {}
    for name, key, hint, required in _fields(cast("Any", view)):
        where = f"{path}.{key}" if path else key
        value = document.get(key)
        if value is not None:
            values[name] = _convert(hint, value, where)
        elif required:
            raise DecodeError(where, "is required")
    return view(**values)


def kind_of(value: Json) -> str:
    """What a JSON value is, as an error calls it."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Mapping():
            return "an object"
        case _:
            return "a list"


def camel_case(name: str) -> str:
    """``external_traffic_policy`` → ``externalTrafficPolicy``."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


@functools.cache
def _fields(view: Any) -> tuple[tuple[str, str, Any, bool], ...]:
    hints = typing.get_type_hints(view)
    return tuple(
        (
            item.name,
            item.metadata.get("json", camel_case(item.name)),
            hints[item.name],
            item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING,
        )
        for item in dataclasses.fields(view)
    )


_SCALARS: dict[type, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}


def _convert(hint: Any, value: Json, path: str) -> object:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_union([a for a in arguments if a is not type(None)], value, path)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise DecodeError(path, f"expected a list, found {kind_of(value)}")
        return tuple(_convert(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise DecodeError(path, f"expected an object, found {kind_of(value)}")
        return {str(k): _convert(arguments[1], v, f"{path}.{k}") for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        return decode(cast("type[object]", hint), value, path)
    if hint in _SCALARS:
        if not isinstance(value, _SCALARS[hint]) or (isinstance(value, bool) and hint is not bool):
            raise DecodeError(path, f"expected {_name(hint)}, found {kind_of(value)}")
        return value
    return value


def _convert_union(members: list[Any], value: Json, path: str) -> object:
    if len(members) == 1:
        return _convert(members[0], value, path)
    for member in members:
        if member in _SCALARS and isinstance(value, _SCALARS[member]) and not isinstance(value, bool):
            return value
    raise DecodeError(path, f"expected {' or '.join(_name(m) for m in members)}, found {kind_of(value)}")


def _name(hint: Any) -> str:
    return {str: "a string", int: "an integer", bool: "a boolean", float: "a number"}.get(hint, str(hint))
