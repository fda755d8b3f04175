"""Exit statuses, and the errors that a command ends with."""

from __future__ import annotations

from enum import IntEnum

import click


class Exit(IntEnum):
    """What a command's exit status says. They are the same for every command."""

    OK = 0
    NOT_DELIVERED = 1
    USAGE = 2
    DISAGREEMENT = 3
    UNABLE = 4
    UNKNOWN = 5


class InputError(click.ClickException):
    """What a user can cause: already written as it is to be shown, without a traceback."""

    exit_code = Exit.USAGE

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    def format_message(self) -> str:
        """The whole text, with ``error:`` and ``help:``."""
        head = self.message if self.message.startswith("error:") else f"error: {self.message}"
        return f"{head}\nhelp: {self.advice}" if self.advice else head


class UnableError(InputError):
    """What is asked cannot be done on this machine: what it lacks, and the command that installs it."""

    exit_code = Exit.UNABLE
