"""``netsim check FILE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import as_json, deliver, style_for, to_terminal
from netsim.cli.exit import Exit
from netsim.cli.loading import open_world, refusals_told
from netsim.cli.options import FILE, PATH, mode_option, output_option, topology_option

if TYPE_CHECKING:
    from netsim.check.read import Check
    from netsim.check.run import Checked
    from netsim.render.style import Style
    from netsim.scenario.world import World


@click.command("check")
@click.argument("file", type=PATH, metavar="FILE")
@topology_option
@mode_option
@click.option("-o", "--output", "form", type=click.Choice(["text", "json", "junit"]), default="text", show_default=True)
@output_option
@click.option(
    "--junit",
    type=FILE,
    metavar="FILE",
    help="Write JUnit XML beside the answer.",
)
def command(
    file: Path, sources: tuple[str, ...], mode: str | None, form: str, output: Path | None, junit: Path | None
) -> Exit:
    """Do these expectations hold? For CI.

    FILE has documents of kind Check: who should reach whom, and how. The world of each is the one that -t names, else the one that
    it names (spec.topology), else what else is in FILE.
    """
    from netsim.check import report
    from netsim.check.read import read_checks

    with refusals_told():
        checks = read_checks(file)
    found = [_checked(check, check.sources(file, sources), mode) for check in checks]
    deliver(_rendered(found, form, style_for(output)), output)
    if junit is not None:
        deliver(report.junit(found), junit)
    failed = [result for check in found for result in check.results if not result.holds]
    if not failed:
        return Exit.OK
    return Exit.UNKNOWN if all(result.unknown for result in failed) else Exit.NOT_DELIVERED


def _checked(check: Check, sources: tuple[str, ...], mode: str | None) -> Checked:
    from netsim.check.run import Checked, results

    def world_in(each: str | None) -> World:
        return open_world(sources, each)

    total = sum(len(expectation.modes) or 1 for expectation in check.expectations)
    going = results(check.expectations, world_in, mode)
    if not to_terminal():
        return Checked(check.name, tuple(going))
    with click.progressbar(going, length=total, label=check.name, file=sys.stderr) as bar:
        return Checked(check.name, tuple(bar))


def _rendered(found: list[Checked], form: str, style: Style) -> str:
    from netsim.check import report

    match form:
        case "json":
            return as_json(report.document(found))
        case "junit":
            return report.junit(found)
        case _:
            return report.text(found, style)
