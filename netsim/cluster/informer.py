"""Shared informers: a cache of one kind, kept by list and watch, with indexes and handlers.

Ref: client-go tools/cache/{reflector,shared_informer,thread_safe_store}.go (v1.37). Handlers run inside ``drain``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeAlias

from netsim.cluster.errors import Expired
from netsim.cluster.store import Store
from netsim.cluster.watch import EventType, Watch
from netsim.objects.meta import Key, Object

IndexFunction: TypeAlias = Callable[[Object], Iterable[str]]
Handler: TypeAlias = "Callable[[Object | None, Object | None], None]"
"""Called with what the object was (None: it is new) and what it is (None: it is gone)."""


class Informer:
    """The objects of one kind as of the last ``drain``."""

    def __init__(self, store: Store, kind: str) -> None:
        self.kind = kind
        self._store = store
        self._watch: Watch | None = None
        self._objects: dict[Key, Object] = {}
        self._indexers: dict[str, IndexFunction] = {}
        self._indexes: dict[str, dict[str, dict[Key, None]]] = {}
        self._handlers: list[Handler] = []

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, key: Key) -> Object | None:
        """The object of a key, None without one."""
        return self._objects.get(key)

    def all(self) -> list[Object]:
        """Every object, in the order of their keys."""
        return [self._objects[key] for key in sorted(self._objects)]

    def by_index(self, index: str, value: str) -> list[Object]:
        """The objects that an index files under a value, in the order of their keys."""
        return [self._objects[key] for key in sorted(self._indexes[index].get(value, ()))]

    def count(self, index: str, value: str) -> int:
        """How many objects an index files under a value."""
        return len(self._indexes[index].get(value, ()))

    # --- building ---------------------------------------------------------------------------------------------------

    def add_index(self, name: str, function: IndexFunction) -> None:
        """File objects under what a function says of them. Adding an index again is no change."""
        if name in self._indexers:
            return
        self._indexers[name] = function
        self._indexes[name] = defaultdict(dict)
        for item in self._objects.values():
            self._file(name, None, item)

    def add_handler(self, handler: Handler) -> None:
        """Call a function at every change; at once for each object that is here already."""
        self._handlers.append(handler)
        for item in self.all():
            handler(None, item)

    # --- keeping up -------------------------------------------------------------------------------------------------

    def drain(self) -> bool:
        """Take over what has changed in the store and call the handlers. True where anything has."""
        if self._watch is None:
            return self._relist()
        try:
            events = self._watch.events()
        except Expired:
            return self._relist()
        for event in events:
            gone = event.type is EventType.DELETED
            self._apply(event.object.key, None if gone else event.object)
        return bool(events)

    def _relist(self) -> bool:
        listed = self._store.list(self.kind)
        self._watch = self._store.watch(self.kind, resource_version=listed.resource_version)
        present = {item.key for item in listed.items}
        changed = False
        for key in sorted(self._objects.keys() - present):
            changed |= self._apply(key, None)
        for item in listed.items:
            changed |= self._apply(item.key, item)
        return changed

    def _apply(self, key: Key, item: Object | None) -> bool:
        before = self._objects.get(key)
        if before is item or (
            before is not None
            and item is not None
            and before.metadata.resource_version == item.metadata.resource_version
        ):
            return False
        if item is None:
            del self._objects[key]
        else:
            self._objects[key] = item
        for name in self._indexers:
            self._file(name, before, item)
        for handler in self._handlers:
            handler(before, item)
        return True

    def _file(self, name: str, before: Object | None, item: Object | None) -> None:
        function, index = self._indexers[name], self._indexes[name]
        old = dict.fromkeys(function(before)) if before is not None else {}
        new = dict.fromkeys(function(item)) if item is not None else {}
        for value in old:
            if value not in new and before is not None:
                del index[value][before.key]
                if not index[value]:
                    del index[value]
        for value in new:
            if value not in old and item is not None:
                index[value][item.key] = None


class Informers:
    """The informers that all controllers share, one a kind."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._informers: dict[str, Informer] = {}

    def of(self, kind: str) -> Informer:
        """The informer of a kind, made where nobody asked for it before."""
        if kind not in self._informers:
            self._informers[kind] = Informer(self._store, kind)
        return self._informers[kind]

    def drain(self) -> bool:
        """Drain every informer once, in the order in which they were first asked for. True where anything has changed."""
        self._store.refresh()
        changed = False
        for informer in list(self._informers.values()):
            changed |= informer.drain()
        return changed
