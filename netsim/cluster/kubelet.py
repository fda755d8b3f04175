"""The kubelets of all nodes, with their CNI plugin: pods get addresses, start, become ready, and end.

Containers are not run: they start at once and stay; told to end, they take the grace that they are given.
Ref: pkg/kubelet/kubelet_pods.go, pkg/kubelet/status/{generate,status_manager}.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.ipam import AddressRefusal, NodeAddresses
from netsim.cluster.readiness import ContainerReadiness, containers_of, failing_liveness, missing_gate
from netsim.cluster.workqueue import WorkQueue
from netsim.net.address import Address, parse_address
from netsim.objects.core import Node
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

BY_NODE = "node"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a given object asks for and cannot have."""

    object: Key
    message: str


class Kubelet:
    """Runs the pods that are bound to nodes."""

    name = "kubelet"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self.problems: list[Problem] = []
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._nodes = context.informers.of("Node")
        self._pods = context.informers.of("Pod")
        self._addresses: dict[str, NodeAddresses] = {}
        self._views: dict[str, Node] = {}
        self._given: dict[Key, Document] = {}
        self._started: dict[Key, float] = {}
        self._ending: dict[Key, float] = {}
        self._reserved_on: dict[Key, str] = {}
        self._pods.add_index(BY_NODE, lambda pod: filter(None, (podstate.node_name(pod),)))
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self._pod_changed)

    def keep_status(self, pod: Object) -> None:
        """Remember that a pod was given with this status: what it says is kept, what it leaves out is filled in."""
        self._given[pod.key] = mapping_at(pod.document, "status")

    def addresses_of(self, node: str) -> NodeAddresses | None:
        """Who holds which address of a node's pod CIDRs, None for a node that is not there."""
        return self._addresses.get(node)

    def sync(self, key: Key) -> None:
        """Start, probe or end one pod."""
        pod = self._pods.get(key)
        node_name = "" if pod is None else podstate.node_name(pod)
        if pod is None or not node_name:
            return
        node = self._nodes.get(Key("Node", "", node_name))
        if node is None:
            self._recorder.warning(self.name, key, "NodeNotFound", f'node "{node_name}" not found: the pod is not run')
        elif podstate.finished(pod):
            self._release(key)
        elif pod.metadata.deletion_timestamp and not podstate.held(pod):
            self._end(pod, node)
        else:
            self._run(pod, self._views[node_name], node)

    def _run(self, pod: Object, node: Node, node_item: Object) -> None:
        if self._given.get(pod.key, {}).get("phase") == "Pending" and not podstate.pod_addresses(pod):
            return
        addresses = self._pod_addresses(pod, node)
        if isinstance(addresses, AddressRefusal):
            self._fail(pod, addresses)
            return
        if pod.key not in self._started:
            self._started[pod.key] = self._clock.now()
            self._recorder.normal(self.name, pod.key, "Started", "Started containers")
        node_ready = _node_is_ready(node_item)
        status = self._status(pod, node, addresses, node_ready=node_ready)
        self._store.update_status(Object(pod.api_version, pod.kind, pod.metadata, {**pod.document, "status": status}))
        if podstate.held(pod) and pod.metadata.deletion_timestamp is None:
            self._store.delete(pod.key)

    def _end(self, pod: Object, node: Object) -> None:
        """Let a pod end within its grace: it serves until then, and is gone after it. A node that nobody hears of ends none.

        Ref: pkg/kubelet/kubelet.go:SyncTerminatingPod(). The annotation ``netsim.io/terminates-after`` says that it takes less.
        """
        if not _node_is_heard(node) or pod.metadata.deletion_timestamp is None:
            return
        if pod.key not in self._ending:
            self._ending[pod.key] = self._clock.now()
            for container in containers_of(pod):
                self._recorder.normal(self.name, pod.key, "Killing", f"Stopping container {container.name}")
        left = self._ending[pod.key] + podstate.ends_after(pod) - self._clock.now()
        if left > 0:
            self.queue.add_after(pod.key, left)
        else:
            self._store.delete(pod.key, grace_seconds=0)

    # --- addresses --------------------------------------------------------------------------------------------------

    def _pod_addresses(self, pod: Object, node: Node) -> tuple[str, ...] | AddressRefusal:
        given = podstate.pod_addresses(pod)
        on_host = mapping_at(pod.document, "spec").get("hostNetwork") is True
        if on_host:
            return tuple(given) or _one_a_family(node.internal_addresses)
        ranges = self._addresses[node.metadata.name]
        if given and not ranges.held_by(str(pod.key)):
            refusal = self._reserve(pod, node.metadata.name, given)
            return refusal or tuple(given)
        if given:
            return tuple(given)
        allocated = ranges.allocate(str(pod.key))
        if isinstance(allocated, AddressRefusal):
            return allocated
        self._reserved_on[pod.key] = node.metadata.name
        return tuple(str(a) for a in allocated)

    def _reserve(self, pod: Object, node: str, given: list[str]) -> AddressRefusal | None:
        try:
            addresses = [parse_address(a) for a in given]
        except ValueError as error:
            return AddressRefusal(str(error))
        refusal = self._addresses[node].reserve(str(pod.key), addresses)
        if refusal is None:
            self._reserved_on[pod.key] = node
        return refusal

    def _reserve_given(self, pod: Object) -> None:
        """Take the address that a pod was given with, before any other pod can get it."""
        given = podstate.pod_addresses(pod)
        on_host = mapping_at(pod.document, "spec").get("hostNetwork") is True
        if not given or on_host or pod.key in self._reserved_on or podstate.finished(pod):
            return
        node = podstate.node_name(pod) or self._node_with(given[0])
        if node in self._addresses:
            refusal = self._reserve(pod, node, given)
            if refusal is not None:
                self._report(pod.key, refusal.message)

    def _node_with(self, address: str) -> str:
        try:
            wanted: Address = parse_address(address)
        except ValueError:
            return ""
        return next((name for name, ranges in sorted(self._addresses.items()) if ranges.contains(wanted)), "")

    def _release(self, key: Key) -> None:
        node = self._reserved_on.pop(key, None)
        if node is not None and node in self._addresses:
            self._addresses[node].release(str(key))

    def _report(self, key: Key, message: str) -> None:
        problem = Problem(key, message)
        if problem not in self.problems:
            self.problems.append(problem)

    def _fail(self, pod: Object, refusal: AddressRefusal) -> None:
        message = f'Failed to create pod sandbox: plugin type="host-local" failed (add): {refusal.message}'
        self._recorder.warning(self.name, pod.key, "FailedCreatePodSandBox", message)
        if podstate.pod_addresses(pod):
            self._report(pod.key, refusal.message)

    # --- status -----------------------------------------------------------------------------------------------------

    def _status(self, pod: Object, node: Node, addresses: tuple[str, ...], *, node_ready: bool) -> Document:
        containers = containers_of(pod)
        since = self._clock.now() - self._started[pod.key]
        ready = {c.name: c.after is not None and since >= c.after for c in containers}
        self._come_back(pod.key, containers, since)
        self._warn_of_failures(pod, containers)
        given = self._given.get(pod.key, {})
        old = mapping_at(pod.document, "status")
        status: dict[str, Json] = {**old}
        status["phase"] = given.get("phase") or "Running"
        status["conditions"] = self._conditions(pod, ready, node_ready=node_ready)
        hosts = _one_a_family(node.internal_addresses)
        if hosts:
            status["hostIP"] = old.get("hostIP") or hosts[0]
            status["hostIPs"] = old.get("hostIPs") or [{"ip": a} for a in hosts]
        if addresses:
            status["podIP"] = addresses[0]
            status["podIPs"] = [{"ip": a} for a in addresses]
        status["startTime"] = old.get("startTime") or self._clock.timestamp()
        status["containerStatuses"] = given.get("containerStatuses") or self._container_statuses(old, containers, ready)
        return status

    def _come_back(self, key: Key, containers: tuple[ContainerReadiness, ...], since: float) -> None:
        later = [c.after - since for c in containers if c.after is not None and c.after > since]
        if later:
            self.queue.add_after(key, min(later))

    def _warn_of_failures(self, pod: Object, containers: tuple[ContainerReadiness, ...]) -> None:
        for container in containers:
            if container.failure:
                self._recorder.warning(self.name, pod.key, "Unhealthy", f"{container.name}: {container.failure}")
        for name in failing_liveness(pod):
            message = f"{name}: Liveness probe failed; restarts are not modelled: the container stays as it is"
            self._recorder.warning(self.name, pod.key, "NotModelled", message)

    def _conditions(self, pod: Object, ready: Mapping[str, bool], *, node_ready: bool) -> list[Json]:
        unready = [name for name, value in ready.items() if not value]
        waiting = f"containers with unready status: [{' '.join(unready)}]" if unready else ""
        gate = missing_gate(pod)
        # Ref: status/generate.go: the order in which a kubelet writes them.
        computed = (
            ("PodReadyToStartContainers", "", ""),
            ("Initialized", "", ""),
            ("Ready", *_why_unready(waiting, gate, node_ready=node_ready)),
            ("ContainersReady", "ContainersNotReady" if waiting else "", waiting),
            ("PodScheduled", "", ""),
        )
        given = {
            str(c.get("type")) for c in list_at(self._given.get(pod.key, {}), "conditions") if isinstance(c, Mapping)
        }
        conditions: list[Json] = [self._condition(pod, *entry, keep=entry[0] in given) for entry in computed]
        known = {entry[0] for entry in computed}
        others = [
            c
            for c in list_at(pod.document, "status", "conditions")
            if isinstance(c, Mapping) and c.get("type") not in known
        ]
        return [*others, *conditions]

    def _condition(self, pod: Object, kind: str, reason: str, message: str, *, keep: bool) -> Document:
        old = podstate.condition(pod, kind)
        status = "False" if reason else "True"
        if old is not None and keep:
            return old
        same = old is not None and old.get("status") == status
        since = old.get("lastTransitionTime") if old is not None and same else self._clock.timestamp()
        entry: dict[str, Json] = {"type": kind, "status": status, "lastTransitionTime": since}
        return {**entry, "reason": reason, "message": message} if reason else entry

    def _container_statuses(
        self, old: Document, containers: tuple[ContainerReadiness, ...], ready: Mapping[str, bool]
    ) -> list[Json]:
        started = text_at(old, "startTime") or self._clock.timestamp()
        return [
            {
                "name": c.name,
                "image": c.image,
                "ready": ready[c.name],
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": started}},
            }
            for c in containers
        ]

    # --- what changed -----------------------------------------------------------------------------------------------

    def _node_changed(self, before: Object | None, item: Object | None) -> None:
        if item is None:
            if before is not None:
                self._addresses.pop(before.metadata.name, None)
                self._views.pop(before.metadata.name, None)
            return
        name = item.metadata.name
        self._views[name] = Node.of(item)
        if name not in self._addresses:
            self._addresses[name] = self._ranges_of(self._views[name])
        for pod in self._pods.by_index(BY_NODE, name):
            self.queue.add(pod.key)

    def _ranges_of(self, node: Node) -> NodeAddresses:
        try:
            return NodeAddresses(node.spec.pod_cidrs or tuple(filter(None, (node.spec.pod_cidr,))))
        except ValueError as error:
            self._report(Key("Node", "", node.metadata.name), str(error))
            return NodeAddresses(())

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        if pod is None:
            if before is not None:
                self._release(before.key)
                self._started.pop(before.key, None)
                self._ending.pop(before.key, None)
                self._given.pop(before.key, None)
            return
        if before is None:
            self._reserve_given(pod)
        self.queue.add(pod.key)


def _why_unready(waiting: str, gate: str, *, node_ready: bool) -> tuple[str, str]:
    if not node_ready:
        return "NodeNotReady", "the node is not ready"
    if waiting:
        return "ContainersNotReady", waiting
    return ("ReadinessGatesNotReady", gate) if gate else ("", "")


def _node_is_ready(node: Object) -> bool:
    found = podstate.condition(node, "Ready")
    return found is None or found.get("status") == "True"


def _node_is_heard(node: Object) -> bool:
    found = podstate.condition(node, "Ready")
    return found is None or found.get("status") != "Unknown"


def _one_a_family(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """The first address of each family, in the order in which they come."""
    firsts: dict[int, str] = {}
    for address in addresses:
        firsts.setdefault(parse_address(address).version, address)
    return tuple(firsts.values())
