"""The key-value store in memory: every key's versions since the last compaction, and the changes in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from netsim.cluster.etcd.model import EventType, KeyEvent, KeyValue, Lease
from netsim.cluster.etcd.store import EmbeddedStore

_REVISION = attrgetter("mod_revision")
_CHANGED_AT = attrgetter("kv.mod_revision")


class MemoryStore(EmbeddedStore):
    """Values are kept as they are given: they are documents that nobody changes."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self._current: dict[str, KeyValue] = {}
        self._versions: dict[str, list[KeyValue]] = {}
        self._log: list[KeyEvent] = []
        self._order: list[str] = []
        self._in_order = True

    def _find(self, key: str) -> KeyValue | None:
        return self._current.get(key)

    def _scan(self, key: str, end: str, revision: int) -> list[KeyValue]:
        if not end:
            found = self._as_of(key, revision)
            return [] if found is None else [found]
        keys = self._keys()
        chosen = keys[bisect_left(keys, key) : bisect_left(keys, end)]
        return [kv for kv in (self._as_of(each, revision) for each in chosen) if kv is not None]

    def _as_of(self, key: str, revision: int) -> KeyValue | None:
        if not revision or revision == self._revision:
            return self._current.get(key)
        versions = self._versions.get(key, [])
        position = bisect_right(versions, revision, key=_REVISION)
        found = versions[position - 1] if position else None
        return found if found is not None and found.version else None

    def _keys(self) -> list[str]:
        if not self._in_order:
            self._order.sort()
            self._in_order = True
        return self._order

    def _append(self, events: Sequence[KeyEvent]) -> None:
        for event in events:
            kv = event.kv
            versions = self._versions.get(kv.key)
            if versions is None:
                versions = self._versions[kv.key] = []
                self._order.append(kv.key)
                self._in_order = False
            versions.append(kv)
            if event.type is EventType.PUT:
                self._current[kv.key] = kv
            else:
                del self._current[kv.key]
        self._log += events

    def _history(self, after: int) -> Iterable[KeyEvent]:
        if after >= self._revision:
            return ()
        return self._log[bisect_right(self._log, after, key=_CHANGED_AT) :]

    def _forget(self, revision: int) -> None:
        for key, versions in list(self._versions.items()):
            last = bisect_right(versions, revision, key=_REVISION) - 1
            if last >= 0 and not versions[last].version:
                last += 1  # deleted at or before that revision: there is nothing to be read at it
            del versions[: max(last, 0)]
            if not versions:
                del self._versions[key]
        self._order, self._in_order = list(self._versions), False
        del self._log[: bisect_right(self._log, revision, key=_CHANGED_AT)]

    def _save_lease(self, lease: Lease) -> None:
        """The base keeps it."""

    def _drop_lease(self, lease: int) -> None:
        """The base has forgotten it."""

    def close(self) -> None:
        """There is nothing to let go of."""
