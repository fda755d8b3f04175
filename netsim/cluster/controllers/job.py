"""Job → Pods, and what becomes of CronJobs. Ref: pkg/controller/job/job_controller.go (v1.37).

Programs are not run, so a Job's pods run until somebody says in their status that they succeeded or failed.
"""

from __future__ import annotations

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.documents import mapping_at, with_value
from netsim.cluster.ownership import Claims, controller_key
from netsim.cluster.podcontrol import PodControl
from netsim.cluster.selectors import of_label_selector, of_labels
from netsim.cluster.workloads import JobSpec, template_of
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, decode
from netsim.objects.meta import Key, Object

_INDEX = "batch.kubernetes.io/job-completion-index"


class JobController:
    """Keeps as many pods running as a Job's parallelism and its missing completions ask for."""

    name = "job-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._jobs = context.informers.of("Job")
        self._pods = context.informers.of("Pod")
        self._claims = Claims(context.store, self._pods)
        self._control = PodControl(context.store, context.recorder, self.name)
        self._jobs.add_handler(self._job_changed)
        self._pods.add_handler(self._pod_changed)

    def sync(self, key: Key) -> None:
        """Make or delete pods of one Job, and count them in its status."""
        job = self._jobs.get(key)
        if job is None or job.metadata.deletion_timestamp is not None:
            return
        spec = decode(JobSpec, mapping_at(job.document, "spec"), "spec")
        selector = of_labels({"batch.kubernetes.io/controller-uid": job.metadata.uid})
        if spec.manual_selector:
            selector = of_label_selector(mapping_at(job.document, "spec").get("selector"))
        pods = self._claims.claim(job, selector)
        live = [pod for pod in pods if podstate.active(pod)]
        succeeded = [pod for pod in pods if podstate.phase(pod) == "Succeeded"]
        wanted = _wanted(spec, len(succeeded))
        for _ in range(wanted - len(live)):
            live.append(self._create(job, spec, live + succeeded))
        for pod in reversed(live[wanted:]):
            self._control.delete(job, pod)
        self._report(job, pods, live[:wanted])

    def _create(self, job: Object, spec: JobSpec, others: list[Object]) -> Object:
        labels = {
            **mapping_at(template_of(job), "metadata", "labels"),
            "batch.kubernetes.io/controller-uid": job.metadata.uid,
            "batch.kubernetes.io/job-name": job.metadata.name,
            "controller-uid": job.metadata.uid,
            "job-name": job.metadata.name,
        }
        template = with_value(template_of(job), ("metadata", "labels"), labels)
        if spec.completion_mode != "Indexed":
            return self._control.create(job, template)
        taken = {pod.metadata.labels.get(_INDEX) for pod in others}
        index = next(str(n) for n in range(len(taken) + 1) if str(n) not in taken)
        template = with_value(template, ("metadata", "labels", _INDEX), index)
        template = with_value(template, ("metadata", "annotations", _INDEX), index)
        template = with_value(template, ("spec", "hostname"), f"{job.metadata.name}-{index}")
        return self._control.create(job, template)

    def _report(self, job: Object, pods: list[Object], live: list[Object]) -> None:
        status: Document = {
            **mapping_at(job.document, "status"),
            "active": len(live),
            "ready": sum(podstate.ready(pod) for pod in live),
            "succeeded": sum(podstate.phase(pod) == "Succeeded" for pod in pods),
            "failed": sum(podstate.phase(pod) == "Failed" for pod in pods),
        }
        self._store.update_status(Object(job.api_version, job.kind, job.metadata, {**job.document, "status": status}))

    def _job_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        for state in (before, pod):
            owner = None if state is None else controller_key(state)
            if owner is not None and owner.kind == "Job":
                self.queue.add(owner)


def _wanted(spec: JobSpec, succeeded: int) -> int:
    """How many pods should run. Ref: job_controller.go:manageJob()."""
    if spec.suspend:
        return 0
    if spec.completions is None:
        return 0 if succeeded else spec.parallelism
    return max(0, min(spec.parallelism, spec.completions - succeeded))


class CronJobController:
    """Makes nothing: a steady state has no hour at which a CronJob is due. It says so."""

    name = "cronjob-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._recorder = context.recorder
        self._cronjobs = context.informers.of("CronJob")
        self._cronjobs.add_handler(self._changed)

    def sync(self, key: Key) -> None:
        """Warn that the CronJob's schedule is not followed."""
        message = "schedules are not modelled: no Job is made; create one to see its pods"
        self._recorder.warning(self.name, key, "NotModelled", message)

    def _changed(self, before: Object | None, item: Object | None) -> None:
        if before is None and item is not None:
            self.queue.add(item.key)
