"""Watches: pull what has changed since a version.

Nothing is pushed and there are no threads: ``watch.events()`` returns what has come since it was last asked, in the order of
resource versions, and an empty list where nothing has.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from netsim.cluster.documents import mapping_at
from netsim.cluster.errors import Expired
from netsim.dataclass import dataclass
from netsim.objects.meta import Object


class EventType(Enum):
    """What happened to an object, as it looks through the watch's selectors."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One event. Of a DELETED object it is the last state, with the version of its deletion; a BOOKMARK holds a version only."""

    type: EventType
    object: Object


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a kind's log: what the object was before (None: it was not) and is now (None: it is gone).

    ``last`` is what it is now, or its last state where it is gone, stamped with the version of this change.
    """

    version: int
    before: Object | None
    now: Object | None
    last: Object

    def as_gone(self) -> Object:
        """What a watch is told that sees the object go. One that only ceased to match is told its state before.

        Ref: staging/src/k8s.io/apiserver/pkg/storage/cacher/cache_watcher.go:convertToWatchEvent() (v1.37).
        """
        if self.now is None or self.before is None:
            return self.last
        metadata = {**mapping_at(self.before.document, "metadata"), "resourceVersion": str(self.version)}
        return Object.of({**self.before.document, "metadata": metadata})


class ChangeLog:
    """The changes of one kind in order of version, with those up to a version compacted away."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._dropped = 0
        self.compacted = 0

    def append(self, change: Change) -> None:
        """Add the newest change."""
        self._changes.append(change)

    @property
    def end(self) -> int:
        """The position behind the newest change; positions count from the first change ever, compacted ones too."""
        return self._dropped + len(self._changes)

    @property
    def begin(self) -> int:
        """The position of the oldest change that is kept."""
        return self._dropped

    def since(self, position: int) -> list[Change]:
        """The changes from a position on. Raises Expired where some of them were compacted."""
        if position < self._dropped:
            raise Expired.of(self.compacted, self.compacted + 1)
        return self._changes[position - self._dropped :]

    def position_after(self, version: int) -> int:
        """The position of the first change that is newer than a version. Raises Expired where such were compacted."""
        if version < self.compacted:
            raise Expired.of(version, self.compacted)
        low, high = 0, len(self._changes)
        while low < high:
            middle = (low + high) // 2
            if self._changes[middle].version <= version:
                low = middle + 1
            else:
                high = middle
        return self._dropped + low

    def compact(self, version: int) -> None:
        """Forget the changes up to and including a version."""
        keep = 0
        while keep < len(self._changes) and self._changes[keep].version <= version:
            keep += 1
        del self._changes[:keep]
        self._dropped += keep
        self.compacted = max(self.compacted, version)


class Watch:
    """A cursor in the changes of one kind, seen through selectors.

    An object that begins to match is ADDED and one that ceases to is DELETED, whatever happened to it in the store. A watch can be
    resumed: open another one at ``resource_version``. Ref: staging/src/k8s.io/apiserver/pkg/storage/cacher/cache_watcher.go (v1.37).
    """

    def __init__(
        self,
        log: ChangeLog,
        position: int,
        *,
        initial: list[WatchEvent],
        selects: Callable[[Object], bool],
        bookmark: Callable[[], Object] | None,
        version: int,
    ) -> None:
        self._log = log
        self._position = position
        self._initial = initial
        self._selects = selects
        self._bookmark = bookmark
        self._version = version
        self._bookmarked = -1

    @property
    def resource_version(self) -> str:
        """The version of the last event that was handed out: where to resume."""
        return str(self._version)

    @property
    def expired(self) -> bool:
        """True where the store was compacted past the cursor."""
        return self._position < self._log.begin

    def events(self) -> list[WatchEvent]:
        """What has come since the last call, oldest first; with bookmarks, a BOOKMARK ends a list that moved the version on.

        Raises Expired where the store was compacted past the cursor: list again, then watch from the list's version.
        """
        events = self._initial
        self._initial = []
        changes = self._log.since(self._position)
        for change in changes:
            event = self._event(change)
            if event is not None:
                events.append(event)
        if changes:
            self._position += len(changes)
            self._version = changes[-1].version
        return self._with_bookmark(events)

    def _event(self, change: Change) -> WatchEvent | None:
        was = change.before is not None and self._selects(change.before)
        is_now = change.now is not None and self._selects(change.now)
        match was, is_now:
            case False, True:
                return WatchEvent(EventType.ADDED, change.last)
            case True, True:
                return WatchEvent(EventType.MODIFIED, change.last)
            case True, False:
                return WatchEvent(EventType.DELETED, change.as_gone())
            case _:
                return None

    def _with_bookmark(self, events: list[WatchEvent]) -> list[WatchEvent]:
        if self._bookmark is None:
            return events
        mark = self._bookmark()
        version = int(mark.metadata.resource_version)
        if version != self._bookmarked:
            self._bookmarked = self._version = version
            events.append(WatchEvent(EventType.BOOKMARK, mark))
        return events
