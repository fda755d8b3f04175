"""What a Deployment says of how far it has come. Ref: pkg/controller/deployment/{progress,sync}.go, util/deployment_util.go (v1.37)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netsim.cluster import podstate
from netsim.cluster.clock import VirtualClock
from netsim.cluster.controllers.deployment_rolling import fenceposts
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.workloads import DeploymentSpec, ReplicaSetView
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object

NO_DEADLINE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Stage:
    """What a sync knows: the Deployment, its sets, and which of them it has just made (empty: none)."""

    deployment: Object
    spec: DeploymentSpec
    newest: ReplicaSetView | None
    sets: Sequence[ReplicaSetView]
    created: str = ""

    @property
    def subject(self) -> str:
        """Who progresses, as the messages name it."""
        if self.newest is not None:
            return f'ReplicaSet "{self.newest.item.metadata.name}"'
        return f'Deployment "{self.deployment.metadata.name}"'


def counted(stage: Stage) -> dict[str, Json]:
    """The numbers of the status. Ref: calculateStatus()."""
    sets, available = stage.sets, sum(s.status.available_replicas for s in stage.sets)
    return {
        **mapping_at(stage.deployment.document, "status"),
        "observedGeneration": stage.deployment.metadata.generation,
        "replicas": sum(s.status.replicas for s in sets),
        "updatedReplicas": stage.newest.status.replicas if stage.newest else 0,
        "readyReplicas": sum(s.status.ready_replicas for s in sets),
        "availableReplicas": available,
        "terminatingReplicas": sum(s.status.terminating_replicas for s in sets),
        "unavailableReplicas": max(0, sum(s.spec.replicas for s in sets) - available),
    }


def conditions(stage: Stage, numbers: Document, clock: VirtualClock) -> list[Json]:
    """The conditions that go with the numbers, in the order in which they first came."""
    wanted = {str(c["type"]): c for c in _computed(stage, numbers, clock)}
    known = [c for c in list_at(numbers, "conditions") if isinstance(c, Mapping)]
    kept: list[Json] = []
    for item in known:
        kind = str(item.get("type"))
        if kind in wanted:
            kept.append(wanted.pop(kind))
        elif kind != "ReplicaFailure":
            kept.append(item)
    return [*kept, *wanted.values()]


def _computed(stage: Stage, numbers: Document, clock: VirtualClock) -> Iterator[Document]:
    least = stage.spec.replicas - fenceposts(stage.spec)[1]
    enough = _number(numbers, "availableReplicas") >= least
    yield _condition(
        stage,
        clock,
        ("Available", "True" if enough else "False"),
        "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    )
    progress = _progress(stage, numbers, clock)
    if progress is not None:
        yield progress
    for item in sorted(stage.sets, key=lambda s: s is not stage.newest):  # Ref: getReplicaFailures()
        failure = podstate.condition(item.item, "ReplicaFailure")
        if failure is not None:
            how = text_at(failure, "reason"), text_at(failure, "message")
            yield _condition(stage, clock, ("ReplicaFailure", "True"), *how)
            return


def _progress(stage: Stage, numbers: Document, clock: VirtualClock) -> Document | None:
    """Ref: checkPausedConditions(), getNewReplicaSet(), syncRolloutStatus()."""
    if stage.spec.progress_deadline_seconds in (None, NO_DEADLINE):
        return None
    known = podstate.condition(stage.deployment, "Progressing")
    reason = text_at(known, "reason") if known is not None else ""
    if stage.spec.paused:
        if reason in ("DeploymentPaused", "ProgressDeadlineExceeded"):
            return known
        return _condition(stage, clock, ("Progressing", "Unknown"), "DeploymentPaused", "Deployment is paused")
    if stage.created:
        message = f'Created new replica set "{stage.created}"'
        return _condition(stage, clock, ("Progressing", "True"), "NewReplicaSetCreated", message)
    if reason == "NewReplicaSetAvailable" and numbers["replicas"] == numbers["updatedReplicas"]:
        return known
    if is_complete(stage.spec, numbers):
        message = f"{stage.subject} has successfully progressed."
        return _condition(stage, clock, ("Progressing", "True"), "NewReplicaSetAvailable", message)
    if _progresses(stage, numbers):
        message = f"{stage.subject} is progressing."
        return _condition(stage, clock, ("Progressing", "True"), "ReplicaSetUpdated", message, renewed=True)
    if deadline_in(stage, clock) == 0:
        message = f"{stage.subject} has timed out progressing."
        return _condition(stage, clock, ("Progressing", "False"), "ProgressDeadlineExceeded", message)
    if known is None and stage.newest is not None:
        message = f'Found new replica set "{stage.newest.item.metadata.name}"'
        return _condition(stage, clock, ("Progressing", "True"), "FoundNewReplicaSet", message)
    if reason == "DeploymentPaused":
        return _condition(stage, clock, ("Progressing", "Unknown"), "DeploymentResumed", "Deployment is resumed")
    return known


def is_complete(spec: DeploymentSpec, numbers: Document) -> bool:
    """True where every pod is a new one and available. Ref: DeploymentComplete()."""
    return all(_number(numbers, f) == spec.replicas for f in ("updatedReplicas", "replicas", "availableReplicas"))


def _progresses(stage: Stage, numbers: Document) -> bool:
    """Ref: DeploymentProgressing()."""
    before = mapping_at(stage.deployment.document, "status")
    old, new = (_number(d, "replicas") - _number(d, "updatedReplicas") for d in (before, numbers))
    more = (_number(numbers, f) > _number(before, f) for f in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return new < old or any(more)


def deadline_in(stage: Stage, clock: VirtualClock) -> float | None:
    """Seconds until it has made no progress for too long, 0 from then on; None while nothing is waited for.

    Ref: DeploymentTimedOut(), requeueStuckDeployment().
    """
    limit, known = stage.spec.progress_deadline_seconds, podstate.condition(stage.deployment, "Progressing")
    if limit is None or limit == NO_DEADLINE or known is None or stage.spec.paused:
        return None
    reason = text_at(known, "reason")
    if reason == "ProgressDeadlineExceeded":
        return 0
    if reason in ("NewReplicaSetAvailable", "DeploymentPaused"):
        return None
    left = clock.seconds_of(text_at(known, "lastUpdateTime")) + limit - clock.now()
    return left + 1 if left >= 0 else 0


def _condition(
    stage: Stage, clock: VirtualClock, what: tuple[str, str], reason: str, message: str, *, renewed: bool = False
) -> Document:
    """Ref: SetDeploymentCondition(): the same again is left as it is, but where progress is to be dated anew."""
    kind, status = what
    known = podstate.condition(stage.deployment, kind)
    said = (status, reason, message)
    if known is not None and not renewed and said == tuple(text_at(known, f) for f in ("status", "reason", "message")):
        return known
    same = known is not None and text_at(known, "status") == status
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": clock.timestamp(),
        "lastTransitionTime": text_at(known, "lastTransitionTime") if known is not None and same else clock.timestamp(),
    }


def _number(document: Document, field: str) -> int:
    value = document.get(field)
    return value if isinstance(value, int) else 0
