"""``netsim explain-creation POD``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import as_json, deliver, width_for
from netsim.cli.exit import Exit
from netsim.cli.inspecting import open_inspection, store_option, unknowns_told, user_options
from netsim.cli.options import output_option, topology_option

if TYPE_CHECKING:
    from netsim.scenario.creation import Link


@click.command("explain-creation")
@click.argument("pod", metavar="POD")
@topology_option
@click.option("-n", "--namespace", metavar="NS", default="default", help="The pod's namespace instead of default.")
@click.option("-o", "--output", "form", type=click.Choice(["json"]), help="The links of the chain as JSON.")
@user_options
@store_option
@output_option
def command(
    pod: str,
    sources: tuple[str, ...],
    namespace: str,
    form: str | None,
    user: str,
    as_groups: tuple[str, ...],
    store: Path | None,
    output: Path | None,
) -> Exit:
    """How POD came to be, link by link: client, API server, controllers, scheduler, kubelet, CNI, endpoints, kube-proxy.

    Times are seconds since the cluster began, in virtual time. --as USER tells whether USER could have asked for it.
    """
    from netsim.cluster.access.users import ADMIN, impersonated
    from netsim.scenario.creation import creation_of

    inspection = open_inspection(sources, store=store)
    asking = impersonated(user, as_groups) if user else ADMIN
    name = pod.removeprefix("pod/").removeprefix("pods/")
    place, slash, rest = name.partition("/")
    if slash:
        namespace, name = place, rest
    with unknowns_told():
        found = inspection.one(inspection.resource("pods"), namespace, name)
    links = creation_of(inspection, found, asking)
    if form == "json":
        rows = [{"at": link.at, "who": link.who, "what": link.what, "warning": link.warning} for link in links]
        deliver(as_json(rows), output)
    else:
        head = (f"How pod {namespace}/{name} came to be", "")
        deliver("\n".join((*head, *_lines(links, width_for(output)))), output)
    return Exit.OK


def _lines(links: Sequence[Link], width: int) -> Iterator[str]:
    import textwrap

    actors = max(len(link.who) for link in links)
    for link in links:
        time = "" if link.at is None else f"{link.at:.0f}s"
        head = f"{time:>6}  {link.who:<{actors}}  {'! ' if link.warning else ''}"
        indent = " " * (actors + 10)
        yield textwrap.fill(link.what, width, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
