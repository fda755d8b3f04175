"""A work queue that holds each key once.

Ref: client-go util/workqueue/queue.go (v1.37), without its rate limits: in a steady loop nothing has to be slowed down.
"""

from __future__ import annotations

from netsim.cluster.clock import VirtualClock
from netsim.objects.meta import Key


class WorkQueue:
    """Keys in the order in which they were first added since they were last taken."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._waiting: dict[Key, None] = {}

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

    def take_all(self) -> list[Key]:
        """Take every key that waits; what is added meanwhile waits for the next time."""
        taken = list(self._waiting)
        self._waiting = {}
        return taken
