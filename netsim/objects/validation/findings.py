"""The API server's kinds of findings, in its words. Ref: apimachinery/pkg/util/validation/field/errors.go (v1.37)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from netsim.objects.json import Json
from netsim.objects.path import Path, Problem, nearest, path_text


def invalid(path: Path, value: Json, why: str, advice: str = "") -> Problem:
    """A value that breaks a rule."""
    return Problem(path, f"{path_text(path)}: Invalid value: {json.dumps(value, ensure_ascii=False)}: {why}", advice)


def required(path: Path, why: str = "", advice: str = "") -> Problem:
    """A field that has to be there."""
    return Problem(path, f"{path_text(path)}: Required value" + (f": {why}" if why else ""), advice)


def duplicate(path: Path, value: Json, advice: str = "") -> Problem:
    """A value that stands there twice."""
    return Problem(path, f"{path_text(path)}: Duplicate value: {json.dumps(value, ensure_ascii=False)}", advice)


def forbidden(path: Path, why: str, advice: str = "") -> Problem:
    """A field that must not be there."""
    return Problem(path, f"{path_text(path)}: Forbidden: {why}", advice)


def unsupported(path: Path, value: str, supported: Iterable[str]) -> Problem:
    """A word that is none of those known."""
    words = sorted(supported)
    listed = ", ".join(f'"{word}"' for word in words)
    near = nearest(value, words)
    message = f'{path_text(path)}: Unsupported value: "{value}": supported values: {listed}'
    return Problem(path, message, f"did you mean {near}?" if near else "")
