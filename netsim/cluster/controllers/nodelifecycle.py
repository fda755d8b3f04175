"""Nodes: their kubelets report them ready, and those that are not, or that nobody hears of any more, are tainted.

A kubelet renews its Lease every ten seconds (without a write each, here: ``Machines.last_renewal``). The controller looks every five
seconds, and a node whose renewal it has not seen for 50 seconds (40 before Kubernetes 1.32) is Unknown. Its pods are not ready from then
on, and leave when what they tolerate is over (``eviction``). Ref: pkg/controller/nodelifecycle/node_lifecycle_controller.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, with_value, without
from netsim.cluster.ownership import BY_NODE, by_node
from netsim.cluster.store import merged_condition
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

MONITOR_PERIOD = 5.0
"""Ref: --node-monitor-period."""
GRACE = 50.0
"""Ref: --node-monitor-grace-period."""

# Status of the condition Ready → the taint that says so. Ref: node_lifecycle_controller.go:nodeConditionToTaintKeyStatusMap.
_TAINTS = {"False": "node.kubernetes.io/not-ready", "Unknown": "node.kubernetes.io/unreachable"}
_REPORTED: Document = {
    "type": "Ready",
    "status": "True",
    "reason": "KubeletReady",
    "message": "kubelet is posting ready status",
}
_SILENT: Document = {
    "type": "Ready",
    "status": "Unknown",
    "reason": "NodeStatusUnknown",
    "message": "Kubelet stopped posting node status.",
}


class NodeLifecycleController:
    """Keeps the condition Ready of each node, and the taints that follow from it."""

    name = "node-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._machines = context.machines
        self._said: dict[Key, str] = {}
        self._nodes = context.informers.of("Node")
        self._pods = context.informers.of("Pod")
        self._pods.add_index(BY_NODE, by_node)
        self._nodes.add_handler(self._changed)
        self._machines.watch(nodes=lambda name: self.queue.add(Key("Node", "", name)))

    def sync(self, key: Key) -> None:
        """Report one node ready where nobody said otherwise, and taint it where somebody did or where it is silent."""
        node = self._nodes.get(key)
        if node is None:
            return
        wanted = with_readiness(self._heard(node), self._clock.timestamp())
        self._store.update(wanted)
        self._store.update_status(Object.of(without(wanted.document, ("metadata", "resourceVersion"))))
        ready = podstate.condition(wanted, "Ready") or {}
        state = "NodeReady" if ready.get("status") == "True" else "NodeNotReady"
        if self._said.get(key) != state:
            self._said[key] = state
            self._recorder.normal(self.name, key, state, f"Node {key.name} status is now: {state}")
        if ready.get("status") == "Unknown" and self._machines.outage(key.name) is not None:
            self._mark_pods(key.name)

    def _heard(self, node: Object) -> Object:
        """The node as its kubelet reports it, or as silent once its grace is over."""
        known = podstate.condition(node, "Ready")
        if self._machines.outage(node.metadata.name) is None:
            silent = known is not None and known.get("reason") == _SILENT["reason"]
            return self._with(node, _REPORTED) if silent and self._machines.came_back(node.metadata.name) else node
        left = self._unknown_from(node.metadata.name) - self._clock.now()
        if left > 0:
            self.queue.add_after(node.key, left)
            return node
        return node if known is not None and known.get("status") == "Unknown" else self._with(node, _SILENT)

    def _unknown_from(self, name: str) -> float:
        """The first look at which the renewal that was seen last lies more than the grace back. Ref: tryUpdateNodeHealth()."""
        seen = ceil(self._machines.last_renewal(name) / MONITOR_PERIOD) * MONITOR_PERIOD
        return (floor((seen + GRACE) / MONITOR_PERIOD) + 1) * MONITOR_PERIOD

    def _with(self, node: Object, condition: Document) -> Object:
        changed = {**condition, "lastTransitionTime": self._clock.timestamp()}
        return Object.of(with_value(node.document, ("status", "conditions"), merged_condition(node.document, changed)))

    def _mark_pods(self, node: str) -> None:
        """Ref: pkg/controller/util/node/controller_utils.go:MarkPodsNotReady()."""
        for pod in self._pods.by_index(BY_NODE, node):
            ready = podstate.condition(pod, "Ready")
            if ready is None or ready.get("status") != "True":
                continue
            changed = {**ready, "status": "False", "lastTransitionTime": self._clock.timestamp()}
            conditions = merged_condition(pod.document, changed)
            self._store.update_status(Object.of(with_value(pod.document, ("status", "conditions"), conditions)))
            self._recorder.warning(self.name, pod.key, "NodeNotReady", "Node is not ready")

    def _changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)


def with_readiness(node: Object, timestamp: str) -> Object:
    """A node with a Ready condition (True where it has none) and the taints that follow from it."""
    document = node.document
    ready = podstate.condition(node, "Ready") or {**_REPORTED, "lastTransitionTime": timestamp}
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
