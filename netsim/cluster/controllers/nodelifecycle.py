"""Nodes: their kubelets report them ready, and those that were given as not ready are tainted.

Pods are not evicted from a node that is not ready (Kubernetes does so after 300 s): they stay there, not ready.
Ref: pkg/controller/nodelifecycle/node_lifecycle_controller.go (v1.37).
"""

from __future__ import annotations

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, with_value
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
        self._nodes = context.informers.of("Node")
        self._nodes.add_handler(self._changed)

    def sync(self, key: Key) -> None:
        """Report one node ready where nobody said otherwise, and taint it where somebody did."""
        node = self._nodes.get(key)
        if node is None:
            return
        ready = podstate.condition(node, "Ready")
        if ready is None:
            self._report_ready(node)
            return
        wanted = _TAINTS.get(str(ready.get("status")))
        given = list_at(node.document, "spec", "taints")
        kept: list[Json] = [t for t in given if not (isinstance(t, dict) and t.get("key") in _TAINTS.values())]
        if wanted:
            kept += [{"key": wanted, "effect": effect} for effect in ("NoSchedule", "NoExecute")]
            self._recorder.normal(self.name, key, "NodeNotReady", f"Node {key.name} status is now: NodeNotReady")
        if kept != list(given):
            self._store.update(Object.of(with_value(node.document, ("spec", "taints"), kept)))

    def _report_ready(self, node: Object) -> None:
        condition = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
            "lastTransitionTime": self._clock.timestamp(),
        }
        document = with_value(node.document, ("status", "conditions"), merged_condition(node.document, condition))
        self._store.update_status(Object(node.api_version, node.kind, node.metadata, document))
        self._recorder.normal(self.name, node.key, "NodeReady", f"Node {node.metadata.name} status is now: NodeReady")

    def _changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)
