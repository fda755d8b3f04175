"""Workloads under ``kubectl describe``. Ref: kubectl/pkg/describe/describe.go:{describeDeployment,describeReplicaSet,…}() (v1.37)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from netsim.cluster.documents import list_at, mapping_at, strings_at, text_at
from netsim.cluster.ownership import controller_of
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.render.kubectl_cells import NONE, UNSET, label_selector_text, selector_text, text
from netsim.render.kubectl_containers import container_lines, volume_lines
from netsim.render.kubectl_pod import mappings
from netsim.render.kubectl_sections import Lines, head, pairs, rfc1123, spread_lines, table, toleration_lines

_REVISION = "deployment.kubernetes.io/revision"


def template_lines(template: Document) -> Lines:
    """The pods that are to be made. Ref: describe.go:DescribePodTemplate()."""
    metadata, spec = mapping_at(template, "metadata"), mapping_at(template, "spec")
    lines: Lines = [["Pod Template:"], *pairs("  Labels:", strings_at(metadata, "labels"), "=")]
    annotations = strings_at(metadata, "annotations")
    lines += pairs("  Annotations:", annotations, ": ") if annotations else []
    if spec.get("serviceAccountName"):
        lines.append(["  Service Account:", text_at(spec, "serviceAccountName")])
    if list_at(spec, "initContainers"):
        lines += container_lines("Init Containers", list_at(spec, "initContainers"), template=True)
    lines += container_lines("Containers", list_at(spec, "containers"), template=True)
    lines += volume_lines(list_at(spec, "volumes"), template=True)
    lines += spread_lines(spec, "  ")
    if spec.get("priorityClassName"):
        lines.append(["  Priority Class Name:", text_at(spec, "priorityClassName")])
    lines += pairs("  Node-Selectors:", strings_at(spec, "nodeSelector"), "=")
    return [*lines, *toleration_lines(spec, "  ")]


def _created(item: Object) -> list[str]:
    return ["CreationTimestamp:", rfc1123(item.metadata.creation_timestamp or "")]


def _selector(item: Object) -> list[str]:
    return ["Selector:", label_selector_text(mapping_at(item.document, "spec", "selector"))]


def _owner(item: Object) -> Lines:
    owner = controller_of(item)
    return [["Controlled By:", f"{owner.kind}/{owner.name}"]] if owner is not None else []


def _conditions(item: Object) -> Lines:
    found = mappings(list_at(item.document, "status", "conditions"))
    rows = [[f"{c.get('type')} ", str(c.get("status")), text_at(c, "reason")] for c in found]
    return [["Conditions:"], *table(("Type", "Status", "Reason"), rows)] if rows else []


def _pods_status(pods: Sequence[Object]) -> list[str]:
    phases = [text_at(pod.document, "status", "phase") for pod in pods]
    words = (("Running", "Running"), ("Waiting", "Pending"), ("Succeeded", "Succeeded"), ("Failed", "Failed"))
    return ["Pods Status:", " / ".join(f"{phases.count(phase)} {word}" for word, phase in words)]


def deployment_lines(item: Object, sets: Sequence[Object]) -> Lines:
    """A Deployment; ``sets`` are its ReplicaSets."""
    spec, status = mapping_at(item.document, "spec"), mapping_at(item.document, "status")
    counts = (
        (spec.get("replicas", 1), "desired"),
        (status.get("updatedReplicas", 0), "updated"),
        (status.get("replicas", 0), "total"),
        *((status.get(f"{n}Replicas", 0), n) for n in ("available", "unavailable")),
    )
    strategy = mapping_at(spec, "strategy")
    lines = [
        *head(item, labels=False),
        _created(item),
        *head(item)[2:],
        _selector(item),
        ["Replicas:", " | ".join(f"{number} {word}" for number, word in counts)],
        ["StrategyType:", text_at(strategy, "type") or "RollingUpdate"],
        ["MinReadySeconds:", str(spec.get("minReadySeconds", 0))],
    ]
    rolling = mapping_at(strategy, "rollingUpdate")
    if rolling:
        told = f"{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge"
        lines.append(["RollingUpdateStrategy:", told])
    lines += [*template_lines(mapping_at(spec, "template")), *_conditions(item)]
    ranked = sorted(sets, key=lambda s: int(s.metadata.annotations.get(_REVISION, "0")))
    if ranked:
        lines += [["OldReplicaSets:", _sets(ranked[:-1])], ["NewReplicaSet:", _sets(ranked[-1:])]]
    return lines


def _sets(items: Sequence[Object]) -> str:
    texts = []
    for item in items:
        made = mapping_at(item.document, "status").get("replicas", 0)
        wanted = mapping_at(item.document, "spec").get("replicas", 1)
        texts.append(f"{item.metadata.name} ({made}/{wanted} replicas created)")
    return ", ".join(texts) or NONE


def replica_set_lines(item: Object, pods: Sequence[Object]) -> Lines:
    """A ReplicaSet; ``pods`` are its pods."""
    spec, status = mapping_at(item.document, "spec"), mapping_at(item.document, "status")
    replicas = f"{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired"
    return [
        *head(item, labels=False),
        _selector(item),
        *head(item)[2:],
        *_owner(item),
        ["Replicas:", replicas],
        _pods_status(pods),
        *template_lines(mapping_at(spec, "template")),
        *_conditions(item),
    ]


def stateful_set_lines(item: Object, pods: Sequence[Object]) -> Lines:
    """A StatefulSet; ``pods`` are its pods."""
    spec, status = mapping_at(item.document, "spec"), mapping_at(item.document, "status")
    strategy, kept = mapping_at(spec, "updateStrategy"), mapping_at(spec, "persistentVolumeClaimRetentionPolicy")
    lines: Lines = [*head(item, labels=False), _created(item), _selector(item), *head(item)[2:]]
    if spec.get("serviceName"):
        lines.append(["Service Name:", text_at(spec, "serviceName")])
    lines += [
        ["Pod Management Policy:", text_at(spec, "podManagementPolicy") or "OrderedReady"],
        ["Replicas:", f"{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total"],
        ["Update Strategy:", text_at(strategy, "type") or "RollingUpdate"],
    ]
    rolling = mapping_at(strategy, "rollingUpdate")
    for label, name in (("Partition", "partition"), ("MaxUnavailable", "maxUnavailable")):
        if rolling.get(name) is not None:
            lines.append([f"  {label}:", str(rolling[name])])
    if kept:
        lines.append(["Persistent Volume Claim Retention Policy:"])
        lines += [["  WhenDeleted:", text_at(kept, "whenDeleted")], ["  WhenScaled:", text_at(kept, "whenScaled")]]
    lines += [_pods_status(pods), *template_lines(mapping_at(spec, "template"))]
    return [*lines, *_claims(mappings(list_at(spec, "volumeClaimTemplates")))]


def _claims(claims: Sequence[Document]) -> Lines:
    """Ref: describe.go:describeVolumeClaimTemplates()."""
    if not claims:
        return [["Volume Claims:", NONE]]
    lines: Lines = [["Volume Claims:"]]
    for claim in claims:
        spec, metadata = mapping_at(claim, "spec"), mapping_at(claim, "metadata")
        size = text(mapping_at(spec, "resources", "requests").get("storage"), "<default>")
        modes = " ".join(str(mode) for mode in list_at(spec, "accessModes"))
        lines += [
            ["  Name:", text_at(metadata, "name")],
            ["  StorageClass:", text_at(spec, "storageClassName")],
            *pairs("  Labels:", strings_at(metadata, "labels"), "="),
            *pairs("  Annotations:", strings_at(metadata, "annotations"), ": "),
            ["  Capacity:", size],
            ["  Access Modes:", f"[{modes}]"],
        ]
    return lines


def daemon_set_lines(item: Object, pods: Sequence[Object]) -> Lines:
    """A DaemonSet; ``pods`` are its pods."""
    status, template = mapping_at(item.document, "status"), mapping_at(item.document, "spec", "template")
    counts = (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    )
    return [
        *head(item, labels=False),
        _selector(item),
        ["Node-Selector:", selector_text(strings_at(template, "spec", "nodeSelector"))],
        *head(item)[2:],
        *([f"{label}: {status.get(name, 0)}"] for label, name in counts),
        _pods_status(pods),
        *template_lines(template),
    ]


def job_lines(item: Object, lasting: Callable[[float], str]) -> Lines:
    """A Job; ``lasting`` tells a number of seconds."""
    spec, status = mapping_at(item.document, "spec"), mapping_at(item.document, "status")
    lines: Lines = [*head(item, labels=False), _selector(item), *head(item)[2:], *_owner(item)]
    lines += [
        ["Parallelism:", text(spec.get("parallelism"), "1")],
        ["Completions:", text(spec.get("completions"), UNSET)],
    ]
    for label, name in (
        ("Completion Mode:", "completionMode"),
        ("Suspend:", "suspend"),
        ("Backoff Limit:", "backoffLimit"),
        ("TTL Seconds After Finished:", "ttlSecondsAfterFinished"),
    ):
        if spec.get(name) is not None:
            lines.append([label, text(spec[name])])
    start, end = text_at(status, "startTime"), text_at(status, "completionTime")
    lines += [["Start Time:", rfc1123(start)]] if start else []
    lines += [["Completed At:", rfc1123(end)]] if end else []
    if start and end:
        taken = datetime.fromisoformat(end) - datetime.fromisoformat(start)
        lines.append(["Duration:", lasting(taken.total_seconds())])
    if spec.get("activeDeadlineSeconds") is not None:
        lines.append(["Active Deadline Seconds:", f"{spec['activeDeadlineSeconds']}s"])
    lines.append(["Pods Statuses:", _tally(status)])
    if spec.get("completionMode") == "Indexed":
        lines.append(["Completed Indexes:", text_at(status, "completedIndexes") or NONE])
    return [*lines, *template_lines(mapping_at(spec, "template"))]


def _tally(status: Document) -> str:
    ready = f" ({status['ready']} Ready)" if status.get("ready") is not None else ""
    active, succeeded, failed = (status.get(name, 0) for name in ("active", "succeeded", "failed"))
    return f"{active} Active{ready} / {succeeded} Succeeded / {failed} Failed"


def cron_job_lines(item: Object) -> Lines:
    """A CronJob."""
    spec, status = mapping_at(item.document, "spec"), mapping_at(item.document, "status")
    job = mapping_at(spec, "jobTemplate", "spec")
    selector = label_selector_text(mapping_at(job, "selector")) if job.get("selector") is not None else UNSET
    last = text_at(status, "lastScheduleTime")
    active = ", ".join(text_at(entry, "name") for entry in mappings(list_at(status, "active")))
    lines = [
        *head(item),
        ["Schedule:", text_at(spec, "schedule")],
        ["Concurrency Policy:", text_at(spec, "concurrencyPolicy") or "Allow"],
        ["Suspend:", "True" if spec.get("suspend") else "False"],
        ["Time Zone:", text_at(spec, "timeZone") or UNSET],
        ["Successful Job History Limit:", text(spec.get("successfulJobsHistoryLimit"), UNSET)],
        ["Failed Job History Limit:", text(spec.get("failedJobsHistoryLimit"), UNSET)],
        ["Starting Deadline Seconds:", _seconds(spec.get("startingDeadlineSeconds"))],
        ["Selector:", selector],
        ["Parallelism:", text(job.get("parallelism"), UNSET)],
        ["Completions:", text(job.get("completions"), UNSET)],
    ]
    if job.get("activeDeadlineSeconds") is not None:
        lines.append(["Active Deadline Seconds:", _seconds(job["activeDeadlineSeconds"])])
    lines += template_lines(mapping_at(job, "template"))
    return [*lines, ["Last Schedule Time:", rfc1123(last) if last else UNSET], ["Active Jobs:", active or NONE]]


def _seconds(value: Json) -> str:
    return UNSET if value is None else f"{value}s"
