"""Jobs and CronJobs: how many pods run, what counts, when it is over; when a schedule is due."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from netsim.cluster.controllers.cronjob import zone_of
from netsim.cluster.controllers.job_decision import indexes_text, parse_indexes
from netsim.cluster.controlplane import ControlPlane
from netsim.objects.cron import CronError, Schedule
from netsim.objects.meta import Object
from tests.cluster_objects import changed, condition, container, doc, key, node, pods, steady, template, workload


def job(name: str = "web", *, annotations: Any = None, policy: str = "Never", **spec: Any) -> Object:
    body = template({}, annotations, restartPolicy=policy, containers=[container()])
    return workload("Job", name, pod_template=body, **spec)


def status(plane: ControlPlane, name: str = "web") -> Any:
    return doc(plane, "Job", name)["status"]


def counts(plane: ControlPlane) -> tuple[int, int, int]:
    found = status(plane)
    return found.get("active", 0), found.get("succeeded", 0), found.get("failed", 0)


def ended(plane: ControlPlane, kind: str) -> Any:
    return condition(doc(plane, "Job", "web"), kind)


EXIT = "netsim.io/exit"
RUNS = [
    # spec, exit → active, succeeded, failed at rest; seconds
    ("one", {}, "0@5s", (0, 1, 0), 5),
    ("three, one at a time", {"completions": 3}, "0@5s", (0, 3, 0), 15),
    ("five, two at a time", {"completions": 5, "parallelism": 2}, "0@5s", (0, 5, 0), 15),
    ("runs on", {"completions": 2, "parallelism": 2}, "", (2, 0, 0), 0),
    ("never more than are missing", {"completions": 1, "parallelism": 5}, "", (1, 0, 0), 0),
    ("a work queue", {"parallelism": 3}, "0@5s", (0, 3, 0), 5),
    ("fails again and again", {"backoffLimit": 2}, "1", (0, 0, 3), 30),  # after 0, 10 and 20 more
    ("fails once too often", {"backoffLimit": 0}, "1@4s", (0, 0, 1), 4),
    ("suspended", {"suspend": True}, "", (0, 0, 0), 0),
]


@pytest.mark.parametrize(("spec", "exits", "wanted", "seconds"), [r[1:] for r in RUNS], ids=[r[0] for r in RUNS])
def test_how_a_job_runs(spec: Any, exits: str, wanted: Any, seconds: int) -> None:
    plane = steady([job(annotations={EXIT: exits} if exits else None, **spec)])
    assert counts(plane) == wanted
    assert plane.clock.now() == seconds


def test_what_a_job_says_when_it_is_complete() -> None:
    plane = steady([job(annotations={EXIT: "0@5s"})])
    assert [(c["type"], c["status"], c["reason"]) for c in status(plane)["conditions"]] == [
        ("SuccessCriteriaMet", "True", "CompletionsReached"),
        ("Complete", "True", "CompletionsReached"),
    ]
    assert (status(plane)["startTime"], status(plane)["completionTime"]) == (
        "2025-01-01T00:00:00Z",
        "2025-01-01T00:00:05Z",
    )
    assert [e.message for e in plane.events if e.reason == "Completed"] == ["Job completed"]
    (pod,) = pods(plane)
    assert (pod["status"]["phase"], pod["metadata"]["finalizers"]) == ("Succeeded", [])


def test_what_a_job_says_when_it_has_failed() -> None:
    plane = steady([job(annotations={EXIT: "1"}, backoffLimit=1)])
    assert (ended(plane, "Failed")["reason"], ended(plane, "Failed")["message"]) == (
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit",
    )


def test_restarts_in_place_count_as_failures_too() -> None:
    plane = ControlPlane([node(1)], [job(annotations={EXIT: "1"}, policy="OnFailure", backoffLimit=2)], api_server=None)
    plane.run_until(9)
    assert counts(plane) == (1, 0, 0)
    plane.run_until(60)
    assert ended(plane, "Failed")["reason"] == "BackoffLimitExceeded"


def test_a_deadline_ends_a_job_that_runs_on() -> None:
    plane = steady([job(activeDeadlineSeconds=60)])
    assert (plane.clock.now(), counts(plane)) == (0, (1, 0, 0))
    plane.run_until(60)
    assert ended(plane, "FailureTarget")["reason"] == "DeadlineExceeded"
    plane.run_until_steady()
    assert (plane.clock.now(), counts(plane)) == (90, (0, 0, 1))
    assert ended(plane, "Failed")["message"] == "Job was active longer than specified deadline"


def test_an_indexed_job_gives_each_pod_its_number() -> None:
    plane = steady([job(completionMode="Indexed", completions=3, parallelism=2)])
    found = {p["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]: p for p in pods(plane)}
    assert sorted(found) == ["0", "1"]
    assert found["1"]["spec"]["hostname"] == "web-1"
    assert found["1"]["metadata"]["name"].startswith("web-1-")
    plane.faults.end_container(key("Pod", found["1"]["metadata"]["name"]), exit_code=0)
    plane.run_until_steady()
    assert status(plane)["completedIndexes"] == "1"
    running = [p for p in pods(plane) if p["status"]["phase"] == "Running"]
    assert sorted(p["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] for p in running) == ["0", "2"]


@pytest.mark.parametrize("text", ["", "0", "0,1", "0-2", "0-2,4,6-9", "1,3,5,6"])
def test_indexes_are_written_and_read(text: str) -> None:
    assert indexes_text(parse_indexes(text)) == text


def test_a_job_is_deleted_when_its_time_after_the_end_is_over() -> None:
    plane = steady([job(annotations={EXIT: "0@5s"}, ttlSecondsAfterFinished=20)])
    plane.run_until(24)
    assert counts(plane) == (0, 1, 0)
    plane.run_until(25)
    assert plane.store.find(key("Job", "web")) is None
    assert pods(plane) == []


def test_a_job_that_is_suspended_gives_its_pods_up_and_begins_anew() -> None:
    plane = steady([job()])
    changed(plane, "Job", "web", suspend=True)
    assert counts(plane) == (0, 0, 1)
    assert ended(plane, "Suspended")["status"] == "True"
    changed(plane, "Job", "web", suspend=False)
    assert (counts(plane)[0], ended(plane, "Suspended")["reason"]) == (1, "JobResumed")


def test_pods_of_a_deleted_job_are_let_go() -> None:
    plane = steady([job(parallelism=2, completions=2)])
    plane.delete(key("Job", "web"))
    plane.run_until_steady()
    assert pods(plane) == []


# --- schedules --------------------------------------------------------------------------------------------------

DUE = [
    # schedule, zone, after, the next three
    ("*/5 * * * *", None, "2025-01-01T00:00:00", ["01-01 00:05", "01-01 00:10", "01-01 00:15"]),
    ("0 3 * * *", None, "2025-01-01T03:00:00", ["01-02 03:00", "01-03 03:00", "01-04 03:00"]),
    ("30 8-10/2 * * mon-fri", None, "2025-01-03T09:00:00", ["01-03 10:30", "01-06 08:30", "01-06 10:30"]),
    ("0 0 13 * 5", None, "2025-01-01T00:00:00", ["01-03 00:00", "01-10 00:00", "01-13 00:00"]),
    ("0 0 31 * *", None, "2025-01-31T00:00:00", ["03-31 00:00", "05-31 00:00", "07-31 00:00"]),
    ("@hourly", None, "2025-01-01T00:59:59", ["01-01 01:00", "01-01 02:00", "01-01 03:00"]),
    ("@every 90m", None, "2025-01-01T00:00:00", ["01-01 01:30", "01-01 03:00", "01-01 04:30"]),
    ("0 8 * * *", "Europe/Berlin", "2025-03-29T00:00:00", ["03-29 07:00", "03-30 06:00", "03-31 06:00"]),
    ("30 2 * * *", "Europe/Berlin", "2025-03-29T00:00:00", ["03-29 01:30", "03-31 00:30", "04-01 00:30"]),
]


@pytest.mark.parametrize(("text", "zone", "after", "wanted"), DUE)
def test_when_a_schedule_is_due(text: str, zone: str | None, after: str, wanted: list[str]) -> None:
    schedule = Schedule.parse(text, zone_of(zone))
    at: datetime | None = datetime.fromisoformat(after + "+00:00")
    found = []
    for _ in wanted:
        at = schedule.after(at)
        found.append(f"{at:%m-%d %H:%M}")
    assert found == wanted


def test_a_day_that_never_comes() -> None:
    assert Schedule.parse("0 0 30 2 *").after(datetime.fromisoformat("2025-01-01T00:00:00+00:00")) is None


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* * * * mond", "5-3 * * * *", "*/0 * * * *", "@every x"]
)
def test_schedules_that_cannot_be_read(text: str) -> None:
    with pytest.raises(CronError):
        Schedule.parse(text)


# --- CronJobs ---------------------------------------------------------------------------------------------------


def cronjob(*, annotations: Any = None, **spec: Any) -> Object:
    body = job(annotations=annotations).document["spec"]
    document = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "tick", "namespace": "default"},
        "spec": {"schedule": "*/1 * * * *", "jobTemplate": {"spec": body}, **spec},
    }
    return Object.of(document)


def started(*items: Object, until: float) -> ControlPlane:
    plane = ControlPlane([node(1)], items, api_server=None)
    plane.run_until(until)
    return plane


def jobs(plane: ControlPlane) -> list[str]:
    return [item.metadata.name for item in plane.store.list("Job").items]


MINUTE = 28928160  # 2025-01-01T00:00:00Z


def test_a_cron_job_starts_a_job_when_it_is_due() -> None:
    plane = started(cronjob(), until=59)
    assert jobs(plane) == []
    plane.run_until(60)
    assert jobs(plane) == [f"tick-{MINUTE + 1}"]
    found = doc(plane, "CronJob", "tick")["status"]
    assert found["lastScheduleTime"] == "2025-01-01T00:01:00Z"
    assert [r["name"] for r in found["active"]] == jobs(plane)
    assert doc(plane, "Job", jobs(plane)[0])["metadata"]["annotations"] == {
        "batch.kubernetes.io/cronjob-scheduled-timestamp": "2025-01-01T00:01:00Z"
    }


def test_a_world_at_rest_does_not_wait_for_a_cron_job() -> None:
    plane = steady([cronjob()])
    assert (plane.clock.now(), jobs(plane)) == (0, [])


POLICIES = [
    ("Allow", [1, 2, 3], 0),
    ("Forbid", [1], 2),
    ("Replace", [3], 0),
]


@pytest.mark.parametrize(("policy", "minutes", "refused"), POLICIES)
def test_what_becomes_of_the_one_that_still_runs(policy: str, minutes: list[int], refused: int) -> None:
    plane = started(cronjob(concurrencyPolicy=policy), until=185)
    assert [name for name in jobs(plane) if doc(plane, "Job", name)["metadata"].get("deletionTimestamp") is None] == [
        f"tick-{MINUTE + n}" for n in minutes
    ]
    assert sum(e.count for e in plane.events if e.reason == "JobAlreadyActive") >= refused


def test_a_job_that_was_forbidden_starts_when_the_other_has_ended() -> None:
    plane = started(cronjob(concurrencyPolicy="Forbid", annotations={EXIT: "0@90s"}), until=151)
    assert jobs(plane) == [f"tick-{MINUTE + 1}", f"tick-{MINUTE + 2}"]
    assert doc(plane, "CronJob", "tick")["status"]["lastSuccessfulTime"] == "2025-01-01T00:02:30Z"


def test_only_so_many_ended_jobs_are_kept() -> None:
    plane = started(cronjob(annotations={EXIT: "0@5s"}, successfulJobsHistoryLimit=2), until=400)
    assert jobs(plane) == [f"tick-{MINUTE + 5}", f"tick-{MINUTE + 6}"]


def test_a_suspended_cron_job_starts_none_and_catches_up_once() -> None:
    plane = started(cronjob(suspend=True), until=200)
    assert jobs(plane) == []
    before = doc(plane, "CronJob", "tick")
    plane.store.update(Object.of({**before, "spec": {**before["spec"], "suspend": False}}))
    plane.run_until(201)
    assert jobs(plane) == [f"tick-{MINUTE + 3}"]


def test_a_start_that_comes_too_late_is_missed() -> None:
    plane = started(cronjob(suspend=True, startingDeadlineSeconds=10), until=200)
    before = doc(plane, "CronJob", "tick")
    plane.store.update(Object.of({**before, "spec": {**before["spec"], "suspend": False}}))
    plane.run_until(201)
    assert jobs(plane) == []


UNREADABLE = [
    ({"schedule": "* * *"}, "UnparseableSchedule", 'unparseable schedule: "* * *" : '),
    ({"timeZone": "Mars/Base"}, "UnknownTimeZone", 'invalid timeZone: "Mars/Base": unknown time zone Mars/Base'),
]


@pytest.mark.parametrize(("spec", "reason", "message"), UNREADABLE)
def test_a_schedule_that_cannot_be_read_is_an_event(spec: Any, reason: str, message: str) -> None:
    plane = started(cronjob(**spec), until=1)
    (said,) = [e for e in plane.events if e.object.kind == "CronJob"]
    assert said.reason == reason
    assert said.message.startswith(message)
