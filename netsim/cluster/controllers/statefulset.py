"""StatefulSet → Pods with names that stay. Ref: pkg/controller/statefulset/stateful_set_control.go (v1.37)."""

from __future__ import annotations

from collections.abc import Mapping

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.controllers.history import REVISION_LABEL, History
from netsim.cluster.controllers.pod_owner import PodOwnerController
from netsim.cluster.controllers.statefulset_claims import PodClaims, volumes
from netsim.cluster.documents import mapping_at, text_at, with_value
from netsim.cluster.podcontrol import PodControl
from netsim.cluster.workloads import StatefulSetSpec, scaled
from netsim.dataclass import dataclass
from netsim.objects.json import Document, decode
from netsim.objects.meta import Key, Object


@dataclass(frozen=True, slots=True)
class _Revisions:
    """Names of the revision that pods had so far and of the one they shall have, and the templates of all."""

    current: str
    update: str
    templates: Mapping[str, Document]

    def template(self, name: str) -> Document:
        return self.templates.get(name, self.templates[self.update])


_SAID = ("Create Pod {pod} in StatefulSet {owner} successful", "Delete Pod {pod} in StatefulSet {owner} successful")
"""Ref: stateful_pod_control.go:recordPodEvent()."""


class StatefulSetController(PodOwnerController):
    """Keeps pods ``name-0`` … ``name-(n-1)``, one after the other unless they may be made in parallel."""

    name = "statefulset-controller"
    kind = "StatefulSet"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._control = PodControl(context.store, context.recorder, self.name, *_SAID)
        self._history = History(context.store, context.informers.of("ControllerRevision"))
        self._storage = PodClaims(context.store, context.recorder, self.name)

    def sync(self, key: Key) -> None:
        """Make, delete or replace the next pod that is due, and write the status."""
        claimed = self._claimed(key)
        if claimed is None:
            return
        owner, owned = claimed
        spec = decode(StatefulSetSpec, mapping_at(owner.document, "spec"), "spec")
        pods = {ordinal: pod for pod in owned if (ordinal := ordinal_of(owner, pod)) is not None}
        for ordinal, pod in sorted(pods.items()):
            self._storage.hand_over(owner, pod, condemned=ordinal not in _wanted(spec))
        revisions = self._revisions(owner)
        if self._grow(owner, spec, pods, revisions) and self._shrink(owner, spec, pods):
            self._update(owner, spec, pods, revisions)
        self._report(owner, spec, pods, revisions)
        live = {revisions.current, revisions.update, *(p.metadata.labels.get(REVISION_LABEL, "") for p in owned)}
        self._history.truncate(owner, live, spec.revision_history_limit)

    # --- one step ---------------------------------------------------------------------------------------------------

    def _grow(self, owner: Object, spec: StatefulSetSpec, pods: dict[int, Object], revisions: _Revisions) -> bool:
        """Make what is missing. False where the next has to wait for one before it."""
        ordered = spec.pod_management_policy != "Parallel"
        for ordinal in _wanted(spec):
            pod = pods.get(ordinal)
            if pod is None:
                pods[ordinal] = self._create(owner, spec, ordinal, revisions)
            elif podstate.finished(pod):
                self._control.delete(owner, pod)
            if ordered and not self._healthy(pod, spec, owner):
                return False
        return True

    def _shrink(self, owner: Object, spec: StatefulSetSpec, pods: dict[int, Object]) -> bool:
        """Delete what is too many, the highest first. False where it is not over."""
        condemned = sorted((n for n in pods if n not in _wanted(spec)), reverse=True)
        for ordinal in condemned:
            self._control.delete(owner, pods[ordinal])
            if spec.pod_management_policy != "Parallel":
                return False
        return not condemned

    def _update(self, owner: Object, spec: StatefulSetSpec, pods: dict[int, Object], revisions: _Revisions) -> None:
        """Delete the highest pods of an old revision, as many at once as may be missing; they are made again from the new template.

        Ref: updateStatefulSetAfterInvariantEstablished().
        """
        if spec.update_strategy.type == "OnDelete":
            return
        rolling = spec.update_strategy.rolling_update
        room = max(1, scaled(rolling.max_unavailable, spec.replicas, default=1, up=False))
        healthy = {n: self._healthy(pods.get(n), spec, owner) for n in _wanted(spec)}
        room -= sum(not ok for ok in healthy.values())
        old = [
            n
            for n in reversed(_wanted(spec)[rolling.partition :])
            if n in pods
            and podstate.active(pods[n])
            and pods[n].metadata.labels.get(REVISION_LABEL) != revisions.update
        ]
        sound = [n for n in old if healthy[n]] if spec.pod_management_policy == "Parallel" else old
        broken = [n for n in old if n not in sound]  # go at once, as they are missing already
        for ordinal in [*broken, *sound[: max(0, room)]]:
            self._control.delete(owner, pods[ordinal])

    def _healthy(self, pod: Object | None, spec: StatefulSetSpec, owner: Object) -> bool:
        """True where a pod runs, is available and is not being deleted (one held terminating counts as it is ready)."""
        if pod is None or not podstate.active(pod):
            return False
        wait = podstate.available_in(pod, spec.min_ready_seconds, self._clock)
        if wait:
            self.queue.add_after(owner.key, wait)
        return wait == 0

    def _create(self, owner: Object, spec: StatefulSetSpec, ordinal: int, revisions: _Revisions) -> Object:
        rolling = spec.update_strategy.rolling_update
        old = spec.update_strategy.type == "RollingUpdate" and ordinal < spec.ordinals.start + rolling.partition
        revision = revisions.current if old else revisions.update
        name = f"{owner.metadata.name}-{ordinal}"
        template = revisions.template(revision)
        labels = {
            **mapping_at(template, "metadata", "labels"),
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
            REVISION_LABEL: revision,
        }
        template = with_value(template, ("metadata", "labels"), labels)
        template = with_value(template, ("spec", "hostname"), name)
        if spec.service_name:
            template = with_value(template, ("spec", "subdomain"), spec.service_name)
        self._storage.make(owner, name)
        mounted = volumes(owner, name, template)
        if mounted:
            template = with_value(template, ("spec", "volumes"), mounted)
        return self._control.create(owner, template, name=name)

    # --- revisions and status ---------------------------------------------------------------------------------------

    def _revisions(self, owner: Object) -> _Revisions:
        update, known = self._history.of(owner)
        current = text_at(owner.document, "status", "currentRevision") or update.name
        return _Revisions(current, update.name, {name: r.template for name, r in known.items()})

    def _report(self, owner: Object, spec: StatefulSetSpec, pods: dict[int, Object], revisions: _Revisions) -> None:
        live = [pods[n] for n in sorted(pods) if podstate.active(pods[n])]
        updated = [p for p in live if p.metadata.labels.get(REVISION_LABEL) == revisions.update]
        waits = [podstate.available_in(p, spec.min_ready_seconds, self._clock) for p in live]
        done = len(updated) == len(live) == spec.replicas and all(wait == 0 for wait in waits)
        current = revisions.update if done else revisions.current
        status: Document = {
            **mapping_at(owner.document, "status"),
            "observedGeneration": owner.metadata.generation,
            "replicas": len(live),
            "readyReplicas": sum(wait is not None for wait in waits),
            "availableReplicas": sum(wait == 0 for wait in waits),
            "currentReplicas": sum(p.metadata.labels.get(REVISION_LABEL) == current for p in live),
            "updatedReplicas": len(updated),
            "currentRevision": current,
            "updateRevision": revisions.update,
        }
        self._write_status(owner, status)


def _wanted(spec: StatefulSetSpec) -> range:
    return range(spec.ordinals.start, spec.ordinals.start + spec.replicas)


def ordinal_of(owner: Object, pod: Object) -> int | None:
    """The ordinal in a pod's name, None where the name is not one of the set's."""
    prefix, _, tail = pod.metadata.name.rpartition("-")
    return int(tail) if prefix == owner.metadata.name and tail.isdecimal() else None
