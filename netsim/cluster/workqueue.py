"""A work queue that holds each key once, and lets what was refused wait longer each time.

Ref: client-go util/workqueue/{queue,delaying_queue,default_rate_limiters}.go (v1.37). Its limit for all keys together (ten a second) is
left out: in one process nobody has to be spared.
"""

from __future__ import annotations

from collections import Counter

from netsim.cluster.clock import VirtualClock
from netsim.objects.meta import Key

FIRST_DELAY, LONGEST_DELAY = 0.005, 1000.0
"""Seconds that a key waits after its first refusal, and at most. Ref: DefaultTypedControllerRateLimiter()."""


class WorkQueue:
    """Keys in the order in which they were first added since they were last taken."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._waiting: dict[Key, None] = {}
        self._refusals: Counter[Key] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Key) -> None:
        """Add a key; one that waits already keeps its place."""
        self._waiting.setdefault(key)

    def add_after(self, key: Key, seconds: float, *, background: bool = False) -> None:
        """Add a key once that much virtual time has gone by; ``background``: no world waits for it (``VirtualClock``)."""
        if seconds <= 0:
            self.add(key)
        else:
            self._clock.call_at(self._clock.now() + seconds, lambda: self.add(key), background=background)

    def add_rate_limited(self, key: Key) -> None:
        """Add a key that was refused, twice as long after as the last time. No world waits for it: it may be refused for ever."""
        delay = min(FIRST_DELAY * 2.0 ** self._refusals[key], LONGEST_DELAY)
        self._refusals[key] += 1
        self.add_after(key, delay, background=True)

    def forget(self, key: Key) -> None:
        """A key went well: its next refusal is its first."""
        if key in self._refusals:
            del self._refusals[key]

    def take_all(self) -> list[Key]:
        """Take every key that waits; what is added meanwhile waits for the next time."""
        taken = list(self._waiting)
        self._waiting = {}
        return taken
