"""When a proxy syncs: not too often, not too seldom, and again after a failure.

Between the end of one run and the start of the next at least ``min_interval`` passes; requests in between become one.
Without a request it runs once in ``max_interval``; after a failure no later than ``retry_interval``. All in nanoseconds,
on the caller's clock: the runner says when it is due, and is told when it ran.
Ref: pkg/proxy/runner/bounded_frequency_runner.go (v1.37)
"""

from __future__ import annotations

from proxy.config.model import KubeProxyConfiguration
from proxy.proxier import FULL_SYNC_PERIOD


class BoundedFrequencyRunner:
    """The timing of one proxier's syncs."""

    def __init__(self, *, min_interval: int, retry_interval: int, max_interval: int, now: int = 0) -> None:
        if max_interval < min_interval:
            raise ValueError(f"max_interval ({max_interval}) must be >= min_interval ({min_interval})")
        self._min = min_interval
        self._retry = retry_interval
        self._max = max_interval
        self._ready_at = now
        self._run_by = now + max_interval
        self._requested_at: int | None = None

    def request(self, now: int) -> None:
        """Ask for a run as soon as one may start. A request that waits already is not repeated."""
        if self._requested_at is None:
            self._requested_at = now

    @property
    def due_at(self) -> int:
        """When the next run starts, as things stand."""
        wanted = self._run_by if self._requested_at is None else min(self._requested_at, self._run_by)
        return max(wanted, self._ready_at)

    def is_due(self, now: int) -> bool:
        """True where a run may and should start."""
        return now >= self.due_at

    def ran(self, now: int, *, succeeded: bool = True) -> None:
        """A run has ended. It answered every request that came before it started."""
        self._requested_at = None
        self._ready_at = now + self._min
        self._run_by = now + (self._max if succeeded else min(self._retry, self._max))


def sync_runner(configuration: KubeProxyConfiguration, now: int = 0) -> BoundedFrequencyRunner:
    """The runner of a proxier: ``minSyncPeriod`` between syncs, ``syncPeriod`` until a failed one is repeated."""
    return BoundedFrequencyRunner(
        min_interval=configuration.min_sync_period,
        retry_interval=configuration.sync_period,
        max_interval=max(FULL_SYNC_PERIOD, configuration.min_sync_period),
        now=now,
    )
