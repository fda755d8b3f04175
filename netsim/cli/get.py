"""``netsim get KIND [NAME…]``."""

from __future__ import annotations

from pathlib import Path

import click

from netsim.cli.exit import Exit, InputError
from netsim.cli.inspecting import age_from, namespace_options, open_inspection, place_of, store_option, user_options
from netsim.cli.options import deliver, output_option, topology_option

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
    from netsim.scenario.inspection import InspectionError

    if "/" in kinds:
        kinds, _, name = kinds.partition("/")
        names = (name, *names)
    if names and (selector or fields or everywhere):
        raise InputError("a name cannot be combined with a selector or with all namespaces")
    inspection = open_inspection(sources, user, as_groups, store=store)
    place = place_of(namespace, everywhere=everywhere)
    try:
        resources = inspection.resources(kinds)
        if names:
            groups = [[inspection.one(resource, place, name) for name in names] for resource in resources]
        else:
            groups = [list(inspection.list(resource, place, selector, fields)) for resource in resources]
    except InspectionError as error:
        raise InputError(error.message, error.advice) from error
    found = [group for group in groups if group]
    if not found and form not in ("yaml", "json"):
        namespaced = any(resource.namespaced for resource in resources)
        click.echo("No resources found" + (f" in {place} namespace." if place and namespaced else ""), err=True)
        return Exit.OK
    items = [item for group in found for item in group]
    match form:
        case "json" | "yaml":
            document = kubectl.as_list(items, single=len(names) == 1 and len(resources) == 1)
            deliver(kubectl.as_json(document) if form == "json" else kubectl.as_yaml(document), output)
        case "name":
            deliver(kubectl.names(items), output)
        case _:
            age = age_from(inspection.clock)
            wanted = {resource.kind: resource for resource in resources}
            tables = [
                kubectl.objects_table(
                    group,
                    age,
                    wide=form == "wide",
                    namespaces=everywhere and wanted[group[0].kind].namespaced,
                    prefixed=len(resources) > 1,
                )
                for group in found
            ]
            deliver("\n\n".join(tables), output)
    return Exit.OK
