"""PodDisruptionBudgets: how many pods may be disrupted at the moment, in each one's status.

Ref: pkg/controller/disruption/disruption.go (v1.37).
"""

from __future__ import annotations

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import mapping_at, without
from netsim.cluster.ownership import BY_LABEL, by_label, controller_key, selected
from netsim.cluster.selectors import Selector, of_label_selector
from netsim.cluster.workloads import scaled
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object


class DisruptionController:
    """Keeps the status of every PodDisruptionBudget."""

    name = "controllermanager"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._budgets = context.informers.of("PodDisruptionBudget")
        self._pods = context.informers.of("Pod")
        self._pods.add_index(BY_LABEL, by_label)
        self._budgets.add_handler(self._budget_changed)
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Count the pods of one budget."""
        budget = self._budgets.get(key)
        if budget is None or budget.metadata.deletion_timestamp is not None:
            return
        pods = [
            p for p in selected(self._pods, BY_LABEL, key.namespace, selector_of(budget)) if not podstate.finished(p)
        ]
        healthy = sum(podstate.ready(p) and p.metadata.deletion_timestamp is None for p in pods)
        expected, desired = self._wanted(budget, pods)
        status: Document = {
            **mapping_at(budget.document, "status"),
            "observedGeneration": budget.metadata.generation,
            "expectedPods": expected,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": max(0, healthy - desired) if expected else 0,
        }
        changed = without({**budget.document, "status": status}, ("metadata", "resourceVersion"))
        self._store.update_status(Object.of(changed))

    def _wanted(self, budget: Object, pods: list[Object]) -> tuple[int, int]:
        """How many pods there should be, and how many have to be healthy. Ref: getExpectedPodCount()."""
        spec = mapping_at(budget.document, "spec")
        most = spec.get("maxUnavailable")
        if most is not None:
            expected = self._scale(pods)
            return expected, max(0, expected - _amount(most, expected))
        least = spec.get("minAvailable")
        if isinstance(least, str):
            expected = self._scale(pods)
            return expected, _amount(least, expected)
        return len(pods), _amount(least, len(pods))

    def _scale(self, pods: list[Object]) -> int:
        """The sizes that the pods' owners ask for. A pod of its own counts as one."""
        owners = {key for pod in pods if (key := controller_key(pod)) is not None}
        sizes = [self._size(key) for key in sorted(owners)]
        return sum(sizes) + sum(controller_key(pod) is None for pod in pods)

    def _size(self, key: Key) -> int:
        owner = self._store.find(key)
        above = controller_key(owner) if owner is not None else None
        top = self._store.find(above) if above is not None else owner
        size = mapping_at(top.document, "spec").get("replicas") if top is not None else None
        return size if isinstance(size, int) else 0

    def _budget_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        for state in (before, pod):
            for budget in self._budgets.all() if state is not None else ():
                same = state is not None and budget.metadata.namespace == state.metadata.namespace
                if same and state is not None and selector_of(budget).matches(state.metadata.labels):
                    self.queue.add(budget.key)


def selector_of(budget: Object) -> Selector:
    """The pods that a budget protects."""
    return of_label_selector(mapping_at(budget.document, "spec").get("selector"))


def _amount(value: Json, total: int) -> int:
    return scaled(value, total, default=0, up=True) if isinstance(value, (int, str)) or value is None else 0
