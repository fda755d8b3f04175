"""The loop that runs the control plane until nothing changes any more.

A round drains every informer, then gives every controller in a fixed order the keys that wait for it. So within a round all
of them see the same state of the store, and what one writes the others see in the next. Where a round changes nothing the
clock moves on to the next timer; where there is none either but background ones, the state is steady.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from netsim.cluster.clock import VirtualClock
from netsim.cluster.errors import Forbidden, StatusError
from netsim.cluster.informer import Informers
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.meta import Key


class Controller(Protocol):
    """Whoever reconciles keys: it queues them from informers' handlers and is asked to bring each to its desired state."""

    name: str
    queue: WorkQueue

    def sync(self, key: Key) -> None:
        """Bring one key closer to what is desired. A StatusError puts the key back into the queue."""


class NotSteadyError(RuntimeError):
    """The control plane did not come to rest: somebody undoes what another does. ``busy`` says who still worked on what."""

    def __init__(self, rounds: int, busy: Sequence[tuple[str, Key]], last_error: StatusError | None) -> None:
        work = ", ".join(f"{name} on {key}" for name, key in busy[:5])
        more = f" and {len(busy) - 5} more" if len(busy) > 5 else ""
        because = f"; last refused request: {last_error}" if last_error else ""
        super().__init__(f"the control plane is not steady after {rounds} rounds at one moment: {work}{more}{because}")
        self.busy = tuple(busy)


class Runtime:
    """Informers and controllers under one clock."""

    def __init__(
        self, clock: VirtualClock, informers: Informers, controllers: Sequence[Controller], *, max_rounds: int = 20_000
    ) -> None:
        self._clock = clock
        self._informers = informers
        self._controllers = tuple(controllers)
        self._max_rounds = max_rounds
        self._last_error: StatusError | None = None
        self._observers: list[Callable[[], None]] = []

    def observe(self, observer: Callable[[], None]) -> None:
        """Call a function after every round that changed something."""
        self._observers.append(observer)

    def run_until_steady(self, *, until: float | None = None) -> None:
        """Run until nothing changes and no timer is set but background ones; with ``until`` (seconds), run all timers up to there.

        Raises NotSteadyError where more than ``max_rounds`` rounds at one moment still change something.
        """
        while True:
            self._settle()
            due = self._clock.next_timer
            if due is None or (self._clock.at_rest if until is None else due > until):
                break
            self._clock.advance_to_next_timer()
        if until is not None:
            self._clock.advance_to(max(until, self._clock.now()))

    def _settle(self) -> None:
        busy: list[tuple[str, Key]] = []
        for _ in range(self._max_rounds):
            drained = self._informers.drain()
            busy = [worked for controller in self._controllers for worked in self._work(controller)]
            if not drained and not busy:
                return
            for observer in self._observers:
                observer()
        raise NotSteadyError(self._max_rounds, busy, self._last_error)

    def _work(self, controller: Controller) -> list[tuple[str, Key]]:
        keys = controller.queue.take_all()
        for key in keys:
            try:
                controller.sync(key)
                controller.queue.forget(key)
            except Forbidden as error:  # quotas do not grow by asking at once
                self._last_error = error
                controller.queue.add_rate_limited(key)
            except StatusError as error:
                self._last_error = error
                controller.queue.add(key)
        return [(controller.name, key) for key in keys]
