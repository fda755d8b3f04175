"""``docs/reasons``: a page for each reason, made from the tables."""

from __future__ import annotations

import json
import re

import pytest

from netsim.render.explain.page import explained, explanations, index, of_the_way_back, page
from netsim.trace.reasons import reasons
from tests.cli.commands import netsim
from tests.cli.console import ROOT

FOLDER = ROOT / "docs" / "reasons"


def test_the_pages_are_the_tables() -> None:
    expected = {"README.md": index()} | {f"{code}.md": page(code) for code in reasons()}
    assert {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()} == expected


OWN = [code for code in reasons() if not of_the_way_back(code)]


@pytest.mark.parametrize("code", OWN)
def test_every_reason_is_explained(code: str) -> None:
    found = explained(code)
    assert found is not None, f"{code}: say in netsim/render/explain why it happens, how to see it and how to mend it"
    assert len(found.why) > 60
    assert found.looks
    assert found.mends or reasons()[code].verdict.value == "DELIVERED"


def test_nothing_is_explained_twice_or_for_nobody() -> None:
    assert explanations().keys() <= reasons().keys()


@pytest.mark.parametrize("code", explanations())
def test_the_topologies_end_so(code: str) -> None:
    for name in explanations()[code].topologies:
        text = (ROOT / "topologies" / name / "expected.json.txt").read_text(encoding="utf-8")
        expected = json.loads(text[text.index("\n{") if not text.startswith("{") else 0 :])
        assert code in {branch["reason"] for branch in expected["branches"]}, name


def test_the_command_prints_the_page() -> None:
    assert netsim("explain", "rp_filter").out == page("RP_FILTER")
    assert netsim("explain", "REPLY_RP_FILTER").out == page("REPLY_RP_FILTER")
    listed = netsim("explain").out
    assert {code for code in reasons() if re.search(rf"^{code} ", listed, re.MULTILINE)} == set(explanations())


def test_a_reason_that_is_none() -> None:
    done = netsim("explain", "RP_FILTR")
    assert done.status == 2
    assert done.err == "error: RP_FILTR is no reason\nhelp: did you mean RP_FILTER?\n"
