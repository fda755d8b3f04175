"""Virtual time: it stands still until somebody advances it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


class VirtualClock:
    """Seconds since the world began, and timers.

    Timers that are due at the same time run in the order in which they were set. The world began at ``epoch``, so that a time
    can be written into an object as RFC 3339 with whole seconds, as Kubernetes does.

    A background timer is for what goes on for ever (a CronJob's next hour, the next restart of what crashes again and again) or
    only matters to who lets time go by (a deadline): it runs when its time comes, but a world that waits for nothing else is at rest.
    """

    def __init__(self, epoch: datetime = EPOCH) -> None:
        self._epoch = epoch
        self._now = 0.0
        self._count = 0
        self._timers: list[tuple[float, int, Callable[[], None], bool]] = []
        self._foreground = 0
        self._texts: dict[int, str] = {}

    def now(self) -> float:
        """Seconds since the world began."""
        return self._now

    def timestamp(self) -> str:
        """Now, as ``metav1.Time`` is written: ``2025-01-01T00:00:10Z``."""
        return self.timestamp_at(self._now)

    def timestamp_at(self, seconds: float) -> str:
        """A time since the world began, as ``metav1.Time`` is written."""
        whole = int(seconds)
        if whole not in self._texts:  # thousands of objects are written in one second
            self._texts[whole] = (self._epoch + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._texts[whole]

    def seconds_of(self, timestamp: str) -> float:
        """Seconds since the world began of an RFC 3339 time; negative before it. Raises ValueError."""
        moment = datetime.fromisoformat(timestamp)
        return (moment - self._epoch).total_seconds()

    def call_at(self, when: float, callback: Callable[[], None], *, background: bool = False) -> None:
        """Run a callback once the time is ``when`` (at the next advance where that is past)."""
        self._count += 1
        self._foreground += not background
        heapq.heappush(self._timers, (when, self._count, callback, background))

    @property
    def at_rest(self) -> bool:
        """True where no timer is set but background ones."""
        return self._foreground == 0

    @property
    def next_timer(self) -> float | None:
        """When the next timer is due, None without one."""
        return self._timers[0][0] if self._timers else None

    def advance_to(self, when: float) -> None:
        """Move to ``when`` and run every timer that is due on the way, each at its own time. Raises ValueError for the past."""
        if when < self._now:
            raise ValueError(f"time does not run backwards: {when} < {self._now}")
        while self._timers and self._timers[0][0] <= when:
            due, _, callback, background = heapq.heappop(self._timers)
            self._foreground -= not background
            self._now = max(self._now, due)
            callback()
        self._now = when

    def advance_to_next_timer(self) -> bool:
        """Move to the time of the next timer and run all that are due then. False without one."""
        due = self.next_timer
        if due is None:
            return False
        self.advance_to(max(due, self._now))
        return True
