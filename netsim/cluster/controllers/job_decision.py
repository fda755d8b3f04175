"""What a Job asks for, and what its pods add up to: the decisions alone.

Ref: pkg/controller/job/{job_controller,indexed_job_utils,backoff_utils}.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count, islice

from netsim.cluster import podstate
from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.dataclass import dataclass
from netsim.objects.json import Document, decode
from netsim.objects.meta import Object

INDEX = "batch.kubernetes.io/job-completion-index"
TRACKING = "batch.kubernetes.io/job-tracking"
FIRST_BACK_OFF, LONGEST_BACK_OFF = 10.0, 600.0
"""Seconds after a pod's failure before the next is made. Ref: DefaultJobPodFailureBackOff, MaxJobPodFailureBackOff."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """``spec`` of a Job. ``completions`` None: a work queue, done when one pod succeeds and none runs any more."""

    parallelism: int = 1
    completions: int | None = None
    completion_mode: str = "NonIndexed"
    suspend: bool = False
    manual_selector: bool = False
    backoff_limit: int = 6
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None

    @classmethod
    def of(cls, job: Object) -> JobSpec:
        """The spec of an object of kind Job. Raises DecodeError."""
        return decode(cls, mapping_at(job.document, "spec"), "spec")

    @property
    def indexed(self) -> bool:
        """True where each completion has a number."""
        return self.completion_mode == "Indexed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a Job ends: the condition that says so, its reason and message."""

    condition: str
    reason: str
    message: str

    @property
    def target(self) -> str:
        """The condition that comes first, while pods still run."""
        return "SuccessCriteriaMet" if self.condition == "Complete" else "FailureTarget"


COMPLETE = Verdict("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
TOO_MANY_FAILURES = Verdict("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
TOO_LATE = Verdict("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")


@dataclass(frozen=True, slots=True)
class Tally:
    """What a Job's pods add up to, those that are gone but were counted included."""

    active: tuple[Object, ...]
    succeeded: int
    failed: int
    indexes: tuple[int, ...] = ()
    restarts: int = 0


def tally(job: Object, spec: JobSpec, pods: Sequence[Object]) -> Tally:
    """Count pods: those in the status already, and those that have ended since."""
    status = mapping_at(job.document, "status")
    waiting = mapping_at(status, "uncountedTerminatedPods")
    known = {*map(str, list_at(waiting, "succeeded")), *map(str, list_at(waiting, "failed"))}
    new = [p for p in pods if counts_newly(p) and p.metadata.uid not in known]
    succeeded = _number(status, "succeeded") + len(list_at(waiting, "succeeded"))
    failed = _number(status, "failed") + len(list_at(waiting, "failed"))
    active = tuple(p for p in pods if podstate.active(p))
    done = {*parse_indexes(text_at(status, "completedIndexes"))}
    won = [p for p in new if podstate.phase(p) == "Succeeded"]
    if spec.indexed:
        done |= {n for p in pods if podstate.phase(p) == "Succeeded" and (n := index_of(p)) is not None}
        done = {n for n in done if n < (spec.completions or 0)}
    restarts = sum(_restarts(p) for p in active if text_at(p.document, "spec", "restartPolicy") == "OnFailure")
    return Tally(
        active,
        len(done) if spec.indexed else succeeded + len(won),
        failed + len(new) - len(won),
        tuple(sorted(done)),
        restarts,
    )


def counts_newly(pod: Object) -> bool:
    """True for a pod that has ended and that no status has counted yet: its finalizer is still there."""
    return podstate.finished(pod) and TRACKING in pod.metadata.finalizers


def verdict(spec: JobSpec, found: Tally, started_for: float | None) -> Verdict | None:
    """How the Job ends, None while it goes on. ``started_for``: seconds since it was started. Ref: syncJob()."""
    beyond = found.failed > spec.backoff_limit
    restarted = found.restarts >= spec.backoff_limit if spec.backoff_limit else found.restarts > 0
    if beyond or restarted:
        return TOO_MANY_FAILURES
    limit = spec.active_deadline_seconds
    if limit is not None and started_for is not None and started_for >= limit and not spec.suspend:
        return TOO_LATE
    if spec.completions is None:
        return COMPLETE if found.succeeded and not found.active else None
    return COMPLETE if found.succeeded >= spec.completions else None


def wanted(spec: JobSpec, found: Tally) -> int:
    """How many pods should run. Ref: job_controller.go:manageJob()."""
    if spec.suspend:
        return 0
    if spec.completions is None:
        return len(found.active) if found.succeeded else spec.parallelism
    return max(0, min(spec.parallelism, spec.completions - found.succeeded))


def missing_indexes(spec: JobSpec, found: Tally, number: int) -> list[int]:
    """The lowest numbers that neither are done nor run. Ref: indexed_job_utils.go:firstPendingIndexes()."""
    taken = {*found.indexes, *(n for p in found.active if (n := index_of(p)) is not None)}
    free = (n for n in count() if n not in taken)
    return [n for n in islice(free, number) if n < (spec.completions or 0)]


def back_off(pods: Iterable[Object], clock: VirtualClock) -> float:
    """Seconds until the next pod may be made: ten after the first failure in a row, twice as long after each further one."""
    ended = sorted((when, podstate.phase(p)) for p in pods if (when := finished_at(p, clock)) is not None)
    failures = 0
    for _, phase in ended:
        failures = failures + 1 if phase == "Failed" else 0
    if not failures:
        return 0.0
    delay = min(FIRST_BACK_OFF * float(1 << min(failures - 1, 10)), LONGEST_BACK_OFF)
    return max(0.0, ended[-1][0] + delay - clock.now())


def finished_at(pod: Object, clock: VirtualClock) -> float | None:
    """When a pod ended: its last container's end; None for one that runs. Ref: backoff_utils.go:getFinishedTime()."""
    if not podstate.finished(pod):
        return None
    times = [
        clock.seconds_of(said)
        for status in list_at(pod.document, "status", "containerStatuses")
        if isinstance(status, Mapping) and (said := text_at(status, "state", "terminated", "finishedAt"))
    ]
    made = pod.metadata.creation_timestamp
    return max(times) if times else clock.seconds_of(made) if made else clock.now()


def index_of(pod: Object) -> int | None:
    """The number of a pod of an indexed Job."""
    text = pod.metadata.annotations.get(INDEX, "")
    return int(text) if text.isdecimal() else None


def parse_indexes(text: str) -> list[int]:
    """``0-2,5`` → 0, 1, 2, 5."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def indexes_text(indexes: Sequence[int]) -> str:
    """0, 1, 2, 5 → ``0-2,5``; two in a row are written one by one. Ref: indexed_job_utils.go:orderedIntervals.String()."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(f"{r[0]}-{r[-1]}" if len(r) > 2 else ",".join(map(str, r)) for r in runs)


def _restarts(pod: Object) -> int:
    names = ("initContainerStatuses", "containerStatuses")
    every = (s for name in names for s in list_at(pod.document, "status", name) if isinstance(s, Mapping))
    return sum(_number(s, "restartCount") for s in every)


def _number(document: Document, field: str) -> int:
    value = document.get(field)
    return value if isinstance(value, int) else 0
