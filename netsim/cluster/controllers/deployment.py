"""Deployment → ReplicaSets, with rolling updates. Ref: pkg/controller/deployment/{sync,rolling,recreate}.go (v1.37)."""

from __future__ import annotations

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import compact, mapping_at, strings_at, text_at, with_value, without
from netsim.cluster.naming import template_hash
from netsim.cluster.ownership import BY_CONTROLLER, Claims, by_controller, controller_key, controller_reference
from netsim.cluster.podcontrol import PodControl
from netsim.cluster.selectors import of_label_selector
from netsim.cluster.store import merged_condition
from netsim.cluster.workloads import DeploymentSpec, ReplicaSetView, scaled, template_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, decode
from netsim.objects.meta import Key, Object

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"


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
        newest = _newest(deployment, sets)
        old = sorted((s for s in sets if s is not newest), key=_revision)
        if newest is None and not spec.paused:
            self._create_set(deployment, spec, old)
        elif newest is not None:
            self._roll(deployment, spec, newest, old)
        self._report(deployment, spec, newest, sets)

    # --- the newest set ---------------------------------------------------------------------------------------------

    def _create_set(self, deployment: Object, spec: DeploymentSpec, old: list[ReplicaSetView]) -> None:
        """Ref: sync.go:getNewReplicaSet()."""
        if spec.strategy.type == "Recreate" and any(s.status.replicas or self._ending(s.item) for s in old):
            self._scale_all(deployment, old, 0)
            return
        surge, _ = fenceposts(spec)
        total = sum(s.spec.replicas for s in old)
        replicas = spec.replicas if not old else max(0, min(spec.replicas, spec.replicas + surge - total))
        if spec.strategy.type == "Recreate":
            replicas = spec.replicas
        revision = max((_revision(s) for s in old), default=0) + 1
        made = self._store.create(Object.of(_set_of(deployment, replicas, revision)))
        self._scaled(deployment, made, 0, replicas)

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

    def _roll(
        self, deployment: Object, spec: DeploymentSpec, newest: ReplicaSetView, old: list[ReplicaSetView]
    ) -> None:
        newest = self._renumber(newest, old)
        live = [s for s in old if s.spec.replicas or s.status.replicas]
        if spec.paused or not live:
            if not live:
                self._scale(deployment, newest, spec.replicas)
                self._clean_up(spec, old)
        elif spec.strategy.type == "Recreate":
            self._scale_all(deployment, live, 0)
        else:
            self._roll_up(deployment, spec, newest, live)
            self._roll_down(deployment, spec, newest, live)

    def _renumber(self, newest: ReplicaSetView, old: list[ReplicaSetView]) -> ReplicaSetView:
        """A set that is the newest again (a roll-back) has the highest revision again.

        Ref: deployment_util.go:SetNewReplicaSetAnnotations().
        """
        latest = max((_revision(s) for s in old), default=0)
        if _revision(newest) > latest:
            return newest
        document = with_value(newest.item.document, ("metadata", "annotations", REVISION), str(latest + 1))
        return ReplicaSetView.of(self._store.update(Object.of(document)))

    def _roll_up(
        self, deployment: Object, spec: DeploymentSpec, newest: ReplicaSetView, old: list[ReplicaSetView]
    ) -> None:
        """Ref: pkg/controller/deployment/util/deployment_util.go:NewRSNewReplicas()."""
        surge, _ = fenceposts(spec)
        room = spec.replicas + surge - newest.spec.replicas - sum(s.spec.replicas for s in old)
        if newest.spec.replicas > spec.replicas:
            self._scale(deployment, newest, spec.replicas)
        elif room > 0:
            self._scale(deployment, newest, min(spec.replicas, newest.spec.replicas + room))

    def _roll_down(
        self, deployment: Object, spec: DeploymentSpec, newest: ReplicaSetView, old: list[ReplicaSetView]
    ) -> None:
        """Ref: rolling.go:reconcileOldReplicaSets(): first what does not work, then as many as stay above the minimum."""
        _, unavailable = fenceposts(spec)
        least = spec.replicas - unavailable
        total = newest.spec.replicas + sum(s.spec.replicas for s in old)
        room = total - least - (newest.spec.replicas - newest.status.available_replicas)
        available = newest.status.available_replicas + sum(s.status.available_replicas for s in old)
        spare = available - least
        for item in old:
            broken = min(item.spec.replicas - item.status.available_replicas, max(0, room))
            broken = max(0, broken)
            sound = min(item.spec.replicas - broken, max(0, min(room - broken, spare)))
            if broken + sound > 0:
                self._scale(deployment, item, item.spec.replicas - broken - sound)
                room -= broken + sound
                spare -= sound

    def _scale_all(self, deployment: Object, sets: list[ReplicaSetView], replicas: int) -> None:
        for item in sets:
            self._scale(deployment, item, replicas)

    def _scale(self, deployment: Object, target: ReplicaSetView, replicas: int) -> None:
        if target.spec.replicas == replicas:
            return
        document = with_value(target.item.document, ("spec", "replicas"), replicas)
        self._store.update(Object.of(document))
        self._scaled(deployment, target.item, target.spec.replicas, replicas)

    def _scaled(self, deployment: Object, item: Object, before: int, after: int) -> None:
        way = "up" if after >= before else "down"
        message = f"Scaled {way} replica set {item.metadata.name} from {before} to {after}"
        self._recorder.normal(self.name, deployment.key, "ScalingReplicaSet", message)

    def _clean_up(self, spec: DeploymentSpec, old: list[ReplicaSetView]) -> None:
        """Ref: sync.go:cleanupDeployment()."""
        for item in old[: max(0, len(old) - spec.revision_history_limit)]:
            self._store.delete(item.item.key)

    # --- status -----------------------------------------------------------------------------------------------------

    def _report(
        self, deployment: Object, spec: DeploymentSpec, newest: ReplicaSetView | None, sets: list[ReplicaSetView]
    ) -> None:
        """Ref: sync.go:calculateStatus()."""
        _, unavailable = fenceposts(spec)
        available = sum(s.status.available_replicas for s in sets)
        enough = available >= spec.replicas - unavailable
        status: Document = {
            **mapping_at(deployment.document, "status"),
            "observedGeneration": deployment.metadata.generation,
            "replicas": sum(s.status.replicas for s in sets),
            "updatedReplicas": newest.status.replicas if newest else 0,
            "readyReplicas": sum(s.status.ready_replicas for s in sets),
            "availableReplicas": available,
            "unavailableReplicas": max(0, sum(s.spec.replicas for s in sets) - available),
        }
        document: Document = {**deployment.document, "status": status}
        conditions = merged_condition(document, self._availability(deployment, enough=enough))
        document = with_value(document, ("status", "conditions"), conditions)
        self._store.update_status(Object(deployment.api_version, deployment.kind, deployment.metadata, document))

    def _availability(self, deployment: Object, *, enough: bool) -> Document:
        status = "True" if enough else "False"
        known = podstate.condition(deployment, "Available")
        if known is not None and known.get("status") == status:
            return known
        return {
            "type": "Available",
            "status": status,
            "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
            "lastUpdateTime": self._clock.timestamp(),
            "lastTransitionTime": self._clock.timestamp(),
        }

    def _deployment_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _set_changed(self, before: Object | None, item: Object | None) -> None:
        for state in (before, item):
            owner = None if state is None else controller_key(state)
            if owner is not None and owner.kind == "Deployment":
                self.queue.add(owner)


def fenceposts(spec: DeploymentSpec) -> tuple[int, int]:
    """How many pods there may be above, and may be missing below, the number asked for.

    Ref: deployment_util.go:ResolveFenceposts(): where both come to nothing, one may be missing, or nothing could ever move.
    """
    if spec.strategy.type != "RollingUpdate":
        return 0, 0
    rolling = spec.strategy.rolling_update
    surge = scaled(rolling.max_surge, spec.replicas, default="25%", up=True)
    unavailable = scaled(rolling.max_unavailable, spec.replicas, default="25%", up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, spec.replicas)


def _set_of(deployment: Object, replicas: int, revision: int) -> Document:
    template = template_of(deployment)
    digest = template_hash(template)
    spec = mapping_at(deployment.document, "spec")
    annotations = strings_at(deployment.document, "metadata", "annotations")
    annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment.metadata.name}-{digest}",
            "namespace": deployment.metadata.namespace,
            "labels": {**strings_at(template, "metadata", "labels"), HASH_LABEL: digest},
            "annotations": {**annotations, REVISION: str(revision)},
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": compact(
            replicas=replicas,
            minReadySeconds=spec.get("minReadySeconds"),
            selector=with_value(mapping_at(spec, "selector"), ("matchLabels", HASH_LABEL), digest),
            template=with_value(template, ("metadata", "labels", HASH_LABEL), digest),
        ),
    }


def _newest(deployment: Object, sets: list[ReplicaSetView]) -> ReplicaSetView | None:
    """The set whose template is the Deployment's but for the hash. Ref: deployment_util.go:FindNewReplicaSet()."""
    wanted = template_of(deployment)
    path = ("metadata", "labels", HASH_LABEL)
    return next((s for s in sets if without(template_of(s.item), path) == without(wanted, path)), None)


def _revision(view: ReplicaSetView) -> int:
    text = text_at(view.item.document, "metadata", "annotations", REVISION)
    return int(text) if text.isdecimal() else 0
