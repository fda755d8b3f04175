"""Plain scalars as sigs.k8s.io/yaml (goyaml.v2) reads them; each row is what ``kubectl apply`` would send."""

from __future__ import annotations

import pytest

from netsim.manifest.scalars import ScalarError, key_text, resolve_plain, resolve_tagged

ROWS = [
    ("", None),
    ("~", None),
    ("null", None),
    ("nuLL", "nuLL"),
    ("yes", True),
    ("y", True),
    ("On", True),
    ("oN", "oN"),
    ("NO", False),
    ("off", False),
    ("8080", 8080),
    ("+1", 1),
    ("-0", 0),
    ("010", 8),
    ("08", 8),
    ("0x1F", 31),
    ("0b11", 3),
    ("0o17", 15),
    ("1_000", 1000),
    ("_1", "_1"),
    ("0x", "0x"),
    ("1.5", 1.5),
    ("1.0", 1),
    ("1e3", 1000),
    ("1_000.5", 1000.5),
    (".1_0", ".1_0"),
    (".5", 0.5),
    ("1:30", "1:30"),
    ("10.96.0.1", "10.96.0.1"),
    ("2026-01-31", "2026-01-31"),
    ("100m", "100m"),
    ("fd00::1", "fd00::1"),
    ("-", "-"),
    ("1.2.3", "1.2.3"),
]


@pytest.mark.parametrize(("text", "value"), ROWS, ids=[text or "empty" for text, _ in ROWS])
def test_plain(text: str, value: object) -> None:
    found = resolve_plain(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan", "1e999", "9" * 70])
def test_no_json_number(text: str) -> None:
    with pytest.raises(ScalarError):
        resolve_plain(text)


@pytest.mark.parametrize(
    ("text", "tag", "value"),
    [
        ("8080", "str", "8080"),
        ("8080", "int", 8080),
        ("3", "float", 3),
        ("yes", "bool", True),
        ("aGk=", "binary", "hi"),
    ],
)
def test_tagged(text: str, tag: str, value: object) -> None:
    assert resolve_tagged(text, f"tag:yaml.org,2002:{tag}") == value


@pytest.mark.parametrize(("text", "tag"), [("a", "int"), ("1", "bool"), ("a", "map"), ("a", "set"), ("a", "binary")])
def test_wrong_tag(text: str, tag: str) -> None:
    with pytest.raises(ScalarError):
        resolve_tagged(text, f"tag:yaml.org,2002:{tag}")


@pytest.mark.parametrize(
    ("value", "key"), [("a", "a"), (80, "80"), (True, "true"), (1.5, "1.5"), (None, None), ([], None)]
)
def test_keys(value: object, key: str | None) -> None:
    assert key_text(value) == key  # type: ignore[arg-type]
