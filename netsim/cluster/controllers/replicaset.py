"""ReplicaSet → Pods. Ref: pkg/controller/replicaset/replica_set.go (v1.37). ReplicationControllers are the same with a plain selector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import floor, log2

from netsim.cluster import podstate
from netsim.cluster.clock import VirtualClock
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, mapping_at, strings_at, text_at
from netsim.cluster.errors import Forbidden
from netsim.cluster.ownership import (
    BY_CONTROLLER,
    Claims,
    by_controller,
    controller_key,
    controller_of,
    label_terms,
    selector_term,
)
from netsim.cluster.podcontrol import PodControl, in_slow_start
from netsim.cluster.selectors import Selector, of_label_selector, of_labels
from netsim.cluster.store import merged_condition
from netsim.cluster.workloads import ReplicaSetSpec, template_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, Json, decode
from netsim.objects.meta import Key, Object

_SELECTOR = "selector"
BURST = 500
"""The most pods that one look makes or deletes. Ref: replica_set.go:BurstReplicas."""


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
        self._sets.add_index(BY_CONTROLLER, by_controller)
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
        claimed = self._claims.claim(owner, selector)
        pods = [pod for pod in claimed if podstate.active(pod)]
        spec = decode(ReplicaSetSpec, mapping_at(owner.document, "spec"), "spec")
        failure = ""
        if owner.metadata.deletion_timestamp is None:
            failure = self._scale(owner, pods, spec.replicas)
        ending = sum(pod.metadata.deletion_timestamp is not None and not podstate.held(pod) for pod in claimed)
        self._report(owner, pods, spec, failure, ending)
        if failure:
            raise Forbidden(failure)  # the queue tries again, later each time

    def _scale(self, owner: Object, pods: list[Object], replicas: int) -> str:
        """Make what is missing or delete what is too many; why that could not be, empty where it could. Ref: manageReplicas()."""
        missing = min(replicas - len(pods), BURST)
        _, refused = in_slow_start(lambda _: self._control.create(owner, template_of(owner)), missing)
        if replicas - len(pods) > BURST and not refused:
            self.queue.add(owner.key)
        surplus = min(len(pods) - replicas, BURST)
        if surplus > 0:
            for pod in deletion_order(pods, self._clock, self._related(owner, pods))[:surplus]:
                self._control.delete(owner, pod)
        return refused

    def _related(self, owner: Object, pods: list[Object]) -> list[Object]:
        """The pods of all sets of the same owner: a node that has many of them gives one up first. Ref: getIndirectlyRelatedPods()."""
        above = controller_of(owner)
        if above is None:
            return pods
        sets = self._sets.by_index(BY_CONTROLLER, above.uid)
        return [pod for s in sets for pod in self._pods.by_index(BY_CONTROLLER, s.metadata.uid) if podstate.active(pod)]

    def _report(self, owner: Object, pods: list[Object], spec: ReplicaSetSpec, failure: str, ending: int) -> None:
        min_ready_seconds = spec.min_ready_seconds
        waits = [podstate.available_in(pod, min_ready_seconds, self._clock) for pod in pods]
        later = [wait for wait in waits if wait]
        if later:
            self.queue.add_after(owner.key, min(later))
        status: Document = {
            **mapping_at(owner.document, "status"),
            "replicas": len(pods),
            "fullyLabeledReplicas": self._fully_labelled(owner, pods),
            "readyReplicas": sum(wait is not None for wait in waits),
            "availableReplicas": sum(wait == 0 for wait in waits),
            "observedGeneration": owner.metadata.generation,
            "terminatingReplicas": ending,
        }
        status = _with_failure(owner, status, failure, self._clock)
        self._store.update_status(
            Object(owner.api_version, owner.kind, owner.metadata, {**owner.document, "status": status})
        )

    def _fully_labelled(self, owner: Object, pods: list[Object]) -> int:
        labels = of_labels(strings_at(template_of(owner), "metadata", "labels"))
        return sum(labels.matches(pod.metadata.labels) for pod in pods)

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


def _with_failure(owner: Object, status: Document, failure: str, clock: VirtualClock) -> Document:
    """The status with the condition ReplicaFailure, or without it. Ref: replica_set_utils.go:calculateStatus()."""
    known = podstate.condition(owner, "ReplicaFailure")
    if bool(failure) == (known is not None):
        return status
    if not failure:
        left: list[Json] = [c for c in list_at(status, "conditions") if c != known]
        return {**status, "conditions": left}
    said = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure}
    condition: Document = {**said, "lastTransitionTime": clock.timestamp()}
    return {**status, "conditions": merged_condition(owner.document, condition)}


_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_order(pods: list[Object], clock: VirtualClock, related: Sequence[Object] | None = None) -> list[Object]:
    """Pods in the order in which a smaller set gives them up; ``related``: those that make a node full, the pods themselves by default.

    Ref: pkg/controller/controller_utils.go:ActivePodsWithRanks.Less() (v1.37). Times are compared by the power of two that they
    have lasted, so that young and old do not decide between pods of about the same age.
    """
    on_node = Counter(podstate.node_name(pod) for pod in (pods if related is None else related))

    def rank(pod: Object) -> tuple[bool, int, bool, int, int, float, int, float, str]:
        node, ready = podstate.node_name(pod), podstate.ready(pod)
        since = text_at(podstate.condition(pod, "Ready") or {}, "lastTransitionTime")
        made = pod.metadata.creation_timestamp or clock.timestamp()
        return (
            node != "",  # one without a node goes first
            _PHASES.get(podstate.phase(pod), 0),  # then one that does not run
            ready,  # then one that is not ready
            _cost(pod),  # then the cheapest, as its annotation says
            -on_node[node],  # then one of the fullest node
            _lasted(since, clock) if ready and since else 0,  # then the one that has been ready for the shortest time
            -_restarts(pod),  # then the one that was restarted the most
            _lasted(made, clock),  # then the youngest
            pod.metadata.uid,  # LogarithmicScaleDown: of equals one by chance
        )

    return sorted(pods, key=rank)


def _cost(pod: Object) -> int:
    text = pod.metadata.annotations.get("controller.kubernetes.io/pod-deletion-cost", "0")
    return int(text) if text.lstrip("-").isdigit() else 0


def _lasted(since: str, clock: VirtualClock) -> float:
    """Ref: afterOrZero(), helpers LogarithmicScaleDown: -1 for what has only begun."""
    seconds = clock.now() - clock.seconds_of(since)
    return floor(log2(seconds)) if seconds >= 1 else -1


def _restarts(pod: Object) -> int:
    counts = (
        c.get("restartCount") for c in list_at(pod.document, "status", "containerStatuses") if isinstance(c, Mapping)
    )
    return max((n for n in counts if isinstance(n, int)), default=0)
