"""What a YAML scalar means to Kubernetes.

Kubernetes reads YAML through sigs.k8s.io/yaml, whose goyaml.v2 resolves plain scalars by the YAML 1.1 types with its own
changes: ``yes``, ``on`` and ``y`` are booleans, ``010`` is 8, ``1_000`` is 1000, but ``1:30`` and times stay strings.
Ref: sigs.k8s.io/yaml goyaml.v2/resolve.go:resolve(), yaml.go:convertToJSONableObject() (v1.6).
"""

from __future__ import annotations

import base64
import math
import re
from typing import Final

from netsim.objects.json import Json

_WORDS: Final[dict[str, Json]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_INTEGER = re.compile(r"[-+]?(?:0[xX]_?[0-9a-fA-F_]+|0[bB]_?[01_]+|0[oO]_?[0-7_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

STRING = "tag:yaml.org,2002:str"
BINARY = "tag:yaml.org,2002:binary"
_TAGS = {
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:null": type(None),
}


class ScalarError(ValueError):
    """A scalar that has no JSON value."""


def resolve_plain(text: str) -> Json:
    """The JSON value of a plain (unquoted, untagged) scalar. Raises ScalarError for infinities and NaN."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789":
        return _number(text)
    return text


def resolve_tagged(text: str, tag: str) -> Json:
    """The JSON value of a scalar with an explicit tag. Raises ScalarError where the text is not of the tag's type."""
    if tag in {STRING, "tag:yaml.org,2002:timestamp"}:
        return text
    if tag == BINARY:
        return _binary(text)
    expected = _TAGS.get(tag)
    if expected is None:
        raise ScalarError(f"the tag {tag} has no meaning in a manifest")
    value = resolve_plain(text)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    if type(value) is not expected:
        raise ScalarError(f"{text!r} is not of type !!{tag.rpartition(':')[2]}")
    return value


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except ValueError:
        raise ScalarError(f"{text!r} is not base64") from None


def key_text(value: Json) -> str | None:
    """A mapping key as a JSON key: numbers and booleans become text; None where Kubernetes refuses the key."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return None


def _number(text: str) -> Json:
    if _INTEGER.fullmatch(text):
        return _integer(text)
    digits = text if text[0] == "." else text.replace("_", "")
    if _FLOAT.fullmatch(digits):
        value = float(digits)
        if not math.isfinite(value):
            raise ScalarError(f"{text} is too large for a number")
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError(f"{text} is not a JSON number; put it in quotes if it is text")
    return text


def _integer(text: str) -> Json:
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if len(digits) > 64:
        raise ScalarError("a number of more than 64 digits; put it in quotes if it is text")
    try:
        octal = len(digits) > 1 and digits[0] == "0" and digits.isdecimal()
        return sign * int(digits, 8 if octal else 0)
    except ValueError:
        return _number(f"{digits}.") if digits.isdecimal() else text
