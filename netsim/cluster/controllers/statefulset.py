"""StatefulSet → Pods with names that stay. Ref: pkg/controller/statefulset/stateful_set_control.go (v1.37)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, mapping_at, strings_at, text_at, with_value
from netsim.cluster.naming import template_hash
from netsim.cluster.ownership import Claims, controller_key, controller_reference
from netsim.cluster.podcontrol import PodControl
from netsim.cluster.selectors import of_label_selector
from netsim.cluster.workloads import StatefulSetSpec, template_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, Json, decode
from netsim.objects.meta import Key, Object

REVISION_LABEL = "controller-revision-hash"


@dataclass(frozen=True, slots=True)
class _Revisions:
    """Names of the revision that pods had so far and of the one they shall have, and the templates of both."""

    current: str
    update: str
    templates: Mapping[str, Document]

    def template(self, name: str) -> Document:
        return self.templates.get(name, self.templates[self.update])


class StatefulSetController:
    """Keeps pods ``name-0`` … ``name-(n-1)``, one after the other unless they may be made in parallel."""

    name = "statefulset-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._sets = context.informers.of("StatefulSet")
        self._pods = context.informers.of("Pod")
        self._claims = Claims(context.store, self._pods)
        self._control = PodControl(context.store, context.recorder, self.name)
        self._sets.add_handler(self._set_changed)
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Make, delete or replace the next pod that is due, and write the status."""
        owner = self._sets.get(key)
        if owner is None or owner.metadata.deletion_timestamp is not None:
            return
        selector = of_label_selector(mapping_at(owner.document, "spec").get("selector"))
        if not self._control.selects_own_template(owner, selector):
            return
        spec = decode(StatefulSetSpec, mapping_at(owner.document, "spec"), "spec")
        found = ((ordinal_of(owner, pod), pod) for pod in self._claims.claim(owner, selector))
        pods = {ordinal: pod for ordinal, pod in found if ordinal is not None}
        revisions = self._revisions(owner)
        if self._grow(owner, spec, pods, revisions) and self._shrink(owner, spec, pods):
            self._update(owner, spec, pods, revisions)
        self._report(owner, spec, pods, revisions)

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
        """Delete the highest pod of an old revision; it is made again from the new template."""
        if spec.update_strategy.type == "OnDelete":
            return
        partition = spec.update_strategy.rolling_update.partition
        for ordinal in sorted((n for n in pods if n >= partition), reverse=True):
            pod = pods[ordinal]
            if pod.metadata.labels.get(REVISION_LABEL) != revisions.update:
                self._control.delete(owner, pod)
                return
            if not self._healthy(pod, spec, owner):
                return

    def _healthy(self, pod: Object | None, spec: StatefulSetSpec, owner: Object) -> bool:
        """True where a pod runs, is available and is not being deleted (one held terminating counts as it is ready)."""
        if pod is None or not podstate.active(pod):
            return False
        wait = podstate.available_in(pod, spec.min_ready_seconds, self._clock)
        if wait:
            self.queue.add_after(owner.key, wait)
        return wait == 0

    def _create(self, owner: Object, spec: StatefulSetSpec, ordinal: int, revisions: _Revisions) -> Object:
        old = spec.update_strategy.type == "RollingUpdate" and ordinal < spec.update_strategy.rolling_update.partition
        revision = revisions.current if old else revisions.update
        name = f"{owner.metadata.name}-{ordinal}"
        template = with_value(
            revisions.template(revision), ("metadata", "labels"), self._labels(owner, ordinal, revision)
        )
        template = with_value(template, ("spec", "hostname"), name)
        if spec.service_name:
            template = with_value(template, ("spec", "subdomain"), spec.service_name)
        volumes = _volumes(owner, name, template)
        self._make_claims(owner, name)
        if volumes:
            template = with_value(template, ("spec", "volumes"), volumes)
        return self._control.create(owner, template, name=name)

    def _make_claims(self, owner: Object, pod: str) -> None:
        """A claim for each claim template, kept where it is there already. Ref: stateful_pod_control.go:createPersistentVolumeClaims()."""
        for template in list_at(owner.document, "spec", "volumeClaimTemplates"):
            name = text_at(template, "metadata", "name") if isinstance(template, Mapping) else ""
            key = Key("PersistentVolumeClaim", owner.metadata.namespace, f"{name}-{pod}")
            if not isinstance(template, Mapping) or not name or self._store.find(key) is not None:
                continue
            labels = {
                **strings_at(template, "metadata", "labels"),
                **strings_at(owner.document, "spec", "selector", "matchLabels"),
            }
            metadata: dict[str, Json] = {
                "name": key.name,
                "namespace": key.namespace,
                "labels": labels,
                "annotations": strings_at(template, "metadata", "annotations"),
            }
            self._store.create(
                Object.of(
                    {
                        "apiVersion": "v1",
                        "kind": "PersistentVolumeClaim",
                        "metadata": metadata,
                        "spec": mapping_at(template, "spec"),
                        "status": {"phase": "Pending"},
                    }
                )
            )
            message = f"create Claim {key.name} Pod {pod} in StatefulSet {owner.metadata.name} success"
            self._recorder.normal(self.name, owner.key, "SuccessfulCreate", message)

    def _labels(self, owner: Object, ordinal: int, revision: str) -> Document:
        return {
            **mapping_at(template_of(owner), "metadata", "labels"),
            "statefulset.kubernetes.io/pod-name": f"{owner.metadata.name}-{ordinal}",
            "apps.kubernetes.io/pod-index": str(ordinal),
            REVISION_LABEL: revision,
        }

    # --- revisions and status ---------------------------------------------------------------------------------------

    def _revisions(self, owner: Object) -> _Revisions:
        template = template_of(owner)
        update = f"{owner.metadata.name}-{template_hash(template)}"
        current = text_at(owner.document, "status", "currentRevision") or update
        templates = {update: template}
        key = Key("ControllerRevision", owner.metadata.namespace, update)
        if self._store.find(key) is None:
            self._store.create(Object.of(_revision(owner, update, template)))
        old = self._store.find(Key("ControllerRevision", owner.metadata.namespace, current))
        if old is not None:
            templates.setdefault(current, mapping_at(old.document, "data", "spec", "template"))
        return _Revisions(current, update, templates)

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
        self._store.update_status(
            Object(owner.api_version, owner.kind, owner.metadata, {**owner.document, "status": status})
        )

    def _set_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        for state in (before, pod):
            owner = None if state is None else controller_key(state)
            if owner is not None and owner.kind == "StatefulSet":
                self.queue.add(owner)


def _wanted(spec: StatefulSetSpec) -> range:
    return range(spec.ordinals.start, spec.ordinals.start + spec.replicas)


def ordinal_of(owner: Object, pod: Object) -> int | None:
    """The ordinal in a pod's name, None where the name is not one of the set's."""
    prefix, _, tail = pod.metadata.name.rpartition("-")
    return int(tail) if prefix == owner.metadata.name and tail.isdecimal() else None


def _volumes(owner: Object, pod: str, template: Document) -> list[Json]:
    """The template's volumes, with one for each claim template. Ref: stateful_set_utils.go:updateStorage()."""
    claims: dict[str, Json] = {}
    for claim in list_at(owner.document, "spec", "volumeClaimTemplates"):
        name = text_at(claim, "metadata", "name") if isinstance(claim, Mapping) else ""
        if name:
            claims[name] = {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{pod}"}}
    given = list_at(template, "spec", "volumes")
    return [*claims.values(), *(v for v in given if isinstance(v, Mapping) and v.get("name") not in claims)]


def _revision(owner: Object, name: str, template: Document) -> Document:
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": owner.metadata.namespace,
            "labels": dict(mapping_at(template, "metadata", "labels")),
            "ownerReferences": [controller_reference(owner)],
        },
        "revision": owner.metadata.generation,
        "data": {"spec": {"template": template}},
    }
