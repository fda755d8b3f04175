"""Job → Pods. Ref: pkg/controller/job/job_controller.go, pkg/controller/ttlafterfinished/ttlafterfinished_controller.go (v1.37).

Programs are not run: a Job's pods run on unless their template's annotation ``netsim.io/exit`` says when they end.
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.controllers.job_decision import (
    INDEX,
    TRACKING,
    JobSpec,
    Tally,
    Verdict,
    back_off,
    counts_newly,
    indexes_text,
    missing_indexes,
    tally,
    verdict,
    wanted,
)
from netsim.cluster.documents import compact, list_at, mapping_at, text_at, with_value, without
from netsim.cluster.ownership import Claims, controller_key
from netsim.cluster.podcontrol import PodControl, in_slow_start
from netsim.cluster.selectors import of_label_selector
from netsim.cluster.store import Propagation, merged_condition
from netsim.cluster.workloads import template_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

_UNMODELLED = ("podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "managedBy")


class JobController:
    """Keeps as many pods running as a Job's parallelism and its missing completions ask for, until it is over."""

    name = "job-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._jobs = context.informers.of("Job")
        self._pods = context.informers.of("Pod")
        self._claims = Claims(context.store, self._pods)
        self._control = PodControl(context.store, context.recorder, self.name)
        self._jobs.add_handler(self._job_changed)
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Count what has ended, make or delete pods, and say in the status how it stands."""
        job = self._jobs.get(key)
        if job is None:
            return
        spec = JobSpec.of(job)
        pods = self._claims.claim(job, of_label_selector(mapping_at(job.document, "spec").get("selector")))
        if job.metadata.deletion_timestamp is not None or _finished(job):
            self._let_go(pods)
            self._clean_up(job, spec)
            return
        self._warn(job)
        job = self._started(job, spec)
        found = tally(job, spec, pods)
        ends = _target(job) or verdict(spec, found, self._started_for(job))
        active = self._manage(job, spec, found, pods, ends)
        job = self._count(job, spec, pods, found)
        self._report(job, Tally(active, found.succeeded, found.failed, found.indexes), ends, pods)

    def _warn(self, job: Object) -> None:
        for field in _UNMODELLED:
            if mapping_at(job.document, "spec").get(field) is not None:
                message = f"{field} of a Job is not modelled: it is left out"
                self._recorder.warning(self.name, job.key, "NotModelled", message)

    # --- time -------------------------------------------------------------------------------------------------------

    def _started(self, job: Object, spec: JobSpec) -> Object:
        """A Job is started when it is first seen and not suspended; a deadline counts from then."""
        suspended = podstate.condition(job, "Suspended")
        was = suspended is not None and suspended.get("status") == "True"
        if spec.suspend:
            return self._suspended(job, was=was)
        status = mapping_at(job.document, "status")
        if not text_at(status, "startTime") or was:
            status = {**status, "startTime": self._clock.timestamp()}
        if was:
            said = self._condition("Suspended", "JobResumed", "Job resumed", status="False")
            status = {**status, "conditions": merged_condition(job.document, said)}
            self._recorder.normal(self.name, job.key, "Resumed", "Job resumed")
        limit = spec.active_deadline_seconds
        job = self._write(job, status)
        left = limit - (self._started_for(job) or 0.0) if limit is not None else 0.0
        if left > 0:
            self.queue.add_after(job.key, left, background=True)
        return job

    def _suspended(self, job: Object, *, was: bool) -> Object:
        if was:
            return job
        said = self._condition("Suspended", "JobSuspended", "Job suspended")
        status = {k: v for k, v in mapping_at(job.document, "status").items() if k != "startTime"}
        self._recorder.normal(self.name, job.key, "Suspended", "Job suspended")
        return self._write(job, {**status, "conditions": merged_condition(job.document, said)})

    def _started_for(self, job: Object) -> float | None:
        since = text_at(job.document, "status", "startTime")
        return self._clock.now() - self._clock.seconds_of(since) if since else None

    def _clean_up(self, job: Object, spec: JobSpec) -> None:
        """Delete a Job whose time after its end is over."""
        if spec.ttl_seconds_after_finished is None or job.metadata.deletion_timestamp is not None:
            return
        over = next(c for c in (podstate.condition(job, k) for k in ("Complete", "Failed")) if c is not None)
        left = self._clock.seconds_of(text_at(over, "lastTransitionTime")) + spec.ttl_seconds_after_finished
        if left > self._clock.now():
            self.queue.add_after(job.key, left - self._clock.now(), background=True)
        else:
            self._store.delete(job.key, propagation=Propagation.FOREGROUND)

    # --- pods -------------------------------------------------------------------------------------------------------

    def _manage(
        self, job: Object, spec: JobSpec, found: Tally, pods: list[Object], ends: Verdict | None
    ) -> tuple[Object, ...]:
        """The pods that run after it. Ref: manageJob()."""
        number = 0 if ends is not None else wanted(spec, found)
        surplus = found.active[number:]
        for pod in surplus:
            self._control.delete(job, pod)
        active = found.active[:number]
        missing = number - len(active)
        wait = back_off(pods, self._clock) if missing > 0 else 0.0
        if wait > 0:
            self.queue.add_after(job.key, wait)
            return active
        if spec.indexed:
            indexes = missing_indexes(spec, found, missing)
            made, _ = in_slow_start(lambda n: self._create(job, indexes[n]), len(indexes))
        else:
            made, _ = in_slow_start(lambda _: self._create(job, None), missing)
        return (*active, *made)

    def _create(self, job: Object, index: int | None) -> Object:
        template = with_value(template_of(job), ("metadata", "finalizers"), [TRACKING])
        if index is None:
            return self._control.create(job, template)
        for place in ("labels", "annotations"):
            template = with_value(template, ("metadata", place, INDEX), str(index))
        template = with_value(template, ("spec", "hostname"), f"{job.metadata.name}-{index}")
        return self._control.create(job, template, prefix=f"{job.metadata.name}-{index}-")

    # --- counting ---------------------------------------------------------------------------------------------------

    def _count(self, job: Object, spec: JobSpec, pods: list[Object], found: Tally) -> Object:
        """Write down who has ended before their finalizers go, so that none is counted twice or not at all.

        Ref: trackJobStatusAndRemoveFinalizers().
        """
        status = mapping_at(job.document, "status")
        waiting = mapping_at(status, "uncountedTerminatedPods")
        lists = {name: [str(uid) for uid in list_at(waiting, name)] for name in ("succeeded", "failed")}
        new = [pod for pod in pods if counts_newly(pod)]
        for pod in new:
            name = podstate.phase(pod).lower()
            if pod.metadata.uid not in lists[name]:
                lists[name].append(pod.metadata.uid)
        if not any(lists.values()):
            return job
        job = self._write(job, {**status, "uncountedTerminatedPods": {k: list(v) for k, v in lists.items() if v}})
        self._let_go(new)
        counted: dict[str, Json] = {**mapping_at(job.document, "status"), "uncountedTerminatedPods": {}}
        counted["succeeded"], counted["failed"] = found.succeeded, found.failed
        if spec.indexed:
            counted["completedIndexes"] = indexes_text(found.indexes)
        return self._write(job, counted)

    def _let_go(self, pods: list[Object]) -> None:
        for pod in pods:
            current = self._store.find(pod.key) if TRACKING in pod.metadata.finalizers else None
            if current is not None and TRACKING in current.metadata.finalizers:
                left: list[Json] = [f for f in current.metadata.finalizers if f != TRACKING]
                self._store.update(Object.of(with_value(current.document, ("metadata", "finalizers"), left)))

    # --- status -----------------------------------------------------------------------------------------------------

    def _report(self, job: Object, found: Tally, ends: Verdict | None, pods: list[Object]) -> None:
        terminating = sum(pod.metadata.deletion_timestamp is not None and not podstate.finished(pod) for pod in pods)
        status: dict[str, Json] = {
            **mapping_at(job.document, "status"),
            "active": len(found.active),
            "ready": sum(podstate.ready(pod) for pod in found.active),
            "succeeded": found.succeeded,
            "failed": found.failed,
            "terminating": terminating,
        }
        document: Document = {**job.document, "status": status}
        if ends is not None:
            status["conditions"] = merged_condition(document, self._condition(ends.target, ends.reason, ends.message))
            still = terminating + sum(1 for pod in pods if podstate.active(pod))
            if not still:
                document = {**document, "status": status}
                status["conditions"] = merged_condition(
                    document, self._condition(ends.condition, ends.reason, ends.message)
                )
                self._say(job, ends)
                if ends.condition == "Complete":
                    status["completionTime"] = self._clock.timestamp()
        self._write(job, status)

    def _say(self, job: Object, ends: Verdict) -> None:
        if ends.condition == "Complete":
            self._recorder.normal(self.name, job.key, "Completed", "Job completed")
        else:
            self._recorder.warning(self.name, job.key, ends.reason, ends.message)

    def _condition(self, kind: str, reason: str, message: str, *, status: str = "True") -> Document:
        now = self._clock.timestamp()
        times = {"lastProbeTime": now, "lastTransitionTime": now}
        return {"type": kind, "status": status, **times, "reason": reason, "message": message}

    def _write(self, job: Object, status: Document) -> Object:
        return self._store.update_status(_without_version({**job.document, "status": compact(**dict(status))}))

    # --- what changed -----------------------------------------------------------------------------------------------

    def _job_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        for state in (before, pod):
            owner = None if state is None else controller_key(state)
            if owner is not None and owner.kind == "Job":
                self.queue.add(owner)
                if pod is not None and pod.metadata.deletion_timestamp and self._jobs.get(owner) is None:
                    self._let_go([pod])  # Ref: job_controller.go: syncOrphanPod()


def _without_version(job: Document) -> Object:
    """A status that was computed from what the informer knew is written whatever has changed meanwhile: nobody else writes it."""
    return Object.of(without(job, ("metadata", "resourceVersion")))


def _finished(job: Object) -> bool:
    return any(_is_true(job, kind) for kind in ("Complete", "Failed"))


def _target(job: Object) -> Verdict | None:
    """The end that was decided on while pods still run."""
    for kind, condition in (("SuccessCriteriaMet", "Complete"), ("FailureTarget", "Failed")):
        found = podstate.condition(job, kind)
        if isinstance(found, Mapping) and found.get("status") == "True":
            return Verdict(condition, text_at(found, "reason"), text_at(found, "message"))
    return None


def _is_true(job: Object, kind: str) -> bool:
    found = podstate.condition(job, kind)
    return found is not None and found.get("status") == "True"
