"""``netsim events``."""

from __future__ import annotations

from pathlib import Path

import click

from netsim.cli.exit import Exit, InputError
from netsim.cli.inspecting import age_from, namespace_options, open_inspection, place_of, store_option
from netsim.cli.options import deliver, output_option, topology_option


@click.command("events")
@topology_option
@namespace_options
@click.option("--for", "subject", metavar="KIND/NAME", help="Only events about this object.")
@click.option("--types", metavar="Normal,Warning", default="", help="Only events of these types.")
@click.option(
    "-o", "--output", "form", type=click.Choice(["wide", "yaml", "json"]), help="More columns, or whole objects."
)
@store_option
@output_option
def command(
    sources: tuple[str, ...],
    namespace: str | None,
    everywhere: bool,  # noqa: FBT001  # click's
    subject: str | None,
    types: str,
    form: str | None,
    store: Path | None,
    output: Path | None,
) -> Exit:
    """What the control plane did, and could not do, on the way to rest; oldest first."""
    from netsim.cluster.documents import mapping_at, text_at
    from netsim.render import kubectl
    from netsim.scenario.inspection import InspectionError

    wanted_types = {word.strip().capitalize() for word in types.split(",") if word.strip()}
    if wanted_types - {"Normal", "Warning"}:
        raise InputError(f"--types {types}: an event's type is Normal or Warning")
    inspection = open_inspection(sources, store=store)
    place = place_of(namespace, everywhere=everywhere)
    try:
        items = list(inspection.list(inspection.resource("events"), place))
        if subject is not None:
            kind, slash, name = subject.partition("/")
            if not slash:
                raise InputError(f"--for {subject}: not KIND/NAME", "such as --for pod/web-0")
            resource = inspection.resource(kind)
            about = (resource.kind, name)
            items = [
                i
                for i in items
                if about
                == (text_at(i.document, "involvedObject", "kind"), mapping_at(i.document, "involvedObject")["name"])
            ]
            if not items:
                inspection.one(resource, place, name)
    except InspectionError as error:
        raise InputError(error.message, error.advice) from error
    if wanted_types:
        items = [i for i in items if text_at(i.document, "type") in wanted_types]
    if form in ("yaml", "json"):
        document = kubectl.as_list(items, single=False)
        deliver(kubectl.as_json(document) if form == "json" else kubectl.as_yaml(document), output)
    elif not items:
        click.echo("No events found" + (f" in {place} namespace." if place else "."), err=True)
    else:
        age = age_from(inspection.clock)
        deliver(kubectl.objects_table(items, age, wide=form == "wide", namespaces=everywhere), output)
    return Exit.OK
