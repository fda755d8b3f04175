"""Results of a check: as text, JSON and JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from netsim.check.run import Checked, Result
from netsim.objects.json import Json
from netsim.render.form import Detail, counted
from netsim.render.style import PLAIN, Style
from netsim.render.text import headline, render_text

SCHEMA = "netsim.io/check/v1"
_UNPRINTABLE = {code: "\N{REPLACEMENT CHARACTER}" for code in range(32) if chr(code) not in "\t\n\r"}


def text(checks: Sequence[Checked], style: Style = PLAIN) -> str:
    """Of each Check a line for each expectation, below those that fail why, and a last line that counts."""
    return "\n".join(_text(check.name, check.results, style) for check in checks)


def _text(name: str, found: Sequence[Result], style: Style) -> str:
    lines = [line for result in found for line in _lines(result, style)]
    failed = sum(not result.holds for result in found)
    total, one = counted(len(found), "expectation"), "s" if len(found) == 1 else ""
    last = f"{name}: {total} hold{one}" if not failed else f"{name}: {failed} of {total} fail{one}"
    return "\n".join((*lines, "", last)) + "\n"


def _lines(result: Result, style: Style) -> Iterator[str]:
    if result.holds:
        yield f"{style.paint('ok', 'good')}    {result.title}"
        return
    yield f"{style.paint('FAIL', 'bad')}  {result.title}"
    for difference in result.differences:
        yield f"        {difference}"
    if result.trace is not None and result.trace.decisive.advice:
        advice, _, command = result.trace.decisive.advice.partition(" See it: ")
        yield f"        do: {advice}"
        yield f"        see: {command}"
    if result.expectation.origin is not None:
        yield f"        written at {result.expectation.origin.file}:{result.expectation.origin.line}"


def document(checks: Sequence[Checked]) -> dict[str, Json]:
    """The results for programs; ``docs/check.schema.json`` describes it."""
    return {
        "schema": SCHEMA,
        "name": ", ".join(check.name for check in checks),
        "holds": all(result.holds for check in checks for result in check.results),
        "results": [_result(check.name, result) for check in checks for result in check.results],
    }


def _result(check: str, result: Result) -> dict[str, Json]:
    expectation, trace = result.expectation, result.trace
    return {
        "check": check,
        "name": expectation.name,
        "mode": result.mode,
        "from": expectation.source,
        "to": expectation.destination,
        "holds": result.holds,
        "differences": list(result.differences),
        "verdict": None if trace is None else trace.verdict.value,
        "reason": None if trace is None else trace.decisive.reason,
        "summary": None if trace is None else headline(trace),
    }


def junit(checks: Sequence[Checked]) -> str:
    """JUnit XML: a suite for each Check, a case for each expectation and mode, the whole trace of those that fail.

    Ref: https://github.com/testmoapp/junitxml (the format as CI systems read it).
    """
    found = [result for check in checks for result in check.results]
    suites = Element("testsuites", {"name": "netsim", **_counts(found)})
    for check in checks:
        suite = SubElement(suites, "testsuite", {"name": check.name, **_counts(check.results)})
        for result in check.results:
            case = SubElement(suite, "testcase", {"name": result.title, "classname": check.name})
            if not result.holds:
                message = _printable("; ".join(result.differences))
                failure = SubElement(case, "failure", {"message": message, "type": _kind(result)})
                failure.text = _printable(failure_text(result))
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _counts(found: Sequence[Result]) -> dict[str, str]:
    failures = sum(not result.holds for result in found)
    return {"tests": str(len(found)), "failures": str(failures), "errors": "0"}


def failure_text(result: Result) -> str:
    """Everything that is known of an expectation that fails: the differences, and the trace."""
    told = "" if result.trace is None else "\n" + render_text(result.trace, detail=Detail.MATCHED)
    return "\n".join(result.differences) + "\n" + told


def _kind(result: Result) -> str:
    return "question" if result.trace is None else result.trace.verdict.value


def _printable(words: str) -> str:
    """XML 1.0 has no way to write most control characters."""
    return words.translate(_UNPRINTABLE)
