"""``netsim explain-creation POD``."""

from __future__ import annotations

from pathlib import Path

import click

from netsim.cli.exit import Exit, InputError
from netsim.cli.inspecting import open_inspection, store_option, user_options
from netsim.cli.options import columns, deliver, output_option, topology_option


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
    import json
    import textwrap

    from netsim.cluster.access.users import ADMIN, impersonated
    from netsim.scenario.creation import creation_of
    from netsim.scenario.inspection import InspectionError

    inspection = open_inspection(sources, store=store)
    asking = impersonated(user, as_groups) if user else ADMIN
    name = pod.removeprefix("pod/").removeprefix("pods/")
    place, slash, rest = name.partition("/")
    if slash:
        namespace, name = place, rest
    try:
        found = inspection.one(inspection.resource("pods"), namespace, name)
    except InspectionError as error:
        raise InputError(error.message, error.advice) from error
    links = creation_of(inspection, found, asking)
    if form == "json":
        rows = [{"at": link.at, "who": link.who, "what": link.what, "warning": link.warning} for link in links]
        deliver(json.dumps(rows, indent=2), output)
        return Exit.OK
    width = max(len(link.who) for link in links)
    lines = [f"How pod {namespace}/{name} came to be", ""]
    for link in links:
        time = "" if link.at is None else f"{link.at:.0f}s"
        head = f"{time:>6}  {link.who:<{width}}  {'! ' if link.warning else ''}"
        indent = " " * (width + 10)
        lines.append(
            textwrap.fill(link.what, columns(), initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
        )
    deliver("\n".join(lines), output)
    return Exit.OK
