"""What goes on for ever because whoever owns a pod makes another for each that goes: time goes by between them, and no world waits.

A real control plane does it as fast as its requests go, and never comes to rest.
"""

from __future__ import annotations

AT_ONCE = 10
"""So many pods of one owner are refused, or driven away, at once."""

FIRST_WAIT, LONGEST_WAIT = 10.0, 300.0
"""Seconds before the next, doubled each time: those between restarts of a container."""


class Patience:
    """How often pods of one owner had to go, and since when."""

    def __init__(self) -> None:
        self._gone: dict[str, tuple[int, float]] = {}

    def due(self, owner: str) -> float:
        """When the next of its pods goes, seconds of the clock."""
        times, last = self._gone.get(owner, (0, 0.0))
        late = times - AT_ONCE
        return last if late < 0 else last + min(FIRST_WAIT * 2.0 ** min(late, 16), LONGEST_WAIT)

    def note(self, owner: str, now: float) -> None:
        """One more has to go."""
        self._gone[owner] = (self._gone.get(owner, (0, 0.0))[0] + 1, now)
