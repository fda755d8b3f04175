"""``netsim run FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import as_json, deliver, style_for, to_terminal
from netsim.cli.exit import Exit, InputError
from netsim.cli.loading import chosen_mode, opened, refusals_told
from netsim.cli.options import PATH, mode_option, output_option, topology_option

if TYPE_CHECKING:
    from netsim.render.style import Style
    from netsim.rules.source import Origin
    from netsim.timeline.live import LiveWorld
    from netsim.timeline.model import Timeline
    from netsim.timeline.run import Report


@click.command("run")
@click.argument("file", type=PATH, metavar="FILE")
@topology_option
@mode_option
@click.option("--trace", "traced", metavar="NAME", help="Tell the packet of that name hop by hop, too.")
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@output_option
def command(
    file: Path, sources: tuple[str, ...], mode: str | None, traced: str | None, form: str, output: Path | None
) -> Exit:
    """What happens over time: packets, changes and misfortunes at given times, under a virtual clock.

    FILE has a document of kind Timeline. The world is the one that -t names, else the one that the Timeline names (spec.topology),
    else what else is in FILE.
    """
    from netsim.timeline.read import read_timeline

    with refusals_told():
        timeline = read_timeline(file)
    report = _run(_live(timeline, file, sources, mode), timeline)
    deliver(_rendered(report, form, traced, style_for(output)), output)
    return Exit.OK if report.holds else Exit.NOT_DELIVERED


def _live(timeline: Timeline, file: Path, sources: tuple[str, ...], mode: str | None) -> LiveWorld:
    from netsim.check.sources import sources_of
    from netsim.manifest import load
    from netsim.timeline.live import LiveWorld

    found = sources_of(file, timeline.topology, sources, with_world=timeline.with_world)

    def begin(paths: object) -> tuple[LiveWorld, tuple[object, ...]]:
        loaded = load(paths)  # type: ignore[arg-type]
        return LiveWorld(loaded, chosen_mode(mode)), loaded.warnings

    return opened(found, begin)  # type: ignore[arg-type]


def _run(live: LiveWorld, timeline: Timeline) -> Report:
    from netsim.timeline.run import Run, StepRefusedError

    run = Run(live, timeline)
    try:
        if not to_terminal():
            return run.run()
        last = max([timeline.until, *(step.at for step in timeline.steps)])
        with click.progressbar(length=1000, label=timeline.name, file=sys.stderr) as bar:
            return run.run(lambda now: bar.update(max(0, int(min(now / last, 1) * 1000) - bar.pos) if last else 0))
    except StepRefusedError as error:
        raise InputError(_refusal(error.message, error.advice, error.origin)) from error


def _refusal(message: str, advice: str, origin: Origin | None) -> str:
    from netsim.manifest import Diagnostic, Severity

    if origin is None:
        return f"error: {message}"
    return str(Diagnostic(Severity.ERROR, origin.file, origin.line, origin.column, message, origin.text, advice))


def _rendered(report: Report, form: str, traced: str | None, style: Style) -> str:
    from netsim.render.text import render_text
    from netsim.timeline import report as shown
    from netsim.timeline.run import Sent

    if form == "json":
        return as_json(shown.document(report))
    text = shown.text(report, style)
    if traced is None:
        return text
    found = [entry.trace for entry in report.entries if isinstance(entry, Sent) and entry.send.name == traced]
    if not found:
        names = [entry.send.name for entry in report.entries if isinstance(entry, Sent) and entry.send.name]
        raise InputError(
            f"--trace: no packet is called {traced}", f"there are: {', '.join(names)}" if names else "give it a name"
        )
    return f"{text}\n{render_text(found[0], style=style)}"
