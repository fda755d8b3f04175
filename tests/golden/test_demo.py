"""The gallery: every story is shown, and what mends it is proved."""

from __future__ import annotations

import json

import pytest

from netsim.cli.demo import proof
from netsim.demo.__main__ import index
from netsim.demo.gallery import Lesson, lessons
from netsim.demo.mended import MENDED
from netsim.demo.stories import STORIES
from tests.cli.commands import netsim
from tests.cli.console import ROOT

MENDS_NOTHING = {
    # topologies of a story that show how it is right, or which another topology of the same story mends
    "invalid-asymmetric": "asymmetric-reply has the mend",
    "localhost-nodeport": "the one mode that serves it",
    "nft-invalid-segment": "asymmetric-reply has the mend",
    "nft-lb-local-from-pod": "kube-proxy 1.37 mended it",
    "policy-route": "is itself what mends rp-filter",
    "terminating-local": "kube-proxy 1.26 mended it",
}
TOLD = [lesson for told in lessons().values() for lesson in told]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)


def test_every_story_is_told_or_says_what_it_waits_for() -> None:
    assert [story.number for story in STORIES] == list(range(1, 57))
    assert {story.number for story in STORIES if not story.waits_for} == set(lessons())
    assert len(lessons()) >= 50


@pytest.mark.parametrize("lesson", TOLD, ids=lambda lesson: lesson.name)
def test_what_mends_it_is_proved(lesson: Lesson) -> None:
    if lesson.name in MENDS_NOTHING:
        assert lesson.mended is None
    elif lesson.mended is not None:
        proof(lesson, lesson.mended)
    else:
        assert json.loads(netsim("trace", *lesson.words, "-o", "json").out)["mends"]


def test_no_mend_is_for_nobody() -> None:
    assert set(MENDED) | set(MENDS_NOTHING) <= {lesson.name for lesson in TOLD}


@pytest.mark.parametrize("number", sorted(lessons()))
def test_a_story_is_shown(number: int) -> None:
    done = netsim("demo", str(number))
    assert done.status == 0
    assert done.out.startswith(f"Story {number}: ")
    for lesson in lessons()[number]:
        assert f"$ {lesson.command} --summary" in done.out
        assert lesson.mended is None or "\nmended: " in done.out


def test_a_story_that_waits_says_so() -> None:
    assert "Not shown: it waits for NetworkPolicy" in netsim("demo", "40").out
    assert netsim("demo", "57").status == 2


def test_the_index_is_the_table() -> None:
    assert (ROOT / "docs/stories/README.md").read_text(encoding="utf-8") == index()


def test_the_list_has_every_story() -> None:
    assert [line.split()[0] for line in netsim("demo").out.splitlines()[1:]] == [str(n) for n in range(1, 57)]
