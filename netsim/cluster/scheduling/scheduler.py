"""The scheduler: gives each pod without a node the one it suits best, and makes room for those that go before others.

Pods are taken by priority. Among the nodes that pass every filter the one with the best scores is taken (``scores``). kube-scheduler
draws lots among the best: here the seed does, and with seed 0 it is the node with the fewest pods, then the first in order of names.

A cluster of more than a hundred nodes is not scored as a whole, which kube-scheduler does not either (percentageOfNodesToScore): there,
a pod for which only resources and the default spreading would count gets the node with the fewest pods of its own kind, then of all.
Ref: pkg/scheduler/schedule_one.go (v1.37).
"""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import field, replace

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.errors import NotFound
from netsim.cluster.scheduling import filters, preemption, scores
from netsim.cluster.scheduling.claims import ClaimReader, VolumeNeeds
from netsim.cluster.scheduling.nodes import NodeState, Resident
from netsim.cluster.scheduling.population import Population, priority_of
from netsim.cluster.scheduling.refusals import Refusals
from netsim.cluster.scheduling.spreading import Constraint, Spread, constraints_of
from netsim.cluster.selectors import of_label_selector
from netsim.cluster.workqueue import WorkQueue
from netsim.dataclass import dataclass
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object


@dataclass(slots=True)
class _Candidates:
    """The nodes that pass the static filters for pods that ask for the same, best first; counts in it may be out of date."""

    request: filters.Request
    heap: list[tuple[int, int, int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Wish:
    """A pod that wants a node, as all plugins read it."""

    pod: Object
    resident: Resident
    constraints: tuple[Constraint, ...]
    volumes: VolumeNeeds

    @property
    def soft(self) -> list[Constraint]:
        """The constraints that only rank nodes."""
        return [c for c in self.constraints if not c.hard]


SCORED_AS_A_WHOLE = 100
"""Ref: schedule_one.go: minFeasibleNodesToFind."""


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
        self._seed = context.seed
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._pods = context.informers.of("Pod")
        nodes, namespaces = (context.informers.of(kind) for kind in ("Node", "Namespace"))
        self._population = Population(nodes, namespaces, context.placements, self._reset)
        self._claims = ClaimReader(context)
        self._refusals = Refusals(context.store, context.recorder, context.clock, self.name)
        self._budgets = context.informers.of("PodDisruptionBudget")
        self._candidates: dict[tuple[str, str], _Candidates] = {}
        self._fitting: dict[str, list[NodeState]] = {}
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
        wish = _Wish(pod, self._population.resident(pod), constraints_of(pod), self._claims.needs(pod))
        nodes = self._population.nodes()
        if wish.volumes.problem and nodes:
            self._refusals.unschedulable(pod, filters.message_of_all(wish.volumes.problem, len(nodes)))
            return
        request = self._request(wish)
        node = self._best(wish, request)
        if node is None:
            self._watch(wish)
            self._make_room(wish, request)
        elif wish.volumes.waiting:
            self._claims.choose(wish.volumes, node.name)
        else:
            self._bind(pod, node, wish.resident)

    def _bind(self, pod: Object, node: NodeState, resident: Resident) -> None:
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": self._clock.timestamp()}
        self._store.bind(pod.key, node.name, scheduled)
        self._waiting.pop(pod.key, None)
        self._watching.pop(pod.key, None)
        self._count(node.name, resident)
        message = f"Successfully assigned {pod.key.namespace}/{pod.key.name} to {node.name}"
        self._recorder.normal(self.name, pod.key, "Scheduled", message)

    # --- choosing ---------------------------------------------------------------------------------------------------

    def _request(self, wish: _Wish) -> filters.Request:
        on_host = mapping_at(wish.pod.document, "spec").get("hostNetwork") is True
        address = text_at(wish.pod.document, "status", "podIP")
        resident = wish.resident
        return filters.Request(resident.spec, address, on_host, resident.key, resident.priority, self._others(wish))

    def _others(self, wish: _Wish) -> tuple[filters.Filter, ...]:
        """What volumes, spreading and other pods decide, in the order of the default profile."""
        checks: list[filters.Filter] = [*wish.volumes.filters]
        hard = [(c, self._population.tally((c.term,), living=True)) for c in wish.constraints if c.hard]
        if hard:
            spread = Spread.of(wish.resident.spec, hard, self._population.nodes().values())
            checks.append(lambda _, node: spread.refusal(node))
        places = self._population.places(wish.resident)
        if not places.empty:
            checks.append(lambda _, node: places.refusal(node.view.metadata.labels))
        return tuple(checks)

    def _best(self, wish: _Wish, request: filters.Request) -> NodeState | None:
        nodes = self._population.nodes()
        promised = nodes.get(self._population.promised(request.key)) if request.key else None
        if promised is not None and not filters.refusal(_EVERY, request, promised) and not _others(request, promised):
            return promised
        if len(nodes) <= SCORED_AS_A_WHOLE or scores.matters(wish.resident, wish.soft, self._population):
            return self._best_by_score(wish, request)
        return self._first_that_fits(request, wish.resident.group)

    def _best_by_score(self, wish: _Wish, request: filters.Request) -> NodeState | None:
        fitting = self._feasible(request, _what(request))
        dynamic = (*filters.DYNAMIC, *request.others)
        feasible = [node for node in fitting if not filters.refusal(dynamic, request, node)]
        if not feasible:
            return None
        resident = wish.resident
        points = scores.scores(resident, wish.soft, feasible, self._population, constrained=bool(wish.constraints))
        most = max(points.values())
        return min((n for n in feasible if points[n.name] == most), key=lambda node: self._lot(resident, node))

    def _lot(self, pod: Resident, node: NodeState) -> tuple[int, int]:
        """Who is taken of equals. Ref: schedule_one.go:selectHost()."""
        if not self._seed:
            return node.pods, node.order
        drawn = hashlib.sha256(f"{self._seed}\0{pod.key}\0{node.name}".encode()).digest()
        return int.from_bytes(drawn[:8], "big"), node.order

    def _first_that_fits(self, request: filters.Request, group: str) -> NodeState | None:
        nodes = self._population.nodes()
        candidates = self._candidates_of(request, group)
        dynamic = (*filters.DYNAMIC, *request.others)
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
            if not filters.refusal(dynamic, request, node):
                chosen = node
        for entry in aside:
            heapq.heappush(candidates.heap, entry)
        return chosen

    def _candidates_of(self, request: filters.Request, group: str) -> _Candidates:
        """Counts only grow between two resets, so an entry that is out of date is never too late in the heap."""
        key = (group, _what(request))
        found = self._candidates.get(key)
        if found is None:
            heap = [_rank(node, group) for node in self._feasible(request, key[1])]
            heapq.heapify(heap)
            found = self._candidates[key] = _Candidates(request, heap)
        return found

    def _feasible(self, request: filters.Request, what: str) -> list[NodeState]:
        """The nodes that pass the static filters: the same for all pods that ask for the same."""
        if what not in self._fitting:
            nodes = self._population.nodes()
            named = nodes.get(request.spec.node_name)
            pool = [named] if named is not None else list(nodes.values())
            self._fitting[what] = [node for node in pool if not filters.refusal(filters.STATIC, request, node)]
        return self._fitting[what]

    # --- making room ------------------------------------------------------------------------------------------------

    def _make_room(self, wish: _Wish, request: filters.Request) -> None:
        """Ref: preemption.go:Preempt(): a pod that waits for its victims to go does not make others go."""
        nodes = list(self._population.nodes().values())
        never = text_at(wish.pod.document, "spec", "preemptionPolicy") == "Never"
        if never:
            text = "not eligible due to preemptionPolicy=Never."
            self._refusals.unschedulable(wish.pod, filters.message(request, nodes, text))
            return
        promised = self._population.nodes().get(self._population.promised(wish.pod.key))
        if promised is not None and any(
            p.terminating and p.priority < request.priority for p in promised.residents.values()
        ):
            text = "not eligible due to a terminating pod on the nominated node."
            self._refusals.unschedulable(wish.pod, filters.message(request, nodes, text))
            return
        offers = [found for node in nodes if (found := self._offer(wish, request, node)) is not None]
        text = filters.message(request, nodes)
        if not offers:
            self._refusals.unschedulable(wish.pod, text)
            return
        chosen = preemption.best(offers)
        self._refusals.unschedulable(wish.pod, text.partition(" preemption:")[0], nominated=chosen.node.name)
        self._population.promise(wish.pod.key, (chosen.node.name, wish.resident))
        for victim in chosen.victims:
            self._preempt(victim, wish.pod, chosen.node.name)

    def _offer(self, wish: _Wish, request: filters.Request, node: NodeState) -> preemption.Sacrifice | None:
        if all(pod.priority >= request.priority for pod in node.residents.values()):
            return None
        if not filters.resolvable(request, node):
            return None

        def fits() -> bool:
            now = replace(request, others=self._others(wish))
            return not filters.refusal((*_EVERY, *now.others), now, node)

        population = self._population
        return preemption.sacrifice(
            node,
            request.priority,
            self._disruptions(),
            fits,
            population.take_away,
            lambda pod: population.add(node.name, pod),
        )

    def _disruptions(self) -> list[preemption.Budget]:
        """What the PodDisruptionBudgets still allow. Ref: default_preemption.go:getPodDisruptionBudgets()."""
        found = []
        for item in self._budgets.all():
            allowed = mapping_at(item.document, "status").get("disruptionsAllowed")
            selector = of_label_selector(mapping_at(item.document, "spec").get("selector"))
            number = allowed if isinstance(allowed, int) else 0
            found.append(preemption.Budget(item.metadata.namespace, selector, number))
        return found

    def _preempt(self, victim: Resident, by: Object, node: str) -> None:
        message = f"Preempted by pod {by.metadata.uid} on node {node}"
        try:
            pod = self._store.get(victim.key)
            target: Document = {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "PreemptionByScheduler",
                "message": f"{self.name}: preempting to accommodate a higher priority pod",
                "lastTransitionTime": self._clock.timestamp(),
            }
            self._refusals.write_condition(pod, target)
            self._store.delete(victim.key)
        except NotFound:
            return
        self._recorder.normal(self.name, victim.key, "Preempted", message)

    # --- keeping count ----------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        self._candidates.clear()
        self._fitting.clear()

    def _watch(self, wish: _Wish) -> None:
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
            self._candidates.clear()
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


_EVERY = (*filters.STATIC, *filters.DYNAMIC)


def _others(request: filters.Request, node: NodeState) -> filters.Reasons:
    return filters.refusal(request.others, request, node)


def _what(request: filters.Request) -> str:
    return f"{id(request.spec)}/{request.address}/{request.host_network}"


def _placement(node: Object) -> tuple[object, ...]:
    """What of a node decides who may run there."""
    status = mapping_at(node.document, "status")
    return node.metadata.labels, node.document.get("spec"), status.get("allocatable"), status.get("addresses")


def _rank(node: NodeState, group: str) -> tuple[int, int, int, str]:
    return node.groups[group], node.pods, node.order, node.name
