"""CronJob → Jobs, under the clock. Ref: pkg/controller/cronjob/{cronjob_controllerv2,utils}.go (v1.37).

A CronJob goes on for ever, so a world at rest does not wait for it: let time go by to see its Jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import compact, list_at, mapping_at, strings_at, text_at
from netsim.cluster.errors import AlreadyExists
from netsim.cluster.ownership import BY_CONTROLLER, by_controller, controller_key, controller_reference
from netsim.cluster.workqueue import WorkQueue
from netsim.dataclass import dataclass
from netsim.objects.cron import CronError, Schedule
from netsim.objects.json import Document, Json, decode
from netsim.objects.meta import Key, Object

_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_TOO_MANY = 100
"""More missed times than this are an error, not an estimate. Ref: utils.go:mostRecentScheduleTime()."""


@dataclass(frozen=True, slots=True)
class CronJobSpec:
    """``spec`` of a CronJob."""

    schedule: str = ""
    time_zone: str | None = None
    starting_deadline_seconds: int | None = None
    concurrency_policy: str = "Allow"
    suspend: bool = False
    successful_jobs_history_limit: int = 3
    failed_jobs_history_limit: int = 1


def _said(spec: CronJobSpec, error: Exception) -> tuple[str, str]:
    """Ref: cronjob_controllerv2.go:syncCronJob()."""
    if isinstance(error, CronError):
        return "UnparseableSchedule", f'unparseable schedule: "{spec.schedule}" : {error}'
    return "UnknownTimeZone", f'invalid timeZone: "{spec.time_zone}": unknown time zone {spec.time_zone}'


class CronJobController:
    """Makes a Job of each CronJob whenever it is due, and deletes old ones."""

    name = "cronjob-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._clock = context.clock
        self._store = context.store
        self._recorder = context.recorder
        self._cronjobs = context.informers.of("CronJob")
        self._jobs = context.informers.of("Job")
        self._jobs.add_index(BY_CONTROLLER, by_controller)
        self._cronjobs.add_handler(self._changed)
        self._jobs.add_handler(self._job_changed)

    def sync(self, key: Key) -> None:
        """Start what is due, come back when the next is, and keep as many ended Jobs as the limits say."""
        item = self._cronjobs.get(key)
        if item is None or item.metadata.deletion_timestamp is not None:
            return
        spec = decode(CronJobSpec, mapping_at(item.document, "spec"), "spec")
        jobs = self._jobs.by_index(BY_CONTROLLER, item.metadata.uid)
        status = self._after_ends(item, jobs)
        self._forget_old(item, spec, jobs)
        if not spec.suspend:
            try:
                schedule = Schedule.parse(spec.schedule, zone_of(spec.time_zone))
            except (CronError, LookupError) as error:
                self._recorder.warning(self.name, key, *_said(spec, error))
            else:
                status = self._start_due(item, spec, schedule, status)
        self._write(item, status)

    # --- starting ---------------------------------------------------------------------------------------------------

    def _start_due(self, item: Object, spec: CronJobSpec, schedule: Schedule, status: Document) -> Document:
        now = self._moment(self._clock.now())
        following = schedule.after(now)
        if following is not None:
            self.queue.add_after(item.key, (following - now).total_seconds(), background=True)
        due = self._most_recent(item, spec, schedule, now)
        if due is None:
            return status
        limit = spec.starting_deadline_seconds
        if limit is not None and due + timedelta(seconds=limit) < now:
            message = f"Missed scheduled time to start a job: {due:%a, %d %b %Y %H:%M:%S +0000}"
            self._recorder.warning(self.name, item.key, "MissSchedule", message)
            return status
        active = list_at(status, "active")
        if spec.concurrency_policy == "Forbid" and active:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._recorder.normal(self.name, item.key, "JobAlreadyActive", message)
            return status
        if spec.concurrency_policy == "Replace":
            for reference in active:
                self._delete(item, text_at(reference, "name") if isinstance(reference, Mapping) else "")
            active = ()
        return self._create(item, due, {**status, "active": list(active)})

    def _most_recent(self, item: Object, spec: CronJobSpec, schedule: Schedule, now: datetime) -> datetime | None:
        """The last time at which it was due and was not started, None where there is none since it was last."""
        last = text_at(item.document, "status", "lastScheduleTime")
        earliest = datetime.fromisoformat(last or item.metadata.creation_timestamp or self._clock.timestamp())
        if spec.starting_deadline_seconds is not None:
            earliest = max(earliest, now - timedelta(seconds=spec.starting_deadline_seconds))
        found, missed = None, 0
        at = schedule.after(earliest)
        while at is not None and at <= now:
            found, missed = at, missed + 1
            at = schedule.after(at)
        if missed > _TOO_MANY:
            message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._recorder.warning(self.name, item.key, "TooManyMissedTimes", message)
        return found

    def _create(self, item: Object, due: datetime, status: Document) -> Document:
        job = _job_of(item, due)
        try:
            made = self._store.create(job)
        except AlreadyExists:  # an earlier run made it and was stopped before it said so
            made = self._store.get(job.key)
        else:
            self._recorder.normal(self.name, item.key, "SuccessfulCreate", f"Created job {made.metadata.name}")
        active = [*list_at(status, "active"), _reference(made)]
        return {**status, "active": active, "lastScheduleTime": f"{due:%Y-%m-%dT%H:%M:%SZ}"}

    def _moment(self, seconds: float) -> datetime:
        return datetime.fromisoformat(self._clock.timestamp_at(seconds))

    # --- ended ones -------------------------------------------------------------------------------------------------

    def _after_ends(self, item: Object, jobs: list[Object]) -> Document:
        """The status without the Jobs that have ended or are gone. Ref: syncCronJob()."""
        status = mapping_at(item.document, "status")
        by_uid = {job.metadata.uid: job for job in jobs}
        active: list[Json] = []
        for reference in list_at(status, "active"):
            job = by_uid.get(text_at(reference, "uid")) if isinstance(reference, Mapping) else None
            end = _end_of(job) if job is not None else ""
            if job is not None and end:
                message = f"Saw completed job: {job.metadata.name}, condition: {end}"
                self._recorder.normal(self.name, item.key, "SawCompletedJob", message)
            elif job is not None or self._unseen(reference, item.metadata.namespace):
                active.append(reference)
        ended = [text_at(j.document, "status", "completionTime") for j in jobs if _end_of(j) == "Complete"]
        last = max([text_at(status, "lastSuccessfulTime"), *ended], default="")
        return {**status, "active": active, **({"lastSuccessfulTime": last} if last else {})}

    def _unseen(self, reference: Json, namespace: str) -> bool:
        """True for a Job that was just made, and of which the informer has not heard."""
        name = text_at(reference, "name") if isinstance(reference, Mapping) else ""
        return self._store.find(Key("Job", namespace, name)) is not None

    def _forget_old(self, item: Object, spec: CronJobSpec, jobs: list[Object]) -> None:
        """Ref: cleanupFinishedJobs(): the oldest go first."""
        limits = (("Complete", spec.successful_jobs_history_limit), ("Failed", spec.failed_jobs_history_limit))
        for end, limit in limits:
            ended = [job for job in jobs if _end_of(job) == end and job.metadata.deletion_timestamp is None]
            ended.sort(key=lambda job: (text_at(job.document, "status", "startTime"), job.metadata.name))
            for job in ended[: max(0, len(ended) - limit)]:
                self._delete(item, job.metadata.name)

    def _delete(self, item: Object, name: str) -> None:
        key = Key("Job", item.metadata.namespace, name)
        if self._store.find(key) is not None:
            self._store.delete(key)
            self._recorder.normal(self.name, item.key, "SuccessfulDelete", f"Deleted job {name}")

    def _write(self, item: Object, status: Document) -> None:
        document = {**item.document, "status": compact(**dict(status))}
        if document["status"] != mapping_at(item.document, "status"):
            self._store.update_status(Object(item.api_version, item.kind, item.metadata, document))

    # --- what changed -----------------------------------------------------------------------------------------------

    def _changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _job_changed(self, before: Object | None, item: Object | None) -> None:
        for state in (before, item):
            owner = None if state is None else controller_key(state)
            if owner is not None and owner.kind == "CronJob":
                self.queue.add(owner)


def zone_of(name: str | None) -> tzinfo:
    """A time zone by its name; UTC without one, as kube-controller-manager's own is in its image. Raises LookupError."""
    if not name:
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError) as error:
        raise LookupError(name) from error


def _end_of(job: Object) -> str:
    for kind in ("Complete", "Failed"):
        found = podstate.condition(job, kind)
        if found is not None and found.get("status") == "True":
            return kind
    return ""


def _reference(job: Object) -> Document:
    metadata = job.metadata
    return {
        "apiVersion": job.api_version,
        "kind": job.kind,
        "namespace": metadata.namespace,
        "name": metadata.name,
        "uid": metadata.uid,
    }


def _job_of(item: Object, due: datetime) -> Object:
    """The Job of one time, named by its minute so that it is made once. Ref: utils.go:getJobFromTemplate2()."""
    template = mapping_at(item.document, "spec", "jobTemplate")
    annotations = {**strings_at(template, "metadata", "annotations"), _SCHEDULED: f"{due:%Y-%m-%dT%H:%M:%SZ}"}
    metadata = compact(
        name=f"{item.metadata.name}-{int(due.timestamp()) // 60}",
        namespace=item.metadata.namespace,
        labels=mapping_at(template, "metadata", "labels"),
        annotations=annotations,
        ownerReferences=[controller_reference(item)],
    )
    return Object.of(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": mapping_at(template, "spec")}
    )
