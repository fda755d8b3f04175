"""Making room for a pod that no node would have, by making others go that go after it.

Ref: pkg/scheduler/framework/{preemption/preemption.go,plugins/defaultpreemption/default_preemption.go} (v1.37).
"""

from __future__ import annotations

from dataclasses import replace

from netsim.cluster.context import Context
from netsim.cluster.documents import mapping_at, text_at
from netsim.cluster.errors import NotFound
from netsim.cluster.scheduling import filters, preemption
from netsim.cluster.scheduling.choosing import EVERY, Choice, Wish
from netsim.cluster.scheduling.nodes import NodeState, Resident
from netsim.cluster.scheduling.population import Population
from netsim.cluster.scheduling.refusals import Refusals
from netsim.cluster.selectors import of_label_selector
from netsim.objects.json import Document
from netsim.objects.meta import Object


class Preemptor:
    """Says why no node has a pod, and chooses whom it may drive away. ``name`` is the scheduler's."""

    def __init__(self, context: Context, population: Population, choice: Choice, refusals: Refusals, name: str) -> None:
        self._name = name
        self._store = context.store
        self._recorder = context.recorder
        self._clock = context.clock
        self._budgets = context.informers.of("PodDisruptionBudget")
        self._population = population
        self._choice = choice
        self._refusals = refusals

    def make_room(self, wish: Wish, request: filters.Request) -> None:
        """Say why no node has a pod, and let others go where that helps. One that waits for its victims makes no others go.

        Ref: preemption.go:Preempt().
        """
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
        found = [self._offer(wish, request, node) for node in nodes]
        offers = [offer for offer in found if isinstance(offer, preemption.Sacrifice)]
        if not offers:
            text = filters.none_of(reasons for reasons in found if not isinstance(reasons, preemption.Sacrifice))
            self._refusals.unschedulable(wish.pod, filters.message(request, nodes, text))
            return
        chosen = preemption.best(offers)
        where = f"on node {chosen.node.name}, preempting {len(chosen.victims)} victims"
        text = filters.message(request, nodes, f"found a potential placement for pod {where}")
        self._refusals.unschedulable(wish.pod, text, nominated=chosen.node.name)
        self._population.promise(wish.pod.key, (chosen.node.name, wish.resident))
        for victim in chosen.victims:
            self._preempt(victim, wish.pod, chosen.node.name)

    def _offer(self, wish: Wish, request: filters.Request, node: NodeState) -> preemption.Sacrifice | filters.Reasons:
        if not filters.resolvable(request, node):
            return (filters.NOT_HELPFUL,)

        def refused() -> filters.Reasons:
            now = replace(request, others=self._choice.others(wish))
            return filters.refusal((*EVERY, *now.others), now, node)

        population = self._population
        return preemption.sacrifice(
            node,
            request.priority,
            self._disruptions(),
            refused,
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
                "message": f"{self._name}: preempting to accommodate a higher priority pod",
                "lastTransitionTime": self._clock.timestamp(),
            }
            self._refusals.write_condition(pod, target)
            self._store.delete(victim.key)
        except NotFound:
            return
        self._recorder.normal(self._name, victim.key, "Preempted", message)
