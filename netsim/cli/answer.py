"""How an answer is given: printed or written whole to a file, in colour or plain, how wide."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netsim.cli.exit import InputError

if TYPE_CHECKING:
    from netsim.render.style import Style


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


def style_for(output: Path | None) -> Style:
    """Colour where the answer is printed on a terminal that wants it, plain text everywhere else."""
    from netsim.render.style import COLOUR, PLAIN

    return COLOUR if output is None and in_colour() else PLAIN


def as_json(document: object) -> str:
    """A document for programs, ending in a newline."""
    import json

    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


WIDTH, NARROWEST = 100, 60


def width_for(output: Path | None) -> int:
    """How wide text is: WIDTH, or on a narrower terminal what that has, down to NARROWEST."""
    if output is not None or not to_terminal():
        return WIDTH
    return min(WIDTH, max(NARROWEST, shutil.get_terminal_size((WIDTH, 0)).columns))
