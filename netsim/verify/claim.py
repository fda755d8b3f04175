"""Which namespaces belong to a run that is still there.

A run draws a name and holds a lock (flock(2)) on ``/run/netsim-NAME.lock`` for as long as it lives; its namespaces are called
``netsim-NAME-0`` and so on. The kernel lets go of the lock when the process ends, however it ends. So whoever can take the lock knows
that the run is gone, also from inside another container, where process numbers say nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from netsim.verify.enter import FOLDER

RUN = Path("/run")
_NETNS = re.compile(r"netsim-([0-9a-f]{8})-\d+")
_LOCK = re.compile(r"netsim-([0-9a-f]{8})\.lock")


class Claim:
    """A run's name and its lock. Raises OSError where /run cannot be written."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(4)
        unlocked = RUN / f".netsim-{self.name}"  # a name that nobody looks for, until it is locked
        self._lock = os.open(unlocked, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlocked.rename(_path(self.name))

    def netns(self, number: int) -> str:
        """The name of the run's namespace of that number."""
        return f"netsim-{self.name}-{number}"

    def release(self) -> None:
        """Give the name back. The lock's file goes first, while nobody else can hold it."""
        if self._lock >= 0:
            _path(self.name).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1


def stale() -> Iterator[str]:
    """Names of runs that are gone and have left namespaces or a lock's file."""
    found = [_NETNS.fullmatch(entry.name) for entry in _entries(Path(FOLDER))]
    found += [_LOCK.fullmatch(entry.name) for entry in _entries(RUN)]
    for name in sorted({match[1] for match in found if match}):
        if _is_gone(name):
            yield name


def namespaces_of(name: str) -> list[str]:
    """The namespaces that a run has."""
    return sorted(entry.name for entry in _entries(Path(FOLDER)) if entry.name.startswith(f"netsim-{name}-"))


def forget(name: str) -> None:
    """Remove what is left of a stale run's lock."""
    _path(name).unlink(missing_ok=True)


def _is_gone(name: str) -> bool:
    try:
        lock = os.open(_path(name), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False
    finally:
        os.close(lock)


def _path(name: str) -> Path:
    return RUN / f"netsim-{name}.lock"


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
