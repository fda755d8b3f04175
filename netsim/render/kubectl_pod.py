"""What ``kubectl get pods`` says of one pod. Ref: pkg/printers/internalversion/printers.go:printPod() (v1.37)."""

from __future__ import annotations

from collections.abc import Mapping

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object


@dataclass(frozen=True, slots=True)
class PodLine:
    """``ready`` of ``total`` containers, the word under STATUS, how often containers were started again, and when one last ended."""

    ready: int
    total: int
    status: str
    restarts: int
    restarted: str = ""


def pod_line(pod: Object) -> PodLine:
    """The READY, STATUS and RESTARTS of a pod."""
    document = pod.document
    containers = mappings(list_at(document, "status", "containerStatuses"))
    inits = mappings(list_at(document, "status", "initContainerStatuses"))
    sidecars = {
        str(c.get("name"))
        for c in mappings(list_at(document, "spec", "initContainers"))
        if c.get("restartPolicy") == "Always"
    }
    sidecar_statuses = [s for s in inits if s.get("name") in sidecars]
    total = len(list_at(document, "spec", "containers")) + len(sidecars)
    ready = sum(s.get("ready") is True for s in [*containers, *(s for s in sidecar_statuses if s.get("started"))])
    counted = [*containers, *sidecar_statuses]
    initializing = _initializing(inits, sidecars, len(list_at(document, "spec", "initContainers")))
    if initializing:
        counted = inits
    status = initializing or _state(document, containers)
    ends = [text_at(s, "lastState", "terminated", "finishedAt") for s in counted]
    restarts = sum(_number(s.get("restartCount")) for s in counted)
    return PodLine(ready, total, _deleted(pod, status), restarts, max(ends, default=""))


def _initializing(statuses: list[Document], sidecars: set[str], total: int) -> str:
    for index, status in enumerate(statuses):
        state = mapping_at(status, "state")
        ended = mapping_at(state, "terminated")
        if ended and not ended.get("exitCode"):
            continue
        if status.get("name") in sidecars and status.get("started") is True:
            continue
        if ended:
            return f"Init:{ended.get('reason') or _exit(ended)}"
        waiting = text_at(state, "waiting", "reason")
        return f"Init:{waiting}" if waiting and waiting != "PodInitializing" else f"Init:{index}/{total}"
    return ""


def _state(document: Document, containers: list[Document]) -> str:
    reason = text_at(document, "status", "reason") or text_at(document, "status", "phase") or "Pending"
    for condition in mappings(list_at(document, "status", "conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    running = False
    for status in reversed(containers):
        state = mapping_at(status, "state")
        ended = mapping_at(state, "terminated")
        if text_at(state, "waiting", "reason"):
            reason = text_at(state, "waiting", "reason")
        elif ended:
            reason = str(ended.get("reason") or _exit(ended))
        elif status.get("ready") is True and mapping_at(state, "running"):
            running = True
    if reason == "Completed" and running:
        return "Running" if _ready(document) else "NotReady"
    return reason


def _ready(document: Document) -> bool:
    conditions = mappings(list_at(document, "status", "conditions"))
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _deleted(pod: Object, status: str) -> str:
    if pod.metadata.deletion_timestamp is None:
        return status
    if text_at(pod.document, "status", "reason") == "NodeLost":
        return "Unknown"
    finished = text_at(pod.document, "status", "phase") in ("Failed", "Succeeded")
    return status if finished else "Terminating"


def _exit(ended: Document) -> str:
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0


def mappings(items: object) -> list[Document]:
    """The JSON objects of a list."""
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, (list, tuple)) else []
