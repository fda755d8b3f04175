"""Options and steps that the commands share which look at a cluster's objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netsim.cli.answer import deliver
from netsim.cli.exit import InputError
from netsim.cli.loading import opened
from netsim.cli.options import FILE

if TYPE_CHECKING:
    from netsim.cluster.clock import VirtualClock
    from netsim.objects.meta import Object
    from netsim.scenario.inspection import Inspection

F = TypeVar("F", bound=Callable[..., Any])


def namespace_options(command: F) -> F:
    """``-n/--namespace`` and ``-A/--all-namespaces``."""
    command = click.option(
        "-A", "--all-namespaces", "everywhere", is_flag=True, help="Of every namespace, which is then a column."
    )(command)
    return click.option("-n", "--namespace", metavar="NS", help="Of this namespace instead of default.")(command)


def place_of(namespace: str | None, *, everywhere: bool) -> str | None:
    """The namespace to look in, None for all. Raises InputError for both at once."""
    if everywhere and namespace:
        raise InputError("-n and -A exclude each other", "name a namespace, or ask for all of them")
    return None if everywhere else namespace or "default"


def user_options(command: F) -> F:
    """``--as`` and ``--as-group``, as kubectl has them."""
    command = click.option(
        "--as-group",
        "as_groups",
        multiple=True,
        metavar="GROUP",
        help="A group of that user; may be given several times.",
    )(command)
    return click.option(
        "--as",
        "user",
        default="",
        metavar="USER",
        help="See what this user may see: jane, or system:serviceaccount:NS:NAME. Without it: the cluster's admin.",
    )(command)


def store_option(command: F) -> F:
    """``--store``."""
    return click.option(
        "--store",
        type=FILE,
        metavar="FILE",
        help="Keep the cluster at rest in this file, with every revision of its objects; where it is there already, "
        "look at what it holds without settling anew (then without -t).",
    )(command)


def open_inspection(
    sources: tuple[str, ...], user: str = "", groups: tuple[str, ...] = (), *, store: Path | None = None
) -> Inspection:
    """The cluster that the options name, at rest. Warnings go to standard error; what cannot be loaded is an InputError."""
    from netsim.cluster.access.users import impersonated
    from netsim.scenario.inspection import Inspection

    if groups and not user:
        raise InputError("--as-group says nothing without --as", "name the user too: --as USER --as-group GROUP")
    inspection = _opened(sources, store)
    return Inspection(inspection.plane, impersonated(user, groups)) if user else inspection


def _opened(sources: tuple[str, ...], store: Path | None) -> Inspection:
    from netsim.scenario.inspection import inspect, inspect_recorded

    if store is None:
        return opened(sources, inspect)
    from netsim.persistence.sqlite import StoreFileError

    if sources and store.exists():
        advice = "leave -t out to look at what it holds, or remove it to record another cluster"
        raise InputError(f"{store}: a cluster is recorded there already", advice)
    try:
        if not store.exists():
            return opened(sources, lambda found: inspect(found, store))
        inspection = inspect_recorded(store)
        click.get_current_context().call_on_close(inspection.plane.store.backend.close)
        return inspection
    except StoreFileError as error:
        raise InputError(error.message, error.advice) from error


@contextmanager
def unknowns_told() -> Iterator[None]:
    """What is asked for inside and is not there is an InputError, which names the nearest."""
    from netsim.scenario.inspection import InspectionError

    try:
        yield
    except InspectionError as error:
        raise InputError(error.message, error.advice) from error


def kind_and_names(kind: str, names: tuple[str, ...], *, chosen_otherwise: bool) -> tuple[str, tuple[str, ...]]:
    """``KIND/NAME`` read as ``KIND NAME``. Raises InputError where names and another choice are given at once."""
    if "/" in kind:
        kind, _, name = kind.partition("/")
        names = (name, *names)
    further = next((name for name in names if "/" in name), None)
    if further is not None:
        raise InputError(
            f"{further} names a kind again",
            f"one KIND and its names: {kind} {' '.join(names).replace(further, further.partition('/')[2])}",
        )
    if names and chosen_otherwise:
        raise InputError("a name cannot be combined with a selector or with all namespaces")
    return kind, names


def tell_none(what: str, place: str | None) -> None:
    """Say on standard error that nothing was found, and where it was looked for (None: everywhere)."""
    click.echo(f"No {what} found" + (f" in {place} namespace." if place else ""), err=True)


def deliver_objects(items: Sequence[Object], form: str, output: Path | None, *, single: bool) -> None:
    """Give whole objects as ``json`` or ``yaml``: one alone where it is ``single``, else a List."""
    from netsim.render import kubectl

    document = kubectl.as_list(items, single=single)
    deliver(kubectl.as_json(document) if form == "json" else kubectl.as_yaml(document), output)


def age_from(clock: VirtualClock) -> Callable[[str], str]:
    """How old a time is at the clock's moment, in kubectl's words."""
    from netsim.render.kubectl import human_duration

    def age(timestamp: str) -> str:
        try:
            return human_duration(clock.now() - clock.seconds_of(timestamp))
        except (ValueError, TypeError):
            return "<unknown>"

    return age
