"""Commands that hold commands."""

from __future__ import annotations

import difflib

import click

from netsim.cli.exit import InputError


class NearestGroup(click.Group):
    """A group that names the command which was meant where there is none of that name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names. Raises InputError."""
        known = self.list_commands(ctx)
        if args[0] not in known:
            close = difflib.get_close_matches(args[0], known, n=1)
            nearest = f"did you mean {close[0]}? " if close else ""
            raise InputError(f"no command is called {args[0]}", f"{nearest}see '{ctx.command_path} --help'")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``: of each command all that it answers."""
        rows = [
            (name, command.help or "") for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
