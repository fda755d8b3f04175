"""The API server's kinds of findings, in its words. Ref: apimachinery/pkg/util/validation/field/errors.go (v1.37).

``path`` is where in the document it is; the text names ``at`` where the API server names something less exact.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from netsim.objects.json import Json
from netsim.objects.path import Path, Problem, nearest

_ESCAPED: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class MapKey(str):
    """A step of a path into a map, which the API server writes in brackets: ``data[a.b]``."""

    __slots__ = ()


def field_text(path: Path) -> str:
    """A path as the API server writes it."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int | MapKey):
            parts.append(f"[{step}]")
        else:
            parts.append(f".{step}" if parts else step)
    return "".join(parts)


def shown(value: Json) -> str:
    """A value as Go prints it: ``%q`` of a text, ``%v`` of a number or a truth value, JSON of the rest."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)


def invalid(path: Path, value: Json, why: str, advice: str = "", *, at: Path | None = None) -> Problem:
    """A value that breaks a rule."""
    return Problem(path, f"{field_text(at or path)}: Invalid value: {shown(value)}: {why}", advice)


def each_invalid(path: Path, value: Json, reasons: Iterable[str], *, at: Path | None = None) -> Iterator[Problem]:
    """A value that breaks several rules: each by itself."""
    for why in reasons:
        yield invalid(path, value, why, at=at)


def required(path: Path, why: str = "", advice: str = "", *, at: Path | None = None) -> Problem:
    """A field that has to be there."""
    return Problem(path, f"{field_text(at or path)}: Required value" + (f": {why}" if why else ""), advice)


def duplicate(path: Path, value: Json, *, why: str = "", at: Path | None = None) -> Problem:
    """A value that stands there twice."""
    return Problem(path, f"{field_text(at or path)}: Duplicate value: {shown(value)}" + (f": {why}" if why else ""))


def forbidden(path: Path, why: str, advice: str = "", *, at: Path | None = None) -> Problem:
    """A field that must not be there."""
    return Problem(path, f"{field_text(at or path)}: Forbidden: {why}", advice)


def not_found(path: Path, value: Json) -> Problem:
    """A name of something that is not there."""
    return Problem(path, f"{field_text(path)}: Not found: {shown(value)}")


def too_long(path: Path, most: int) -> Problem:
    """A text of too many bytes."""
    return Problem(path, f"{field_text(path)}: Too long: may not be more than {most} byte{'' if most == 1 else 's'}")


def too_many(path: Path, found: int, most: int) -> Problem:
    """A list of too many items."""
    items = "item" if most == 1 else "items"
    return Problem(path, f"{field_text(path)}: Too many: {found}: must have at most {most} {items}")


def unsupported(path: Path, value: Json, supported: Sequence[str], *, at: Path | None = None) -> Problem:
    """A word that is none of those known, which are told in the given order."""
    listed = ", ".join(f'"{word}"' for word in supported)
    near = nearest(value, supported) if isinstance(value, str) else None
    message = f"{field_text(at or path)}: Unsupported value: {shown(value)}: supported values: {listed}"
    return Problem(path, message, f"did you mean {near}?" if near else "")


def negative(path: Path, value: Json) -> Iterator[Problem]:
    """A number that is less than 0. Ref: apimachinery/pkg/api/validation/generic.go:ValidateNonnegativeField()."""
    if isinstance(value, int) and value < 0:
        yield invalid(path, value, "must be greater than or equal to 0")
