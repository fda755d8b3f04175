"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

MODES = ("iptables", "ipvs", "nftables")
PORT = click.IntRange(1, 65535)


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
        type=click.Path(dir_okay=False, path_type=Path),
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
