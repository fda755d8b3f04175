"""Names and numbers of the API: each function answers why a value is refused, or None where it is good.

Ref: apimachinery/pkg/util/validation/validation.go (v1.37).
"""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_PORT_NAME = re.compile(r"[-a-z0-9]+")


def dns1123_label(value: str) -> str | None:
    """A name of one DNS label: Services, namespaces, containers, port names."""
    if len(value) > 63:
        return "must be no more than 63 characters"
    if _LABEL.fullmatch(value):
        return None
    return (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
        "and must start and end with an alphanumeric character"
    )


def dns1123_subdomain(value: str) -> str | None:
    """A name of DNS labels joined by dots: most objects' names."""
    if len(value) > 253:
        return "must be no more than 253 characters"
    if _SUBDOMAIN.fullmatch(value):
        return None
    return (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
        "and must start and end with an alphanumeric character"
    )


def qualified_name(value: str) -> str | None:
    """A label's key: ``name`` or ``prefix/name``."""
    prefix, slash, name = value.rpartition("/")
    if slash and ("/" in prefix or dns1123_subdomain(prefix) is not None):
        return "prefix part must be a lowercase RFC 1123 subdomain"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    if _QUALIFIED.fullmatch(name):
        return None
    return (
        "name part must consist of alphanumeric characters, '-', '_' or '.', "
        "and must start and end with an alphanumeric character"
    )


def label_value(value: str) -> str | None:
    """A label's value."""
    if len(value) > 63:
        return "must be no more than 63 characters"
    if not value or _QUALIFIED.fullmatch(value):
        return None
    return (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
        "and must start and end with an alphanumeric character"
    )


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
