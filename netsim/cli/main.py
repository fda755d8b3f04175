"""The ``netsim`` command: its subcommands, imported when they are called, and the boundary where errors become text."""

from __future__ import annotations

import codecs
import gc
import importlib
import io
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from netsim import __version__
from netsim.cli.answer import discard_output
from netsim.cli.exit import Exit, InputError
from netsim.cli.groups import NearestGroup

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module, what it answers)
    "trace": ("netsim.cli.trace", "Where does this packet go, hop by hop, there and back?"),
    "run": ("netsim.cli.run", "What happens over time: packets, changes and misfortunes under a virtual clock."),
    "demo": ("netsim.cli.demo", "The gallery of failures: a story, the trace that explains it, the mend proved."),
    "compare": (
        "netsim.cli.compare",
        "What differs between iptables, ipvs and nftables mode: for a flow, or for the whole cluster?",
    ),
    "matrix": ("netsim.cli.matrix", "Who reaches whom: every sender to every Service and pod."),
    "diff": ("netsim.cli.diff", "Which flows change between two topologies, and by which object?"),
    "explain": ("netsim.cli.reasons", "What does a reason mean, how is it seen, how is it mended?"),
    "check": ("netsim.cli.check", "Do these expectations hold? For CI."),
    "rules": ("netsim.cli.rules", "What does kube-proxy program on a node?"),
    "replay": ("netsim.cli.replay", "What does kube-proxy program sync after sync of a recorded case?"),
    "verify": ("netsim.cli.verify", "Does the model hold on this machine's kernel?"),
    "get": ("netsim.cli.get", "What is in the cluster, in kubectl's columns?"),
    "events": ("netsim.cli.events", "What did the control plane do, and what could it not do?"),
    "describe": ("netsim.cli.describe", "What is there to say of one object, its events included?"),
    "auth": ("netsim.cli.auth", "May this user do that, and by which rule?"),
    "explain-creation": ("netsim.cli.explain", "How did this pod come to be, link by link?"),
    "topology": ("netsim.cli.topology", "The shipped and given topologies, and a picture of one."),
}


class LazyGroup(NearestGroup):
    """A group whose commands are imported when they are called, so that one command does not pay for another's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None where there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = importlib.import_module(module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, without importing any command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="netsim")
def cli() -> None:
    """Where does this packet go, and why?

    A packet-level path tracer and Service proxy emulator for Kubernetes: no cluster, no root, no network.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit status; what a user can cause ends as one message on standard error."""
    try:
        status = cli.main(args=arguments, prog_name="netsim", standalone_mode=False)
    except InputError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Exit.USAGE
    except click.UsageError as error:
        click.echo(f"error: {error.format_message()}\nhelp: {_advice(error)}", err=True)
        return Exit.USAGE
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        return Exit.USAGE
    except click.Abort:
        return 130
    return status if isinstance(status, int) else Exit.OK


def _advice(error: click.UsageError) -> str:
    if error.ctx is None:
        return "see 'netsim --help'"
    see = f"see '{error.ctx.command_path} --help'"
    takes_topology = any("-t" in option.opts for option in error.ctx.command.params)
    if takes_topology and "unexpected extra argument" in error.message:
        return f"files, folders and shipped topologies are named by -t; {see}"
    return see


_IN_ASCII = {"→": "->", "←": "<-", "…": "...", "–": "-"}


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """What a character that an output's encoding does not have is printed as: its likeness in ASCII, else a question mark."""
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(character, "?") for character in missing), error.end


def collect_rarely() -> None:
    """Look for garbage cycles rarely: nearly all that a command makes lives until it ends, and looking costs a fifth of a large world."""
    gc.set_threshold(100_000, 50, 1000)


def main() -> NoReturn:
    """The entry point of the ``netsim`` script."""
    collect_rarely()
    codecs.register_error("netsim.nearest", _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="netsim.nearest")
    try:
        status = run()
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        discard_output()
        click.echo(f"error: {error.strerror or error}", err=True)
        status = Exit.USAGE
    sys.exit(status)
