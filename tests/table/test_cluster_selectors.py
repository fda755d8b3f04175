"""Selectors, quantities, hashes and names as tables."""

from __future__ import annotations

from decimal import Decimal

import pytest

from netsim.cluster.errors import BadRequest
from netsim.cluster.naming import NameSource, fnv32a, safe_encode, template_hash
from netsim.cluster.selectors import NOTHING, of_label_selector, parse_selector
from netsim.objects.quantity import quantity

LABELS = {"app": "web", "tier": "front", "n": "5", "example.org/x": ""}

STRINGS = [
    ("", True),
    ("app=web", True),
    ("app==web", True),
    ("app = web , tier=front", True),
    ("app=db", False),
    ("app!=db", True),
    ("app!=web", False),
    ("absent!=x", True),
    ("app", True),
    ("absent", False),
    ("!absent", True),
    ("! app", False),
    ("app in (web,db)", True),
    ("app in (a, b)", False),
    ("app notin (a, b)", True),
    ("absent notin (a)", True),
    ("absent in (a)", False),
    ("example.org/x=", True),
    ("n>4", True),
    ("n>5", False),
    ("n<6", True),
    ("app>1", False),
]


@pytest.mark.parametrize(("text", "matches"), STRINGS, ids=[repr(t) for t, _ in STRINGS])
def test_label_selector_strings(text, matches):
    assert parse_selector(text).matches(LABELS) is matches


@pytest.mark.parametrize("text", ["=x", "app in", "app in (", "app in ()x", "a b", "n>x", "app=web;tier=x"])
def test_selectors_that_cannot_be_read(text):
    with pytest.raises(BadRequest):
        parse_selector(text)


def expression(key: str, operator: str, *values: str) -> dict[str, object]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


DOCUMENTS = [
    ("empty selects all", {}, True),
    ("null selects nothing", None, False),
    ("labels", {"matchLabels": {"app": "web"}}, True),
    ("In", expression("app", "In", "web", "db"), True),
    ("NotIn", expression("app", "NotIn", "web"), False),
    ("NotIn of an absent label", expression("absent", "NotIn", "web"), True),
    ("Exists", expression("tier", "Exists"), True),
    ("DoesNotExist", expression("tier", "DoesNotExist"), False),
    ("both must hold", {"matchLabels": {"app": "web"}, **expression("tier", "In", "back")}, False),
]


@pytest.mark.parametrize(("document", "matches"), [row[1:] for row in DOCUMENTS], ids=[row[0] for row in DOCUMENTS])
def test_label_selector_documents(document, matches):
    assert of_label_selector(document).matches(LABELS) is matches


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (expression("a", "Like", "x"), '"Like" is not a valid label selector operator'),
        (expression("a", "In"), "values set can't be empty"),
        (expression("a", "Exists", "x"), "values set must be empty"),
    ],
)
def test_label_selector_documents_that_cannot_be_read(document, said):
    with pytest.raises(BadRequest, match=said):
        of_label_selector(document)


def test_nothing_selects_nothing():
    assert not NOTHING.matches({})


QUANTITIES = [
    ("100m", "0.1"),
    ("2", "2"),
    (2, "2"),
    (0.5, "0.5"),
    ("64Mi", str(64 * 1024**2)),
    ("1k", "1000"),
    ("1Ki", "1024"),
    ("2G", "2000000000"),
    ("1e3", "1000"),
]


@pytest.mark.parametrize(("text", "value"), QUANTITIES)
def test_quantities(text, value):
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "x", "1Q", "Mi", "1mm"])
def test_quantities_that_are_none(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity(text)


# http://www.isthe.com/chongo/src/fnv/test_fnv.c: the published vectors of FNV-1a, 32 bits.
@pytest.mark.parametrize(("data", "value"), [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)])
def test_fnv(data, value):
    assert fnv32a(data) == value


def test_safe_encode_uses_the_code_of_each_character():
    assert safe_encode("0123456789") == "456789bcdf"
    assert len(set("aeiou013") & set(safe_encode("".join(map(chr, range(32, 127)))))) == 0


def test_template_hash_does_not_depend_on_the_order_of_keys():
    assert template_hash({"a": 1, "b": [2]}) == template_hash({"b": [2], "a": 1})
    assert template_hash({"a": 1}) != template_hash({"a": 2})
    assert template_hash({"a": 1}, collisions=1) != template_hash({"a": 1})


def test_generated_names_are_cut_to_63_characters():
    name = NameSource().generate("Pod/default", "x" * 80)
    assert len(name) == 63


def test_another_seed_gives_other_names():
    assert NameSource(1).generate("Pod/a", "x-") != NameSource(2).generate("Pod/a", "x-")
