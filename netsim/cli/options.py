"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from netsim.cli.exit import InputError

F = TypeVar("F", bound=Callable[..., Any])

MODES = ("iptables", "ipvs", "nftables")
PORT = click.IntRange(1, 65535)


class _NamedPath(click.Path):
    """A path with a name: an empty one, as a script's unset variable leaves it, would be the current folder."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        if value == "":
            self.fail("it is empty", param, ctx)
        return super().convert(value, param, ctx)


PATH = _NamedPath(path_type=Path)
FILE = _NamedPath(dir_okay=False, path_type=Path)
FOLDER = _NamedPath(file_okay=False, path_type=Path)


def refuse_beside(context: click.Context, what: str, *names: str, advice: str = "") -> None:
    """Raise InputError for the first of these parameters that the user gave: beside ``what`` it would decide nothing."""
    for parameter in context.command.params:
        name = parameter.name
        if name in names and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            said = parameter.opts[-1] if isinstance(parameter, click.Option) else parameter.make_metavar(context)
            raise InputError(f"{said} says nothing beside {what}", advice)


def topology_option(command: F) -> F:
    """``-t/--topology``, repeatable."""
    return click.option(
        "-t",
        "--topology",
        "sources",
        multiple=True,
        metavar="NAME|FILE|DIR",
        help="A shipped topology, a file or a folder; may be given several times. Without it: $NETSIM_TOPOLOGY, "
        "else netsim.yaml here, else the shipped topology 'default'.",
    )(command)


def mode_option(command: F) -> F:
    """``--mode``."""
    return click.option(
        "--mode", type=click.Choice(MODES), help="kube-proxy's mode on every node, over what is configured."
    )(command)


def output_option(command: F) -> F:
    """``-f/--file``."""
    return click.option(
        "-f",
        "--file",
        "output",
        type=FILE,
        help="Write the answer to a file; it is there whole or not at all.",
    )(command)


def port_option(command: F) -> F:
    """``-p/--port``."""
    return click.option(
        "-p", "--port", type=PORT, metavar="PORT", help="Destination port, where DST does not name it."
    )(command)


def protocol_option(command: F) -> F:
    """``--proto``."""
    return click.option(
        "--proto",
        "protocol",
        type=click.Choice(["tcp", "udp", "sctp", "icmp"]),
        help="Default: that of the port, else tcp.",
    )(command)
