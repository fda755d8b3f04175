"""A run as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from netsim.objects.json import Json
from netsim.render.document import trace_document
from netsim.render.style import PLAIN, Style
from netsim.render.tables import table
from netsim.render.text import headline
from netsim.timeline.live import Happening
from netsim.timeline.run import Done, Entry, Report, Sent, TrafficReport

SCHEMA = "netsim.io/run/v1"


def text(report: Report, style: Style = PLAIN) -> str:
    """A line for each thing that happened, with its time; below them the traffic, and whether all was as expected."""
    lines = [f"{report.timeline.name}, kube-proxy in {report.mode} mode", ""]
    lines += [line for entry in report.entries for line in _entry(entry, style)]
    for traffic in report.traffic:
        lines += ["", *_traffic(traffic, style)]
    wrong = sum(bool(entry.differences) for entry in report.entries if isinstance(entry, Sent))
    wrong += sum(not traffic.holds for traffic in report.traffic)
    expected = any(isinstance(e, Sent) and e.send.wanted for e in report.entries)
    if expected or any(traffic.traffic.most_lost is not None for traffic in report.traffic):
        lines += [
            "",
            f"{wrong} expectation{'s' if wrong > 1 else ''} failed" if wrong else "everything was as expected",
        ]
    return "\n".join(lines) + "\n"


def _entry(entry: Entry, style: Style) -> Iterator[str]:
    match entry:
        case Done(at=at, words=words):
            yield f"{_time(at)}  {style.paint(words, 'heading')}"
        case Happening(at=at, who=who, what=what):
            yield f"{_time(at)}    {who:<10} {what}"
        case Sent(at=at, send=send, trace=trace):
            name = send.name or (f"{send.again} again" if send.again else f"{send.source} → {send.destination}")
            yield f"{_time(at)}  send {name}"
            reason = trace.decisive.reason
            told = headline(trace, style) if reason == trace.verdict.value else f"{headline(trace, style)} [{reason}]"
            yield f"{'':9}  {told}"
            for difference in entry.differences:
                yield f"{'':9}  {style.paint('!', 'bad')} {difference}"
        case never:
            assert_never(never)


def _traffic(report: TrafficReport, style: Style) -> Iterator[str]:
    lost = f"{report.lost} of {report.sent} connections lost"
    if report.traffic.most_lost is not None and not report.holds:
        lost += style.paint(f", expected at most {report.traffic.most_lost}", "bad")
    yield f"traffic {report.traffic.name}: {lost}"
    rows = (
        (
            str(outcome.count),
            outcome.verdict.value,
            outcome.reason,
            _time(outcome.first).strip(),
            _time(outcome.last).strip(),
        )
        for outcome in report.outcomes
    )
    yield from table(("COUNT", "VERDICT", "REASON", "FIRST", "LAST"), rows).splitlines()


def _time(seconds: float) -> str:
    return f"{seconds:8.3f}s".replace(".000s", "s").rjust(9)


def document(report: Report) -> dict[str, Json]:
    """The run for programs; ``docs/run.schema.json`` describes it."""
    return {
        "schema": SCHEMA,
        "name": report.timeline.name,
        "mode": report.mode,
        "holds": report.holds,
        "entries": [_entry_document(entry) for entry in report.entries],
        "traffic": [_traffic_document(traffic) for traffic in report.traffic],
    }


def _entry_document(entry: Entry) -> dict[str, Json]:
    match entry:
        case Done(at=at, words=words):
            return {"at": at, "kind": "step", "what": words}
        case Happening(at=at, who=who, what=what):
            return {"at": at, "kind": "event", "who": who, "what": what}
        case Sent(at=at, send=send, trace=trace, differences=differences):
            return {
                "at": at,
                "kind": "sent",
                "name": send.name or send.again or None,
                "verdict": trace.verdict.value,
                "reason": trace.decisive.reason,
                "summary": headline(trace),
                "differences": list(differences),
                "trace": trace_document(trace),
            }
        case never:
            assert_never(never)


def _traffic_document(report: TrafficReport) -> dict[str, Json]:
    return {
        "name": report.traffic.name,
        "sent": report.sent,
        "lost": report.lost,
        "holds": report.holds,
        "outcomes": [
            {
                "verdict": outcome.verdict.value,
                "reason": outcome.reason,
                "count": outcome.count,
                "first": outcome.first,
                "last": outcome.last,
                "sentence": outcome.sentence,
            }
            for outcome in report.outcomes
        ],
    }
