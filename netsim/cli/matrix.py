"""``netsim matrix``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import as_json, deliver, style_for, width_for
from netsim.cli.exit import Exit, InputError, UnableError
from netsim.cli.loading import open_world
from netsim.cli.options import PORT, mode_option, output_option, topology_option

if TYPE_CHECKING:
    from netsim.matrix import Matrix
    from netsim.matrix.grid import Grid
    from netsim.matrix.survey import Workers
    from netsim.scenario.world import World
    from netsim.trace.model import Verdict

BYS = ("pod", "workload", "namespace", "node")
FORMS = ("text", "csv", "json", "html")


@click.command("matrix")
@topology_option
@mode_option
@click.option(
    "--by", type=click.Choice(BYS), default="workload", show_default=True, help="What rows and columns stand for."
)
@click.option(
    "--from",
    "senders",
    multiple=True,
    metavar="NAME",
    help="Only these senders: a pod, a workload, namespace/NAME, node/NAME, an external host; * stands for anything. "
    "May be given several times.",
)
@click.option(
    "--to",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Only these destinations: svc/NAME, NAMESPACE/svc/NAME:PORT, an address, or as --from.",
)
@click.option(
    "--proto",
    "protocols",
    multiple=True,
    type=click.Choice(["tcp", "udp", "icmp"]),
    help="Only these protocols; pings are left out unless they are asked for.  [default: tcp, udp]",
)
@click.option("-p", "--port", type=PORT, metavar="PORT", help="Only this destination port.")
@click.option("--expect", metavar="VERDICT[:REASON]", help="Exit with 0 if every flow comes to this, with 1 otherwise.")
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Use so many processes."
)
@click.option(
    "--dask", "scheduler", metavar="ADDRESS", help="Use this Dask cluster's workers (pip install 'netsim[dask]')."
)
@click.option("-o", "--output", "form", type=click.Choice(FORMS), default="text", show_default=True)
@output_option
def command(
    sources: tuple[str, ...],
    mode: str | None,
    by: str,
    senders: tuple[str, ...],
    targets: tuple[str, ...],
    protocols: tuple[str, ...],
    port: int | None,
    expect: str | None,
    jobs: int,
    scheduler: str | None,
    form: str,
    output: Path | None,
) -> Exit:
    """Who reaches whom: every sender to every Service and pod.

    Exit status 0 where every flow is delivered, 1 where one is not, 5 where one met what is not modelled.
    """
    from netsim.cli.trace import expectation
    from netsim.matrix.grid import By, grid_of
    from netsim.matrix.selecting import Selecting, UnknownPatternError
    from netsim.matrix.survey import survey

    wanted = expectation(expect)
    world = open_world(sources, mode)
    try:
        selecting = Selecting(world, senders, targets, frozenset(protocols or ("tcp", "udp")), port)
    except UnknownPatternError as error:
        raise InputError(error.message, error.advice) from error
    with _workers(jobs, scheduler) as workers, _progress() as progress:
        matrix = survey(world, wanted=selecting.wants, asking=selecting.asks, workers=workers, progress=progress)
    if not matrix.rows and (senders or targets or port is not None):
        raise InputError("no flow has all that is asked for", "leave out one of --from, --to and --port")
    grid = grid_of(world, matrix, By(by))
    deliver(_rendered(world, matrix, grid, form, output), output)
    return _status(matrix, wanted)


def _rendered(world: World, matrix: Matrix, grid: Grid, form: str, output: Path | None) -> str:
    if form == "text":
        from netsim.matrix.text import text

        return text(matrix, grid, style_for(output), width_for(output))
    if form == "csv":
        from netsim.matrix.document import csv_text

        return csv_text(grid)
    if form == "html":
        from netsim.matrix.page import page

        return page(matrix, grid, f"Who reaches whom in {world.topology.name}")
    from netsim.matrix.document import document

    return as_json(document(matrix, grid))


def _status(matrix: Matrix, wanted: tuple[Verdict, str | None] | None) -> Exit:
    from netsim.matrix.survey import decisive
    from netsim.trace.model import Verdict

    found = {(decisive(share.ways).verdict, decisive(share.ways).reason) for row in matrix.rows for share in row.shares}
    if wanted is not None:
        verdict, reason = wanted
        wrong = sorted(f"{v.value}:{r}" for v, r in found if v is not verdict or reason not in (None, r))
        if wrong:
            expected = f"{verdict.value}{f':{reason}' if reason else ''}"
            click.echo(f"error: expected {expected} of every flow, found {', '.join(wrong)}", err=True)
        elif not found:
            click.echo("error: there are no flows of which --expect could hold", err=True)
        return Exit.OK if found and not wrong else Exit.NOT_DELIVERED
    verdicts = {verdict for verdict, _ in found}
    if Verdict.UNKNOWN in verdicts:
        return Exit.UNKNOWN
    return Exit.OK if verdicts <= {Verdict.DELIVERED} else Exit.NOT_DELIVERED


# --- long work ---------------------------------------------------------------------------------------------------


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, None elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label="asking", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield progress


@contextmanager
def _workers(jobs: int, scheduler: str | None) -> Iterator[Workers]:
    from concurrent.futures.process import BrokenProcessPool

    if scheduler is None:
        from netsim.matrix.processes import processes

        try:
            yield processes(jobs)
        except BrokenProcessPool as error:
            advice = "the system may be out of memory: use fewer --jobs"
            raise UnableError("one of the processes that asked was killed", advice) from error
        return
    if jobs > 1:
        raise InputError("--jobs has no part in what --dask does", "leave out one of them")
    try:
        from distributed import Client
    except ImportError as error:
        raise UnableError("--dask needs the package distributed", "pip install 'netsim[dask]'") from error
    from netsim.matrix.on_dask import on_dask

    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"--dask {scheduler}: no scheduler answers there", "start one: dask scheduler; dask worker ADDRESS"
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise InputError(f"--dask {scheduler}: it has no workers", f"start one: dask worker {scheduler}")
        yield on_dask(client)
