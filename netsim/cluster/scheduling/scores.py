"""Which of the nodes that would do a pod would rather have: the score plugins of the default profile.

A plugin's scores are brought to 0…100 and weighted as there. Ref: pkg/scheduler/apis/config/v1/default_plugins.go (v1.37).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from netsim.cluster.scheduling.nodes import NodeState, Resident
from netsim.cluster.scheduling.placement import PlacementSpec, Weight
from netsim.cluster.scheduling.population import Population
from netsim.cluster.scheduling.spreading import Constraint, soft_scores
from netsim.objects.core import ZONE_LABEL

WEIGHTS = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodeResourcesFit": 1,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,  # always 0: no node tells which images it has
}
_HOSTS, _ZONES = 3, 5
"""maxSkew of the constraints of a pod that has none. Ref: plugins/podtopologyspread/plugin.go: systemDefaultConstraints."""
HARD_POD_AFFINITY = 1
"""The weight of a running pod's required affinity. Ref: InterPodAffinityArgs.hardPodAffinityWeight."""


def matters(pod: Resident, soft: Sequence[Constraint], population: Population) -> bool:
    """True where any of the scores can differ between nodes."""
    asks = pod.spec.preferred or pod.affinity.rather_near or pod.affinity.rather_far or soft
    if asks or population.disliked:
        return True
    return any(word != "far" for word, _, _ in population.asking())


def scores(
    pod: Resident,
    soft: Sequence[Constraint],
    feasible: Sequence[NodeState],
    population: Population,
    kin: Callable[[NodeState], int] | None = None,
) -> dict[str, int]:
    """The weighted sum of the scores by node. ``kin``: how many pods are there that the pod is spread with by default."""
    total = {node.name: 0 for node in feasible}
    dislikes = {n.name: pod.spec.disliked(n.taints) for n in feasible}
    _add(total, "TaintToleration", {name: 100 - value for name, value in _normal(dislikes).items()})
    if pod.spec.preferred:
        likes = {n.name: pod.spec.preference(n.name, n.view.metadata.labels) for n in feasible}
        _add(total, "NodeAffinity", _normal(likes))
    if soft:
        counted = [(c, population.tally((c.term,), living=True)) for c in soft]
        every = list(population.nodes().values())
        _add(total, "PodTopologySpread", soft_scores(pod.spec, counted, every, feasible))
    elif kin is not None:
        _add(total, "PodTopologySpread", default_spread(pod.spec, kin, feasible, population.nodes().values()))
    for node in feasible:
        total[node.name] += WEIGHTS["NodeResourcesFit"] * least_allocated(pod, node)
        total[node.name] += WEIGHTS["NodeResourcesBalancedAllocation"] * balanced(pod, node)
    _add(total, "InterPodAffinity", _between(_company(pod, feasible, population)))
    return total


def least_allocated(pod: Resident, node: NodeState) -> int:
    """The free part of processors and memory with the pod, in hundredths. Ref: noderesources/least_allocated.go."""
    parts = [
        100 * max(0, has - used - asked) // has
        for has, used, asked in zip(node.capacity, node.nominal, pod.spec.nominal, strict=True)
        if has
    ]
    return sum(parts) // len(parts) if parts else 0


def balanced(pod: Resident, node: NodeState) -> int:
    """How much more evenly processors and memory are used with the pod: 75 for no more and no less, 50 to 100.

    0 for all where it asks for nothing. Ref: balanced_allocation.go:balancedResourceScorer().
    """
    if not any(pod.spec.weight):
        return 0
    after = (node.weight[0] + pod.spec.weight[0], node.weight[1] + pod.spec.weight[1])
    return 50 + (50 + _evenness(after, node.capacity) - _evenness(node.weight, node.capacity)) // 2


def _evenness(used: Weight, capacity: Weight) -> int:
    parts = [min(1.0, part / has) for part, has in zip(used, capacity, strict=True) if has]
    return int((1 - (abs(parts[0] - parts[1]) / 2 if len(parts) == 2 else 0)) * 100)


def default_spread(
    spec: PlacementSpec, kin: Callable[[NodeState], int], feasible: Sequence[NodeState], every: Iterable[NodeState]
) -> dict[str, int]:
    """How few pods of its kin are on a node and in its zone. Ref: podtopologyspread/scoring.go with the default constraints."""
    by_zone: Counter[str] = Counter()
    for node in every:
        zone = node.view.metadata.labels.get(ZONE_LABEL)
        if zone is not None and spec.matches_node(node.name, node.view.metadata.labels):
            by_zone[zone] += kin(node)
    zones = {node.view.metadata.labels.get(ZONE_LABEL) for node in feasible}
    on_host, in_zone = math.log(len(feasible) + 2), math.log(len(zones) + 2)
    raw: dict[str, int] = {}
    for node in feasible:
        zone = node.view.metadata.labels.get(ZONE_LABEL)
        points = kin(node) * on_host + _HOSTS - 1
        raw[node.name] = round(points + (by_zone[zone] * in_zone + _ZONES - 1 if zone is not None else 0))
    most, least = max(raw.values(), default=0), min(raw.values(), default=0)
    return {name: 100 if not most else 100 * (most + least - score) // most for name, score in raw.items()}


def _add(total: dict[str, int], plugin: str, found: Mapping[str, int]) -> None:
    for name, score in found.items():
        total[name] += WEIGHTS[plugin] * score


def _normal(raw: Mapping[str, int]) -> dict[str, int]:
    """Ref: plugins/helper/normalize_score.go:DefaultNormalizeScore()."""
    most = max(raw.values(), default=0)
    return {name: value * 100 // most if most else value for name, value in raw.items()}


def _between(raw: Mapping[str, int]) -> dict[str, int]:
    """Ref: interpodaffinity/scoring.go:NormalizeScore()."""
    most, least = max(raw.values(), default=0), min(raw.values(), default=0)
    return {name: 100 * (value - least) // (most - least) if most > least else 0 for name, value in raw.items()}


def _company(pod: Resident, feasible: Sequence[NodeState], population: Population) -> dict[str, int]:
    """Ref: interpodaffinity/scoring.go:processExistingPod()."""
    points: dict[tuple[str, str], int] = {}
    wanted = [(t, t.weight) for t in pod.affinity.rather_near] + [(t, -t.weight) for t in pod.affinity.rather_far]
    for term, weight in wanted:
        for value, count in population.tally((term,)).by_place(term.key, population.labels_of).items():
            points[term.key, value] = points.get((term.key, value), 0) + weight * count
    for word, term, tally in population.asking():
        if word == "far" or not term.means(pod.key.namespace, pod.labels, population.namespace_labels):
            continue
        weight = {"near": HARD_POD_AFFINITY, "rather_near": term.weight, "rather_far": -term.weight}[word]
        for value, count in tally.by_place(term.key, population.labels_of).items():
            points[term.key, value] = points.get((term.key, value), 0) + weight * count
    return {
        node.name: sum(score for (key, value), score in points.items() if node.view.metadata.labels.get(key) == value)
        for node in feasible
    }
