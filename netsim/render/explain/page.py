"""A reason's page, as Markdown: what ``netsim explain`` prints and ``docs/reasons/`` holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from textwrap import wrap

from netsim.render.explain.model import Explanation, Look
from netsim.trace.reasons import PLACEHOLDERS, REPLY_PREFIX, Reason, reasons

WIDTH = 100
"""Columns of the text, for terminals."""


@cache
def explanations() -> dict[str, Explanation]:
    """Every explanation by its reason's code."""
    from netsim.render.explain import ends, ipvs, links, routing, rules, services

    tables = (module.EXPLANATIONS for module in (services, rules, routing, links, ends, ipvs))
    return {row.code: row for row in chain.from_iterable(tables)}


def of_the_way_back(code: str) -> bool:
    """True for a reason that only says that another one was met by an answer on its way back."""
    from netsim.trace.reason_table import FORWARD_REASONS

    return code in {REPLY_PREFIX + row.code for row in FORWARD_REASONS}


def explained(code: str) -> Explanation | None:
    """What is said of a reason, or of the reason that it is the way back of."""
    rows = explanations()
    return rows.get(code) or rows.get(code.removeprefix(REPLY_PREFIX))


def page(code: str) -> str:
    """The whole page of a reason. Raises KeyError for a code that is none."""
    return "\n".join(_lines(reasons()[code])) + "\n"


def _lines(reason: Reason) -> Iterator[str]:
    found = explained(reason.code)
    yield f"# {reason.code}"
    yield ""
    yield f"`{reason.verdict.value}`. {reason.meaning}"
    yield ""
    yield f"It reads: *{reason.say(PLACEHOLDERS)}*"
    if found is None:
        return
    if found.code != reason.code:
        yield ""
        yield f"An answer met on its way back what a request can meet on its way out: [{found.code}]({found.code}.md)."
    yield from _section("Why", wrap(found.why, WIDTH, break_long_words=False, break_on_hyphens=False))
    yield from _section("See it on a real node", map(_look, found.looks))
    if found.mends:
        yield from _section("Mend it", (f"- {mend}" for mend in found.mends))
    if found.code == reason.code and found.topologies:
        yield from _section("See it in netsim", (f"- `netsim topology show {name}`" for name in found.topologies))
    if found.references:
        yield from _section("Read more", (f"- {text}" for text in found.references))


def _section(title: str, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield from lines


def _look(look: Look) -> str:
    return f"- `{look.command}`\n  {look.shows}"


def index() -> str:
    """``docs/reasons/README.md``: every reason with its meaning."""
    rows = (f"| [{row.code}]({row.code}.md) | `{row.verdict.value}` | {row.meaning} |" for row in reasons().values())
    return "\n".join((*_INDEX_HEAD, *rows)) + "\n"


_INDEX_HEAD = (
    "# Reasons",
    "",
    "`netsim explain REASON` prints the same pages; `python -m netsim.render.explain docs/reasons` writes them.",
    "",
    "| reason | verdict | what it means |",
    "| --- | --- | --- |",
)
