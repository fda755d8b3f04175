"""A trace as text, made to be read at three in the morning: the answer, why, what to do, and then the evidence.

The first branch that has the trace's verdict is told in full. Of the others only what differs is told, and of many branches
that come to the same only the row in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest

from netsim.net.packet import endpoint
from netsim.render.form import Detail, Format, counted, wrapped
from netsim.render.steps import rewrite_of, rule_text, step_lines
from netsim.render.style import PLAIN, Style
from netsim.render.tables import table
from netsim.stack.steps import (
    Decapsulation,
    Drop,
    Encapsulation,
    IPVSStep,
    LocalSend,
    NATStep,
    NotModelled,
    SocketLookup,
)
from netsim.trace.facts import short_label
from netsim.trace.model import Branch, Hop, Leg, Place, Trace, Verdict
from netsim.trace.recording import is_consequence

TABLE_ROWS = 20
"""With more branches than these, the table leaves rows out that say nothing new."""

LONGEST_CIRCLE = 12
"""Hops of a circle that is recognised as one."""

BRANCHES_TOLD = 4
"""With more branches than these, only one of each outcome is told; the table has them all."""


def render_text(trace: Trace, *, detail: Detail = Detail.MATCHED, style: Style = PLAIN, width: int = 100) -> str:
    """The whole answer, ending in a newline. ``width`` in columns; what cannot be broken at a space is longer."""
    form = Format(detail, style, width)
    lines = _minimal(trace) if detail is Detail.MINIMAL else _told(trace, form)
    return "".join(f"{line}\n" for line in lines)


def headline(trace: Trace, style: Style = PLAIN) -> str:
    """The answer in one sentence: ``DELIVERED to shop/api-7c9-x (1 of 3 branches, 1/3): …``."""
    branch = trace.decisive
    return f"{style.verdict(branch.verdict)}{_to(branch)}{_share(trace, branch)}: {branch.sentence}."


def _to(branch: Branch) -> str:
    if branch.verdict is Verdict.DELIVERED and branch.delivered_to:
        return f" to {branch.delivered_to}"
    return ""


def _share(trace: Trace, branch: Branch) -> str:
    """How many branches come to the same, and how likely that is; nothing where there is but one branch."""
    if len(trace.branches) == 1:
        return "" if branch.probability == 1 else f" ({branch.probability})"
    same = [other for other in trace.branches if _outcome(other) == _outcome(branch)]
    chance = sum((other.probability for other in same), start=Fraction(0))
    return f" ({chance})" if trace.total is None else f" ({len(same)} of {trace.total} branches, {chance})"


def _outcome(branch: Branch) -> tuple[str, str, str | None]:
    return branch.verdict.value, branch.reason, branch.delivered_to


# --- minimal -------------------------------------------------------------------------------------------------------


def _minimal(trace: Trace) -> Iterator[str]:
    """A line for each branch: verdict, reason, probability, backend, receiver (``-`` for none); below it a line for each rewrite.

    A rewrite's line begins with two spaces: leg, namespace, kind, old → new. This form does not change between versions.
    """
    for branch in trace.branches:
        backend = endpoint(*branch.backend) if branch.backend else "-"
        receiver = branch.delivered_to or "-"
        yield f"{branch.verdict.value} {branch.reason} {branch.probability} {backend} {receiver}"
        for leg in branch.legs:
            for hop in leg.hops:
                for step in hop.steps:
                    if isinstance(step, NATStep):
                        yield f"  {leg.name} {hop.netns} {step.kind} {rewrite_of(step)}"
                    if isinstance(step, IPVSStep) and step.before != step.after:
                        yield f"  {leg.name} {hop.netns} IPVS {rewrite_of(step)}"


# --- everything else -----------------------------------------------------------------------------------------------


def _told(trace: Trace, form: Format) -> Iterator[str]:
    branch = trace.decisive
    yield headline(trace, form.style)
    if branch.reason != Verdict.DELIVERED.value:
        yield ""
        yield from _why(branch, form)
    yield from _mends(trace, form)
    if len(trace.branches) > 1:
        yield ""
        yield from _table(trace, form)
    yield from _branch(trace, branch, form)
    told = _worth_telling(trace)
    for other in told:
        yield from _differing(trace, other, form)
    left_out = [other.number for other in trace.branches if other is not branch and other not in told and other.legs]
    if left_out:
        yield ""
        yield f"{len(left_out)} more branches come to one of these outcomes; --pick N tells branch N in full."
    if trace.assumptions:
        yield ""
        yield form.style.paint("assumed", "heading")
        for assumption in trace.assumptions:
            yield from _item("-", assumption, form, indent=2)


def _why(branch: Branch, form: Format) -> Iterator[str]:
    yield from _item("reason", branch.reason, form)
    if branch.where is not None and branch.verdict is not Verdict.DELIVERED:
        yield from _item("where", place_text(branch.where), form)
        if branch.where.rule is not None:
            yield from _item("rule", rule_text(branch.where.rule), form)
            if branch.where.rule.rule.origin is not None:
                yield from _item("written", str(branch.where.rule.rule.origin), form)
    if branch.advice:
        advice, _, command = branch.advice.partition(" See it: ")
        yield from _item("do", advice, form)
        yield from _item("see", command, form)


def _mends(trace: Trace, form: Format) -> Iterator[str]:
    """The changes that were tried and deliver the packet: what to change, by which command, and the proof."""
    for number, mend in enumerate(trace.mends):
        for position, step in enumerate(mend.steps):
            first = "mend" if number == 0 else "or"
            yield from _item(first if position == 0 else "and", step.words, form)
            if step.command not in step.words:
                yield from _item("", f"`{step.command}`", form)
        yield from _item("", f"tried: {mend.sentence}", form)


def _item(word: str, text: str, form: Format, indent: int = 0) -> Iterator[str]:
    width = 8 if indent == 0 else 1
    lines = wrapped(text, form.width - indent - width - 1)
    for number, line in enumerate(lines):
        head = form.style.paint(f"{word:<{width}}", "word") if number == 0 else " " * width
        yield f"{'':<{indent}}{head} {line}"


def place_text(place: Place) -> str:
    """``node node1, netns node.node1, hook FORWARD, table filter, chain KUBE-SERVICES, rule 3``."""
    words = [f"node {place.node}" if place.node else "", f"netns {place.netns}"]
    words += [f"hook {place.hook.value}" if place.hook else "", f"table {place.table}" if place.table else ""]
    words += [f"chain {place.chain}" if place.chain else "", f"rule {place.rule.index + 1}" if place.rule else ""]
    words += [place.function]
    return ", ".join(word for word in words if word)


def _table(trace: Trace, form: Format) -> Iterator[str]:
    """A row for each branch; of very many the first, and the first of each outcome."""
    shown = trace.branches if form.detail is Detail.ALL else _rows_to_show(trace.branches)
    yield from table(
        ("BRANCH", "PROBABILITY", "VERDICT", "REASON", "BACKEND", "RECEIVER"), map(_row, shown)
    ).splitlines()
    left_out = len(trace.branches) - len(shown)
    if left_out:
        yield f"… and {left_out} more with these verdicts and reasons; --all and -o json have them all"


def _rows_to_show(branches: Sequence[Branch]) -> Sequence[Branch]:
    first = {(branch.verdict, branch.reason): branch for branch in reversed(branches)}
    kept = {branch.number for branch in first.values()}
    spare = [branch.number for branch in branches if branch.number not in kept]
    kept.update(spare[: max(TABLE_ROWS - len(kept), 0)])
    return [branch for branch in branches if branch.number in kept]


def _row(branch: Branch) -> tuple[str, ...]:
    return (
        str(branch.number),
        str(branch.probability),
        branch.verdict.value,
        branch.reason,
        endpoint(*branch.backend) if branch.backend else "-",
        branch.delivered_to or "-",
    )


def _worth_telling(trace: Trace) -> list[Branch]:
    """The branches that are told beside the decisive one."""
    others = [branch for branch in trace.branches if branch is not trace.decisive and branch.legs]
    if len(trace.branches) <= BRANCHES_TOLD:
        return others
    seen = {(trace.decisive.verdict, trace.decisive.reason)}
    told = []
    for branch in others:
        if (branch.verdict, branch.reason) not in seen:
            seen.add((branch.verdict, branch.reason))
            told.append(branch)
    return told


# --- one branch ----------------------------------------------------------------------------------------------------


def _branch(trace: Trace, branch: Branch, form: Format) -> Iterator[str]:
    if len(trace.branches) > 1:
        yield ""
        yield _branch_heading(branch, form)
    full = _told_in_full(branch, form)
    for leg in branch.legs:
        yield ""
        yield _leg_heading(leg, form)
        yield from _leg_lines(leg, form if leg in full else replace(form, detail=Detail.SUMMARY))


def _told_in_full(branch: Branch, form: Format) -> list[Leg]:
    """The first leg each way and the one that decides; what only follows from them is told in a line for each hop."""
    if form.detail is Detail.ALL:
        return list(branch.legs)
    there_and_back = [next((leg for leg in branch.legs if leg.reply is reply), None) for reply in (False, True)]
    own = [leg for leg in branch.legs if not is_consequence(leg)]
    deciding = own[-1:] if branch.verdict is not Verdict.DELIVERED else []
    return [leg for leg in (*there_and_back, *deciding) if leg is not None and leg in own]


def _branch_heading(branch: Branch, form: Format) -> str:
    outcome = form.style.verdict(branch.verdict)
    heading = form.style.paint(f"branch {branch.number} ({branch.probability})", "heading")
    return f"{heading}: {outcome}{_to(branch)}"


def _leg_heading(leg: Leg, form: Format) -> str:
    arrow = "←" if leg.reply else "→"
    ends = f"  {leg.sent}" if leg.sent else ""
    return form.style.paint(f"{arrow} {leg.name}{ends}", "heading")


def _leg_lines(leg: Leg, form: Format, start: int = 0) -> Iterator[str]:
    """The hops of a leg from ``start`` on. Hops that come again and again are told once, unless everything is wanted; the last is told."""
    blocks, labels = _blocks(leg, form), [hop.label for hop in leg.hops[:-1]]
    while start < len(blocks):
        length, times = (1, 1) if form.detail is Detail.ALL else _repetition(labels[start:])
        for block in blocks[start : start + length]:
            yield from block
        if times > 1:
            yield f"  … {counted(length, 'hop')} as these, {times - 1} times more"
        start += length * times


def _repetition(labels: Sequence[str]) -> tuple[int, int]:
    """How many labels at the beginning repeat themselves, and how often they stand there: (1, 1) below three times."""
    for length in range(1, min(LONGEST_CIRCLE, len(labels)) + 1):
        circle, times = labels[:length], 1
        while labels[length * times : length * (times + 1)] == circle:
            times += 1
        if times > 2:
            return length, times
    return 1, 1


def _blocks(leg: Leg, form: Format) -> list[list[str]]:
    """The lines of each hop."""
    if form.detail is Detail.SUMMARY:
        width = max((len(short_label(hop.label)) for hop in leg.hops), default=0)
        return [[_summary_line(hop, width, form)] for hop in leg.hops]
    return [_hop_block(hop, form) for hop in leg.hops]


def _hop_block(hop: Hop, form: Format) -> list[str]:
    on_node = f"  on {hop.node}" if hop.node and not hop.label.endswith(f"/{hop.node}") else ""
    lines = [f"  {form.style.paint(short_label(hop.label), 'place')}{on_node}"]
    for step in hop.steps:
        lines += [f"    {line}" for line in step_lines(step, form)]
    return lines


def _summary_line(hop: Hop, width: int, form: Format) -> str:
    label = form.style.paint(f"{short_label(hop.label):<{width}}", "place")
    return f"  {label}  {'; '.join(happened(hop)) or 'passes'}"


def happened(hop: Hop) -> Iterator[str]:
    """What of a stay changes a packet or ends it, in a few words each."""
    for step in hop.steps:
        match step:
            case LocalSend(packet=packet):
                yield f"sends {packet}"
            case NATStep():
                yield f"{step.kind} {rewrite_of(step)}"
            case IPVSStep():
                yield f"IPVS {step.action}" + (f" {rewrite_of(step)}" if step.before != step.after else "")
            case Encapsulation(device=device, outer=outer):
                yield f"into {device}: {outer.ip.src} → {outer.ip.dst}"
            case Decapsulation(device=device):
                yield f"out of {device}"
            case SocketLookup(owner=owner):
                yield "no socket" if owner is None else f"taken by {owner or 'a socket'}"
            case Drop(reason=reason, where=where):
                yield f"dropped at {where}: {reason.value}"
            case NotModelled(what=what):
                yield f"not modelled: {what}"
            case _:
                continue


# --- the other branches --------------------------------------------------------------------------------------------


def _differing(trace: Trace, branch: Branch, form: Format) -> Iterator[str]:
    """What a branch does otherwise than the decisive one: hops that are the same at a leg's beginning are left out.

    A branch that comes to the same is told in a line for each hop; its table row and its rewrites say the rest.
    """
    yield ""
    yield _branch_heading(branch, form)
    if branch.verdict is not Verdict.DELIVERED:
        yield from (f"  {line}" for line in wrapped(f"{branch.sentence}.", form.width - 2))
    like = trace.decisive
    alike = (branch.verdict, branch.reason) == (like.verdict, like.reason)
    full = [] if alike and form.detail is not Detail.ALL else _told_in_full(branch, form)
    for leg, other in zip_longest(branch.legs, like.legs[: len(branch.legs)]):
        same = _same_beginning(leg, other)
        if other is not None and same == len(leg.hops) == len(other.hops):
            continue
        yield ""
        yield _leg_heading(leg, form)
        if same:
            yield f"  … {counted(same, 'hop')} as in branch {like.number}"
        yield from _leg_lines(leg, form if leg in full else replace(form, detail=Detail.SUMMARY), same)


def _same_beginning(leg: Leg, like: Leg | None) -> int:
    if like is None:
        return 0
    count = 0
    for mine, theirs in zip(leg.hops, like.hops, strict=False):
        if mine != theirs:
            break
        count += 1
    return count
