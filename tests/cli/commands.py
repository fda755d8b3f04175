"""Runs a netsim command line in this process, as a terminal would show it."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

from netsim.cli.main import run


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.err + self.out


def netsim(*words: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(words)
    return Done(status, out.getvalue(), err.getvalue())
