"""Making room: which pods of lower priority would have to go for one to run. The decision alone.

Ref: pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go, framework/preemption/preemption.go (v1.37).
PodDisruptionBudgets are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netsim.cluster.scheduling.nodes import NodeState, Resident

_ABOVE = 2**31


@dataclass(frozen=True, slots=True)
class Sacrifice:
    """A node and the pods on it that would go, the most important first."""

    node: NodeState
    victims: tuple[Resident, ...]


def sacrifice(
    node: NodeState,
    priority: int,
    fits: Callable[[], bool],
    take_away: Callable[[Resident], None],
    put_back: Callable[[Resident], None],
) -> Sacrifice | None:
    """The fewest pods of lower priority that must go from a node, None where not even all of them would help.

    ``fits`` says whether the pod fits on the node as it is at the moment; ``take_away`` and ``put_back`` change that. Everything is
    put back in the end. Ref: SelectVictimsOnNode().
    """
    lower = sorted((p for p in node.residents.values() if p.priority < priority), key=_importance)
    if not lower:
        return None
    for pod in lower:
        take_away(pod)
    victims: list[Resident] = []
    helps = fits()
    for pod in lower:
        put_back(pod)
        if helps and not fits():
            take_away(pod)
            victims.append(pod)
    for pod in victims:
        put_back(pod)
    return Sacrifice(node, tuple(victims)) if helps and victims else None


def _importance(pod: Resident) -> tuple[int, str, object]:
    return -pod.priority, pod.started, pod.key


def best(offers: list[Sacrifice]) -> Sacrifice:
    """The node whose loss is the smallest: the lowest highest priority, the lowest sum, the fewest, those that were started last.

    Ref: preemption.go:pickOneNodeForPreemption().
    """
    least = min(offers, key=_loss)
    equal = [offer for offer in offers if _loss(offer) == _loss(least)]
    return max(equal, key=lambda offer: (_earliest(offer), -offer.node.order))


def _loss(offer: Sacrifice) -> tuple[int, int, int]:
    priorities = [pod.priority for pod in offer.victims]
    return max(priorities), sum(p + _ABOVE for p in priorities), len(priorities)


def _earliest(offer: Sacrifice) -> str:
    highest = max(pod.priority for pod in offer.victims)
    return min(pod.started for pod in offer.victims if pod.priority == highest)
