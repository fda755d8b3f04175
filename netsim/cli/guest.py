"""``--guest`` and ``--guest-kernel``: the same command, run on a kernel of its own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar

import click
from click.core import ParameterSource

F = TypeVar("F", bound=Callable[..., Any])

OWN = frozenset({"guest", "guest_kernel"})


def guest_options(command: F) -> F:
    """``--guest`` and ``--guest-kernel``."""
    command = click.option(
        "--guest-kernel",
        metavar="FILE",
        envvar="NETSIM_GUEST_KERNEL",
        help="The user-mode kernel that --guest boots (make ARCH=um).  [default: linux.uml; env: NETSIM_GUEST_KERNEL]",
    )(command)
    return click.option(
        "--guest", is_flag=True, help="Verify on a kernel of its own, user-mode-linux, which has IPVS, dummy and ipip."
    )(command)


def run_again_in_guest(context: click.Context, kernel: str) -> int:
    """The exit status of this very command in a guest; what it writes is written here. Raises GuestError."""
    from netsim.verify.guest.machine import IN_GUEST, Program, run_in_guest

    argv = [sys.executable, "-m", "netsim", *_path_of(context), *words_of(context)]
    env = {**os.environ, IN_GUEST: "1"}
    out_is_tty, err_is_tty = sys.stdout.isatty(), sys.stderr.isatty()
    if out_is_tty or err_is_tty:
        size = shutil.get_terminal_size()
        env |= {"COLUMNS": str(size.columns), "LINES": str(size.lines)}
    program = Program(argv, env, out_is_tty=out_is_tty, err_is_tty=err_is_tty)
    return run_in_guest(kernel, program, _into(sys.stdout.buffer), _into(sys.stderr.buffer))


def _path_of(context: click.Context) -> list[str]:
    """The names of the subcommands: ``verify``."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, context.info_name or "")
        context = context.parent
    return names


def words_of(context: click.Context) -> list[str]:
    """The words that this command was called with, but for those of the guest; operands stand last."""
    words: list[str] = []
    operands: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in OWN or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        if isinstance(parameter, click.Option):
            words += _option(parameter, context.params[name])
        elif context.params[name] is not None:
            operands.append(str(context.params[name]))
    return [*words, *(["--", *operands] if operands else [])]


def _option(option: click.Option, value: Any) -> Iterator[str]:
    if option.is_flag:
        if value if option.is_bool_flag else value == option.flag_value:
            yield option.opts[-1]
        elif option.secondary_opts:
            yield option.secondary_opts[-1]
        return
    for each in value if option.multiple else (value,):
        yield from (option.opts[-1], str(each))


def _into(stream: BinaryIO) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        stream.write(data)
        stream.flush()

    return write
