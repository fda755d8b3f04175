"""Nodes: their kubelets report them ready, and those that were given as not ready are tainted.

Its pods are not ready from then on, and leave when what they tolerate is over (``eviction``).
Ref: pkg/controller/nodelifecycle/node_lifecycle_controller.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, with_value, without
from netsim.cluster.store import merged_condition
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Json
from netsim.objects.meta import Key, Object

# Status of the condition Ready → the taint that says so. Ref: node_lifecycle_controller.go:nodeConditionToTaintKeyStatusMap.
_TAINTS = {"False": "node.kubernetes.io/not-ready", "Unknown": "node.kubernetes.io/unreachable"}


class NodeLifecycleController:
    """Keeps the condition Ready of each node, and the taints that follow from it."""

    name = "node-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._said: dict[Key, str] = {}
        self._nodes = context.informers.of("Node")
        self._nodes.add_handler(self._changed)

    def sync(self, key: Key) -> None:
        """Report one node ready where nobody said otherwise, and taint it where somebody did."""
        node = self._nodes.get(key)
        if node is None:
            return
        wanted = with_readiness(node, self._clock.timestamp())
        self._store.update(wanted)
        self._store.update_status(Object.of(without(wanted.document, ("metadata", "resourceVersion"))))
        ready = podstate.condition(wanted, "Ready") or {}
        state = "NodeReady" if ready.get("status") == "True" else "NodeNotReady"
        if self._said.get(key) != state:
            self._said[key] = state
            self._recorder.normal(self.name, key, state, f"Node {key.name} status is now: {state}")

    def _changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)


def with_readiness(node: Object, timestamp: str) -> Object:
    """A node with a Ready condition (True where it has none) and the taints that follow from it."""
    document = node.document
    ready = podstate.condition(node, "Ready") or {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
        "lastTransitionTime": timestamp,
    }
    document = with_value(document, ("status", "conditions"), merged_condition(document, ready))
    wanted = _TAINTS.get(str(ready.get("status")))
    given = list_at(document, "spec", "taints")
    taints: list[Json] = [t for t in given if not (isinstance(t, Mapping) and t.get("key") in _TAINTS.values())]
    if wanted:
        known = [t for t in given if isinstance(t, Mapping) and t.get("key") == wanted]
        taints += known or [
            {"key": wanted, "effect": "NoSchedule"},
            {"key": wanted, "effect": "NoExecute", "timeAdded": timestamp},
        ]
    if taints != list(given):
        document = with_value(document, ("spec", "taints"), taints)
    return Object.of(document)
