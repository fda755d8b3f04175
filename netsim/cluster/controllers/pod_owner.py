"""What controllers share whose objects own pods directly: who is looked at when a pod changes, and what is looked at first."""

from __future__ import annotations

from netsim.cluster.context import Context
from netsim.cluster.documents import mapping_at, without
from netsim.cluster.ownership import Claims, controller_key
from netsim.cluster.podcontrol import PodControl
from netsim.cluster.selectors import of_label_selector
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object


class PodOwnerController:
    """The part of a controller that knows its objects (of one kind) and their pods. A subclass says what it does with them."""

    name = ""
    kind = ""

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._owners = context.informers.of(self.kind)
        self._pods = context.informers.of("Pod")
        self._claims = Claims(context.store, self._pods)
        self._control = PodControl(context.store, context.recorder, self.name)
        self._owners.add_handler(self._owner_changed)
        self._pods.add_handler(self._pod_changed)

    def _claimed(self, key: Key) -> tuple[Object, list[Object]] | None:
        """The object of a key and its pods; None where there is nothing to do for it: it is gone, going, or selects other pods."""
        owner = self._owners.get(key)
        if owner is None or owner.metadata.deletion_timestamp is not None:
            return None
        selector = of_label_selector(mapping_at(owner.document, "spec").get("selector"))
        if not self._control.selects_own_template(owner, selector):
            return None
        return owner, self._claims.claim(owner, selector)

    def _write_status(self, owner: Object, status: Document) -> None:
        """Replace the status, whatever else has changed since the object was read: nobody else writes it."""
        changed = without({**owner.document, "status": status}, ("metadata", "resourceVersion"))
        self._store.update_status(Object.of(changed))

    def _owner_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        for state in (before, pod):
            owner = None if state is None else controller_key(state)
            if owner is not None and owner.kind == self.kind:
                self.queue.add(owner)
