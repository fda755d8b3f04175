"""Names and numbers of the API: each function answers every reason why a value is refused, nothing where it is good.

Ref: apimachinery/pkg/api/validate/content/{dns,kube,errors}.go, pkg/util/validation/validation.go (v1.37).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

Reasons: TypeAlias = tuple[str, ...]
Rule: TypeAlias = Callable[[str], Reasons]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SEARCH = re.compile(r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_PORT_NAME = re.compile(r"[-a-z0-9]+")

_ALPHANUMERIC = "and must start and end with an alphanumeric character"
_KEY_RULE = f"must consist of alphanumeric characters, '-', '_' or '.', {_ALPHANUMERIC}"


def _by_pattern(rule: str, pattern: re.Pattern[str], *examples: str) -> str:
    """A rule with examples and the pattern behind it. Ref: content/errors.go:RegexError()."""
    told = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {told}regex used for validation is '{pattern.pattern}')"


def _too_long(value: str, most: int, unit: str = "characters") -> Reasons:
    return (f"must be no more than {most} {unit}",) if len(value.encode()) > most else ()


def dns1123_label(value: str) -> Reasons:
    """A name of one DNS label: Services, namespaces, containers, port names."""
    long = _too_long(value, 63)
    if _LABEL.fullmatch(value):
        return long
    if _SUBDOMAIN.fullmatch(value):
        return (*long, "must not contain dots")
    rule = f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ALPHANUMERIC}"
    return (*long, _by_pattern(rule, _LABEL, "my-name", "123-abc"))


def dns1123_subdomain(value: str) -> Reasons:
    """A name of DNS labels joined by dots: most objects' names."""
    return _subdomain(value, "characters")


def _subdomain(value: str, unit: str) -> Reasons:
    long = _too_long(value, 253, unit)
    if _SUBDOMAIN.fullmatch(value):
        return long
    rule = f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ALPHANUMERIC}"
    return (*long, _by_pattern(rule, _SUBDOMAIN, "example.com"))


def search_path(value: str) -> Reasons:
    """A domain that names are looked for in, with underscores too. Ref: validation.go:IsDNS1123SubdomainWithUnderscore()."""
    long = _too_long(value, 253)
    if _SEARCH.fullmatch(value):
        return long
    letters = "lower case alphanumeric characters, '_', '-' or '.'"
    rule = f"a lowercase RFC 1123 subdomain must consist of {letters}, {_ALPHANUMERIC}"
    return (*long, _by_pattern(rule, _SEARCH, "example.com"))


def qualified_name(value: str) -> Reasons:
    """A label's key: ``name`` or ``prefix/name``. Ref: content/kube.go:IsLabelKey()."""
    pattern = _by_pattern(_KEY_RULE, _QUALIFIED, "MyName", "my.name", "123-abc")
    prefix, slash, name = value.partition("/")
    if "/" in name:
        return (
            f"a valid label key {pattern} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    if not slash:
        prefix, name = "", value
    reasons: Iterable[str] = ()
    if slash:
        reasons = (f"prefix part {why}" for why in (_subdomain(prefix, "bytes") if prefix else ("must be non-empty",)))
    empty = ("must be non-empty",) if not name else _too_long(name, 63, "bytes")
    wrong = () if _QUALIFIED.fullmatch(name) else (pattern,)
    return (*reasons, *(f"name part {why}" for why in (*empty, *wrong)))


def label_value(value: str) -> Reasons:
    """A label's value."""
    long = _too_long(value, 63, "bytes")
    if _LABEL_VALUE.fullmatch(value):
        return long
    rule = (
        f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ALPHANUMERIC}"
    )
    return (*long, _by_pattern(rule, _LABEL_VALUE, "MyValue", "my_value", "12345"))


def config_key(value: str) -> Reasons:
    """A key of a ConfigMap or a Secret."""
    rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    wrong = (
        () if _CONFIG_KEY.fullmatch(value) else (_by_pattern(rule, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"),)
    )
    return (*_too_long(value, 253), *wrong, *_dots(value))


def _dots(value: str) -> Reasons:
    if value in (".", ".."):
        return (f"must not be '{value}'",)
    return ("must not start with '..'",) if value.startswith("..") else ()


def path_segment(value: str) -> Reasons:
    """A name that has only to fit into a path. Ref: content/path.go:IsPathSegmentName()."""
    if value in (".", ".."):
        return (f"may not be '{value}'",)
    return tuple(f"may not contain '{part}'" for part in ("/", "%") if part in value)


def environment_name(value: str) -> Reasons:
    """A variable's name. Ref: validation.go:IsRelaxedEnvVarName()."""
    if not value:
        return ("environment variable name must be non-empty",)
    if all(c.isascii() and c.isprintable() and c != "=" for c in value):
        return ()
    return ("a valid environment variable name must consist only of printable ASCII characters other than '='",)


def port_number(value: int) -> Reasons:
    """A port."""
    return () if 1 <= value <= 65535 else ("must be between 1 and 65535, inclusive",)


def port_name(value: str) -> Reasons:
    """A container port's name (IANA service name). RFC 6335 §5.1."""
    rules = (
        (len(value.encode()) > 15, "must be no more than 15 characters"),
        (not _PORT_NAME.fullmatch(value), "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"),
        (not re.search(r"[a-z]", value), "must contain at least one letter (a-z)"),
        ("--" in value, "must not contain consecutive hyphens"),
        (value.startswith("-") or value.endswith("-"), "must not begin or end with a hyphen"),
    )
    return tuple(why for broken, why in rules if broken)


def port_number_or_name(value: int | str) -> Reasons:
    """A port that is told by its number, or by the name that the container gives it."""
    return port_number(value) if isinstance(value, int) else port_name(value)
