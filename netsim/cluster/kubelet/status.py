"""What a kubelet writes into a pod's status.

Ref: pkg/kubelet/status/generate.go, pkg/kubelet/kubelet_pods.go:convertToAPIContainerStatuses() (v1.37).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netsim.cluster import podstate
from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import list_at, mapping_at
from netsim.cluster.kubelet.containers import Container, Role, State
from netsim.cluster.kubelet.pod_runtime import PodRuntime
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of a status is not the containers': the pod's and its node's addresses, and whether the node is ready."""

    addresses: tuple[str, ...]
    hosts: tuple[str, ...]
    node_ready: bool = True


def status_of(pod: Object, runtime: PodRuntime, around: Surroundings, given: Document, clock: VirtualClock) -> Document:
    """The status of a pod that runs; ``given``: what its status said when it was loaded, which is kept."""
    old = mapping_at(pod.document, "status")
    status: dict[str, Json] = {**old}
    status["phase"] = given.get("phase") or runtime.phase
    status["conditions"] = _conditions(pod, runtime, given, clock, node_ready=around.node_ready)
    if around.hosts:
        status["hostIP"] = old.get("hostIP") or around.hosts[0]
        status["hostIPs"] = old.get("hostIPs") or [{"ip": a} for a in around.hosts]
    if around.addresses:
        status["podIP"] = around.addresses[0]
        status["podIPs"] = [{"ip": a} for a in around.addresses]
    status["startTime"] = old.get("startTime") or clock.timestamp()
    for name, containers in (("initContainerStatuses", runtime.inits), ("containerStatuses", runtime.mains)):
        if containers:
            status[name] = given.get(name) or [_container(c, runtime, clock) for c in containers]
    return status


def final_statuses(runtime: PodRuntime, clock: VirtualClock) -> Document:
    """The containers' statuses of a pod whose containers have all been ended."""
    return {"containerStatuses": [_container(c, runtime, clock) for c in runtime.mains]}


# --- containers -------------------------------------------------------------------------------------------------


def _container(container: Container, runtime: PodRuntime, clock: VirtualClock) -> Document:
    entry: dict[str, Json] = {
        "name": container.spec.name,
        "image": container.spec.image,
        "ready": runtime.is_ready(container),
        "started": container.up if container.spec.role is not Role.INIT else container.running,
        "restartCount": container.restarts,
        "state": _state(container, runtime, clock),
    }
    if container.previous is not None and (container.running or _backs_off(container)):
        entry["lastState"] = {"terminated": _terminated(container.previous, clock.timestamp_at)}
    return entry


def _state(container: Container, runtime: PodRuntime, clock: VirtualClock) -> Document:
    match container.state:
        case State.RUNNING:
            return {"running": {"startedAt": clock.timestamp_at(container.started_at)}}
        case State.TERMINATED if _backs_off(container):
            message = (
                f"back-off {_duration(container.back_off)} restarting failed container={container.spec.name} "
                f"pod={runtime.name_and_uid}"
            )
            return {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        case State.TERMINATED:
            return {"terminated": _terminated(container.terminated(), clock.timestamp_at)}
        case State.WAITING:
            return {"waiting": {"reason": "PodInitializing" if runtime.inits else "ContainerCreating"}}


def _backs_off(container: Container) -> bool:
    return container.restarts_again and container.not_before > container.finished_at


def _terminated(how: Document, timestamp_at: Callable[[float], str]) -> Document:
    started, finished = how["started"], how["finished"]
    assert isinstance(started, (int, float))
    assert isinstance(finished, (int, float))
    entry: dict[str, Json] = {"exitCode": how["exitCode"], "reason": how["reason"]}
    return {**entry, "startedAt": timestamp_at(started), "finishedAt": timestamp_at(finished)}


def _duration(seconds: float) -> str:
    """As Go writes a time.Duration of whole seconds: ``10s``, ``2m40s``, ``5m0s``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


# --- conditions -------------------------------------------------------------------------------------------------


def _conditions(
    pod: Object, runtime: PodRuntime, given: Document, clock: VirtualClock, *, node_ready: bool
) -> list[Json]:
    kept = {str(c.get("type")) for c in list_at(given, "conditions") if isinstance(c, Mapping)}
    computed = _computed(pod, runtime, node_ready=node_ready)
    done = runtime.phase == "Succeeded"
    conditions: list[Json] = [
        _condition(pod, entry, clock, keep=entry[0] in kept, succeeded=done) for entry in computed
    ]
    known = {entry[0] for entry in computed}
    others = [
        c
        for c in list_at(pod.document, "status", "conditions")
        if isinstance(c, Mapping) and c.get("type") not in known
    ]
    return [*others, *conditions]


_Computed = tuple[str, str, str]


def _computed(pod: Object, runtime: PodRuntime, *, node_ready: bool) -> tuple[_Computed, ...]:
    """Each condition with the reason and the message for which it is False, in the order in which a kubelet writes them."""
    containers = _why_containers_unready(runtime)
    return (
        ("PodReadyToStartContainers", *(_NO_SANDBOX if runtime.phase in ("Succeeded", "Failed") else _FINE)),
        ("Initialized", *_why_not_initialized(runtime)),
        ("Ready", *_why_unready(pod, containers, node_ready=node_ready)),
        ("ContainersReady", *containers),
        ("PodScheduled", *_FINE),
    )


_FINE = ("", "")
_COMPLETED = ("PodCompleted", "")
_NO_SANDBOX = ("PodSandboxNotReady", "pod sandbox is not ready")
"""Ref: pkg/kubelet/types/constants.go, kuberuntime/util/util.go:PodSandboxChanged()."""


def _why_not_initialized(runtime: PodRuntime) -> tuple[str, str]:
    """Ref: generate.go:GeneratePodInitializedCondition()."""
    if runtime.initialized or runtime.phase == "Succeeded":
        return _FINE
    left = [
        c.spec.name for c in runtime.inits if not runtime.is_ready(c) and not (c.spec.role is Role.SIDECAR and c.up)
    ]
    return "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(left)}]"


def _why_containers_unready(runtime: PodRuntime) -> tuple[str, str]:
    """Ref: generate.go:GenerateContainersReadyCondition(): the containers and the sidecars count."""
    if runtime.phase == "Succeeded":
        return _COMPLETED
    if runtime.phase == "Failed":
        return "PodFailed", ""
    unready = [c.spec.name for c in runtime.containers if c.spec.role is not Role.INIT and not runtime.is_ready(c)]
    return ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]") if unready else _FINE


def _why_unready(pod: Object, containers: tuple[str, str], *, node_ready: bool) -> tuple[str, str]:
    """Ref: generate.go:GeneratePodReadyCondition()."""
    if containers[0] in ("PodCompleted", "PodFailed"):
        return containers
    if not node_ready:
        return "NodeNotReady", "the node is not ready"
    gate = missing_gate(pod)
    return ("ReadinessGatesNotReady", gate) if gate and containers == _FINE else containers


def missing_gate(pod: Object) -> str:
    """Why readiness gates hold the pod back, empty where none does."""
    left = []
    for gate in list_at(pod.document, "spec", "readinessGates"):
        kind = str(gate.get("conditionType", "")) if isinstance(gate, Mapping) else ""
        found = podstate.condition(pod, kind)
        if found is None:
            left.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif found.get("status") != "True":
            left.append(f'the status of pod readiness gate "{kind}" is not "True", but {found.get("status")}')
    return ", ".join(left)


def _condition(pod: Object, computed: _Computed, clock: VirtualClock, *, keep: bool, succeeded: bool) -> Document:
    kind, reason, message = computed
    old = podstate.condition(pod, kind)
    if old is not None and keep:
        return old
    status = "False" if reason else "True"
    same = old is not None and old.get("status") == status
    since = old.get("lastTransitionTime") if old is not None and same else clock.timestamp()
    entry: dict[str, Json] = {"type": kind, "status": status, "lastTransitionTime": since}
    if reason:
        entry["reason"] = reason
    elif kind == "Initialized" and succeeded:
        entry["reason"] = _COMPLETED[0]
    return {**entry, "message": message} if message else entry
