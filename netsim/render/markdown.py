"""A trace as Markdown, to be put into a ticket: the answer, why, what mends it, and the way, hop by hop."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile

from netsim.net.packet import endpoint
from netsim.render.form import Detail
from netsim.render.markdown_text import code, escaped, table_lines
from netsim.render.steps import rule_text
from netsim.render.text import headline, place_text, render_text
from netsim.trace.model import Branch, Mend, Trace, Verdict

_SEE = " See it: "
_BRANCH_HEADERS = ("branch", "probability", "verdict", "reason", "backend", "receiver")
_FIRST = ("→ ", "branch ")
"""How the first line of the way begins; what stands before it is told already."""


def trace_md(trace: Trace, *, detail: Detail = Detail.MATCHED) -> str:
    """The whole answer, ending in a newline."""
    return "\n".join(_lines(trace, detail)) + "\n"


def _lines(trace: Trace, detail: Detail) -> Iterator[str]:
    branch = trace.decisive
    yield f"# {escaped(trace.source)} → {escaped(trace.target)}"
    yield ""
    yield f"**{branch.verdict.value}**{escaped(headline(trace).removeprefix(branch.verdict.value))}"
    if branch.reason != Verdict.DELIVERED.value:
        yield ""
        yield from _why(branch)
    if trace.mends:
        yield ""
        yield "## What would deliver it"
        for number, mend in enumerate(trace.mends, 1):
            yield ""
            yield from _mend(number, mend)
    if len(trace.branches) > 1:
        yield ""
        yield from table_lines(_BRANCH_HEADERS, map(_cells, trace.branches), numbers=(0, 1))
    yield ""
    yield "## The way"
    yield ""
    yield "```text"
    yield from dropwhile(lambda line: not line.startswith(_FIRST), render_text(trace, detail=detail).splitlines())
    yield "```"


def _why(branch: Branch) -> Iterator[str]:
    yield f"- reason: `{branch.reason}` (`netsim explain {branch.reason}`)"
    if branch.where is not None:
        yield f"- where: {escaped(place_text(branch.where))}"
        if branch.where.rule is not None:
            yield f"- rule: {code(rule_text(branch.where.rule))}"
    if branch.advice:
        advice, _, command = branch.advice.partition(_SEE)
        yield f"- do: {escaped(advice)}"
        yield f"- see: {command}"


def _mend(number: int, mend: Mend) -> Iterator[str]:
    words = "; ".join(step.words for step in mend.steps)
    yield f"{number}. {escaped(words)}"
    yield ""
    yield "   ```sh"
    yield from (f"   {step.command}" for step in mend.steps)
    yield "   ```"
    yield ""
    yield f"   Tried: {escaped(mend.sentence)}."


def _cells(branch: Branch) -> Iterator[str]:
    backend = endpoint(*branch.backend) if branch.backend else "–"
    cells = (
        branch.number,
        branch.probability,
        branch.verdict.value,
        branch.reason,
        backend,
        branch.delivered_to or "–",
    )
    return (escaped(str(cell)) for cell in cells)
