"""Jobs and CronJobs. Ref: pkg/apis/batch/validation/validation.go (v1.37)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from netsim.objects.cron import CronError, Schedule
from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.validation.findings import invalid, negative, required, unsupported
from netsim.objects.validation.metadata import check_selector
from netsim.objects.validation.parts import mapping_at, number_at, text_at, texts_at
from netsim.objects.validation.pod import check_template
from netsim.objects.validation.workload import selector_of, selector_shown

_NUMBERS: Final = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_INDEXED_NUMBERS: Final = ("backoffLimitPerIndex", "maxFailedIndexes")
_GENERATED: Final = (
    # labels that every pod of a Job has
    *("batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"),
)
_MOST_PARALLEL: Final = 100_000
_LONGEST_CRON_JOB_NAME: Final = 52
_ZONE_PART: Final = re.compile(r"[A-Za-z\.\-_0-9+]{1,14}")


def check_job(item: Object) -> Iterator[Problem]:
    """Ref: ValidateJobSpec()."""
    spec = mapping_at(item.document, "spec")
    yield from _check_spec(spec, ("spec",))
    yield from check_selector(mapping_at(spec, "selector"), ("spec", "selector"))
    yield from _check_selects(spec)


def _check_selects(spec: Document) -> Iterator[Problem]:
    """That a Job finds its pods by the labels that it gives them itself. Ref: validateGeneratedSelector()."""
    if spec.get("selector") is None:
        return
    metadata, selector = mapping_at(mapping_at(spec, "template"), "metadata"), mapping_at(spec, "selector")
    labels = texts_at(metadata, "labels")
    own = {name: value for name, value in labels.items() if name in _GENERATED}
    if spec.get("manualSelector") is not True and not selector_of(selector).matches(own):
        yield invalid(("spec", "selector"), selector_shown(selector), "`selector` not auto-generated")
    if not selector_of(selector).matches(labels):
        why = "`selector` does not match template `labels`"
        yield invalid(("spec", "template", "metadata", "labels"), dict(sorted(labels.items())) or None, why)


def _check_spec(spec: Document, path: Path) -> Iterator[Problem]:
    for name in (*_NUMBERS, *_INDEXED_NUMBERS):
        yield from negative((*path, name), spec.get(name))
    mode = text_at(spec, "completionMode", "NonIndexed")
    if mode not in ("NonIndexed", "Indexed"):
        yield unsupported((*path, "completionMode"), mode, ("NonIndexed", "Indexed"))
    if mode == "Indexed":
        if spec.get("completions") is None and spec.get("parallelism") is not None:
            yield required((*path, "completions"), "when completion mode is Indexed")
        if number_at(spec, "parallelism") > _MOST_PARALLEL:
            why = f"must be less than or equal to {_MOST_PARALLEL} when completion mode is Indexed"
            yield invalid((*path, "parallelism"), spec["parallelism"], why)
    elif mode == "NonIndexed":
        for name in _INDEXED_NUMBERS:
            if spec.get(name) is not None:
                yield invalid((*path, name), spec[name], "requires indexed completion mode")
    yield from check_template(mapping_at(spec, "template"), (*path, "template"))
    yield from _check_restart(spec, (*path, "template", "spec", "restartPolicy"))


def _check_restart(spec: Document, path: Path) -> Iterator[Problem]:
    policy = text_at(mapping_at(mapping_at(spec, "template"), "spec"), "restartPolicy", "Always")
    if policy == "Always":
        yield required(path, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield unsupported(path, policy, ("OnFailure", "Never"))
    elif policy != "Never" and spec.get("podFailurePolicy") is not None:
        yield invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')


def check_cron_job(item: Object) -> Iterator[Problem]:
    """Ref: ValidateCronJobCreate(), validateCronJobSpec()."""
    spec = mapping_at(item.document, "spec")
    yield from _check_schedule(text_at(spec, "schedule"), ("spec", "schedule"))
    yield from negative(("spec", "startingDeadlineSeconds"), spec.get("startingDeadlineSeconds"))
    if isinstance(spec.get("timeZone"), str):
        yield from _check_zone(str(spec["timeZone"]), ("spec", "timeZone"))
    policy = text_at(spec, "concurrencyPolicy", "Allow")
    if policy not in ("Allow", "Forbid", "Replace"):
        yield unsupported(("spec", "concurrencyPolicy"), policy, ("Allow", "Forbid", "Replace"))
    template = mapping_at(mapping_at(spec, "jobTemplate"), "spec")
    yield from _check_spec(template, ("spec", "jobTemplate", "spec"))
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from negative(("spec", name), spec.get(name))
    name = item.metadata.name
    if len(name) > _LONGEST_CRON_JOB_NAME:
        yield invalid(("metadata", "name"), name, f"must be no more than {_LONGEST_CRON_JOB_NAME} characters")


def _check_schedule(schedule: str, path: Path) -> Iterator[Problem]:
    if not schedule:
        yield required(path)
        return
    try:
        Schedule.parse(re.sub(r"^(?:CRON_)?TZ=\S+ ", "", schedule))
    except CronError as error:
        yield invalid(path, schedule, str(error))
    if "TZ" in schedule:
        yield invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")


def _check_zone(zone: str, path: Path) -> Iterator[Problem]:
    from zoneinfo import ZoneInfo  # CronJobs with zones are rare

    parts = zone.split("/")
    if not zone:
        yield invalid(path, zone, "timeZone must be nil or non-empty string")
    elif any(p in (".", "..") or p.startswith("-") or not _ZONE_PART.fullmatch(p) for p in parts):
        yield invalid(path, zone, f"unknown time zone {zone}")
    elif zone.lower() == "local":
        yield invalid(
            path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
    else:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):
            yield invalid(path, zone, f"unknown time zone {zone}")
