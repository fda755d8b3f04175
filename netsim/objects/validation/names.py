"""Names and numbers of the API: each function answers why a value is refused, or None where it is good.

Ref: apimachinery/pkg/api/validate/content/{dns,kube,errors}.go, pkg/util/validation/validation.go (v1.37).
"""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_PORT_NAME = re.compile(r"[-a-z0-9]+")


def _by_pattern(rule: str, pattern: re.Pattern[str], *examples: str) -> str:
    """A rule with examples and the pattern behind it. Ref: content/errors.go:RegexError()."""
    told = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {told}regex used for validation is '{pattern.pattern}')"


def dns1123_label(value: str) -> str | None:
    """A name of one DNS label: Services, namespaces, containers, port names."""
    if len(value) > 63:
        return "must be no more than 63 characters"
    if _LABEL.fullmatch(value):
        return None
    rule = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
        "and must start and end with an alphanumeric character"
    )
    return _by_pattern(rule, _LABEL, "my-name", "123-abc")


def dns1123_subdomain(value: str) -> str | None:
    """A name of DNS labels joined by dots: most objects' names."""
    if len(value) > 253:
        return "must be no more than 253 characters"
    if _SUBDOMAIN.fullmatch(value):
        return None
    rule = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
        "and must start and end with an alphanumeric character"
    )
    return _by_pattern(rule, _SUBDOMAIN, "example.com")


def qualified_name(value: str) -> str | None:
    """A label's key: ``name`` or ``prefix/name``."""
    prefix, slash, name = value.rpartition("/")
    if slash and ("/" in prefix or dns1123_subdomain(prefix) is not None):
        return "prefix part must be a lowercase RFC 1123 subdomain"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    if _QUALIFIED.fullmatch(name):
        return None
    rule = (
        "name part must consist of alphanumeric characters, '-', '_' or '.', "
        "and must start and end with an alphanumeric character"
    )
    return _by_pattern(rule, _QUALIFIED, "MyName", "my.name", "123-abc")


def label_value(value: str) -> str | None:
    """A label's value."""
    if len(value) > 63:
        return "must be no more than 63 characters"
    if _LABEL_VALUE.fullmatch(value):
        return None
    rule = (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
        "and must start and end with an alphanumeric character"
    )
    return _by_pattern(rule, _LABEL_VALUE, "MyValue", "my_value", "12345")


def config_key(value: str) -> str | None:
    """A key of a ConfigMap or a Secret."""
    if len(value) > 253:
        return "must be no more than 253 characters"
    if not _CONFIG_KEY.fullmatch(value):
        rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        return _by_pattern(rule, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name")
    if value == ".":
        return "must not be '.'"
    if value == "..":
        return "must not be '..'"
    return "must not start with '..'" if value.startswith("..") else None


def port_number(value: int) -> str | None:
    """A port."""
    return None if 1 <= value <= 65535 else "must be between 1 and 65535, inclusive"


def port_name(value: str) -> str | None:
    """A container port's name (IANA service name). RFC 6335 §5.1."""
    if len(value) > 15:
        return "must be no more than 15 characters"
    if not _PORT_NAME.fullmatch(value):
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not re.search(r"[a-z]", value):
        return "must contain at least one letter (a-z)"
    if "--" in value:
        return "must not contain consecutive hyphens"
    if value.startswith("-") or value.endswith("-"):
        return "must not begin or end with a hyphen"
    return None
