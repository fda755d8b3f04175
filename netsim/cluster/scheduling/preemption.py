"""Making room: which pods of lower priority would have to go for one to run. The decision alone.

Ref: pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go, framework/preemption/preemption.go (v1.37).
Pods whose PodDisruptionBudget allows no more disruptions are spared where that can be, and else taken all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netsim.cluster.scheduling.filters import NO_VICTIMS, Reasons
from netsim.cluster.scheduling.nodes import NodeState, Resident
from netsim.cluster.selectors import Selector
from netsim.dataclass import dataclass
from netsim.objects.meta import Key

_ABOVE = 2**31


@dataclass(frozen=True, slots=True)
class Sacrifice:
    """A node and the pods on it that would go, the most important first; ``violations``: of how many a budget would be broken."""

    node: NodeState
    victims: tuple[Resident, ...]
    violations: int = 0


@dataclass(slots=True)
class Budget:
    """A PodDisruptionBudget: the pods that it protects, and how many of them may still be disrupted."""

    namespace: str
    selector: Selector
    allowed: int

    def protects(self, pod: Resident) -> bool:
        """True for one of its pods."""
        return pod.key.namespace == self.namespace and not self.selector.empty and self.selector.matches(pod.labels)


def protected(pods: Sequence[Resident], budgets: Sequence[Budget]) -> frozenset[Key]:
    """Those of some pods whose going would break a budget, when they go in this order. Ref: filterPodsWithPDBViolation()."""
    left = [budget.allowed for budget in budgets]
    found: set[Key] = set()
    for pod in pods:
        for number, budget in enumerate(budgets):
            if budget.protects(pod):
                left[number] -= 1
                if left[number] < 0:
                    found.add(pod.key)
    return frozenset(found)


def sacrifice(
    node: NodeState,
    priority: int,
    budgets: Sequence[Budget],
    refused: Callable[[], Reasons],
    take_away: Callable[[Resident], None],
    put_back: Callable[[Resident], None],
) -> Sacrifice | Reasons:
    """The fewest pods of lower priority that must go from a node, or what still refuses the pod when all of them have gone.

    ``refused`` says why the pod does not fit on the node as it is at the moment; ``take_away`` and ``put_back`` change that. Everything
    is put back in the end. Ref: SelectVictimsOnNode().
    """
    lower = sorted((p for p in node.residents.values() if p.priority < priority), key=_importance)
    if not lower:
        return (NO_VICTIMS,)
    for pod in lower:
        take_away(pod)
    victims: list[Resident] = []
    reasons = refused()
    kept_if_possible = protected(lower, budgets)
    for pod in sorted(lower, key=lambda p: p.key not in kept_if_possible):
        put_back(pod)
        if not reasons and refused():
            take_away(pod)
            victims.append(pod)
    for pod in victims:
        put_back(pod)
    if reasons or not victims:
        return reasons or (NO_VICTIMS,)
    victims.sort(key=_importance)
    return Sacrifice(node, tuple(victims), sum(pod.key in kept_if_possible for pod in victims))


def _importance(pod: Resident) -> tuple[int, str, object]:
    return -pod.priority, pod.started, pod.key


def best(offers: list[Sacrifice]) -> Sacrifice:
    """The node whose loss is the smallest: in broken budgets, the highest priority, their sum, their number; else the youngest go.

    Ref: preemption.go:pickOneNodeForPreemption().
    """
    least = min(offers, key=_loss)
    equal = [offer for offer in offers if _loss(offer) == _loss(least)]
    return max(equal, key=lambda offer: (_earliest(offer), -offer.node.order))


def _loss(offer: Sacrifice) -> tuple[int, int, int, int]:
    priorities = [pod.priority for pod in offer.victims]
    return offer.violations, max(priorities), sum(p + _ABOVE for p in priorities), len(priorities)


def _earliest(offer: Sacrifice) -> str:
    highest = max(pod.priority for pod in offer.victims)
    return min(pod.started for pod in offer.victims if pod.priority == highest)
