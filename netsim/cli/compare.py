"""``netsim compare [SRC DST]``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import as_json, deliver, width_for, write
from netsim.cli.exit import Exit, InputError
from netsim.cli.loading import opened, refusals_told
from netsim.cli.options import FILE, MODES, output_option, port_option, protocol_option, refuse_beside, topology_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsim.scenario.world import World
    from proxy.config.model import ProxyMode


@click.command("compare")
@click.argument("ends", metavar="[SRC DST]", nargs=-1)
@topology_option
@click.option("--from", "one", type=click.Choice(MODES), default="ipvs", show_default=True, help="The mode before.")
@click.option("--to", "other", type=click.Choice(MODES), default="nftables", show_default=True, help="The mode after.")
@port_option
@protocol_option
@click.option(
    "--cost", is_flag=True, help="What each mode programs, as it grows with Services; with --plot as a picture."
)
@click.option(
    "--plot",
    type=FILE,
    metavar="FILE",
    help="The cost as SVG or PNG (needs netsim[plot]).",
)
@click.option("--expect-same", is_flag=True, help="Exit with 1 where the modes differ.")
@click.option(
    "-o", "--output", "form", type=click.Choice(["text", "json", "md", "html"]), default="text", show_default=True
)
@output_option
@click.pass_context
def command(
    context: click.Context,
    /,
    ends: tuple[str, ...],
    sources: tuple[str, ...],
    one: str,
    other: str,
    port: int | None,
    protocol: str | None,
    cost: bool,  # noqa: FBT001  # click calls by name
    plot: Path | None,
    expect_same: bool,  # noqa: FBT001
    form: str,
    output: Path | None,
) -> Exit:
    """What differs between kube-proxy's modes: iptables, ipvs and nftables?

    SRC DST: that flow in all three. Without them: every flow of the cluster, --from one mode --to another; with -o md as a report for
    who plans the migration.
    """
    from proxy.config.model import ProxyMode

    if cost or plot is not None:
        _refuse_beside_cost(context, plot)
        return _cost(plot, output)
    if len(ends) not in (0, 2):
        raise InputError("compare takes a source and a destination, or neither", "see 'netsim compare --help'")
    if ends:
        refuse_beside(context, "SRC DST, which are asked in all three modes", "one", "other")
    else:
        refuse_beside(context, "every flow of the cluster", "port", "protocol", advice="name SRC and DST too")
    world_in = _worlds(sources)
    if ends:
        same, text = _flow(world_in, (ends[0], ends[1]), port, protocol, form, width_for(output))
    else:
        same, text = _cluster(world_in, ProxyMode(one), ProxyMode(other), form, width_for(output))
    deliver(text, output)
    return Exit.NOT_DELIVERED if expect_same and not same else Exit.OK


def _refuse_beside_cost(context: click.Context, plot: Path | None) -> None:
    """What it costs is asked of no cluster: of growing numbers of Services."""
    asked = ("ends", "sources", "one", "other", "port", "protocol", "expect_same", "form")
    refuse_beside(context, "--cost", *asked)
    if plot is not None:
        refuse_beside(context, "--plot, which names its own file", "output")


def _worlds(sources: tuple[str, ...]) -> Callable[[ProxyMode], World]:
    from netsim.manifest import load
    from netsim.scenario.build import worlds_of

    loaded = opened(sources, lambda found: (given := load(found), given.warnings))
    made_in = worlds_of(loaded)

    def world_in(mode: ProxyMode) -> World:
        with refusals_told():
            return made_in(mode)

    return world_in


def _flow(
    world_in: Callable[[ProxyMode], World],
    ends: tuple[str, str],
    port: int | None,
    protocol: str | None,
    form: str,
    width: int,
) -> tuple[bool, str]:
    from netsim.comparison import report
    from netsim.comparison.flow import side_by_side
    from netsim.scenario.naming import UnknownNameError
    from netsim.scenario.question import PacketOptions, answer, question_of

    options = PacketOptions(port=port, protocol=protocol)
    try:
        found = side_by_side(world_in, lambda world: answer(world, question_of(world, *ends, options)))
    except UnknownNameError as error:
        raise InputError(error.message, error.advice) from error
    match form:
        case "json":
            return found.same, as_json(report.flow_document(found))
        case "html":
            return found.same, report.flow_html(found)
        case "md":
            return found.same, f"```text\n{report.flow_text(found)}```\n"
        case _:
            return found.same, report.flow_text(found, width)


def _cluster(
    world_in: Callable[[ProxyMode], World], one: ProxyMode, other: ProxyMode, form: str, width: int
) -> tuple[bool, str]:
    from netsim.comparison import report
    from netsim.comparison.cluster import compare
    from netsim.comparison.cost import costs

    if one is other:
        raise InputError(f"--from and --to are both {one.value}", "name two modes")
    found = compare(world_in, one, other)
    same = not found.groups
    match form:
        case "json":
            return same, as_json(report.cluster_document(found))
        case "html":
            return same, report.cluster_html(found, list(costs(modes=(one, other))))
        case "md":
            return same, report.migration_md(found, list(costs(modes=(one, other))))
        case _:
            return same, report.cluster_text(found, width)


def _cost(plot: Path | None, output: Path | None) -> Exit:
    from netsim.comparison.cost import costs
    from netsim.comparison.plot import NoMatplotlibError, plotted
    from netsim.comparison.report import costs_text

    found = list(costs())
    if plot is None:
        deliver(costs_text(found), output)
        return Exit.OK
    form = plot.suffix.removeprefix(".").lower()
    if form not in ("svg", "png"):
        raise InputError(f"--plot {plot}: the name ends in .svg or .png")
    try:
        write(plot, plotted(found, form))
    except NoMatplotlibError as error:
        raise InputError("--plot needs matplotlib, which is not installed", "pip install 'netsim[plot]'") from error
    return Exit.OK
