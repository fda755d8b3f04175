"""ReplicaSet → Pods. Ref: pkg/controller/replicaset/replica_set.go (v1.37). ReplicationControllers are the same with a plain selector."""

from __future__ import annotations

from netsim.cluster import podstate
from netsim.cluster.clock import VirtualClock
from netsim.cluster.context import Context
from netsim.cluster.documents import mapping_at, strings_at, text_at
from netsim.cluster.errors import Forbidden
from netsim.cluster.ownership import Claims, controller_key, label_terms, selector_term
from netsim.cluster.podcontrol import PodControl
from netsim.cluster.selectors import Selector, of_label_selector, of_labels
from netsim.cluster.workloads import ReplicaSetSpec, template_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, decode
from netsim.objects.meta import Key, Object

_SELECTOR = "selector"


class ReplicaSetController:
    """Keeps as many pods as a ReplicaSet (or a ReplicationController) asks for."""

    def __init__(self, context: Context, kind: str = "ReplicaSet") -> None:
        self.name = f"{kind.lower()}-controller" if kind == "ReplicaSet" else "replication-controller"
        self.queue = WorkQueue(context.clock)
        self._kind = kind
        self._clock = context.clock
        self._store = context.store
        self._pods = context.informers.of("Pod")
        self._sets = context.informers.of(kind)
        self._claims = Claims(context.store, self._pods)
        self._control = PodControl(context.store, context.recorder, self.name)
        self._sets.add_index(_SELECTOR, lambda item: (selector_term(item.metadata.namespace, self._selector(item)),))
        self._sets.add_handler(self._set_changed)
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Create or delete pods until there are as many as asked for, and count them in the status."""
        owner = self._sets.get(key)
        if owner is None:
            return
        selector = self._selector(owner)
        if not self._control.selects_own_template(owner, selector):
            return
        pods = [pod for pod in self._claims.claim(owner, selector) if podstate.active(pod)]
        spec = decode(ReplicaSetSpec, mapping_at(owner.document, "spec"), "spec")
        if owner.metadata.deletion_timestamp is None:
            self._scale(owner, pods, spec.replicas)
        self._report(owner, pods, spec.min_ready_seconds)

    def _scale(self, owner: Object, pods: list[Object], replicas: int) -> None:
        for _ in range(replicas - len(pods)):
            try:
                self._control.create(owner, template_of(owner))
            except Forbidden:  # the event says why; the status is written all the same
                break
        surplus = len(pods) - replicas
        if surplus > 0:
            for pod in deletion_order(pods, self._clock)[:surplus]:
                self._control.delete(owner, pod)

    def _report(self, owner: Object, pods: list[Object], min_ready_seconds: int) -> None:
        waits = [podstate.available_in(pod, min_ready_seconds, self._clock) for pod in pods]
        later = [wait for wait in waits if wait]
        if later:
            self.queue.add_after(owner.key, min(later))
        status: Document = {
            **mapping_at(owner.document, "status"),
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": sum(wait is not None for wait in waits),
            "availableReplicas": sum(wait == 0 for wait in waits),
            "observedGeneration": owner.metadata.generation,
        }
        self._store.update_status(
            Object(owner.api_version, owner.kind, owner.metadata, {**owner.document, "status": status})
        )

    def _selector(self, item: Object) -> Selector:
        if self._kind == "ReplicationController":
            given = strings_at(item.document, "spec", "selector")
            return of_labels(given or strings_at(item.document, "spec", "template", "metadata", "labels"))
        return of_label_selector(mapping_at(item.document, "spec").get("selector"))

    def _set_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        for state in (before, pod):
            owner = None if state is None else controller_key(state)
            if owner is not None and owner.kind == self._kind:
                self.queue.add(owner)
        if pod is not None and controller_key(pod) is None:
            for term in label_terms(pod.metadata.namespace, pod.metadata.labels):
                for item in self._sets.by_index(_SELECTOR, term):
                    if self._selector(item).matches(pod.metadata.labels):
                        self.queue.add(item.key)


_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_order(pods: list[Object], clock: VirtualClock) -> list[Object]:
    """Pods in the order in which a smaller set gives them up.

    Ref: pkg/controller/controller_utils.go:ActivePodsWithRanks.Less() (v1.37); where it compares logarithms of ages, ages are compared.
    """
    on_node: dict[str, int] = {}
    for pod in pods:
        node = podstate.node_name(pod)
        on_node[node] = on_node.get(node, 0) + 1

    def rank(pod: Object) -> tuple[bool, int, bool, int, int, float, float, str]:
        node = podstate.node_name(pod)
        ready = podstate.ready(pod)
        since = text_at(podstate.condition(pod, "Ready") or {}, "lastTransitionTime")
        cost = pod.metadata.annotations.get("controller.kubernetes.io/pod-deletion-cost", "0")
        made = clock.seconds_of(pod.metadata.creation_timestamp or clock.timestamp())
        return (
            node != "",  # one without a node goes first
            _PHASES.get(podstate.phase(pod), 0),  # then one that does not run
            ready,  # then one that is not ready
            int(cost) if cost.lstrip("-").isdigit() else 0,  # then the cheapest, as its annotation says
            -on_node[node],  # then one of the fullest node
            -clock.seconds_of(since)
            if ready and since
            else 0.0,  # then the one that has been ready for the shortest time
            -made,  # then the youngest
            pod.metadata.name,
        )

    return sorted(pods, key=rank)
