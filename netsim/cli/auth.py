"""``netsim auth can-i``."""

from __future__ import annotations

from pathlib import Path

import click

from netsim.cli.answer import deliver
from netsim.cli.exit import Exit, InputError
from netsim.cli.groups import NearestGroup
from netsim.cli.inspecting import open_inspection, store_option, unknowns_told, user_options
from netsim.cli.options import output_option, topology_option


@click.group("auth", cls=NearestGroup)
def command() -> None:
    """Authorization: what users and ServiceAccounts may do."""


@command.command("can-i")
@click.argument("verb", required=False)
@click.argument("what", metavar="RESOURCE[/NAME]|/PATH", required=False)
@topology_option
@click.option("-n", "--namespace", metavar="NS", default="default", help="In this namespace instead of default.")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="In every namespace at once.")
@click.option("--subresource", default="", help="status, log, exec, …: a part of the resource.")
@click.option("--list", "listed", is_flag=True, help="Every rule that allows something, instead of an answer.")
@user_options
@store_option
@output_option
def can_i(
    verb: str | None,
    what: str | None,
    sources: tuple[str, ...],
    namespace: str,
    everywhere: bool,  # noqa: FBT001  # click's
    subresource: str,
    listed: bool,  # noqa: FBT001  # click's
    user: str,
    as_groups: tuple[str, ...],
    store: Path | None,
    output: Path | None,
) -> Exit:
    """May a user do VERB to RESOURCE? The answer names the rule that allows it; exit status 1 where nothing does."""
    from netsim.render.tables import table
    from netsim.scenario import rights

    if listed == bool(verb or what) or bool(verb) != bool(what):
        raise InputError("say what is to be done, or --list", "netsim auth can-i create pods --as jane")
    inspection = open_inspection(sources, user, as_groups, store=store)
    place = "" if everywhere else namespace
    if listed:
        deliver(table(rights.HEADERS, rights.rows(inspection, place)), output)
        return Exit.OK
    assert verb is not None
    assert what is not None
    with unknowns_told():
        decision = rights.decide(inspection, verb, what, place, subresource)
    answer = "yes" if decision.allowed else "no"
    deliver(f"{answer} - {decision.reason}" if decision.reason else answer, output)
    return Exit.OK if decision.allowed else Exit.NOT_DELIVERED
