"""What the options name, loaded: what a loader warns of is told on standard error, what it refuses ends the command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from netsim.cli.exit import InputError

if TYPE_CHECKING:
    from netsim.manifest import Diagnostic
    from netsim.scenario.world import World
    from proxy.config.model import ProxyMode

T = TypeVar("T")


def open_world(sources: tuple[str, ...], mode: str | None) -> World:
    """Load what the options name. Warnings go to standard error; what cannot be loaded is an InputError."""
    from netsim.scenario.build import load_world

    return opened(sources, lambda found: load_world(found, mode=chosen_mode(mode)))


def chosen_mode(mode: str | None) -> ProxyMode | None:
    """What ``--mode`` says, None where it is not given."""
    from proxy.config.model import ProxyMode

    return ProxyMode(mode) if mode else None


def opened(sources: tuple[str, ...], load: Callable[[Sequence[Path]], tuple[T, tuple[Diagnostic, ...]]]) -> T:
    """What a loader makes of the files that the options name: its warnings are told, what it refuses is an InputError."""
    from netsim.cluster.runtime import NotSteadyError
    from netsim.scenario.sources import SourceError, find_sources

    try:
        with refusals_told():
            loaded, warnings = load(find_sources(sources, os.environ))
    except SourceError as error:
        raise InputError(error.message, error.advice) from error
    except NotSteadyError as error:
        raise InputError(str(error), "what undoes each other's work is named above; leave one of them out") from error
    if warnings:
        click.echo(told(warnings), err=True)
    return loaded


@contextmanager
def refusals_told() -> Iterator[None]:
    """What a loader refuses inside is an InputError, with everything that is wrong."""
    from netsim.manifest import LoadError

    try:
        yield
    except LoadError as error:
        raise InputError(told(error.diagnostics)) from error


def told(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Diagnostics as a user reads them: each with its line and help, errors counted where there are several."""
    errors = sum(diagnostic.severity.value == "error" for diagnostic in diagnostics)
    count = f"\n{errors} errors" if errors > 1 else ""
    return "\n".join(str(diagnostic) for diagnostic in diagnostics) + count
