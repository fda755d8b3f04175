"""The kubelets of all nodes: pods are admitted, get a sandbox and addresses, start, are probed, restarted, and end.

Programs are not run: what they would do is in their pod's annotations and in what the world does to them (``Machines``).
Ref: pkg/kubelet/kubelet.go:SyncPod(), SyncTerminatingPod(), pkg/kubelet/pod_workers.go (v1.37).
"""

from __future__ import annotations

from netsim.cluster import podstate, sysctls
from netsim.cluster.context import Context
from netsim.cluster.documents import mapping_at, with_value, without
from netsim.cluster.ipam import AddressRefusal, NodeAddresses
from netsim.cluster.kubelet.addresses import one_a_family
from netsim.cluster.kubelet.admission import Rejection
from netsim.cluster.kubelet.conduct import conduct_of
from netsim.cluster.kubelet.containers import container_specs
from netsim.cluster.kubelet.fleet import Fleet
from netsim.cluster.kubelet.pod_runtime import PodRuntime
from netsim.cluster.kubelet.status import Surroundings, final_statuses, status_of
from netsim.cluster.ownership import BY_NODE, by_node, controller_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.core import Node
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object
from netsim.objects.quantity import quantities

_VERSION = ("metadata", "resourceVersion")


class Kubelet:
    """Runs the pods that are bound to nodes."""

    name = "kubelet"

    def __init__(self, context: Context, fleet: Fleet) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._machines = context.machines
        self._fleet = fleet
        self._nodes = context.informers.of("Node")
        self._pods = context.informers.of("Pod")
        self._views: dict[str, Node] = {}
        self._placements = context.placements
        self._due: dict[Key, float] = {}
        self._pods.add_index(BY_NODE, by_node)
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)
        self._machines.watch(nodes=self._queue_pods_on, pods=self.queue.add)
        self._clean_up_orphans()

    def addresses_of(self, node: str) -> NodeAddresses | None:
        """Who holds which address of a node's pod CIDRs, None for a node that is not there."""
        return self._fleet.network.of(node)

    def _clean_up_orphans(self) -> None:
        """Pods that went, or were replaced by others of their name, while no kubelet watched. Ref: kubelet_pods.go:HandlePodCleanups()."""
        for key in self._fleet.known():
            pod, runtime = self._store.find(key), self._fleet.pods.get(key)
            if pod is None or (runtime is not None and runtime.uid != pod.metadata.uid):
                self._fleet.forget(key)

    def sync(self, key: Key) -> None:
        """Start, probe or end one pod. A node that is out does nothing."""
        pod = self._pods.get(key)
        node_name = "" if pod is None else podstate.node_name(pod)
        if pod is None or not node_name or self._machines.outage(node_name) is not None:
            return
        node = self._nodes.get(Key("Node", "", node_name))
        if node is None:
            self._recorder.warning(self.name, key, "NodeNotFound", f'node "{node_name}" not found: the pod is not run')
        elif podstate.finished(pod):
            self._fleet.release(key)
            if pod.metadata.deletion_timestamp is not None:
                self._end(pod, node)
        elif pod.metadata.deletion_timestamp and not podstate.held(pod):
            self._end(pod, node)
        else:
            self._run(pod, node)

    # --- running ----------------------------------------------------------------------------------------------------

    def _run(self, pod: Object, node: Object) -> None:
        given = self._fleet.given.get(pod.key, {})
        if given.get("phase") == "Pending" and not podstate.pod_addresses(pod):
            return
        if not self._admitted(pod, node, given):
            return
        view = self._views[node.metadata.name]
        self._lose_what_an_earlier_boot_ran(pod, node.metadata.name)
        current = self._with_own_address(pod)
        addresses = self._fleet.network.add(current, view)
        if isinstance(addresses, AddressRefusal):
            self._fail(pod, addresses)
            return
        runtime = self._runtime(pod, addresses, node.metadata.name)
        self._move(runtime)
        around = Surroundings(addresses, one_a_family(view.internal_addresses), _is_ready(node))
        status = status_of(pod, runtime, around, given, self._clock)
        self._store.update_status(Object(pod.api_version, pod.kind, pod.metadata, {**pod.document, "status": status}))
        if podstate.held(pod) and pod.metadata.deletion_timestamp is None:
            self._store.delete(pod.key)

    def _admitted(self, pod: Object, node: Object, given: Document) -> bool:
        admission = self._fleet.admission
        if admission.admitted(pod.key):
            return True
        spec = self._placements.of(pod)
        if given:
            admission.take(pod.key, spec, node.metadata.name)
            return True
        allocatable = quantities(mapping_at(node.document, "status", "allocatable"))
        forbidden = sysctls.forbidden(mapping_at(pod.document, "spec"))
        refused = (
            Rejection("SysctlForbidden", f"Pod was rejected: forbidden sysctl: {forbidden}")
            if forbidden
            else admission.admit(pod.key, spec, self._views[node.metadata.name], allocatable)
        )
        if refused is None:
            return True
        self._refuse(pod, refused)
        return False

    def _refuse(self, pod: Object, refused: Rejection) -> None:
        """Ref: pkg/kubelet/kubelet.go:rejectPod()."""
        owner, patience = controller_of(pod), self._fleet.admission.patience
        if owner is not None:
            now = self._clock.now()
            if patience.due(owner.uid) > now:
                self.queue.add_after(pod.key, patience.due(owner.uid) - now, background=True)
                return
            patience.note(owner.uid, now)
        self._recorder.warning(self.name, pod.key, refused.reason, refused.message.removeprefix("Pod was rejected: "))
        status = {**mapping_at(pod.document, "status"), "phase": "Failed", "reason": refused.reason}
        changed = with_value(pod.document, ("status",), {**status, "message": refused.message})
        self._store.update_status(Object.of(changed))

    def _lose_what_an_earlier_boot_ran(self, pod: Object, node: str) -> None:
        """A node that lost its power has lost its sandboxes: they are made anew. Ref: kuberuntime_sandbox.go:PodSandboxChanged()."""
        runtime = self._fleet.pods.get(pod.key)
        if runtime is not None and runtime.boot != self._machines.boots(node):
            self._fleet.network.delete(pod.key)
            message = "Pod sandbox changed, it will be killed and re-created."
            self._recorder.normal(self.name, pod.key, "SandboxChanged", message)
            runtime.reboot(self._clock.now(), self._machines.boots(node))

    def _with_own_address(self, pod: Object) -> Object:
        """The pod without the address that its status names, where it had that in an earlier sandbox."""
        runtime = self._fleet.pods.get(pod.key)
        if runtime is None or runtime.address or not podstate.pod_addresses(pod):
            return pod
        status = {k: v for k, v in mapping_at(pod.document, "status").items() if k not in ("podIP", "podIPs")}
        return Object.of({**pod.document, "status": status})

    def _runtime(self, pod: Object, addresses: tuple[str, ...], node: str) -> PodRuntime:
        runtime = self._fleet.pods.get(pod.key)
        if runtime is None:
            boot, now = self._machines.boots(node), self._clock.now()
            specs = container_specs(mapping_at(pod.document, "spec"))
            runtime = PodRuntime.of(pod.key, pod.metadata.uid, conduct_of(pod), specs, now, boot)
            self._fleet.pods[pod.key] = runtime
        runtime.address = addresses[0] if addresses else ""
        return runtime

    def _move(self, runtime: PodRuntime) -> None:
        for happening in runtime.advance(self._machines, self._clock.now()):
            record = self._recorder.warning if happening.warning else self._recorder.normal
            record(self.name, runtime.key, happening.reason, happening.message)
        due = runtime.due(self._machines, self._clock.now())
        if due is not None and self._due.get(runtime.key) != due[0]:
            self._due[runtime.key] = due[0]
            self.queue.add_after(runtime.key, due[0] - self._clock.now(), background=due[1])

    def _fail(self, pod: Object, refusal: AddressRefusal) -> None:
        message = f'Failed to create pod sandbox: plugin type="host-local" failed (add): {refusal.message}'
        self._recorder.warning(self.name, pod.key, "FailedCreatePodSandBox", message)
        if podstate.pod_addresses(pod):
            self._fleet.report(pod.key, refusal.message)

    # --- ending -----------------------------------------------------------------------------------------------------

    def _end(self, pod: Object, node: Object) -> None:
        """Let a pod end within its grace: it serves until then, and is gone after it. A node that nobody hears of ends none.

        Ref: pkg/kubelet/kubelet.go:SyncTerminatingPod(). The annotation ``netsim.io/terminates-after`` says that it takes less.
        """
        if not _is_heard(node) or pod.metadata.deletion_timestamp is None:
            return
        running = self._still_runs(pod, node.metadata.name)
        if pod.key not in self._fleet.ending:
            self._fleet.ending[pod.key] = self._clock.now()
            for name in running:
                self._recorder.normal(self.name, pod.key, "Killing", f"Stopping container {name}")
        left = self._fleet.ending[pod.key] + self._takes(pod) - self._clock.now() if running else 0
        if left > 0:
            self.queue.add_after(pod.key, left)
        else:
            self._finish(pod)
            self._store.delete(pod.key, grace_seconds=0)

    def _finish(self, pod: Object) -> None:
        """Say how a pod has ended where somebody holds it to read that. Ref: pkg/kubelet/status/status_manager.go:TerminatePod()."""
        if not pod.metadata.finalizers or podstate.finished(pod):
            return
        runtime = self._fleet.pods.get(pod.key)
        if runtime is not None:
            runtime.end_all(self._clock.now())
        phase = "Failed" if runtime is None else runtime.phase
        status = {**mapping_at(pod.document, "status"), "phase": phase}
        if runtime is not None:
            status |= final_statuses(runtime, self._clock)
        self._store.update_status(Object.of(without(with_value(pod.document, ("status",), status), _VERSION)))

    def _still_runs(self, pod: Object, node: str) -> list[str]:
        runtime = self._fleet.pods.get(pod.key)
        if runtime is None or runtime.boot != self._machines.boots(node):
            return []
        return [c.spec.name for c in runtime.containers if c.running]

    def _takes(self, pod: Object) -> float:
        runtime = self._fleet.pods[pod.key]
        longest = max((c.spec.pre_stop for c in runtime.containers), default=0.0)
        given = mapping_at(pod.document, "metadata").get("deletionGracePeriodSeconds")
        return runtime.conduct.ending(longest, float(given) if isinstance(given, int) else None)[0]

    # --- what changed -----------------------------------------------------------------------------------------------

    def _node_changed(self, before: Object | None, item: Object | None) -> None:
        if item is None:
            if before is not None:
                self._fleet.network.leave(before.metadata.name)
                self._views.pop(before.metadata.name, None)
            return
        name = item.metadata.name
        self._views[name] = Node.of(item)
        self._fleet.network.join(self._views[name])
        self._queue_pods_on(name)

    def _queue_pods_on(self, node: str) -> None:
        for pod in self._pods.by_index(BY_NODE, node):
            self.queue.add(pod.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        if pod is None:
            if before is not None:
                self._gone(before)
            return
        if before is None:
            self._fleet.network.reserve_given(pod)
        self.queue.add(pod.key)

    def _gone(self, pod: Object) -> None:
        self._due.pop(pod.key, None)
        node = podstate.node_name(pod)
        if podstate.MIRROR in pod.metadata.annotations and node in self._views and self._machines.outage(node) is None:
            self._fleet.ending.pop(pod.key, None)
            self._store.create(_mirrored_again(pod))
            return
        self._fleet.forget(pod.key)
        self._machines.forget(pod.key)


def _mirrored_again(pod: Object) -> Object:
    """The API server's image of a static pod, as its kubelet makes it anew. Ref: pkg/kubelet/pod/mirror_client.go:CreateMirrorPod()."""
    dropped = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
    metadata = {k: v for k, v in mapping_at(pod.document, "metadata").items() if k not in dropped}
    return Object.of({**pod.document, "metadata": metadata})


def _is_ready(node: Object) -> bool:
    found = podstate.condition(node, "Ready")
    return found is None or found.get("status") == "True"


def _is_heard(node: Object) -> bool:
    found = podstate.condition(node, "Ready")
    return found is None or found.get("status") != "Unknown"
