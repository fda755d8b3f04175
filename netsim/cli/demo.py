"""``netsim demo [STORY]``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import deliver, style_for, width_for
from netsim.cli.exit import Exit, InputError
from netsim.cli.options import output_option
from netsim.trace.model import Trace, Verdict

if TYPE_CHECKING:
    from netsim.demo.gallery import Lesson
    from netsim.demo.mended import Mended
    from netsim.demo.stories import Story
    from netsim.render.style import Style


@click.command("demo")
@click.argument("number", metavar="[STORY]", required=False, type=int)
@output_option
def command(number: int | None, output: Path | None) -> Exit:
    """The gallery of failures: a story, the trace that explains it, and the mend, proved.

    Without STORY: what stories there are.
    """
    from netsim.demo.gallery import story

    if number is None:
        deliver(listing(), output)
        return Exit.OK
    found = story(number)
    if found is None:
        raise InputError(f"there is no story {number}", "'netsim demo' lists them")
    deliver(shown(found, style_for(output), width_for(output)), output)
    return Exit.OK


def listing() -> str:
    """The stories, with the topologies that tell them."""
    from netsim.demo.gallery import lessons
    from netsim.demo.stories import STORIES
    from netsim.render.tables import table

    told = lessons()
    rows = (
        (
            str(one.number),
            one.symptom,
            ", ".join(lesson.name for lesson in told.get(one.number, ())) or f"(waits for {one.waits_for})",
        )
        for one in STORIES
    )
    return table(("STORY", "SYMPTOM", "TOPOLOGIES"), rows)


def shown(story: Story, style: Style, width: int) -> str:
    """One story, whole."""
    from netsim.demo.gallery import lessons
    from netsim.render.form import wrapped

    lines = [style.paint(f"Story {story.number}: {story.symptom}", "heading"), ""]
    facts = {"cause": story.cause, "where": story.dies, "told by": story.evidence}
    for word, text in facts.items():
        first, *more = wrapped(text, width - 10)
        lines += [f"{word:<9} {first}", *(f"{'':9} {line}" for line in more)]
    if story.waits_for:
        lines += ["", f"Not shown: it waits for {story.waits_for}."]
    for lesson in lessons().get(story.number, ()):
        lines += ["", *_lesson(lesson, style, width)]
    return "\n".join(lines) + "\n"


def _lesson(lesson: Lesson, style: Style, width: int) -> Iterator[str]:
    from netsim.cli.trace import parsed, traced
    from netsim.render.form import Detail, wrapped
    from netsim.render.text import render_text

    yield style.paint(f"{lesson.name}: {lesson.title}", "heading")
    yield ""
    for paragraph in lesson.text.split("\n\n"):
        yield from wrapped(" ".join(paragraph.split()), width)
        yield ""
    yield f"$ {lesson.command} --summary"
    found = traced(parsed(lesson.words))
    yield from render_text(found, detail=Detail.SUMMARY, style=style, width=width).splitlines()
    if lesson.mended is not None:
        yield ""
        yield from _mended(lesson, lesson.mended, style, width)


def _mended(lesson: Lesson, mended: Mended, style: Style, width: int) -> Iterator[str]:
    from netsim.demo.gallery import diff
    from netsim.render.form import wrapped
    from netsim.render.text import headline

    yield from wrapped(f"mended: {mended.words}", width)
    yield from (f"  {line}" for line in diff(mended))
    if mended.ask:
        yield f"  $ netsim trace -t {lesson.name} {' '.join(mended.ask)}"
    yield from wrapped(f"then {headline(proof(lesson, mended), style)}", width)


def proof(lesson: Lesson, mended: Mended) -> Trace:
    """The trace with the mend made. Raises AssertionError where it does not come to what it should."""
    from netsim.cli.trace import parsed, traced
    from netsim.demo.gallery import edited

    words = ("-t", lesson.name, *mended.ask) if mended.ask else lesson.words
    found = traced(parsed(words), edited(lesson, mended))
    verdict, _, reason = mended.then.partition(":")
    assert found.verdict is Verdict[verdict], f"{lesson.name}: {found.verdict}, not {mended.then}"
    assert found.decisive.reason == (reason or verdict), f"{lesson.name}: {found.decisive.reason}, not {mended.then}"
    receivers = {branch.delivered_to for branch in found.branches}
    assert not mended.receiver or all(r and r.startswith(mended.receiver) for r in receivers), (
        f"{lesson.name}: {receivers}"
    )
    return found
