"""Deployment → ReplicaSets, with rolling updates.

Ref: pkg/controller/deployment/{deployment_controller,sync,rolling,recreate,rollback}.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterable

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.controllers.deployment_progress import Stage, conditions, counted, deadline_in, is_complete
from netsim.cluster.controllers.deployment_rolling import (
    DESIRED,
    HISTORY,
    MAXIMUM,
    REVISION,
    Scaling,
    first_replicas,
    grown,
    is_scaling,
    maximum,
    proportional,
    revision_of,
    shrunk,
)
from netsim.cluster.documents import compact, mapping_at, strings_at, with_value, without
from netsim.cluster.errors import AlreadyExists
from netsim.cluster.naming import template_hash
from netsim.cluster.ownership import BY_CONTROLLER, Claims, by_controller, controller_key, controller_reference
from netsim.cluster.podcontrol import PodControl
from netsim.cluster.selectors import of_label_selector
from netsim.cluster.workloads import DeploymentSpec, ReplicaSetView, template_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, decode
from netsim.objects.meta import Key, Object

HASH_LABEL = "pod-template-hash"
ROLLBACK = "deprecated.deployment.rollback.to"
"""The annotation that asks for an earlier revision, as the API of extensions/v1beta1 did; kubectl writes the template itself."""

_NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    ROLLBACK,
)


class DeploymentController:
    """Keeps one ReplicaSet for each version of a Deployment's template, and moves the replicas to the newest."""

    name = "deployment-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._deployments = context.informers.of("Deployment")
        self._sets = context.informers.of("ReplicaSet")
        self._pods = context.informers.of("Pod")
        self._claims = Claims(context.store, self._sets)
        self._control = PodControl(context.store, context.recorder, self.name)
        self._deployments.add_handler(self._deployment_changed)
        self._sets.add_handler(self._set_changed)
        self._pods.add_index(BY_CONTROLLER, by_controller)
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Bring the ReplicaSets of one Deployment a step closer to its newest template, and write its status."""
        deployment = self._deployments.get(key)
        if deployment is None or deployment.metadata.deletion_timestamp is not None:
            return
        selector = of_label_selector(mapping_at(deployment.document, "spec").get("selector"))
        if not self._control.selects_own_template(deployment, selector):
            return
        spec = decode(DeploymentSpec, mapping_at(deployment.document, "spec"), "spec")
        sets = [ReplicaSetView.of(item) for item in self._claims.claim(deployment, selector)]
        if not spec.paused and self._roll_back(deployment, sets):
            return
        newest = _newest(deployment, sets)
        old = sorted((s for s in sets if s is not newest), key=revision_of)
        self._report(self._step(Stage(deployment, spec, newest, sets), old))

    def _step(self, stage: Stage, old: list[ReplicaSetView]) -> Stage:
        """Ref: deployment_controller.go:syncDeployment()."""
        deployment, spec, newest = stage.deployment, stage.spec, stage.newest
        if newest is not None and not spec.paused:
            newest = self._annotated(deployment, newest, spec, old)
        if spec.paused or is_scaling(spec, stage.sets):
            self._scale_all(deployment, spec, proportional(spec, newest, old))
            if spec.paused:
                self._clean_up(spec, old)
        elif newest is None:
            return self._create_set(stage, old)
        elif spec.strategy.type == "Recreate":
            live = [s for s in old if s.spec.replicas]
            self._scale_all(deployment, spec, (Scaling(s, 0) for s in live))
            if not live and not any(self._ending(s.item) for s in old):
                self._scale_all(deployment, spec, [Scaling(newest, spec.replicas)])
        elif (size := grown(spec, newest, old)) != newest.spec.replicas:
            self._scale_all(deployment, spec, [Scaling(newest, size)])
        else:
            self._scale_all(deployment, spec, shrunk(spec, newest, [s for s in old if s.spec.replicas]))
        return stage

    # --- the newest set ---------------------------------------------------------------------------------------------

    def _create_set(self, stage: Stage, old: list[ReplicaSetView]) -> Stage:
        """Ref: sync.go:getNewReplicaSet(). A name that another set has is a collision of hashes: another is tried."""
        deployment, spec = stage.deployment, stage.spec
        if spec.strategy.type == "Recreate" and any(s.spec.replicas or self._ending(s.item) for s in old):
            self._scale_all(deployment, spec, (Scaling(s, 0) for s in old))
            return stage
        replicas = first_replicas(spec, old)
        revision = max((revision_of(s) for s in old), default=0) + 1
        try:
            made = self._store.create(Object.of(_set_of(deployment, spec, replicas, revision)))
        except AlreadyExists:
            if not self._sees(deployment):
                return stage
            collisions = mapping_at(deployment.document, "status").get("collisionCount")
            count = collisions + 1 if isinstance(collisions, int) else 1
            path = ("status", "collisionCount")
            self._store.update_status(Object.of(with_value(deployment.document, path, count)))
            raise
        if replicas:
            self._scaled(deployment, made, 0, replicas)
        self._number(deployment, revision)
        return Stage(deployment, spec, stage.newest, stage.sets, created=made.metadata.name)

    def _sees(self, deployment: Object) -> bool:
        """False where the set is its own, and only its informer has not heard of it yet."""
        name = _set_name(deployment)
        found = self._store.get(Key("ReplicaSet", deployment.metadata.namespace, name))
        return controller_key(found) != deployment.key or _newest(deployment, [ReplicaSetView.of(found)]) is None

    def _ending(self, owned: Object) -> bool:
        """True while a pod of an old set has not ended. Ref: recreate.go:oldPodsRunning()."""
        pods = self._pods.by_index(BY_CONTROLLER, owned.metadata.uid)
        return any(not podstate.finished(pod) and not podstate.held(pod) for pod in pods)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        """Ref: deployment_controller.go:deletePod(): the last old pod's end lets a Recreate go on."""
        owner = None if pod is not None or before is None else controller_key(before)
        found = None if owner is None or owner.kind != "ReplicaSet" else self._sets.get(owner)
        deployment = None if found is None else controller_key(found)
        if deployment is not None and deployment.kind == "Deployment":
            self.queue.add(deployment)

    # --- rolling ----------------------------------------------------------------------------------------------------

    def _annotated(
        self, deployment: Object, newest: ReplicaSetView, spec: DeploymentSpec, old: list[ReplicaSetView]
    ) -> ReplicaSetView:
        """Its Deployment's annotations; and a set that is the newest again (a roll-back) has the highest revision again.

        Ref: deployment_util.go:SetNewReplicaSetAnnotations().
        """
        latest, number = max((revision_of(s) for s in old), default=0), revision_of(newest)
        known = newest.item.metadata.annotations
        annotations = {**known, **_copied(deployment)}
        if number <= latest:
            annotations[REVISION] = str(latest + 1)
            if number:
                annotations[HISTORY] = ",".join(filter(None, (known.get(HISTORY, ""), str(number))))
        document = newest.item.document
        if annotations != dict(known):
            document = with_value(document, ("metadata", "annotations"), annotations)
        if newest.spec.min_ready_seconds != spec.min_ready_seconds:
            document = with_value(document, ("spec", "minReadySeconds"), spec.min_ready_seconds)
        self._number(deployment, max(number, latest + 1) if number <= latest else number)
        if document is newest.item.document:
            return newest
        return ReplicaSetView.of(self._store.update(Object.of(document)))

    def _number(self, deployment: Object, revision: int) -> None:
        """The Deployment says which revision it is of. Ref: deployment_util.go:SetDeploymentRevision()."""
        if deployment.metadata.annotations.get(REVISION) != str(revision):
            current = self._store.get(deployment.key)
            path = ("metadata", "annotations", REVISION)
            self._store.update(Object.of(with_value(current.document, path, str(revision))))

    def _scale_all(self, deployment: Object, spec: DeploymentSpec, changes: Iterable[Scaling]) -> None:
        for change in changes:
            self._scale(deployment, spec, change)

    def _scale(self, deployment: Object, spec: DeploymentSpec, change: Scaling) -> None:
        """Ref: sync.go:scaleReplicaSet(): the size asked for is noted, so that a change of it can be told from a roll-out."""
        target, before = change.target, change.target.spec.replicas
        document = with_value(target.item.document, ("spec", "replicas"), change.replicas)
        for name, value in ((DESIRED, spec.replicas), (MAXIMUM, maximum(spec))):
            document = with_value(document, ("metadata", "annotations", name), str(value))
        self._store.update(Object.of(document))
        if before != change.replicas:
            self._scaled(deployment, target.item, before, change.replicas)

    def _scaled(self, deployment: Object, item: Object, before: int, after: int) -> None:
        way = "up" if after >= before else "down"
        message = f"Scaled {way} replica set {item.metadata.name} from {before} to {after}"
        self._recorder.normal(self.name, deployment.key, "ScalingReplicaSet", message)

    def _clean_up(self, spec: DeploymentSpec, old: list[ReplicaSetView]) -> None:
        """Delete the oldest sets that are empty, but as many as the limit says. Ref: sync.go:cleanupDeployment()."""
        alive = [s for s in old if s.item.metadata.deletion_timestamp is None]
        for item in alive[: max(0, len(alive) - spec.revision_history_limit)]:
            status = item.status
            if not (status.replicas or item.spec.replicas) and _observed(item):
                self._store.delete(item.item.key)

    def _roll_back(self, deployment: Object, sets: list[ReplicaSetView]) -> bool:
        """Ref: rollback.go: the template of an earlier revision (0: the last one) becomes the Deployment's again."""
        asked = deployment.metadata.annotations.get(ROLLBACK)
        if asked is None:
            return False
        document = without(deployment.document, ("metadata", "annotations", ROLLBACK))
        revisions = sorted(filter(None, map(revision_of, sets)))
        wanted = int(asked) if asked.isdecimal() and int(asked) else (revisions[-2] if len(revisions) > 1 else 0)
        found = next((s for s in sets if wanted and revision_of(s) == wanted), None)
        if found is None:
            message = "Unable to find the revision to rollback to." if wanted else "Unable to find last revision."
            self._recorder.warning(self.name, deployment.key, "DeploymentRollbackRevisionNotFound", message)
        elif found is _newest(deployment, sets):
            message = "The rollback revision contains the same template as current deployment."
            self._recorder.warning(self.name, deployment.key, "DeploymentRollbackTemplateUnchanged", message)
        else:
            template = without(template_of(found.item), ("metadata", "labels", HASH_LABEL))
            document = with_value(document, ("spec", "template"), template)
            message = f'Rolled back deployment "{deployment.metadata.name}" to revision {wanted}'
            self._recorder.normal(self.name, deployment.key, "DeploymentRollback", message)
        self._store.update(Object.of(document))
        return True

    # --- status -----------------------------------------------------------------------------------------------------

    def _report(self, stage: Stage) -> None:
        deployment = stage.deployment
        numbers = counted(stage)
        numbers["conditions"] = conditions(stage, numbers, self._clock)
        document: Document = {**deployment.document, "status": numbers}
        collisions = mapping_at(self._store.get(deployment.key).document, "status").get("collisionCount")
        if collisions is not None:
            numbers["collisionCount"] = collisions
        written = self._store.update_status(
            Object.of(without(document, ("metadata", "resourceVersion"))),
        )
        if is_complete(stage.spec, numbers) and stage.newest is not None:
            old = sorted((s for s in stage.sets if s is not stage.newest), key=revision_of)
            self._clean_up(stage.spec, old)
        left = deadline_in(Stage(written, stage.spec, stage.newest, stage.sets), self._clock)
        if left:
            self.queue.add_after(deployment.key, left, background=True)

    def _deployment_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _set_changed(self, before: Object | None, item: Object | None) -> None:
        for state in (before, item):
            owner = None if state is None else controller_key(state)
            if owner is not None and owner.kind == "Deployment":
                self.queue.add(owner)


def _set_name(deployment: Object) -> str:
    return f"{deployment.metadata.name}-{_digest(deployment)}"


def _digest(deployment: Object) -> str:
    collisions = mapping_at(deployment.document, "status").get("collisionCount")
    return template_hash(template_of(deployment), collisions if isinstance(collisions, int) else None)


def _set_of(deployment: Object, spec: DeploymentSpec, replicas: int, revision: int) -> Document:
    template, digest = template_of(deployment), _digest(deployment)
    given = mapping_at(deployment.document, "spec")
    sizes = {REVISION: str(revision), DESIRED: str(spec.replicas), MAXIMUM: str(maximum(spec))}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": _set_name(deployment),
            "namespace": deployment.metadata.namespace,
            "labels": {**strings_at(template, "metadata", "labels"), HASH_LABEL: digest},
            "annotations": {**_copied(deployment), **sizes},
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": compact(
            replicas=replicas,
            minReadySeconds=given.get("minReadySeconds"),
            selector=with_value(mapping_at(given, "selector"), ("matchLabels", HASH_LABEL), digest),
            template=with_value(template, ("metadata", "labels", HASH_LABEL), digest),
        ),
    }


def _copied(deployment: Object) -> dict[str, str]:
    return {name: value for name, value in deployment.metadata.annotations.items() if name not in _NOT_COPIED}


def _newest(deployment: Object, sets: list[ReplicaSetView]) -> ReplicaSetView | None:
    """The oldest set whose template is the Deployment's but for the hash. Ref: deployment_util.go:FindNewReplicaSet()."""
    wanted = template_of(deployment)
    path = ("metadata", "labels", HASH_LABEL)
    found = [s for s in sets if without(template_of(s.item), path) == without(wanted, path)]
    return min(found, key=lambda s: (s.item.metadata.creation_timestamp or "", s.item.metadata.name), default=None)


def _observed(view: ReplicaSetView) -> bool:
    seen = mapping_at(view.item.document, "status").get("observedGeneration")
    return isinstance(seen, int) and seen >= view.item.metadata.generation
