"""A difference as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netsim.difference.compare import Change, Difference
from netsim.difference.flows import Ending
from netsim.objects.json import Json
from netsim.render.form import counted
from netsim.render.style import PLAIN, Style

SCHEMA = "netsim.io/diff/v1"
PAIRS_SHOWN = 6


def text(found: Difference, style: Style = PLAIN) -> str:
    """What differs, and what comes of it, ending in a newline."""
    lines = [f"{counted(len(found.parts), 'part')} differ{'s' if len(found.parts) == 1 else ''}"]
    lines += [f"  {part.name}: {part.how}" for part in found.parts]
    for change in found.changes:
        lines += ["", *_change(change, style)]
    lines += ["", _counted(found)]
    return "\n".join(lines) + "\n"


def _counted(found: Difference) -> str:
    """What of the flows is in both worlds and changed, and what is in one of them alone."""
    changed = sum(len(change.pairs) for change in found.changes if change.before and change.after)
    came = sum(len(change.pairs) for change in found.changes if not change.before)
    went = sum(len(change.pairs) for change in found.changes if not change.after)
    words = f"{found.compared} kinds of flows are in both, and {changed or 'none'} of them changed"
    return words + (f"; {came} came and {went} went" if came or went else "")


def _change(change: Change, style: Style) -> Iterator[str]:
    for pair in change.pairs[:PAIRS_SHOWN]:
        yield style.paint(str(pair), "heading")
    if len(change.pairs) > PAIRS_SHOWN:
        yield f"… and {len(change.pairs) - PAIRS_SHOWN} more"
    yield f"  was  {endings_text(change.before) or '-'}"
    yield f"  now  {endings_text(change.after) or '-'}"
    yield f"  by   {', '.join(change.by) if change.by else 'several parts together'}"


def endings_text(endings: Iterable[Ending]) -> str:
    """How flows end, in one line; empty for none."""
    return "; ".join(str(ending) for ending in sorted(endings))


def document(found: Difference) -> dict[str, Json]:
    """The difference for programs; ``docs/diff.schema.json`` describes it."""
    return {
        "schema": SCHEMA,
        "parts": [{"name": part.name, "how": part.how} for part in found.parts],
        "compared": found.compared,
        "changes": [_change_document(change) for change in found.changes],
    }


def _change_document(change: Change) -> dict[str, Json]:
    return {
        "flows": [{"from": p.source, "to": p.target, "protocol": p.protocol} for p in change.pairs],
        "before": [_ending(ending) for ending in sorted(change.before)],
        "after": [_ending(ending) for ending in sorted(change.after)],
        "by": list(change.by),
    }


def _ending(ending: Ending) -> dict[str, Json]:
    return {
        "verdict": ending.verdict,
        "reason": ending.reason,
        "receivers": list(ending.receivers),
        "seen": list(ending.seen),
    }
