"""``netsim get KIND [NAME…]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.answer import deliver
from netsim.cli.exit import Exit
from netsim.cli.inspecting import (
    age_from,
    deliver_objects,
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
    from netsim.cluster.resources import Resource
    from netsim.objects.meta import Object

FORMS = ("wide", "yaml", "json", "name")


@click.command("get")
@click.argument("kinds", metavar="KIND[,KIND…]|KIND/NAME")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@topology_option
@namespace_options
@user_options
@click.option("-o", "--output", "form", type=click.Choice(FORMS), help="More columns, whole objects, or names only.")
@click.option(
    "-l", "--selector", default="", metavar="LABELS", help="Only objects of these labels: app=web,tier!=cache."
)
@click.option(
    "--field-selector",
    "fields",
    default="",
    metavar="FIELDS",
    help="Only objects of these fields: status.phase=Running.",
)
@store_option
@output_option
def command(
    kinds: str,
    names: tuple[str, ...],
    sources: tuple[str, ...],
    namespace: str | None,
    everywhere: bool,  # noqa: FBT001  # click's
    user: str,
    as_groups: tuple[str, ...],
    form: str | None,
    selector: str,
    fields: str,
    store: Path | None,
    output: Path | None,
) -> Exit:
    """What is in the cluster, as kubectl lists it: pods, services, endpointslices, deployments, nodes, …, or all."""
    from netsim.render import kubectl

    kinds, names = kind_and_names(kinds, names, chosen_otherwise=bool(selector or fields or everywhere))
    inspection = open_inspection(sources, user, as_groups, store=store)
    place = place_of(namespace, everywhere=everywhere)
    with unknowns_told():
        resources = inspection.resources(kinds)
        if names:
            groups = [[inspection.one(resource, place, name) for name in names] for resource in resources]
        else:
            groups = [list(inspection.list(resource, place, selector, fields)) for resource in resources]
    items = [item for group in groups for item in group]
    match form:
        case "json" | "yaml":
            deliver_objects(items, form, output, single=len(names) == 1 and len(resources) == 1)
        case _ if not items:
            tell_none("resources", place if any(resource.namespaced for resource in resources) else None)
        case "name":
            deliver(kubectl.names(items), output)
        case _:
            tables = _tables(resources, groups, age_from(inspection.clock), wide=form == "wide", everywhere=everywhere)
            deliver("\n\n".join(tables), output)
    return Exit.OK


def _tables(
    resources: Sequence[Resource],
    groups: Sequence[Sequence[Object]],
    age: Callable[[str], str],
    *,
    wide: bool,
    everywhere: bool,
) -> Iterator[str]:
    """A table for each kind of which there is anything; of several kinds every name has its kind before it."""
    from netsim.render import kubectl

    for resource, group in zip(resources, groups, strict=True):
        if group:
            namespaces = everywhere and resource.namespaced
            yield kubectl.objects_table(group, age, wide=wide, namespaces=namespaces, prefixed=len(resources) > 1)
