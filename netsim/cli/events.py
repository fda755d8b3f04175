"""``netsim events``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import deliver
from netsim.cli.exit import Exit, InputError
from netsim.cli.inspecting import (
    age_from,
    deliver_objects,
    namespace_options,
    open_inspection,
    place_of,
    store_option,
    unknowns_told,
)
from netsim.cli.options import output_option, topology_option

if TYPE_CHECKING:
    from netsim.objects.meta import Object
    from netsim.scenario.inspection import Inspection


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
    from netsim.cluster.documents import text_at
    from netsim.render import kubectl

    wanted_types = {word.strip().capitalize() for word in types.split(",") if word.strip()}
    if wanted_types - {"Normal", "Warning"}:
        raise InputError(f"--types {types}: an event's type is Normal or Warning")
    inspection = open_inspection(sources, store=store)
    place = place_of(namespace, everywhere=everywhere)
    with unknowns_told():
        items = _events(inspection, place, subject)
    if wanted_types:
        items = [item for item in items if text_at(item.document, "type") in wanted_types]
    if form in ("yaml", "json"):
        deliver_objects(items, form, output, single=False)
    elif not items:
        click.echo("No events found" + (f" in {place} namespace." if place else "."), err=True)
    else:
        age = age_from(inspection.clock)
        deliver(kubectl.objects_table(items, age, wide=form == "wide", namespaces=everywhere), output)
    return Exit.OK


def _events(inspection: Inspection, place: str | None, subject: str | None) -> list[Object]:
    """The events of a namespace (None: of all), or those about one object. Raises InspectionError where there is no such object."""
    from netsim.cluster.documents import mapping_at

    items = list(inspection.list(inspection.resource("events"), place))
    if subject is None:
        return items
    kind, slash, name = subject.partition("/")
    if not slash:
        raise InputError(f"--for {subject}: not KIND/NAME", "such as --for pod/web-0")
    resource = inspection.resource(kind)
    found = []
    for item in items:
        involved = mapping_at(item.document, "involvedObject")
        if (involved.get("kind"), involved.get("name")) == (resource.kind, name):
            found.append(item)
    if not found:
        inspection.one(resource, place, name)
    return found
