"""The scheduler: gives each pod without a node the one it suits best, and makes room for those that go before others.

Pods are taken by priority. ``choosing`` is how a node is found, ``making_room`` what happens where none is.
Ref: pkg/scheduler/{scheduler,schedule_one}.go (v1.37).
"""

from __future__ import annotations

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, mapping_at
from netsim.cluster.scheduling import filters
from netsim.cluster.scheduling.choosing import Choice, Wish
from netsim.cluster.scheduling.claims import ClaimReader
from netsim.cluster.scheduling.kin import Kin
from netsim.cluster.scheduling.making_room import Preemptor
from netsim.cluster.scheduling.nodes import NodeState, Resident
from netsim.cluster.scheduling.population import Population, priority_of
from netsim.cluster.scheduling.refusals import Refusals
from netsim.cluster.scheduling.spreading import constraints_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.meta import Key, Object


class _PriorityQueue(WorkQueue):
    """Keys by the priority of their pods, those of equal priority in the order in which they came."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.clock)
        self.priorities: dict[Key, int] = {}

    def take_all(self) -> list[Key]:
        """Take every key that waits, the highest priority first. Ref: plugins/queuesort/priority_sort.go."""
        taken = super().take_all()
        if any(self.priorities.values()):
            taken.sort(key=lambda key: -self.priorities.get(key, 0))
        return taken


class Scheduler:
    """Binds pods to nodes."""

    name = "default-scheduler"

    def __init__(self, context: Context) -> None:
        queue = _PriorityQueue(context)
        self.queue: WorkQueue = queue
        self._priorities = queue.priorities
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._pods = context.informers.of("Pod")
        nodes, namespaces = (context.informers.of(kind) for kind in ("Node", "Namespace"))
        self._population = Population(nodes, namespaces, context.placements, lambda: self._choice.reset())
        self._choice = Choice(self._population, Kin(context, self._population), context.seed)
        self._claims = ClaimReader(context)
        self._refusals = Refusals(context.store, context.recorder, context.clock, self.name)
        self._preemptor = Preemptor(context, self._population, self._choice, self._refusals, self.name)
        self._waiting: dict[Key, None] = {}
        self._watching: dict[Key, None] = {}
        nodes.add_handler(self._node_changed)
        for informer in (self._claims.claims, self._claims.volumes, self._claims.classes):
            informer.add_handler(lambda _, __: self._retry())
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Bind one pod, or say why no node would have it."""
        pod = self._pods.get(key)
        if pod is None or podstate.node_name(pod) or not podstate.active(pod):
            return
        if list_at(pod.document, "spec", "schedulingGates"):
            self._refusals.refuse(pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")
            return
        wish = self.wish(pod)
        nodes = self._population.nodes()
        problem = filters.CONFLICTING_NAMES if wish.resident.spec.names == frozenset() else wish.volumes.problem
        if problem and nodes:
            self._refusals.unschedulable(pod, filters.message_of_all(problem, len(nodes)))
            return
        request = self._choice.request(wish)
        node = self._choice.best(wish, request)
        if node is None:
            self._watch(wish)
            self._preemptor.make_room(wish, request)
        elif wish.volumes.waiting:
            self._claims.choose(wish.volumes, node.name)
        else:
            self._bind(pod, node, wish.resident)

    def wish(self, pod: Object) -> Wish:
        """A pod that wants a node, as all plugins read it."""
        return Wish(pod, self._population.resident(pod), constraints_of(pod), self._claims.needs(pod))

    def points(self, pod: Object) -> dict[str, int]:
        """What each node scores that would do for a pod."""
        wish = self.wish(pod)
        return self._choice.points(wish, self._choice.request(wish))

    def _bind(self, pod: Object, node: NodeState, resident: Resident) -> None:
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": self._clock.timestamp()}
        self._store.bind(pod.key, node.name, scheduled)
        self._waiting.pop(pod.key, None)
        self._watching.pop(pod.key, None)
        self._count(node.name, resident)
        message = f"Successfully assigned {pod.key.namespace}/{pod.key.name} to {node.name}"
        self._recorder.normal(self.name, pod.key, "Scheduled", message)

    # --- keeping count ----------------------------------------------------------------------------------------------

    def _watch(self, wish: Wish) -> None:
        """A pod that other pods keep waiting is tried again when another one runs."""
        if wish.resident.affinity.near or any(c.hard for c in wish.constraints):
            self._watching[wish.pod.key] = None

    def _count(self, node: str, resident: Resident) -> None:
        if self._population.counted(resident.key) is None:
            self._population.add(node, resident)
            for key in self._watching:
                self.queue.add(key)

    def _uncount(self, key: Key) -> None:
        if self._population.remove(key):
            self._choice.recount()
            self._retry()

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        if pod is None or podstate.finished(pod):
            if before is not None:
                self._forget(before.key)
            return
        node = podstate.node_name(pod)
        if node:
            self._waiting.pop(pod.key, None)
            self._watching.pop(pod.key, None)
            self._recount(before, pod, node)
        elif before is None or before.document.get("spec") != pod.document.get("spec"):
            self._waiting[pod.key] = None
            priority = priority_of(pod)
            if priority:
                self._priorities[pod.key] = priority
            self.queue.add(pod.key)

    def _recount(self, before: Object | None, pod: Object, node: str) -> None:
        counted = self._population.counted(pod.key)
        if counted is None:
            self._count(node, self._population.resident(pod))
        elif before is not None and (
            before.metadata.labels != pod.metadata.labels
            or before.metadata.deletion_timestamp != pod.metadata.deletion_timestamp
        ):
            self._population.remove(pod.key)
            self._population.add(node, self._population.resident(pod))
            self._retry()

    def _forget(self, key: Key) -> None:
        self._uncount(key)
        self._population.promise(key, None)
        self._waiting.pop(key, None)
        self._watching.pop(key, None)
        self._priorities.pop(key, None)

    def _node_changed(self, before: Object | None, item: Object | None) -> None:
        if before is not None and item is not None and _placement(before) == _placement(item):
            return
        self._population.forget_nodes()
        self._retry()

    def _retry(self) -> None:
        for key in self._waiting:
            self.queue.add(key)


def _placement(node: Object) -> tuple[object, ...]:
    """What of a node decides who may run there."""
    status = mapping_at(node.document, "status")
    return node.metadata.labels, node.document.get("spec"), status.get("allocatable"), status.get("addresses")
