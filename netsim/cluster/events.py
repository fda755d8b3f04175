"""Events: what the control plane did and could not do, for ``netsim events``."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from netsim.cluster.clock import VirtualClock
from netsim.dataclass import dataclass
from netsim.objects.meta import Key


class Severity(Enum):
    """``type`` of an event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``first`` and ``last`` are seconds of virtual time, ``count`` how often it was seen."""

    severity: Severity
    reason: str
    object: Key
    message: str
    source: str
    first: float
    last: float
    count: int = 1


class EventRecorder:
    """Events in the order in which they were first seen; the same again only raises its count, as in Kubernetes."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._events: dict[tuple[Key, str, str, str], Event] = {}

    @property
    def events(self) -> tuple[Event, ...]:
        """All events so far."""
        return tuple(self._events.values())

    def normal(self, source: str, item: Key, reason: str, message: str) -> None:
        """Record that something was done."""
        self._record(Severity.NORMAL, source, item, reason, message)

    def warning(self, source: str, item: Key, reason: str, message: str) -> None:
        """Record that something could not be done."""
        self._record(Severity.WARNING, source, item, reason, message)

    def _record(self, severity: Severity, source: str, item: Key, reason: str, message: str) -> None:
        now = self._clock.now()
        seen = self._events.get((item, source, reason, message))
        event = Event(severity, reason, item, message, source, now, now)
        if seen is not None:
            event = replace(seen, last=now, count=seen.count + 1)
        self._events[item, source, reason, message] = event
