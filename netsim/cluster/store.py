"""The registry of an API server, in one process, over a key-value store that keeps what was written.

Objects are whole JSON documents; ``metadata.resourceVersion`` is the revision of the key-value store that wrote them.
What it does differently from an API server, on purpose: ``create`` keeps the status that it is given (objects are loaded, not
applied), and nothing is defaulted or validated here. ``admit`` is the admission chain for new objects; None: there is none.
Ref: staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import mapping_at, with_value, without
from netsim.cluster.errors import AlreadyExists, Conflict, NotFound, StatusError
from netsim.cluster.etcd.memory import MemoryStore
from netsim.cluster.etcd.model import Compare, DeleteRange, Lease, Put, Result, Target
from netsim.cluster.etcd.store import KeyValueStore
from netsim.cluster.listing import ObjectList
from netsim.cluster.naming import NameSource
from netsim.cluster.preparation import (
    FOREGROUND,
    ORPHAN,
    Propagation,
    grace_of,
    is_kept,
    may_go,
    merged_condition,
    named,
    pending,
    prepared,
    stamped,
    terminating,
    updated,
    with_propagation,
    with_status_of,
)
from netsim.cluster.registry_keys import key_of
from netsim.cluster.resources import resource_of
from netsim.cluster.watch import Change
from netsim.cluster.watch_cache import WatchCache
from netsim.objects.json import Json
from netsim.objects.meta import Key, Object

__all__ = ["FOREGROUND", "ORPHAN", "ObjectList", "Propagation", "Store", "merged_condition"]

EVENT_TTL: Final = 3600
"""Seconds that Events stay: kube-apiserver's --event-ttl."""
_LEASE_REUSE: Final = 60  # Ref: storage/etcd3/lease_manager.go: one lease serves what is written within a minute
_NAME_ATTEMPTS: Final = 8  # Ref: registry/rest/create.go: another generated name where one is taken


class Store(WatchCache):
    """Reading is the watch cache's; what is written goes to the key-value store first.

    ``backend`` keeps the objects; None: a new one in memory.
    """

    def __init__(
        self, clock: VirtualClock, names: NameSource | None = None, backend: KeyValueStore | None = None
    ) -> None:
        super().__init__(backend or MemoryStore(clock.now))
        self._clock = clock
        self._names = names or NameSource()
        self._lease: Lease | None = None
        self.admit: Callable[[Object, Store, Callable[[Object], Object]], Object] | None = None

    def create(
        self, item: Object, *, dry_run: bool = False, check: Callable[[Object], Object] = lambda made: made
    ) -> Object:
        """Store a new object and return it with its version. ``generateName`` is used where there is no name.

        ``dry_run``: all but the storing is done. ``check`` sees it between what admission changes and what it refuses, and may complete it.

        Raises AlreadyExists, Invalid where it has no name, StatusError where it has a version already.
        """
        resource = resource_of(item.kind, item.api_version)
        if item.metadata.resource_version:
            raise StatusError("resourceVersion should not be set on objects to be created")
        made = named(item, resource, self._names, self._clock)
        for _ in range(_NAME_ATTEMPTS if not item.metadata.name else 0):
            if self.find(made.key) is None:
                break
            made = named(item, resource, self._names, self._clock)
        made = prepared(made)
        made = check(made) if self.admit is None else self.admit(made, self, check)
        made = pending(made)
        if self.find(made.key) is not None:
            raise AlreadyExists.of(resource.qualified, made.metadata.name)
        return made if dry_run else self._write(None, made)

    def update(self, item: Object, *, dry_run: bool = False) -> Object:
        """Replace an object; its status stays as it is where the kind has a status subresource.

        Raises NotFound, and Conflict where ``metadata.resourceVersion`` is given and is not the current one. An object that
        loses its last finalizer while it is being deleted is removed.
        """
        before = self.current(item)
        resource = resource_of(item.kind, item.api_version)
        document = with_status_of(before, item.document) if resource.status else item.document
        after = updated(before, document, resource)
        if after.document == before.document:
            return before
        if dry_run:
            return after
        if before.metadata.finalizers and may_go(after):
            return self._remove(after)
        return self._write(before, after)

    def update_status(self, item: Object) -> Object:
        """Replace an object's status only. Raises NotFound, and Conflict as ``update`` does."""
        before = self.current(item)
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
        stored = self.get(key)
        before = with_propagation(stored, propagation)
        grace = grace_of(before, grace_seconds)
        if not before.metadata.finalizers and grace == 0 and not is_kept(before):
            self._remove(before)
            return None
        if before.metadata.deletion_timestamp:
            asked = mapping_at(before.document, "metadata").get("deletionGracePeriodSeconds")
            if grace or asked == grace:
                return before
            shorter = Object.of(with_value(before.document, ("metadata", "deletionGracePeriodSeconds"), 0))
            return self._write(stored, shorter)
        return self._write(stored, terminating(before, grace, self._clock.timestamp()))

    def generated_name(self, item: Object) -> str:
        """A name for an object of ``generateName``."""
        return self._names.generate(f"{item.kind}/{item.metadata.namespace}", item.metadata.generate_name)

    def generate(self, scope: str, prefix: str) -> str:
        """A prefix with five characters; another each time that it is asked for in a scope."""
        return self._names.generate(scope, prefix)

    def current(self, item: Object, *, same: bool = True) -> Object:
        """What is stored of an object that is to be changed; ``same``: its ``uid`` is a precondition. Raises NotFound, Conflict."""
        resource = resource_of(item.kind, item.api_version)
        before = self.find(item.key)
        if before is None:
            raise NotFound.of(resource.qualified, item.metadata.name)
        given = item.metadata.resource_version
        if given and given != before.metadata.resource_version:
            raise Conflict.of(resource.qualified, item.metadata.name)
        if same and item.metadata.uid and item.metadata.uid != before.metadata.uid:
            cause = f"Precondition failed: UID in precondition: {item.metadata.uid}, UID in object meta: {before.metadata.uid}"
            raise Conflict.of(resource.qualified, item.metadata.name, cause)
        return before

    # --- how a write is made ----------------------------------------------------------------------------------------

    def _write(self, before: Object | None, after: Object) -> Object:
        key = _key(after)
        value = without(after.document, ("metadata", "resourceVersion"))
        lease = self._event_lease() if after.kind == "Event" else 0
        stored = stamped(after, self._transact(before, after, Put(key, value, lease)))
        self._objects[stored.kind][stored.metadata.namespace, stored.metadata.name] = stored
        self._log(stored.kind).append(Change(self._version, before, stored, stored))
        return stored

    def _remove(self, item: Object) -> Object:
        before = self.get(item.key)
        last = stamped(item, self._transact(before, item, DeleteRange(_key(item))))
        del self._objects[item.kind][item.metadata.namespace, item.metadata.name]
        self._log(item.kind).append(Change(self._version, before, None, last))
        return last

    def _transact(self, before: Object | None, item: Object, operation: Put | DeleteRange) -> int:
        """Do one operation where the key is as it is known, and answer the revision. Raises Conflict where somebody was faster."""
        known = int(before.metadata.resource_version) if before is not None else 0
        condition = Compare(operation.key, Target.MOD_REVISION, Result.EQUAL, known)
        done = self._backend.transact((condition,), (operation,))
        if not done.succeeded:
            self.refresh()
            resource = resource_of(item.kind, item.api_version)
            refuse = Conflict if before is not None else AlreadyExists
            raise refuse.of(resource.qualified, item.metadata.name)
        if done.revision != self._version + 1:
            self._take_over(done.revision - 1)
        self._version = done.revision
        return done.revision

    def _event_lease(self) -> int:
        """The lease of Events that are written now. Ref: storage/etcd3/lease_manager.go:GetLease()."""
        if self._lease is None or self._lease.expires < self._clock.now() + EVENT_TTL:
            self._lease = self._backend.grant(EVENT_TTL + _LEASE_REUSE)
        return self._lease.id


def _key(item: Object) -> str:
    return key_of(item.kind, item.api_version, item.metadata.namespace, item.metadata.name)
