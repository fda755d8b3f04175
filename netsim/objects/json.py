"""JSON values, read-only by type, and the reading of typed views from them."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard, TypeVar, cast

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
    try:
        return cast("T", _read(cast("Any", view), document))
    except DecodeError as error:
        raise (DecodeError(_joined(path, error.path), error.message) if path else error) from None


def is_object(value: Json) -> TypeGuard[Document]:
    """True for a JSON object."""
    return type(value) is dict or isinstance(value, Mapping)  # nearly all are dicts, and Mapping's own check is slow


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


Reader: TypeAlias = "Callable[[Json], object]"
"""Reads one value. Raises DecodeError with the path from that value on."""


def _read(view: Any, document: Json) -> object:
    if not is_object(document):
        raise DecodeError("", f"expected an object, found {kind_of(document)}")
    values: dict[str, object] = {}
    for name, key, read, required in _fields(view):
        value = document.get(key)
        if value is not None:
            try:
                values[name] = read(value)
            except DecodeError as error:
                raise DecodeError(_joined(key, error.path), error.message) from None
        elif required:
            raise DecodeError(key, "is required")
    return view(**values)


def _joined(path: str, rest: str) -> str:
    return f"{path}{'.' if rest and not rest.startswith('[') else ''}{rest}"


@functools.cache
def _fields(view: Any) -> tuple[tuple[str, str, Reader, bool], ...]:
    hints = typing.get_type_hints(view)
    return tuple(
        (
            item.name,
            item.metadata.get("json", camel_case(item.name)),
            _reader(hints[item.name]),
            item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING,
        )
        for item in dataclasses.fields(view)
    )


_SCALARS: dict[type, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}


def _reader(hint: Any) -> Reader:
    """What reads values of a type; made once for each field of each view."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union_reader([a for a in arguments if a is not type(None)])
    if origin is tuple:
        return _list_reader(_reader(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _map_reader(_reader(arguments[1]))
    if dataclasses.is_dataclass(hint):
        return functools.partial(_read, hint)
    if hint in _SCALARS:
        return _scalar_reader(hint)
    return lambda value: value


def _list_reader(read: Reader) -> Reader:
    def reader(value: Json) -> object:
        if type(value) is not list and (isinstance(value, str) or not isinstance(value, Sequence)):
            raise DecodeError("", f"expected a list, found {kind_of(value)}")
        items: list[object] = []
        for item in value:
            try:
                items.append(read(item))
            except DecodeError as error:
                raise DecodeError(_joined(f"[{len(items)}]", error.path), error.message) from None
        return tuple(items)

    return reader


def _map_reader(read: Reader) -> Reader:
    def reader(value: Json) -> object:
        if not is_object(value):
            raise DecodeError("", f"expected an object, found {kind_of(value)}")
        found: dict[str, object] = {}
        for key, item in value.items():
            try:
                found[str(key)] = read(item)
            except DecodeError as error:
                raise DecodeError(_joined(str(key), error.path), error.message) from None
        return found

    return reader


def _scalar_reader(hint: Any) -> Reader:
    allowed = _SCALARS[hint]

    def reader(value: Json) -> object:
        if type(value) is not hint and (
            not isinstance(value, allowed) or (isinstance(value, bool) and hint is not bool)
        ):
            raise DecodeError("", f"expected {_name(hint)}, found {kind_of(value)}")
        return value

    return reader


def _union_reader(members: list[Any]) -> Reader:
    if len(members) == 1:
        return _reader(members[0])
    scalars = tuple(t for member in members for t in _SCALARS.get(member, ()))

    def reader(value: Json) -> object:
        if not isinstance(value, scalars) or isinstance(value, bool):
            raise DecodeError("", f"expected {' or '.join(_name(m) for m in members)}, found {kind_of(value)}")
        return value

    return reader


def _name(hint: Any) -> str:
    return {str: "a string", int: "an integer", bool: "a boolean", float: "a number"}.get(hint, str(hint))
