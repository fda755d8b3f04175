"""DaemonSet → one Pod on each node that it fits on. Ref: pkg/controller/daemon/daemon_controller.go, update.go (v1.37)."""

from __future__ import annotations

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, mapping_at, with_value
from netsim.cluster.naming import template_hash
from netsim.cluster.ownership import Claims, controller_key
from netsim.cluster.podcontrol import PodControl
from netsim.cluster.scheduling.placement import PlacementSpec
from netsim.cluster.selectors import of_label_selector
from netsim.cluster.workloads import DaemonSetSpec, scaled, template_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.core import Node
from netsim.objects.json import Document, Json, decode
from netsim.objects.meta import Key, Object

REVISION_LABEL = "controller-revision-hash"

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


class DaemonSetController:
    """Keeps one pod of each DaemonSet on each node on which it should run."""

    name = "daemonset-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._nodes = context.informers.of("Node")
        self._sets = context.informers.of("DaemonSet")
        self._pods = context.informers.of("Pod")
        self._claims = Claims(context.store, self._pods)
        self._control = PodControl(context.store, context.recorder, self.name)
        self._sets.add_handler(self._set_changed)
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Make and delete the pods of one DaemonSet, node by node, and write its status."""
        owner = self._sets.get(key)
        if owner is None or owner.metadata.deletion_timestamp is not None:
            return
        selector = of_label_selector(mapping_at(owner.document, "spec").get("selector"))
        if not self._control.selects_own_template(owner, selector):
            return
        spec = decode(DaemonSetSpec, mapping_at(owner.document, "spec"), "spec")
        template, digest = self._template(owner)
        placement = PlacementSpec.of(mapping_at(template, "spec"))
        on_node = _by_node(self._claims.claim(owner, selector))
        nodes = [Node.of(item) for item in self._nodes.all()]
        wanted = [node for node in nodes if _should_run(placement, node)]
        for node in wanted:
            self._one_on(owner, node, on_node.get(node.metadata.name, []), template)
        self._none_elsewhere(owner, placement, nodes, on_node)
        running = {node.metadata.name: on_node.get(node.metadata.name, []) for node in wanted}
        self._update(owner, spec, running, digest)
        self._report(owner, spec, running, digest)

    def _one_on(self, owner: Object, node: Node, pods: list[Object], template: Document) -> None:
        """Ref: daemon_controller.go:podsShouldBeOnNode(): of several, the oldest stays."""
        for pod in pods:
            if podstate.finished(pod):
                self._control.delete(owner, pod)
        live = [pod for pod in pods if podstate.active(pod)]
        if not live and not pods:
            self._control.create(owner, _bound_to(template, node.metadata.name))
        by_age = sorted(live, key=lambda pod: (pod.metadata.creation_timestamp or "", pod.metadata.name))
        for pod in by_age[1:]:
            self._control.delete(owner, pod)

    def _none_elsewhere(
        self, owner: Object, placement: PlacementSpec, nodes: list[Node], on_node: dict[str, list[Object]]
    ) -> None:
        """Pods leave a node that does not match any more, or whose NoExecute taint they do not tolerate."""
        stays = {node.metadata.name for node in nodes if _may_stay(placement, node)}
        for name in sorted(on_node):
            for pod in on_node[name] if name not in stays else ():
                self._control.delete(owner, pod)

    def _update(self, owner: Object, spec: DaemonSetSpec, running: dict[str, list[Object]], digest: str) -> None:
        """Replace pods of an old template, ``maxUnavailable`` at a time. Ref: update.go:rollingUpdate(), without surge."""
        if spec.update_strategy.type != "RollingUpdate":
            return
        rolling = spec.update_strategy.rolling_update
        if rolling.max_surge not in (None, 0, "0", "0%"):
            message = "maxSurge of a DaemonSet is not modelled: pods are replaced one at a time"
            self._recorder.warning(self.name, owner.key, "NotModelled", message)
        room = max(1, scaled(rolling.max_unavailable, len(running), default=1, up=True))
        live = [pod for pods in running.values() for pod in pods if podstate.active(pod)]
        old = [pod for pod in live if pod.metadata.labels.get(REVISION_LABEL) != digest]
        room -= len(running) - sum(self._available(pod, spec) for pod in live)
        for pod in sorted(old, key=lambda pod: podstate.ready(pod)):
            if room <= 0 and self._available(pod, spec):
                return
            room -= self._available(pod, spec)
            self._control.delete(owner, pod)

    def _available(self, pod: Object, spec: DaemonSetSpec) -> bool:
        return podstate.available_in(pod, spec.min_ready_seconds, self._clock) == 0

    def _template(self, owner: Object) -> tuple[Document, str]:
        """The template with a daemon's tolerations and the label of its revision, and that revision."""
        template = template_of(owner)
        digest = template_hash(template)
        spec = mapping_at(template, "spec")
        taints = (*_TOLERATIONS, _ON_HOST) if spec.get("hostNetwork") is True else _TOLERATIONS
        added: list[Json] = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in taints]
        template = with_value(template, ("spec", "tolerations"), [*list_at(spec, "tolerations"), *added])
        return with_value(template, ("metadata", "labels", REVISION_LABEL), digest), digest

    def _report(self, owner: Object, spec: DaemonSetSpec, running: dict[str, list[Object]], digest: str) -> None:
        live = [pod for pods in running.values() for pod in pods if podstate.active(pod)]
        waits = [podstate.available_in(pod, spec.min_ready_seconds, self._clock) for pod in live]
        later = [wait for wait in waits if wait]
        if later:
            self.queue.add_after(owner.key, min(later))
        available = sum(wait == 0 for wait in waits)
        status: Document = {
            **mapping_at(owner.document, "status"),
            "observedGeneration": owner.metadata.generation,
            "desiredNumberScheduled": len(running),
            "currentNumberScheduled": sum(1 for pods in running.values() if pods),
            "updatedNumberScheduled": sum(pod.metadata.labels.get(REVISION_LABEL) == digest for pod in live),
            "numberReady": sum(wait is not None for wait in waits),
            "numberAvailable": available,
            "numberUnavailable": len(running) - available,
            "numberMisscheduled": 0,
        }
        self._store.update_status(
            Object(owner.api_version, owner.kind, owner.metadata, {**owner.document, "status": status})
        )

    # --- what changed -----------------------------------------------------------------------------------------------

    def _set_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _node_changed(self, _: Object | None, __: Object | None) -> None:
        for item in self._sets.all():
            self.queue.add(item.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        for state in (before, pod):
            owner = None if state is None else controller_key(state)
            if owner is not None and owner.kind == "DaemonSet":
                self.queue.add(owner)


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
        name = podstate.node_name(pod) or PlacementSpec.of(mapping_at(pod.document, "spec")).node_name
        if name:
            found.setdefault(name, []).append(pod)
    return found


def _bound_to(template: Document, node: str) -> Document:
    """The template with the affinity that leaves one node. Ref: daemonset_util.go:ReplaceDaemonSetPodNodeNameNodeAffinity()."""
    path = ("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    only: Json = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    return with_value(template, path, {"nodeSelectorTerms": only})
