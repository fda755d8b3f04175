"""The garbage collector: what is owned goes when its last owner has gone.

Only a deletion that is seen starts it: an object that names an owner which never was here is taken as it was given.
Ref: pkg/controller/garbagecollector/garbagecollector.go (v1.37), in its background mode.
"""

from __future__ import annotations

from collections.abc import Iterable

from netsim.cluster.context import Context
from netsim.cluster.errors import NotFound
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.meta import Key, Object

_OWNERS = ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service")
_OWNED = ("ReplicaSet", "Job", "Pod", "EndpointSlice", "ControllerRevision")
_BY_OWNER = "owner"


class GarbageCollector:
    """Deletes the dependents of what was deleted."""

    name = "garbage-collector"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._gone: set[str] = set()
        self._owned = [context.informers.of(kind) for kind in _OWNED]
        for informer in self._owned:
            informer.add_index(_BY_OWNER, _owners)
        for kind in _OWNERS:
            context.informers.of(kind).add_handler(self._changed)

    def sync(self, key: Key) -> None:
        """Delete one dependent, unless another of its owners is left."""
        item = self._store.find(key)
        owners = () if item is None else item.metadata.owner_references
        if owners and all(owner.uid in self._gone for owner in owners):
            try:
                self._store.delete(key)
            except NotFound:
                return

    def _changed(self, before: Object | None, item: Object | None) -> None:
        if item is not None or before is None:
            return
        self._gone.add(before.metadata.uid)
        for informer in self._owned:
            for dependent in informer.by_index(_BY_OWNER, before.metadata.uid):
                self.queue.add(dependent.key)


def _owners(item: Object) -> Iterable[str]:
    return [owner.uid for owner in item.metadata.owner_references]
