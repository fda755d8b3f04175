"""What an API server holds of its key-value store in memory: every object as it is now, and what has changed, for watches.

Ref: staging/src/k8s.io/apiserver/pkg/storage/{cacher/cacher.go,etcd3/store.go} (v1.37).
"""

from __future__ import annotations

from collections import defaultdict

from netsim.cluster.documents import is_mapping, mapping_at
from netsim.cluster.errors import Expired, NotFound
from netsim.cluster.etcd.model import Compacted, KeyEvent, KeyValue, Range, prefix_end
from netsim.cluster.etcd.model import EventType as KeyEventType
from netsim.cluster.etcd.store import KeyValueStore
from netsim.cluster.listing import (
    WHOLE,
    Continuation,
    ObjectList,
    Page,
    read_token,
    selection,
    token_of,
    too_old,
    version_number,
)
from netsim.cluster.preparation import stamped
from netsim.cluster.registry_keys import REGISTRY, prefix_of
from netsim.cluster.resources import resource_of
from netsim.cluster.selectors import EVERY_FIELD, EVERYTHING, FieldSelector, Selector
from netsim.cluster.watch import Change, ChangeLog, EventType, Watch, WatchEvent
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object


class WatchCache:
    """Objects by key, their versions, and the log of changes that watches read.

    ``backend``: what it is a cache of; what that holds already is there, but how it came there is not: watches begin now.
    """

    def __init__(self, backend: KeyValueStore) -> None:
        self._backend = backend
        self._objects: dict[str, dict[tuple[str, str], Object]] = defaultdict(dict)
        self._logs: dict[str, ChangeLog] = defaultdict(ChangeLog)
        self._version = backend.revision
        self._compacted = self._version
        for kv in backend.range(Range(REGISTRY, prefix_end(REGISTRY))).kvs:
            item = _object_of(kv)
            self._objects[item.kind][item.metadata.namespace, item.metadata.name] = item

    @property
    def backend(self) -> KeyValueStore:
        """What this is a cache of."""
        return self._backend

    @property
    def resource_version(self) -> str:
        """The version of the last write."""
        return str(self._version)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of which there are objects, sorted."""
        return tuple(sorted(kind for kind, objects in self._objects.items() if objects))

    def find(self, key: Key) -> Object | None:
        """The object of a key, None without one."""
        return self._objects[key.kind].get((key.namespace, key.name))

    def get(self, key: Key) -> Object:
        """The object of a key. Raises NotFound."""
        found = self.find(key)
        if found is None:
            raise NotFound.of(resource_of(key.kind).qualified, key.name)
        return found

    def list(
        self,
        kind: str,
        namespace: str | None = None,
        label_selector: Selector | str = EVERYTHING,
        field_selector: FieldSelector | str = EVERY_FIELD,
        *,
        page: Page = WHOLE,
    ) -> ObjectList:
        """The objects of a kind, in one namespace or (None) in all, sorted by namespace and name as etcd's keys are.

        Selectors may be given as the API's parameters write them: ``app=web,!canary``. Every page of a list is as of the version of
        the first. Raises BadRequest for what cannot be read, Expired for a token whose version was compacted.
        """
        selects = selection(kind, namespace, label_selector, field_selector)
        if page is WHOLE:
            chosen = sorted(entry for entry in self._objects[kind].items() if selects(entry[1]))
            return ObjectList(tuple(item for _, item in chosen), self.resource_version)
        asked = read_token(page.token) if page.token else Continuation(self._version, "")
        version = asked.version or self._version
        found = [item for item in self.as_of(kind, version, asked) if _place(item) >= asked.start and selects(item)]
        kept = tuple(found[: page.limit] if page.limit else found)
        left = len(found) - len(kept)
        token = token_of(Continuation(version, f"{_place(kept[-1])}\0")) if left else ""
        plain = label_selector in ("", EVERYTHING) and field_selector in ("", EVERY_FIELD)
        return ObjectList(kept, str(version), token, left if left and plain else None)

    def as_of(self, kind: str, version: int, asked: Continuation | None = None) -> tuple[Object, ...]:
        """Every object of a kind as it was at a version, sorted. Raises Expired where that was compacted away."""
        if version == self._version:
            return self.list(kind).items
        api_version = next((item.api_version for item in self._objects[kind].values()), "v1")
        prefix = prefix_of(kind, api_version)
        try:
            answer = self._backend.range(Range(prefix, prefix_end(prefix), revision=version))
        except Compacted as error:
            raise (too_old(asked) if asked is not None else Expired.of(version, error.compacted)) from error
        return tuple(sorted(map(_object_of, answer.kvs), key=lambda item: item.key))

    def watch(
        self,
        kind: str,
        namespace: str | None = None,
        label_selector: Selector | str = EVERYTHING,
        field_selector: FieldSelector | str = EVERY_FIELD,
        *,
        resource_version: str | None = None,
        bookmarks: bool = False,
    ) -> Watch:
        """What changes after a version; without one, first every object as it is now (ADDED), then what changes.

        Raises Expired (410) where the changes after that version were compacted away, BadRequest for no version.
        """
        log = self._log(kind)
        selects = selection(kind, namespace, label_selector, field_selector)
        initial: list[WatchEvent] = []
        if resource_version in (None, "", "0"):
            version, position = self._version, log.end
            initial = [
                WatchEvent(EventType.ADDED, item)
                for item in self.list(kind, namespace, label_selector, field_selector).items
            ]
        else:
            version = version_number(resource_version)
            position = log.position_after(version)
        mark = (lambda: self._bookmark(kind)) if bookmarks else None
        return Watch(log, position, initial=initial, selects=selects, bookmark=mark, version=version)

    def compact(self, resource_version: str | None = None) -> None:
        """Forget the changes up to a version (None: all of them). What they led to stays."""
        version = self._version if resource_version is None else version_number(resource_version)
        if version > self._backend.compacted:
            self._backend.compact(version)
        self._compacted = max(self._compacted, version)
        for log in self._logs.values():
            log.compact(version)

    def refresh(self) -> None:
        """Take over what others did to the key-value store: leases that have run out, other writers."""
        revision = self._backend.revision
        if revision != self._version:
            self._take_over(revision)

    # --- keeping up -------------------------------------------------------------------------------------------------

    def _log(self, kind: str) -> ChangeLog:
        log = self._logs[kind]
        log.compacted = max(log.compacted, self._compacted)
        return log

    def _bookmark(self, kind: str) -> Object:
        return Object.of({"apiVersion": "v1", "kind": kind, "metadata": {"resourceVersion": self.resource_version}})

    def _take_over(self, revision: int) -> None:
        for event in self._backend.events(self._version, REGISTRY, prefix_end(REGISTRY)):
            if event.kv.mod_revision <= revision:
                self._version = event.kv.mod_revision
                self._apply(event)
        self._version = revision

    def _apply(self, event: KeyEvent) -> None:
        before = None if event.previous is None else _object_of(event.previous)
        if event.type is KeyEventType.PUT:
            now = _object_of(event.kv)
            self._objects[now.kind][now.metadata.namespace, now.metadata.name] = now
            self._log(now.kind).append(Change(self._version, before, now, now))
        elif before is not None:
            del self._objects[before.kind][before.metadata.namespace, before.metadata.name]
            last = stamped(before, self._version)
            self._log(before.kind).append(Change(self._version, before, None, last))


def _place(item: Object) -> str:
    """An object's key below its kind's prefix."""
    return f"{item.metadata.namespace}/{item.metadata.name}" if item.metadata.namespace else item.metadata.name


def _object_of(kv: KeyValue) -> Object:
    assert is_mapping(kv.value)
    metadata = mapping_at(kv.value, "metadata")
    document: Document = {**kv.value, "metadata": {**metadata, "resourceVersion": str(kv.mod_revision)}}
    return Object.of(document)
