"""Which of the nodes that would do a pod would rather have: the score plugins whose answer a pod or a taint decides.

A plugin's scores are brought to 0…100 and weighted as in the default profile. Ref: pkg/scheduler/apis/config/v1/default_plugins.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsim.cluster.scheduling.nodes import NodeState, Resident
from netsim.cluster.scheduling.population import Population
from netsim.cluster.scheduling.spreading import Constraint, soft_scores

WEIGHTS = {"TaintToleration": 3, "NodeAffinity": 2, "PodTopologySpread": 2, "InterPodAffinity": 2}
HARD_POD_AFFINITY = 1
"""The weight of a running pod's required affinity. Ref: InterPodAffinityArgs.hardPodAffinityWeight."""


def matters(pod: Resident, soft: Sequence[Constraint], population: Population) -> bool:
    """True where any of the scores can differ between nodes."""
    asks = pod.spec.preferred or pod.affinity.rather_near or pod.affinity.rather_far or soft
    if asks or population.disliked:
        return True
    return any(word != "far" for word, _, _ in population.asking())


def scores(
    pod: Resident, soft: Sequence[Constraint], feasible: Sequence[NodeState], population: Population
) -> dict[str, int]:
    """The weighted sum of the scores by node."""
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
    _add(total, "InterPodAffinity", _between(_company(pod, feasible, population)))
    return total


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
