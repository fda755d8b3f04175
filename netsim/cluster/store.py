"""The store: etcd behind an API server, in one process.

Objects are whole JSON documents. Every write makes a new version of the whole store, written into ``metadata.resourceVersion``.
What it does differently from an API server, on purpose: ``create`` keeps the status that it is given (objects are loaded, not
applied), and nothing is defaulted or validated here. ``admit`` is the admission chain for new objects; None: there is none.
Ref: staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go (v1.37).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import list_at, mapping_at, with_value, without
from netsim.cluster.errors import AlreadyExists, BadRequest, Conflict, Invalid, NotFound
from netsim.cluster.naming import NameSource
from netsim.cluster.resources import Resource, resource_of
from netsim.cluster.selectors import (
    EVERY_FIELD,
    EVERYTHING,
    FieldSelector,
    Selector,
    parse_field_selector,
    parse_selector,
)
from netsim.cluster.watch import Change, ChangeLog, EventType, Watch, WatchEvent
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
"""The finalizers that keep an object until the garbage collector has attended to its dependents."""


class Propagation(Enum):
    """What becomes of an object's dependents when it is deleted: they go after it, before it, or stay."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


@dataclass(frozen=True, slots=True)
class ObjectList:
    """What a list answers: the objects in the order of their keys, and the version to watch from."""

    items: tuple[Object, ...]
    resource_version: str


class Store:
    """Objects by key, their versions, and the log of changes that watches read."""

    def __init__(self, clock: VirtualClock, names: NameSource | None = None) -> None:
        self._clock = clock
        self._names = names or NameSource()
        self._objects: dict[str, dict[tuple[str, str], Object]] = defaultdict(dict)
        self._logs: dict[str, ChangeLog] = defaultdict(ChangeLog)
        self._version = 0
        self._compacted = 0
        self.admit: Callable[[Object, Store], Object] | None = None

    @property
    def resource_version(self) -> str:
        """The version of the last write, ``0`` before the first."""
        return str(self._version)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of which there are objects, sorted."""
        return tuple(sorted(kind for kind, objects in self._objects.items() if objects))

    # --- reading ----------------------------------------------------------------------------------------------------

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
    ) -> ObjectList:
        """The objects of a kind, in one namespace or (None) in all, sorted by namespace and name as etcd's keys are.

        Selectors may be given as the API's parameters write them: ``app=web,!canary``. Raises BadRequest for one that cannot be read.
        """
        selects = _selection(kind, namespace, label_selector, field_selector)
        items = tuple(item for _, item in sorted(self._objects[kind].items()) if selects(item))
        return ObjectList(items, self.resource_version)

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
        selects = _selection(kind, namespace, label_selector, field_selector)
        initial: list[WatchEvent] = []
        if resource_version in (None, "", "0"):
            version, position = self._version, log.end
            initial = [
                WatchEvent(EventType.ADDED, item)
                for item in self.list(kind, namespace, label_selector, field_selector).items
            ]
        else:
            version = _version_number(resource_version)
            position = log.position_after(version)
        mark = (lambda: self._bookmark(kind)) if bookmarks else None
        return Watch(log, position, initial=initial, selects=selects, bookmark=mark, version=version)

    def compact(self, resource_version: str | None = None) -> None:
        """Forget the changes up to a version (None: all of them). What they led to stays."""
        version = self._version if resource_version is None else _version_number(resource_version)
        self._compacted = max(self._compacted, version)
        for log in self._logs.values():
            log.compact(version)

    # --- writing ----------------------------------------------------------------------------------------------------

    def create(self, item: Object, *, dry_run: bool = False) -> Object:
        """Store a new object and return it with its version. ``generateName`` is used where there is no name.

        ``dry_run``: all but the storing is done.

        Raises AlreadyExists, Invalid where it has no name, BadRequest where it has a version already.
        """
        resource = resource_of(item.kind, item.api_version)
        if item.metadata.resource_version:
            raise BadRequest("resourceVersion should not be set on objects to be created")
        named = self._named(item, resource)
        if self.admit is not None:
            named = self.admit(named, self)
        if self.find(named.key) is not None:
            raise AlreadyExists.of(resource.qualified, named.metadata.name)
        return named if dry_run else self._write(None, named)

    def update(self, item: Object, *, dry_run: bool = False) -> Object:
        """Replace an object; its status stays as it is where the kind has a status subresource.

        Raises NotFound, and Conflict where ``metadata.resourceVersion`` is given and is not the current one. An object that
        loses its last finalizer while it is being deleted is removed.
        """
        before = self._current(item)
        resource = resource_of(item.kind, item.api_version)
        document = _with_status_of(before, item.document) if resource.status else item.document
        after = self._after(before, document, resource)
        if after.document == before.document:
            return before
        if dry_run:
            return after
        if before.metadata.finalizers and _may_go(after):
            return self._remove(after)
        return self._write(before, after)

    def update_status(self, item: Object) -> Object:
        """Replace an object's status only. Raises NotFound, and Conflict as ``update`` does."""
        before = self._current(item)
        status = item.document.get("status")
        if status == before.document.get("status"):
            return before
        document = {**before.document, "status": status}
        return self._write(before, Object(before.api_version, before.kind, before.metadata, document))

    def bind(self, pod: Key, node: str, condition: Mapping[str, Json]) -> Object:
        """Give a pod its node and the condition PodScheduled (the ``binding`` subresource). Raises NotFound, and Conflict where it has one.

        Ref: pkg/registry/core/pod/storage/storage.go:setPodNodeAndMetadata() (v1.37).
        """
        before = self.get(pod)
        bound = mapping_at(before.document, "spec").get("nodeName")
        if bound:
            raise Conflict.of("pods/binding", pod.name, f'pod {pod.name} is already assigned to node "{bound}"')
        document = with_value(before.document, ("spec", "nodeName"), node)
        document = with_value(document, ("status", "conditions"), merged_condition(document, condition))
        return self._write(before, Object(before.api_version, before.kind, before.metadata, document))

    def finalize(self, namespace: Key) -> None:
        """Take the finalizer ``kubernetes`` from a Namespace's spec; it goes where it is being deleted. Raises NotFound."""
        before = self.get(namespace)
        after = Object.of(with_value(before.document, ("spec", "finalizers"), []))
        if before.metadata.deletion_timestamp and not before.metadata.finalizers:
            self._remove(after)
        else:
            self._write(before, after)

    def delete(
        self,
        key: Key,
        *,
        grace_seconds: int | None = None,
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> Object | None:
        """Delete an object, and answer what is left of it: None where it is gone.

        It stays with a ``deletionTimestamp`` while it has finalizers, and a pod on a node does until its kubelet deletes it with
        ``grace_seconds=0``, a Namespace until it is empty. ``propagation`` adds the finalizers that the garbage collector attends to.
        Raises NotFound. Ref: registry/rest/delete.go:BeforeDelete(), registry/generic/registry/store.go:deletionFinalizers() (v1.37).
        """
        before = self.get(key)
        added = {Propagation.FOREGROUND: FOREGROUND, Propagation.ORPHAN: ORPHAN}.get(propagation)
        if added is not None and added not in before.metadata.finalizers:
            before = Object.of(
                with_value(before.document, ("metadata", "finalizers"), [*before.metadata.finalizers, added])
            )
        grace = _grace(before, grace_seconds)
        kept = key.kind == "Namespace" and bool(list_at(before.document, "spec", "finalizers"))
        if not before.metadata.finalizers and grace == 0 and not kept:
            self._remove(before)
            return None
        if before.metadata.deletion_timestamp:
            asked = mapping_at(before.document, "metadata").get("deletionGracePeriodSeconds")
            if grace or asked == grace:
                return before
            return self._write(
                before, Object.of(with_value(before.document, ("metadata", "deletionGracePeriodSeconds"), 0))
            )
        metadata = mapping_at(before.document, "metadata")
        marked = {**metadata, "deletionTimestamp": self._clock.timestamp(), "deletionGracePeriodSeconds": grace}
        document: Document = {**before.document, "metadata": marked}
        if key.kind == "Namespace":
            document = with_value(document, ("status", "phase"), "Terminating")
        return self._write(self.get(key), Object.of(document))

    def generated_name(self, item: Object) -> str:
        """A name for an object of ``generateName``."""
        return self._names.generate(f"{item.kind}/{item.metadata.namespace}", item.metadata.generate_name)

    # --- how a write is made ----------------------------------------------------------------------------------------

    def _log(self, kind: str) -> ChangeLog:
        log = self._logs[kind]
        log.compacted = max(log.compacted, self._compacted)
        return log

    def _bookmark(self, kind: str) -> Object:
        return Object.of({"apiVersion": "v1", "kind": kind, "metadata": {"resourceVersion": self.resource_version}})

    def _named(self, item: Object, resource: Resource) -> Object:
        """A new object with all that the server writes into ``metadata`` but the version."""
        given = item.metadata
        namespace = (given.namespace or "default") if resource.namespaced else ""
        name = given.name
        if not name and given.generate_name:
            name = self._names.generate(f"{item.kind}/{namespace}", given.generate_name)
        if not name:
            cause = "metadata.name: Required value: name or generateName is required"
            raise Invalid.of(resource.qualified_kind, name, cause)
        metadata = replace(
            given,
            name=name,
            namespace=namespace,
            uid=given.uid or self._names.uid(item.kind, namespace, name),
            creation_timestamp=given.creation_timestamp or self._clock.timestamp(),
            generation=(given.generation or 1) if resource.generation else given.generation,
        )
        written: dict[str, Json] = {
            **mapping_at(item.document, "metadata"),
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "creationTimestamp": metadata.creation_timestamp,
        }
        if not namespace:
            del written["namespace"]
        if resource.generation:
            written["generation"] = metadata.generation
        return Object(item.api_version, item.kind, metadata, {**item.document, "metadata": written})

    def _current(self, item: Object) -> Object:
        resource = resource_of(item.kind, item.api_version)
        before = self.find(item.key)
        if before is None:
            raise NotFound.of(resource.qualified, item.metadata.name)
        given = item.metadata.resource_version
        if given and given != before.metadata.resource_version:
            raise Conflict.of(resource.qualified, item.metadata.name)
        if item.metadata.uid and item.metadata.uid != before.metadata.uid:
            cause = f"Precondition failed: UID in precondition: {item.metadata.uid}, UID in object meta: {before.metadata.uid}"
            raise Conflict.of(resource.qualified, item.metadata.name, cause)
        return before

    def _after(self, before: Object, document: Document, resource: Resource) -> Object:
        """The object as it will be: what the server owns in ``metadata`` comes from the stored one."""
        old = mapping_at(before.document, "metadata")
        metadata = {**mapping_at(document, "metadata")}
        owned = (
            "uid",
            "creationTimestamp",
            "resourceVersion",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        )
        for name in owned:
            if name in old:
                metadata[name] = old[name]
            else:
                metadata.pop(name, None)
        if resource.generation and _intent(document) != _intent(before.document):
            metadata["generation"] = before.metadata.generation + 1
        return Object.of({**document, "metadata": metadata})

    def _write(self, before: Object | None, after: Object) -> Object:
        stored = self._stamped(after)
        self._objects[stored.kind][stored.metadata.namespace, stored.metadata.name] = stored
        self._log(stored.kind).append(Change(self._version, before, stored, stored))
        return stored

    def _remove(self, item: Object) -> Object:
        before = self._objects[item.kind].pop((item.metadata.namespace, item.metadata.name))
        last = self._stamped(item)
        self._log(item.kind).append(Change(self._version, before, None, last))
        return last

    def _stamped(self, item: Object) -> Object:
        self._version += 1
        version = str(self._version)
        metadata = {**mapping_at(item.document, "metadata"), "resourceVersion": version}
        document = {**item.document, "metadata": metadata}
        return Object(item.api_version, item.kind, replace(item.metadata, resource_version=version), document)


def merged_condition(document: Document, condition: Mapping[str, Json]) -> list[Json]:
    """``status.conditions`` with one condition set: replaced where it is, added at the end where it is not."""
    given = mapping_at(document, "status").get("conditions")
    conditions: list[Json] = list(given) if isinstance(given, (list, tuple)) else []
    for index, item in enumerate(conditions):
        if isinstance(item, Mapping) and item.get("type") == condition["type"]:
            conditions[index] = condition
            return conditions
    return [*conditions, condition]


def _selection(
    kind: str, namespace: str | None, label_selector: Selector | str, field_selector: FieldSelector | str
) -> Callable[[Object], bool]:
    labels = parse_selector(label_selector) if isinstance(label_selector, str) else label_selector
    fields = parse_field_selector(kind, field_selector) if isinstance(field_selector, str) else field_selector

    def selects(item: Object) -> bool:
        return (
            (namespace is None or item.metadata.namespace == namespace)
            and labels.matches(item.metadata.labels)
            and fields.matches(item)
        )

    return selects


def _version_number(text: str | None) -> int:
    if text is None or not text.isdecimal():
        raise BadRequest(f"invalid resource version: {text!r}")
    return int(text)


def _with_status_of(before: Object, document: Document) -> Document:
    if "status" in before.document:
        return {**document, "status": before.document["status"]}
    return without(document, ("status",))


def _intent(document: Document) -> Document:
    """All of an object but its metadata and status: what ``generation`` counts the changes of."""
    return {key: value for key, value in document.items() if key not in ("metadata", "status")}


def _may_go(item: Object) -> bool:
    """True for an object that nothing holds any more: it is being deleted, without finalizers, and its grace is over."""
    metadata = mapping_at(item.document, "metadata")
    held = item.kind == "Namespace" and bool(list_at(item.document, "spec", "finalizers"))
    over = not metadata.get("deletionGracePeriodSeconds")
    return item.metadata.deletion_timestamp is not None and not item.metadata.finalizers and over and not held


def _grace(item: Object, asked: int | None) -> int:
    """Seconds that a pod is given to end. Ref: pkg/registry/core/pod/strategy.go:CheckGracefulDelete() (v1.37)."""
    spec = mapping_at(item.document, "spec")
    if (
        item.kind != "Pod"
        or not spec.get("nodeName")
        or mapping_at(item.document, "status").get("phase") in ("Failed", "Succeeded")
    ):
        return 0
    if asked is not None:
        return asked
    given = spec.get("terminationGracePeriodSeconds")
    return given if isinstance(given, int) else 30
