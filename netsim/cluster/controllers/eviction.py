"""Pods leave a node with a NoExecute taint that they do not tolerate, or no longer.

Ref: pkg/controller/tainteviction/taint_eviction.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, text_at, with_value
from netsim.cluster.errors import NotFound
from netsim.cluster.ownership import BY_NODE, by_node, controller_of
from netsim.cluster.patience import Patience
from netsim.cluster.scheduling.placement import Toleration
from netsim.cluster.store import merged_condition
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.core import Node, Taint
from netsim.objects.json import Document, decode
from netsim.objects.meta import Key, Object


class EvictionController:
    """Deletes pods from tainted nodes, each when its toleration is over."""

    name = "taint-eviction-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._nodes = context.informers.of("Node")
        self._pods = context.informers.of("Pod")
        self._patience = Patience()
        self._since: dict[tuple[str, str], float] = {}
        self._pods.add_index(BY_NODE, by_node)
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Delete one pod if its time is over, else come back when it is."""
        pod = self._pods.get(key)
        if pod is None or pod.metadata.deletion_timestamp is not None or podstate.finished(pod):
            return
        taints = self._taints(podstate.node_name(pod))
        if not taints:
            return
        wait = self._wait(pod, podstate.node_name(pod), taints)
        if wait is None:
            return
        if wait > 0:
            self.queue.add_after(key, wait)
        elif (later := self._made_again(pod, taints)) > 0:
            self.queue.add_after(key, later, background=True)
        else:
            self._evict(pod)

    def _made_again(self, pod: Object, taints: list[Taint]) -> float:
        """Seconds to wait with a pod that its owner made for a node that was tainted before, as a ReplicaSet does that names the node."""
        owner, now = controller_of(pod), self._clock.now()
        tainted = min(self._since[podstate.node_name(pod), taint.key] for taint in taints)
        if owner is None or self._clock.seconds_of(pod.metadata.creation_timestamp or "") < tainted:
            return 0.0
        later = self._patience.due(owner.uid) - now
        if later <= 0:
            self._patience.note(owner.uid, now)
        return later

    def _evict(self, pod: Object) -> None:
        self._recorder.normal(
            self.name, pod.key, "TaintManagerEviction", f"Marking for deletion Pod {pod.key.namespace}/{pod.key.name}"
        )
        target: Document = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": self._clock.timestamp(),
        }
        conditions = merged_condition(pod.document, target)
        try:
            self._store.update_status(Object.of(with_value(pod.document, ("status", "conditions"), conditions)))
            self._store.delete(pod.key)
        except NotFound:
            return

    def _wait(self, pod: Object, node: str, taints: list[Taint]) -> float | None:
        """Seconds that it may still stay; None: for ever. Ref: taint_eviction.go:getMinTolerationTime()."""
        items = [t for t in list_at(pod.document, "spec", "tolerations") if isinstance(t, Mapping)]
        limits: list[float] = []
        for taint in taints:
            used = [item for item in items if decode(Toleration, item).tolerates(taint)]
            if not used:
                return 0.0
            seconds = [s for item in used if isinstance(s := item.get("tolerationSeconds"), int)]
            if seconds:
                limits.append(self._since[node, taint.key] + max(0, min(seconds)) - self._clock.now())
        return max(0.0, min(limits)) if limits else None

    def _taints(self, node: str) -> list[Taint]:
        item = self._nodes.get(Key("Node", "", node))
        if item is None:
            return []
        taints = [taint for taint in Node.of(item).spec.taints if taint.effect == "NoExecute"]
        added = {
            text_at(t, "key"): text_at(t, "timeAdded")
            for t in list_at(item.document, "spec", "taints")
            if isinstance(t, Mapping)
        }
        for taint in taints:
            given = added.get(taint.key)
            since = max(0.0, self._clock.seconds_of(given)) if given else self._clock.now()
            self._since.setdefault((node, taint.key), since)
        return taints

    def _node_changed(self, before: Object | None, item: Object | None) -> None:
        if item is None:
            return
        if before is not None and before.document.get("spec") == item.document.get("spec"):
            return
        kept = {taint.key for taint in self._taints(item.metadata.name)}
        for node, key in [entry for entry in self._since if entry[0] == item.metadata.name and entry[1] not in kept]:
            del self._since[node, key]
        if kept:
            for pod in self._pods.by_index(BY_NODE, item.metadata.name):
                self.queue.add(pod.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        if pod is None or not podstate.node_name(pod):
            return
        if before is None or before.document.get("spec") != pod.document.get("spec"):
            self.queue.add(pod.key)
