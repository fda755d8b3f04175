"""Choosing a node: among those that pass every filter the one with the best scores (``scores``).

kube-scheduler draws lots among the best: here the seed does, and with seed 0 it is the node with the fewest pods, then the first in order
of names. A cluster of more than a hundred nodes is not scored as a whole, which kube-scheduler does not either (percentageOfNodesToScore):
there, a pod for which only resources and the default spreading would count gets the node with the fewest pods of its own kind, then of all.
Ref: pkg/scheduler/schedule_one.go (v1.37).
"""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import field

from netsim.cluster.documents import mapping_at, text_at
from netsim.cluster.scheduling import filters, scores
from netsim.cluster.scheduling.claims import VolumeNeeds
from netsim.cluster.scheduling.kin import Kin
from netsim.cluster.scheduling.nodes import NodeState, Resident
from netsim.cluster.scheduling.population import Population
from netsim.cluster.scheduling.spreading import Constraint, Spread
from netsim.dataclass import dataclass
from netsim.objects.meta import Object


@dataclass(frozen=True, slots=True)
class Wish:
    """A pod that wants a node, as all plugins read it."""

    pod: Object
    resident: Resident
    constraints: tuple[Constraint, ...]
    volumes: VolumeNeeds

    @property
    def soft(self) -> list[Constraint]:
        """The constraints that only rank nodes."""
        return [c for c in self.constraints if not c.hard]


@dataclass(slots=True)
class _Candidates:
    """The nodes that pass the static filters for pods that ask for the same, best first; counts in it may be out of date."""

    request: filters.Request
    heap: list[tuple[int, int, int, str]] = field(default_factory=list)


SCORED_AS_A_WHOLE = 100
"""Ref: schedule_one.go: minFeasibleNodesToFind."""


EVERY = (*filters.STATIC, *filters.DYNAMIC)
"""The filters that look at a node alone."""


class Choice:
    """Finds the node that suits a pod best; what it learnt of pods that ask for the same is kept until ``reset``."""

    def __init__(self, population: Population, kin: Kin, seed: int) -> None:
        self._population = population
        self._kin = kin
        self._seed = seed
        self._candidates: dict[tuple[str, str], _Candidates] = {}
        self._fitting: dict[str, list[NodeState]] = {}

    def reset(self) -> None:
        """The nodes are others than they were."""
        self._candidates.clear()
        self._fitting.clear()

    def recount(self) -> None:
        """A node has fewer pods than it had."""
        self._candidates.clear()

    def request(self, wish: Wish) -> filters.Request:
        """What the filters are asked for a pod."""
        on_host = mapping_at(wish.pod.document, "spec").get("hostNetwork") is True
        address = text_at(wish.pod.document, "status", "podIP")
        resident = wish.resident
        return filters.Request(resident.spec, address, on_host, resident.key, resident.priority, self.others(wish))

    def others(self, wish: Wish) -> tuple[filters.Filter, ...]:
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

    def best(self, wish: Wish, request: filters.Request) -> NodeState | None:
        """The node for a pod, None where none passes the filters."""
        nodes = self._population.nodes()
        promised = nodes.get(self._population.promised(request.key)) if request.key else None
        if promised is not None and not filters.refusal(EVERY, request, promised) and not _others(request, promised):
            return promised
        if len(nodes) <= SCORED_AS_A_WHOLE or scores.matters(wish.resident, wish.soft, self._population):
            return self._best_by_score(wish, request)
        return self._first_that_fits(request, wish.resident.group)

    def _best_by_score(self, wish: Wish, request: filters.Request) -> NodeState | None:
        points = self.points(wish, request)
        if not points:
            return None
        most = max(points.values())
        nodes = self._population.nodes()
        best = (nodes[name] for name, number in points.items() if number == most)
        return min(best, key=lambda node: self._lot(wish.resident, node))

    def points(self, wish: Wish, request: filters.Request) -> dict[str, int]:
        """What each node scores that passes every filter."""
        dynamic = (*filters.DYNAMIC, *request.others)
        fitting = self._feasible(request, _what(request))
        feasible = [node for node in fitting if not filters.refusal(dynamic, request, node)]
        kin = None if wish.constraints else self._kin.counted(wish.pod, wish.resident)
        return scores.scores(wish.resident, wish.soft, feasible, self._population, kin)

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
            names = request.spec.names
            pool = list(nodes.values()) if names is None else [nodes[name] for name in sorted(names) if name in nodes]
            self._fitting[what] = [node for node in pool if not filters.refusal(filters.STATIC, request, node)]
        return self._fitting[what]


def _others(request: filters.Request, node: NodeState) -> filters.Reasons:
    return filters.refusal(request.others, request, node)


def _what(request: filters.Request) -> str:
    return f"{id(request.spec)}/{request.address}/{request.host_network}"


def _rank(node: NodeState, group: str) -> tuple[int, int, int, str]:
    return node.groups[group], node.pods, node.order, node.name
