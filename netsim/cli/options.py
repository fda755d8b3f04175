"""Options and steps that several commands share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from netsim.cli.exit import InputError

if TYPE_CHECKING:
    from netsim.manifest import Diagnostic
    from netsim.scenario.world import World

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

MODES = ("iptables", "ipvs", "nftables")


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


def open_world(sources: tuple[str, ...], mode: str | None) -> World:
    """Load what the options name. Warnings go to standard error; what cannot be loaded is an InputError."""
    from netsim.scenario.build import load_world
    from proxy.config.model import ProxyMode

    return opened(sources, lambda found: load_world(found, mode=ProxyMode(mode) if mode else None))


def opened(sources: tuple[str, ...], load: Callable[[Sequence[Path]], tuple[T, tuple[Diagnostic, ...]]]) -> T:
    """What a loader makes of the files that the options name: its warnings are told, what it refuses is an InputError."""
    from netsim.manifest import LoadError
    from netsim.scenario.sources import SourceError, find_sources

    try:
        loaded, warnings = load(find_sources(sources, os.environ))
    except SourceError as error:
        raise InputError(error.message, error.advice) from error
    except LoadError as error:
        raise InputError(told(error.diagnostics)) from error
    if warnings:
        click.echo(told(warnings), err=True)
    return loaded


def told(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Diagnostics as a user reads them: each with its line and help, errors counted where there are several."""
    errors = sum(diagnostic.severity.value == "error" for diagnostic in diagnostics)
    count = f"\n{errors} errors" if errors > 1 else ""
    return "\n".join(str(diagnostic) for diagnostic in diagnostics) + count


def counted(number: int, noun: str) -> str:
    """``1 node``, ``3 nodes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def deliver(text: str, output: Path | None) -> None:
    """Print an answer, or write it to a file. Raises InputError where that cannot be done."""
    if output is not None:
        write(output, text.encode())
    elif sys.stdout is None:
        raise InputError("the answer cannot be printed: standard output is closed")
    else:
        _print(text.removesuffix("\n"))


def _print(text: str) -> None:
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()  # the reader has what it wanted (`netsim … | head`): the exit status is still the answer's
    except OSError as error:
        discard_output()
        raise InputError(f"the answer cannot be printed: {error.strerror or error}") from error


def discard_output() -> None:
    """Let standard output go nowhere, what its buffer still holds included."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside it first, then in its place, with the mode that it had.

    Through a symbolic link the file behind it is written; a device or a pipe takes the content as it is. Raises InputError.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as device:
                device.write(content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o7777)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def to_terminal() -> bool:
    """True where the answer is read on a terminal as it is printed."""
    return sys.stdout is not None and sys.stdout.isatty()


def in_colour() -> bool:
    """True where the answer goes to a terminal and NO_COLOR is not set. See https://no-color.org."""
    return to_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


WIDTH, NARROWEST = 100, 60


def columns() -> int:
    """How wide text is: WIDTH, or on a narrower terminal what that has, down to NARROWEST."""
    if not to_terminal():
        return WIDTH
    return min(WIDTH, max(NARROWEST, shutil.get_terminal_size((WIDTH, 0)).columns))
