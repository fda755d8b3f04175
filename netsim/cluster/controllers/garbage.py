"""The garbage collector: what is owned goes when its last owner has gone, before it (foreground), or stays (orphan).

An object that was loaded with an owner which never was here is taken as it was given.
Ref: pkg/controller/garbagecollector/garbagecollector.go (v1.37): attemptToDelete and attemptToOrphan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, with_value
from netsim.cluster.errors import NotFound
from netsim.cluster.resources import resource_of
from netsim.cluster.store import FOREGROUND, ORPHAN, Propagation
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Json
from netsim.objects.meta import Key, Object, OwnerReference

_OWNERS = (
    *("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job", "CronJob"),
    *("Service", "Endpoints", "Pod", "Node"),
)
_OWNED = ("ReplicaSet", "Job", "Pod", "EndpointSlice", "ControllerRevision", "PersistentVolumeClaim")
_BY_OWNER = "owner"


class GarbageCollector:
    """Deletes, or orphans, the dependents of what is deleted."""

    name = "garbage-collector"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._given = context.given
        self._gone: set[str] = set()
        self._owned = [context.informers.of(kind) for kind in _OWNED]
        for informer in self._owned:
            informer.add_index(_BY_OWNER, _owners)
            informer.add_handler(self._dependent_changed)
        for kind in _OWNERS:
            context.informers.of(kind).add_handler(self._changed)

    def sync(self, key: Key) -> None:
        """Attend to one object: an owner that waits for its dependents, or a dependent whose owners may have gone."""
        item = self._store.find(key)
        if item is None:
            return
        if item.metadata.deletion_timestamp and FOREGROUND in item.metadata.finalizers:
            self._delete_dependents(item)
        elif item.metadata.deletion_timestamp and ORPHAN in item.metadata.finalizers:
            self._orphan_dependents(item)
        else:
            self._delete_unowned(item)

    def _delete_unowned(self, item: Object) -> None:
        """Ref: attemptToDeleteItem(): while one owner is solid the object stays, and forgets those that are not."""
        owners = item.metadata.owner_references
        solid = [o for o in owners if not self._absent(item, o) and not self._waits(item, o)]
        if len(solid) == len(owners):
            return
        if solid:
            kept = {owner.uid for owner in solid}
            left: list[Json] = [r for r in _references(item) if r.get("uid") in kept]
            self._store.update(Object.of(with_value(item.document, ("metadata", "ownerReferences"), left)))
            return
        waiting = any(self._waits(item, owner) for owner in owners)
        if item.metadata.deletion_timestamp is None:
            try:
                way = Propagation.FOREGROUND if waiting and self._dependents(item) else Propagation.BACKGROUND
                self._store.delete(item.key, propagation=way)
            except NotFound:
                return

    def _absent(self, item: Object, owner: OwnerReference) -> bool:
        """True for an owner that is gone. One that an object was loaded with and that never was here counts as there."""
        if item.key in self._given:
            return owner.uid in self._gone
        found = self._store.find(_owner_key(item, owner))
        return found is None or found.metadata.uid != owner.uid

    def _waits(self, item: Object, owner: OwnerReference) -> bool:
        """True for an owner that is deleted in the foreground: it waits for this object to go."""
        found = self._store.find(_owner_key(item, owner))
        going = found is not None and found.metadata.uid == owner.uid and found.metadata.deletion_timestamp is not None
        return going and found is not None and FOREGROUND in found.metadata.finalizers

    def _delete_dependents(self, owner: Object) -> None:
        """Ref: processDeletingDependentsItem(): the owner goes once no dependent that blocks it is left."""
        blocking = 0
        for dependent in self._dependents(owner):
            current = self._store.find(dependent.key)
            if current is None:
                continue
            if current.metadata.deletion_timestamp is None:
                self._store.delete(current.key, propagation=Propagation.FOREGROUND)
                current = self._store.find(dependent.key)
            blocking += current is not None and _blocks(current, owner.metadata.uid)
        if not blocking:
            self._store.update(_without_finalizer(self._store.get(owner.key), FOREGROUND))

    def _orphan_dependents(self, owner: Object) -> None:
        for dependent in self._dependents(owner):
            current = self._store.find(dependent.key)
            if current is not None:
                left: list[Json] = [r for r in _references(current) if r.get("uid") != owner.metadata.uid]
                self._store.update(Object.of(with_value(current.document, ("metadata", "ownerReferences"), left)))
        self._store.update(_without_finalizer(self._store.get(owner.key), ORPHAN))

    def _dependents(self, owner: Object) -> list[Object]:
        return [d for informer in self._owned for d in informer.by_index(_BY_OWNER, owner.metadata.uid)]

    def _changed(self, before: Object | None, item: Object | None) -> None:
        if item is not None:
            waiting = {FOREGROUND, ORPHAN} & set(item.metadata.finalizers)
            if item.metadata.deletion_timestamp and waiting:
                self.queue.add(item.key)
        elif before is not None:
            self._gone.add(before.metadata.uid)
            for dependent in self._dependents(before):
                self.queue.add(dependent.key)

    def _dependent_changed(self, before: Object | None, item: Object | None) -> None:
        """A dependent has gone: an owner that waits for it may go on. A new one may have lost its owner before it was seen."""
        if before is None and item is not None and any(self._absent(item, o) for o in item.metadata.owner_references):
            self.queue.add(item.key)
        if item is None and before is not None:
            for owner in before.metadata.owner_references:
                key = _owner_key(before, owner)
                found = self._store.find(key)
                if found is not None and FOREGROUND in found.metadata.finalizers:
                    self.queue.add(key)


def _owner_key(item: Object, owner: OwnerReference) -> Key:
    """Where an owner is: in its dependent's namespace, or in none."""
    return Key(owner.kind, item.metadata.namespace if resource_of(owner.kind).namespaced else "", owner.name)


def _references(item: Object) -> list[Mapping[str, Json]]:
    return [r for r in list_at(item.document, "metadata", "ownerReferences") if isinstance(r, Mapping)]


def _blocks(item: Object, uid: str) -> bool:
    return any(r.get("uid") == uid and r.get("blockOwnerDeletion") is True for r in _references(item))


def _without_finalizer(item: Object, finalizer: str) -> Object:
    left: list[Json] = [f for f in item.metadata.finalizers if f != finalizer]
    return Object.of(with_value(item.document, ("metadata", "finalizers"), left))


def _owners(item: Object) -> Iterable[str]:
    return [owner.uid for owner in item.metadata.owner_references]
