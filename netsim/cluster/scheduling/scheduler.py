"""The scheduler: gives each pod without a node the one it suits best.

Among the nodes that pass every filter it takes the one with the fewest pods of the same owner (as the default constraints of
PodTopologySpread do), then the one with the fewest pods, then the first in order of names. kube-scheduler adds up weighted
scores and draws lots among the best; this order keeps what decides between equal nodes and leaves chance out.
Not modelled: inter-pod affinity, topologySpreadConstraints, preferred affinities, priorities and preemption.
Ref: pkg/scheduler/schedule_one.go, plugins/podtopologyspread (v1.37).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import canonical, list_at, mapping_at, text_at, with_value
from netsim.cluster.ownership import controller_of
from netsim.cluster.scheduling import filters
from netsim.cluster.scheduling.nodes import NodeState
from netsim.cluster.scheduling.placement import PlacementSpec
from netsim.cluster.store import merged_condition
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object


@dataclass(slots=True)
class _Candidates:
    """The nodes that pass the static filters for pods that ask for the same, best first; counts in it may be out of date."""

    request: filters.Request
    heap: list[tuple[int, int, int, str]] = field(default_factory=list)


class Scheduler:
    """Binds pods to nodes."""

    name = "default-scheduler"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._pods = context.informers.of("Pod")
        self._node_objects = context.informers.of("Node")
        self._nodes: dict[str, NodeState] | None = None
        self._counted: dict[Key, tuple[str, PlacementSpec, str]] = {}
        self._specs: dict[str, PlacementSpec] = {}
        self._candidates: dict[tuple[str, str], _Candidates] = {}
        self._fitting: dict[str, list[NodeState]] = {}
        self._waiting: dict[Key, None] = {}
        self._node_objects.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Bind one pod, or say why no node would have it."""
        pod = self._pods.get(key)
        if pod is None or podstate.node_name(pod) or not podstate.active(pod):
            return
        if list_at(pod.document, "spec", "schedulingGates"):
            self._refuse(pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")
            return
        self._warn_of_what_is_not_modelled(pod)
        request = self._request(pod)
        node = self._best(request, _group(pod))
        if node is None:
            text = filters.message(request, list(self._states().values()))
            self._recorder.warning(self.name, key, "FailedScheduling", text)
            self._refuse(pod, "Unschedulable", text)
            return
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": self._clock.timestamp()}
        self._store.bind(key, node.name, scheduled)
        self._waiting.pop(key, None)
        self._count(key, node.name, request.spec, _group(pod))
        message = f"Successfully assigned {key.namespace}/{key.name} to {node.name}"
        self._recorder.normal(self.name, key, "Scheduled", message)

    def _warn_of_what_is_not_modelled(self, pod: Object) -> None:
        for path, what in _NOT_MODELLED:
            if list_at(pod.document, "spec", *path):
                message = f"{what} is not modelled: it does not limit where the pod runs"
                self._recorder.warning(self.name, pod.key, "NotModelled", message)

    # --- choosing ---------------------------------------------------------------------------------------------------

    def _best(self, request: filters.Request, group: str) -> NodeState | None:
        nodes = self._states()
        candidates = self._candidates_of(request, group)
        aside: list[tuple[int, int, int, str]] = []
        chosen: NodeState | None = None
        while candidates.heap and chosen is None:
            entry = heapq.heappop(candidates.heap)
            node = nodes[entry[3]]
            now = _rank(node, group)
            if now != entry:
                heapq.heappush(candidates.heap, now)
                continue
            aside.append(entry)
            if not filters.refusal(filters.DYNAMIC, request, node):
                chosen = node
        for entry in aside:
            heapq.heappush(candidates.heap, entry)
        return chosen

    def _candidates_of(self, request: filters.Request, group: str) -> _Candidates:
        """Counts only grow between two resets, so an entry that is out of date is never too late in the heap."""
        key = (group, f"{id(request.spec)}/{request.address}/{request.host_network}")
        found = self._candidates.get(key)
        if found is None:
            heap = [_rank(node, group) for node in self._feasible(request, key[1])]
            heapq.heapify(heap)
            found = self._candidates[key] = _Candidates(request, heap)
        return found

    def _feasible(self, request: filters.Request, what: str) -> list[NodeState]:
        """The nodes that pass the static filters: the same for all pods that ask for the same."""
        if what not in self._fitting:
            named = self._states().get(request.spec.node_name)
            pool = [named] if named is not None else list(self._states().values())
            self._fitting[what] = [node for node in pool if not filters.refusal(filters.STATIC, request, node)]
        return self._fitting[what]

    def _request(self, pod: Object) -> filters.Request:
        spec = self._spec(pod)
        on_host = mapping_at(pod.document, "spec").get("hostNetwork") is True
        return filters.Request(spec, text_at(pod.document, "status", "podIP"), on_host)

    def _spec(self, pod: Object) -> PlacementSpec:
        spec = mapping_at(pod.document, "spec")
        fields = {name: spec[name] for name in _PLACEMENT_FIELDS if name in spec}
        text = canonical(fields)
        if text not in self._specs:
            self._specs[text] = PlacementSpec.of(fields)
        return self._specs[text]

    # --- keeping count ----------------------------------------------------------------------------------------------

    def _states(self) -> dict[str, NodeState]:
        if self._nodes is None:
            items = self._node_objects.all()
            self._nodes = {item.metadata.name: NodeState.of(item, order) for order, item in enumerate(items)}
            for key, (node, spec, group) in self._counted.items():
                if node in self._nodes:
                    self._nodes[node].add(key, spec, group)
            self._candidates.clear()
            self._fitting.clear()
        return self._nodes

    def _count(self, key: Key, node: str, spec: PlacementSpec, group: str) -> None:
        if key not in self._counted:
            self._counted[key] = (node, spec, group)
            if self._nodes is not None and node in self._nodes:
                self._nodes[node].add(key, spec, group)

    def _uncount(self, key: Key) -> None:
        counted = self._counted.pop(key, None)
        if counted is None:
            return
        node, spec, group = counted
        if self._nodes is not None and node in self._nodes:
            self._nodes[node].remove(key, spec, group)
        self._candidates.clear()
        self._retry()

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        if pod is None or podstate.finished(pod):
            if before is not None:
                self._uncount(before.key)
                self._waiting.pop(before.key, None)
            return
        node = podstate.node_name(pod)
        if node:
            self._waiting.pop(pod.key, None)
            if pod.key not in self._counted:
                self._count(pod.key, node, self._spec(pod), _group(pod))
        elif before is None or before.document.get("spec") != pod.document.get("spec"):
            self._waiting[pod.key] = None
            self.queue.add(pod.key)

    def _node_changed(self, before: Object | None, item: Object | None) -> None:
        if before is not None and item is not None and _placement(before) == _placement(item):
            return
        self._nodes = None
        self._retry()

    def _retry(self) -> None:
        for key in self._waiting:
            self.queue.add(key)

    def _refuse(self, pod: Object, reason: str, message: str) -> None:
        known = podstate.condition(pod, "PodScheduled")
        if known is not None and (known.get("reason"), known.get("message")) == (reason, message):
            return
        now = self._clock.timestamp()
        refused: Document = {
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": now,
        }
        document = with_value(pod.document, ("status", "conditions"), merged_condition(pod.document, refused))
        self._store.update_status(Object(pod.api_version, pod.kind, pod.metadata, document))


_PLACEMENT_FIELDS = (
    "nodeSelector",
    "affinity",
    "tolerations",
    "hostNetwork",
    "containers",
    "initContainers",
    "overhead",
)

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_NOT_MODELLED = (
    (("affinity", "podAffinity", _REQUIRED), "required podAffinity"),
    (("affinity", "podAntiAffinity", _REQUIRED), "required podAntiAffinity"),
    (("topologySpreadConstraints",), "topologySpreadConstraints"),
)


def _placement(node: Object) -> tuple[object, ...]:
    """What of a node decides who may run there."""
    status = mapping_at(node.document, "status")
    return node.metadata.labels, node.document.get("spec"), status.get("allocatable"), status.get("addresses")


def _group(pod: Object) -> str:
    """The pods that are spread together: those of one owner; a pod of its own stands alone with those of its labels."""
    owner = controller_of(pod)
    if owner is not None:
        return owner.uid
    labels = pod.metadata.labels
    return f"{pod.metadata.namespace}/{canonical(labels)}" if labels else str(pod.key)


def _rank(node: NodeState, group: str) -> tuple[int, int, int, str]:
    return node.groups[group], node.pods, node.order, node.name
