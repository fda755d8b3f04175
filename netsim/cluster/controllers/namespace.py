"""Namespaces that are being deleted: everything in them goes first.

Ref: pkg/controller/namespace/deletion/namespaced_resources_deleter.go (v1.37).
"""

from __future__ import annotations

from netsim.cluster.context import Context
from netsim.cluster.documents import text_at
from netsim.cluster.resources import resource_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.meta import Key, Object


class NamespaceController:
    """Empties namespaces that are being deleted, and lets them go."""

    name = "namespace-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._informers = context.informers
        self._namespaces = context.informers.of("Namespace")
        self._namespaces.add_handler(self._changed)
        self._pods = context.informers.of("Pod")
        self._pods.add_handler(self._pod_gone)

    def sync(self, key: Key) -> None:
        """Delete what is left in one namespace; finalize it where nothing is."""
        namespace = self._store.find(key)
        if namespace is None or namespace.metadata.deletion_timestamp is None:
            return
        left = 0
        for kind in self._store.kinds:
            if not resource_of(kind).namespaced:
                continue
            for item in self._store.list(kind, key.name).items:
                if item.metadata.deletion_timestamp is None:
                    self._store.delete(item.key)
                left += self._store.find(item.key) is not None
        if left == 0:
            self._store.finalize(key)
        elif not self._waits_for_pods(key.name):
            self.queue.add_after(key, 5)

    def _waits_for_pods(self, name: str) -> bool:
        return any(text_at(p.document, "spec", "nodeName") for p in self._store.list("Pod", name).items) or any(
            i.metadata.finalizers
            for k in self._store.kinds
            if resource_of(k).namespaced
            for i in self._store.list(k, name).items
        )

    def _changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None and item.metadata.deletion_timestamp is not None:
            self.queue.add(item.key)

    def _pod_gone(self, before: Object | None, pod: Object | None) -> None:
        if pod is None and before is not None:
            found = self._namespaces.get(Key("Namespace", "", before.metadata.namespace))
            if found is not None and found.metadata.deletion_timestamp is not None:
                self.queue.add(found.key)
