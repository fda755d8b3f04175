"""Documents with places: YAML and JSON, aliases, merges."""

from __future__ import annotations

import time

import pytest

from netsim.manifest import LoadError
from netsim.manifest.builder import MAX_ALIASED
from netsim.manifest.document import read_documents
from netsim.manifest.load import load_text
from netsim.objects.path import Path

TEXT = """\
# a comment
a: 1
b:
- c: &x {d: 2}
- *x
"e f": |
  text
---
g: {<<: {h: 3, i: 4}, i: 5}
"""


@pytest.mark.parametrize("pure", [False, True], ids=["c", "python"])
def test_values(pure: bool) -> None:
    documents, faults = read_documents(TEXT, pure=pure)
    assert faults == []
    assert [document.value for document in documents] == [
        {"a": 1, "b": [{"c": {"d": 2}}, {"d": 2}], "e f": "text\n"},
        {"g": {"h": 3, "i": 5}},
    ]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (2, 1)),
        (("a",), (2, 1)),
        (("b", 0, "c"), (4, 3)),
        (("b", 0, "c", "d"), (4, 10)),
        (("b", 1), (4, 6)),
        (("e f",), (6, 1)),
        (("b", 0, "absent", "x"), (4, 3)),
        (("b", 7), (3, 1)),
    ],
)
def test_places(path: Path, place: tuple[int, int]) -> None:
    documents, _ = read_documents(TEXT)
    assert documents[0].at(path) == place


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\u0085"])
def test_lines_are_counted_as_the_parser_counts(line_break: str) -> None:
    with pytest.raises(LoadError) as caught:
        load_text(line_break.join(["a: b: c", "---", "kind: Pod", "---", "x: *y"]), "x")
    assert [(d.line, d.text) for d in caught.value.diagnostics] == [(1, "a: b: c"), (3, "kind: Pod"), (5, "x: *y")]


def test_json_is_read_with_places_and_escapes() -> None:
    text = '{\n\t"a": "\\ud83d\\ude00\\/",\n\t"b": [1e2, {"c\\n": null}]\n}'
    documents, faults = read_documents(text)
    assert faults == []
    assert documents[0].value == {"a": "\U0001f600/", "b": [100.0, {"c\n": None}]}
    assert documents[0].at(("b", 1)) == (3, 13)


def test_json_lone_surrogate_becomes_the_replacement_character() -> None:
    documents, _ = read_documents('{"a": "\\ud800"}')
    assert documents[0].value == {"a": "\ufffd"}


def test_json_keys_that_differ_in_an_escape_are_different() -> None:
    documents, faults = read_documents('{"a\\n": 1, "a\\t": 2, "a\\\\": 3, "a\\"": 4}')
    assert faults == []
    assert documents[0].value == {"a\n": 1, "a\t": 2, "a\\": 3, 'a"': 4}


def test_json_that_yaml_cannot_read_is_read_without_places() -> None:
    key = "k" * 2000
    documents, faults = read_documents(f'{{"{key}": [1, {{"a": 2}}]}}')
    assert faults == []
    assert documents[0].value == {key: [1, {"a": 2}]}
    assert documents[0].at((key, 1, "a")) == (1, 1)
    _, faults = read_documents(f'{{"{key}": {"[" * 200}{"]" * 200}}}')
    assert [fault.message for fault in faults] == ["the document is nested more than 100 levels deep"]


def test_a_number_too_large_is_none() -> None:
    documents, faults = read_documents('{"a": 1e999}')
    assert documents == []
    assert faults[0].message == "1e999 is too large for a number"


def test_flow_yaml_that_is_not_json() -> None:
    documents, faults = read_documents("{a: 1, b: [x]}")
    assert (documents[0].value, faults) == ({"a": 1, "b": ["x"]}, [])


@pytest.mark.parametrize("pure", [False, True], ids=["c", "python"])
def test_billion_laughs_is_one_error_and_is_not_written_out(pure: bool) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 40)]
    start = time.process_time()
    documents, faults = read_documents("\n".join(rows), pure=pure)
    assert time.process_time() - start < 2
    assert documents == []
    assert len(faults) == 1
    assert f"{MAX_ALIASED:,}" in faults[0].message


def test_many_values_without_aliases_are_no_bomb() -> None:
    documents, faults = read_documents("a: [" + "1, " * (MAX_ALIASED + 10) + "1]")
    assert faults == []
    assert len(documents[0].items) == 0
    assert len(documents[0].entries["a"].items) == MAX_ALIASED + 11


def test_documents_after_a_syntax_error_are_read_and_keep_their_lines() -> None:
    documents, faults = read_documents("a: b: c\n---\nd: 1\n---\ne: 'x\n")
    assert [(fault.line, document.line) for fault, document in zip(faults, documents, strict=False)] == [(1, 3)]
    assert len(faults) == 2


def test_a_document_that_ends_in_the_next_ones_marker() -> None:
    documents, faults = read_documents("a: [1, 2\n---\nb: 1\n--- {\n---\nc: 1\n")
    assert [document.value for document in documents] == [{"b": 1}, {"c": 1}]
    assert [fault.line for fault in faults] == [2, 5]


def test_a_text_is_cut_off_after_many_syntax_errors() -> None:
    _, faults = read_documents("a: b: c\n---\n" * 500)
    assert len(faults) == 20
