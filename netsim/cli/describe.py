"""``netsim describe KIND NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import deliver
from netsim.cli.exit import Exit
from netsim.cli.inspecting import (
    kind_and_names,
    namespace_options,
    open_inspection,
    place_of,
    store_option,
    tell_none,
    unknowns_told,
    user_options,
)
from netsim.cli.options import output_option, topology_option

if TYPE_CHECKING:
    from netsim.objects.meta import Object
    from netsim.scenario.inspection import Inspection


@click.command("describe")
@click.argument("kind", metavar="KIND|KIND/NAME")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@topology_option
@namespace_options
@user_options
@click.option("-l", "--selector", default="", metavar="LABELS", help="Every object of these labels.")
@store_option
@output_option
def command(
    kind: str,
    names: tuple[str, ...],
    sources: tuple[str, ...],
    namespace: str | None,
    everywhere: bool,  # noqa: FBT001  # click's
    user: str,
    as_groups: tuple[str, ...],
    selector: str,
    store: Path | None,
    output: Path | None,
) -> Exit:
    """Everything about an object, as kubectl describes it, with the events that concern it."""
    kind, names = kind_and_names(kind, names, chosen_otherwise=bool(selector or everywhere))
    inspection = open_inspection(sources, user, as_groups, store=store)
    place = place_of(namespace, everywhere=everywhere)
    with unknowns_told():
        resource = inspection.resource(kind)
        items = [inspection.one(resource, place, name) for name in names]
        if not names:
            items = list(inspection.list(resource, place, selector))
    if not items:
        tell_none("resources", place if resource.namespaced else None)
        return Exit.OK
    events = len(items) == 1  # kubectl tells the events of a single object only
    deliver("\n\n\n".join(_described(inspection, item, events=events) for item in items), output)
    return Exit.OK


def _described(inspection: Inspection, item: Object, *, events: bool) -> str:
    from netsim.render.kubectl import human_duration
    from netsim.render.kubectl_describe import Surroundings, describe

    now = inspection.clock.now()
    around = Surroundings(
        inspection.events_of([item.key]) if events else None,
        lambda when: human_duration(now - when),
        human_duration,
        inspection.related(item),
    )
    return describe(item, around)
