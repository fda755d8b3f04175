"""The standard library's ``dataclass`` for classes with slots, in a make that costs a tenth at import and half at construction.

``dataclasses.dataclass(frozen=True, slots=True)`` compiles six methods for each class, 0.5 ms together: with the some 500 classes that one
trace imports, that was over half of the whole command's time. Here ``__init__`` alone is compiled with the class; ``__eq__``, ``__hash__``
and the comparisons when the first instance needs them, for few classes are ever compared; the rest is shared by all. A frozen
instance is filled through its slots' own descriptors, which takes half the time of ``object.__setattr__`` with a name.

Fields, ``replace``, ``asdict``, ``match`` and pickles are the standard library's: the class is one of its dataclasses.
``tests/unit/test_dataclass.py`` holds each class of the project against what the standard library would have made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

_COMPARISONS: Mapping[str, str] = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}


@dataclass_transform(field_specifiers=(field,))
def dataclass(
    *, slots: bool, frozen: bool = False, eq: bool = True, order: bool = False
) -> Callable[[type[T]], type[T]]:
    """As ``dataclasses.dataclass`` with these arguments; ``slots`` has to be True, and no field is an ``InitVar`` or ``kw_only``."""
    if not slots:
        raise TypeError("a class without slots is for dataclasses.dataclass")

    def make(given: type[T]) -> type[T]:
        own = given.__dict__
        hashes = own.get("__hash__") is not None
        cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(given)
        _write_init(cls, frozen=frozen)
        methods: dict[str, Any] = {"__repr__": _repr}
        if eq:
            methods["__eq__"] = _at_first_use(cls, "__eq__", _comparison("__eq__", "=="))
        if order:
            methods |= {name: _at_first_use(cls, name, _comparison(name, sign)) for name, sign in _COMPARISONS.items()}
        if frozen:
            methods |= _FROZEN
        for name, method in methods.items():
            if name not in own:
                setattr(cls, name, method)
        if eq and not hashes:
            cls.__hash__ = _at_first_use(cls, "__hash__", _hash) if frozen else None  # type: ignore[assignment]
        return cls

    return make


def _write_init(cls: type, *, frozen: bool) -> None:
    """Compile ``__init__``: a frozen class's slots are set by their descriptors, past its own ``__setattr__``."""
    names: dict[str, object] = {"MISSING": MISSING}
    parameters, lines = ["self"], []
    for each in fields(cls):
        value = _parameter(each, names, parameters)
        if value is None:
            continue
        names[f"set_{each.name}"] = getattr(cls, each.name).__set__
        lines.append(f"set_{each.name}(self, {value})" if frozen else f"self.{each.name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    _define(cls, "__init__", ", ".join(parameters), lines or ["pass"], names)
    cls.__init__.__annotations__ = {each.name: each.type for each in fields(cls) if each.init} | {"return": None}  # type: ignore[misc]


def _parameter(each: Field[Any], names: dict[str, object], parameters: list[str]) -> str | None:
    """Add a field's parameter, and its default to the names; give the expression of its value, None where ``__init__`` sets none."""
    name = each.name
    if each.default_factory is not MISSING:
        names[f"make_{name}"] = each.default_factory
        if not each.init:
            return f"make_{name}()"
        parameters.append(f"{name}=MISSING")
        return f"make_{name}() if {name} is MISSING else {name}"
    if each.default is not MISSING:
        names[f"default_{name}"] = each.default
        if not each.init:
            return f"default_{name}"
        parameters.append(f"{name}=default_{name}")
        return name
    if each.init:
        parameters.append(name)
        return name
    return None


def _define(cls: type, name: str, parameters: str, lines: Iterable[str], names: Mapping[str, object]) -> None:
    """Compile a method of these lines, where ``names`` are known, and put it into the class."""
    body = "\n  ".join(lines)
    text = f"def make({', '.join(names)}):\n def {name}({parameters}):\n  {body}\n return {name}\n"
    found: dict[str, Any] = {}
    exec(text, {"__name__": cls.__module__}, found)  # as the standard library does, from the names of fields alone
    method = found["make"](*names.values())
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    setattr(cls, name, method)


def _at_first_use(cls: type, name: str, define: Callable[[type], None]) -> Callable[..., Any]:
    """A method that, when it is called first, is replaced by the compiled one."""

    def compile_then_call(self: object, *others: object) -> Any:
        define(cls)
        return getattr(cls, name)(self, *others)

    return compile_then_call


def _comparison(name: str, sign: str) -> Callable[[type], None]:
    def define(cls: type) -> None:
        mine, others = (
            _values(owner, (each.name for each in fields(cls) if each.compare)) for owner in ("self", "other")
        )
        lines = ["if other.__class__ is self.__class__:", f" return {mine} {sign} {others}", "return NotImplemented"]
        _define(cls, name, "self, other", lines, {})

    return define


def _hash(cls: type) -> None:
    hashed = (each.name for each in fields(cls) if (each.compare if each.hash is None else each.hash))
    _define(cls, "__hash__", "self", [f"return hash({_values('self', hashed)})"], {})


def _values(owner: str, names: Iterable[str]) -> str:
    return f"({''.join(f'{owner}.{name},' for name in names)})"


@recursive_repr()
def _repr(self: Any) -> str:
    body = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({body})"


def _refuse_set(self: object, name: str, value: object) -> None:
    del self, value
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: object, name: str) -> None:
    del self
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, each.name) for each in fields(self)]


def _restore(self: Any, state: list[object]) -> None:
    for each, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


_FROZEN: Mapping[str, object] = {
    "__setattr__": _refuse_set,
    "__delattr__": _refuse_delete,
    "__getstate__": _state,
    "__setstate__": _restore,
}
