"""DaemonSet → one Pod on each node that it fits on. Ref: pkg/controller/daemon/daemon_controller.go, update.go (v1.37)."""

from __future__ import annotations

from math import inf

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.controllers.daemonset_rollout import Rollout
from netsim.cluster.controllers.daemonset_rollout import age as _age
from netsim.cluster.controllers.daemonset_rollout import has_revision as _has
from netsim.cluster.controllers.history import REVISION_LABEL, History
from netsim.cluster.controllers.pod_owner import PodOwnerController
from netsim.cluster.documents import list_at, mapping_at, with_value
from netsim.cluster.scheduling.placement import PlacementSpec
from netsim.cluster.workloads import DaemonSetSpec, template_of
from netsim.objects.core import Node
from netsim.objects.json import Document, Json, decode
from netsim.objects.meta import Key, Object

_LONGEST_BACK_OFF = 900.0

# What a daemon bears that other pods do not. Ref: pkg/controller/daemon/util/daemonset_util.go:AddOrUpdateDaemonPodTolerations().
_TOLERATIONS = (
    ("node.kubernetes.io/not-ready", "NoExecute"),  # it is not evicted from a node that is broken
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),  # it may be what frees the disk
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),  # a cordoned node still needs its daemons
)
_ON_HOST = ("node.kubernetes.io/network-unavailable", "NoSchedule")  # it may be what brings the network up


class DaemonSetController(PodOwnerController):
    """Keeps one pod of each DaemonSet on each node on which it should run."""

    name = "daemonset-controller"
    kind = "DaemonSet"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._nodes = context.informers.of("Node")
        self._nodes.add_handler(self._node_changed)
        self._history = History(context.store, context.informers.of("ControllerRevision"))
        self._failures: dict[tuple[str, str], tuple[float, float]] = {}

    def sync(self, key: Key) -> None:
        """Make and delete the pods of one DaemonSet, node by node, and write its status."""
        claimed = self._claimed(key)
        if claimed is None:
            return
        owner, pods = claimed
        spec = decode(DaemonSetSpec, mapping_at(owner.document, "spec"), "spec")
        revision, known = self._history.of(owner)
        template = _template(owner, revision.digest)
        placement = PlacementSpec.of(mapping_at(template, "spec"))
        on_node = _by_node(pods)
        nodes = [Node.of(item) for item in self._nodes.all()]
        wanted = [node.metadata.name for node in nodes if _should_run(placement, node)]
        rollout = Rollout.of(spec, len(wanted), revision.digest, self._clock)
        for name in wanted:
            self._one_on(owner, name, on_node.get(name, []), template, rollout)
        self._none_elsewhere(owner, placement, nodes, on_node)
        running = {name: on_node.get(name, []) for name in wanted}
        if spec.update_strategy.type == "RollingUpdate":
            step = rollout.step(running)
            for pod in step.delete:
                self._control.delete(owner, pod)
            for name in step.create:
                self._control.create(owner, _bound_to(template, name))
        self._report(owner, rollout, running, on_node)
        live = {r.name for r in known.values() if any(_has(pod, r.digest) for pod in pods)}
        self._history.truncate(owner, {revision.name, *live}, spec.revision_history_limit)

    def _one_on(self, owner: Object, node: str, pods: list[Object], template: Document, rollout: Rollout) -> None:
        """Ref: daemon_controller.go:podsShouldBeOnNode(): of several the oldest stays, of each revision where they surge."""
        for pod in pods:
            if podstate.finished(pod) and pod.metadata.deletion_timestamp is None:
                self._replace_ended(owner, node, pod)
        if not pods:
            self._control.create(owner, _bound_to(template, node))
        for pod in rollout.superfluous(pods):
            self._control.delete(owner, pod)

    def _replace_ended(self, owner: Object, node: str, pod: Object) -> None:
        """A pod that has failed is deleted, but not too often: a second after the first, then twice as long each time.

        Ref: failedPodsBackoff: 1 s to 15 min.
        """
        where = f"{pod.key.namespace}/{pod.key.name} on node {node}"
        if podstate.phase(pod) != "Failed":
            message = f"Found succeeded daemon pod {where}, will try to delete it"
            self._recorder.normal(self.name, owner.key, "SucceededDaemonPod", message)
            self._control.delete(owner, pod)
            return
        since, delay = self._failures.get((owner.metadata.uid, node), (-inf, 0.0))
        now = self._clock.now()
        if now - since < delay:
            self.queue.add_after(owner.key, since + delay - now, background=True)
            return
        fresh = now - since > 2 * _LONGEST_BACK_OFF
        self._failures[owner.metadata.uid, node] = now, 1.0 if fresh else min(delay * 2, _LONGEST_BACK_OFF)
        message = f"Found failed daemon pod {where}, will try to kill it"
        self._recorder.warning(self.name, owner.key, "FailedDaemonPod", message)
        self._control.delete(owner, pod)

    def _none_elsewhere(
        self, owner: Object, placement: PlacementSpec, nodes: list[Node], on_node: dict[str, list[Object]]
    ) -> None:
        """Pods leave a node that does not match any more, or whose NoExecute taint they do not tolerate."""
        stays = {node.metadata.name for node in nodes if _may_stay(placement, node)}
        for name in sorted(on_node):
            for pod in on_node[name] if name not in stays else ():
                self._control.delete(owner, pod)

    def _report(
        self, owner: Object, rollout: Rollout, running: dict[str, list[Object]], on_node: dict[str, list[Object]]
    ) -> None:
        """Each node counts once, by its oldest pod. Ref: daemon_controller.go:updateDaemonSetStatus()."""
        oldest = [min(live, key=_age) for pods in running.values() if (live := list(filter(podstate.active, pods)))]
        waits = [podstate.available_in(pod, rollout.min_ready_seconds, self._clock) for pod in oldest]
        later = [wait for wait in waits if wait]
        if later:
            self.queue.add_after(owner.key, min(later))
        available = sum(wait == 0 for wait in waits)
        status: Document = {
            **mapping_at(owner.document, "status"),
            "observedGeneration": owner.metadata.generation,
            "desiredNumberScheduled": len(running),
            "currentNumberScheduled": sum(1 for pods in running.values() if pods),
            "updatedNumberScheduled": sum(_has(pod, rollout.digest) for pod in oldest),
            "numberReady": sum(wait is not None for wait in waits),
            "numberAvailable": available,
            "numberUnavailable": len(running) - available,
            "numberMisscheduled": sum(1 for name, pods in on_node.items() if pods and name not in running),
        }
        self._write_status(owner, status)

    def _node_changed(self, before: Object | None, item: Object | None) -> None:
        """Ref: daemon_controller.go:updateNode(): only labels, taints and whether it may be scheduled matter."""
        if before is not None and item is not None:
            same = before.metadata.labels == item.metadata.labels and before.document.get("spec") == item.document.get(
                "spec"
            )
            if same:
                return
        for owner in self._owners.all():
            self.queue.add(owner.key)


def _template(owner: Object, digest: str) -> Document:
    """The template with a daemon's tolerations and the label of its revision."""
    template = template_of(owner)
    spec = mapping_at(template, "spec")
    taints = (*_TOLERATIONS, _ON_HOST) if spec.get("hostNetwork") is True else _TOLERATIONS
    added: list[Json] = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in taints]
    template = with_value(template, ("spec", "tolerations"), [*list_at(spec, "tolerations"), *added])
    return with_value(template, ("metadata", "labels", REVISION_LABEL), digest)


def _should_run(placement: PlacementSpec, node: Node) -> bool:
    """Ref: daemon_controller.go:NodeShouldRunDaemonPod()."""
    fits = placement.matches_node(node.metadata.name, node.metadata.labels)
    return fits and placement.untolerated(node.spec.taints, "NoSchedule", "NoExecute") is None


def _may_stay(placement: PlacementSpec, node: Node) -> bool:
    fits = placement.matches_node(node.metadata.name, node.metadata.labels)
    return fits and placement.untolerated(node.spec.taints, "NoExecute") is None


def _by_node(pods: list[Object]) -> dict[str, list[Object]]:
    """Pods by the node they are on or were made for."""
    found: dict[str, list[Object]] = {}
    for pod in pods:
        name = podstate.node_name(pod) or next(iter(PlacementSpec.of(mapping_at(pod.document, "spec")).names or ()), "")
        if name:
            found.setdefault(name, []).append(pod)
    return found


def _bound_to(template: Document, node: str) -> Document:
    """The template with the affinity that leaves one node. Ref: daemonset_util.go:ReplaceDaemonSetPodNodeNameNodeAffinity()."""
    path = ("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    only: Json = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    return with_value(template, path, {"nodeSelectorTerms": only})
