"""``netsim topology list|show|validate|draw``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import deliver
from netsim.cli.exit import Exit, InputError
from netsim.cli.groups import NearestGroup
from netsim.cli.loading import open_world
from netsim.cli.options import output_option, topology_option

if TYPE_CHECKING:
    from netsim.scenario.world import World


@click.group("topology", cls=NearestGroup)
def command() -> None:
    """The shipped and given topologies, and a picture of one."""


@command.command("list")
def list_() -> Exit:
    """The topologies that come with netsim, each with its lesson."""
    from netsim.render.tables import table
    from netsim.scenario.sources import shipped

    deliver(table(("NAME", "LESSON"), ((topology.name, topology.title) for topology in shipped())), None)
    return Exit.OK


@command.command("show")
@click.argument("name", required=False)
@topology_option
@click.option("--wiring", "wired", is_flag=True, help="Network namespaces with devices, routes, listeners and sysctls.")
@output_option
def show(name: str | None, sources: tuple[str, ...], wired: bool, output: Path | None) -> Exit:  # noqa: FBT001  # click's
    """What is in a topology: nodes, pods, Services and external hosts at rest."""
    from netsim.render.tables import table, wiring
    from netsim.scenario import inventory

    world = open_world(_both(name, sources), None)
    if wired:
        deliver(wiring(world.topology), output)
        return Exit.OK
    parts = (
        (inventory.NODE_HEADERS, inventory.nodes(world)),
        (inventory.POD_HEADERS, inventory.pods(world)),
        (inventory.SERVICE_HEADERS, inventory.services(world)),
        (inventory.EXTERNAL_HEADERS, inventory.externals(world)),
    )
    filled = [(headers, list(rows)) for headers, rows in parts]
    deliver("\n\n".join(table(headers, rows) for headers, rows in filled if rows), output)
    return Exit.OK


@command.command("validate")
@click.argument("name", required=False)
@topology_option
def validate(name: str | None, sources: tuple[str, ...]) -> Exit:
    """Load a topology and say everything that is wrong with it; exit status 0 where nothing is."""
    from netsim.render.form import counted
    from netsim.topology.validate import Severity
    from netsim.topology.validate import validate as problems_of

    world = open_world(_both(name, sources), None)
    problems = problems_of(world.topology)
    for problem in problems:
        click.echo(f"{problem.severity.value}: {problem}", err=True)
    for notice in _of_waiting_pods(world):
        click.echo(f"notice: {notice}", err=True)
    for assumption in world.assumptions:
        click.echo(f"notice: {assumption}", err=True)
    if any(problem.severity is Severity.ERROR for problem in problems):
        return Exit.USAGE
    pods = sum(1 for _ in world.pods())
    services = sum(key.kind == "Service" for key in world.objects)
    parts = (
        counted(len(world.cluster.nodes), "node"),
        counted(pods, "pod"),
        counted(services, "Service"),
        counted(len(world.topology.namespaces), "network namespace"),
    )
    deliver(f"{world.cluster.name}: {', '.join(parts)}: valid", None)
    return Exit.OK


def _of_waiting_pods(world: World) -> Iterator[str]:
    """The pods that do not run, those together that have the same cause."""
    waiting: dict[str, list[str]] = {}
    for pod in world.waiting_pods():
        waiting.setdefault(world.why_not_running(pod), []).append(f"{pod.metadata.namespace}/{pod.metadata.name}")
    for why, names in waiting.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"pod{'s' if names[1:] else ''} {', '.join(names[:3])}{more} do{'' if names[1:] else 'es'} not run: {why}"


@command.command("draw")
@click.argument("name", required=False)
@topology_option
@click.option("-o", "--output", "form", type=click.Choice(["svg", "dot", "md"]), default="svg", show_default=True)
@output_option
def draw(name: str | None, sources: tuple[str, ...], form: str, output: Path | None) -> Exit:
    """A picture of a topology: SVG, Graphviz, or a mermaid diagram in Markdown."""
    from netsim.render.draw import draw_dot, draw_md, draw_svg

    world = open_world(_both(name, sources), None)
    drawn = {"svg": draw_svg, "dot": draw_dot, "md": draw_md}[form](world.topology, world.cluster.name)
    deliver(drawn, output)
    return Exit.OK


def _both(name: str | None, sources: tuple[str, ...]) -> tuple[str, ...]:
    if name is not None and sources:
        raise InputError("a topology is named twice", "give it as an argument or with -t, not both")
    return (name,) if name is not None else sources
