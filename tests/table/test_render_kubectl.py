"""Ages, columns and the STATUS of pods as kubectl writes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.objects.meta import Object
from netsim.render.kubectl import columns, human_duration
from netsim.render.kubectl_describe import qos, smart_label
from netsim.render.kubectl_pod import pod_line
from netsim.render.tabwriter import tabbed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        # rows of apimachinery's own duration_test.go
        (-10, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (1, "1s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (599, "9m59s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (11400, "3h10m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (183600, "2d3h"),
        (691200, "8d"),
        (63071999, "729d"),
        (63072000, "2y"),
        (67392000, "2y50d"),
        (252288000, "8y"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_a_column_is_never_narrower_than_six() -> None:
    assert columns([["A", "B"], ["c", "d"]]) == "A     B\nc     d"


def test_a_line_of_one_cell_ends_a_column() -> None:
    assert tabbed([["a:", "1"], ["Head:"], ["long name:", "2"]]) == "a:  1\nHead:\nlong name:  2"


WORDS = st.text(st.characters(codec="ascii", exclude_categories=("C", "Z")), min_size=1)


@given(st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=1))
def test_cells_of_a_column_start_at_one_place(rows: list[list[str]]) -> None:
    lines = columns(rows).splitlines()
    first = max(6, max(len(row[0]) for row in rows) + 3)
    assert all(line[first:].startswith(row[1]) for line, row in zip(lines, rows, strict=True))


def status(**fields: Any) -> Object:
    metadata = {"name": "p", "namespace": "default", **fields.pop("metadata", {})}
    spec = {"containers": [{"name": "c"}], **fields.pop("spec", {})}
    return Object.of({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": fields})


def container(name: str = "c", *, ready: bool = False, restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state}


RUNNING = {"running": {}}
READY = [{"type": "Ready", "status": "True"}]
GATED = [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]


@pytest.mark.parametrize(
    ("pod", "line"),
    [
        (status(), (0, 1, "Pending", 0)),
        (status(conditions=GATED, phase="Pending"), (0, 1, "SchedulingGated", 0)),
        (status(phase="Running", containerStatuses=[container(ready=True, running={"a": 1})]), (1, 1, "Running", 0)),
        (
            status(phase="Running", containerStatuses=[container(restarts=4, waiting={"reason": "CrashLoopBackOff"})]),
            (0, 1, "CrashLoopBackOff", 4),
        ),
        (status(phase="Failed", containerStatuses=[container(terminated={"exitCode": 3})]), (0, 1, "ExitCode:3", 0)),
        (status(phase="Failed", containerStatuses=[container(terminated={"signal": 9})]), (0, 1, "Signal:9", 0)),
        (status(phase="Failed", reason="Evicted"), (0, 1, "Evicted", 0)),
        (
            status(phase="Succeeded", containerStatuses=[container(terminated={"reason": "Completed"})]),
            (0, 1, "Completed", 0),
        ),
        (
            status(
                spec={"containers": [{"name": "c"}, {"name": "d"}]},
                phase="Running",
                containerStatuses=[
                    container(terminated={"reason": "Completed"}),
                    container("d", ready=True, running={"a": 1}),
                ],
                conditions=READY,
            ),
            (1, 2, "Running", 0),
        ),
        (
            status(
                spec={"initContainers": [{"name": "i"}, {"name": "j"}]},
                phase="Pending",
                initContainerStatuses=[container("i", terminated={"exitCode": 0}), container("j", running={})],
            ),
            (0, 1, "Init:1/2", 0),
        ),
        (
            status(
                spec={"initContainers": [{"name": "i"}]},
                phase="Pending",
                initContainerStatuses=[container("i", restarts=2, terminated={"exitCode": 1, "reason": "Error"})],
            ),
            (0, 1, "Init:Error", 2),
        ),
        (status(metadata={"deletionTimestamp": "2025-01-01T00:00:00Z"}, phase="Running"), (0, 1, "Terminating", 0)),
        (
            status(metadata={"deletionTimestamp": "2025-01-01T00:00:00Z"}, phase="Running", reason="NodeLost"),
            (0, 1, "Unknown", 0),
        ),
        (status(metadata={"deletionTimestamp": "2025-01-01T00:00:00Z"}, phase="Failed"), (0, 1, "Failed", 0)),
    ],
)
def test_pod_lines(pod: Object, line: tuple[int, int, str, int]) -> None:
    found = pod_line(pod)
    assert (found.ready, found.total, found.status, found.restarts) == line


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}, "Burstable"),
    ],
)
def test_quality_of_service(resources: Any, wanted: str) -> None:
    assert qos(status(spec={"containers": [{"name": "c", "resources": resources}]})) == wanted


@pytest.mark.parametrize(
    ("name", "label"),
    [("clusterIP", "Cluster IP"), ("apiVersion", "API Version"), ("ownerReferences", "Owner References")],
)
def test_labels_of_unknown_kinds(name: str, label: str) -> None:
    assert smart_label(name) == label
