"""Deployments: sizes during a roll-out, scaling in the middle of one, roll-backs, pauses, deadlines and what they say of them."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.cluster.controllers.deployment_rolling import Scaling, first_replicas, grown, proportional, shrunk
from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.workloads import (
    DeploymentSpec,
    ReplicaSetSpec,
    ReplicaSetStatus,
    ReplicaSetView,
    RollingUpdate,
    UpdateStrategy,
)
from netsim.objects.meta import Object
from tests.cluster_objects import LABELS, changed, condition, container, doc, node, pods, steady, template, workload

READY_AFTER = {"readinessProbe": {"exec": {"command": ["true"]}, "initialDelaySeconds": 10}}


def spec(replicas: int, surge: Any = 1, unavailable: Any = 0) -> DeploymentSpec:
    return DeploymentSpec(replicas, UpdateStrategy("RollingUpdate", RollingUpdate(surge, unavailable)))


def view(replicas: int, available: int, *, revision: int = 1, maximum: int | None = None) -> ReplicaSetView:
    annotations = {"deployment.kubernetes.io/revision": str(revision)}
    if maximum is not None:
        annotations["deployment.kubernetes.io/max-replicas"] = str(maximum)
    metadata = {"name": f"r{revision}", "namespace": "default", "annotations": annotations}
    item = Object.of({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata})
    return ReplicaSetView(item, ReplicaSetSpec(replicas), ReplicaSetStatus(replicas, available, available))


GROWN = [
    # asked for, surge, unavailable; newest; old → the newest set's size
    ("room for the surge", (10, 3, 2), 0, [10], 3),
    ("no room", (10, 3, 2), 3, [10], 3),
    ("as much as the old has given up", (10, 3, 2), 3, [8], 5),
    ("never more than asked for", (10, 3, 2), 9, [0], 10),
    ("too many", (3, 1, 0), 5, [], 3),
]


@pytest.mark.parametrize(("asked", "newest", "old", "wanted"), [r[1:] for r in GROWN], ids=[r[0] for r in GROWN])
def test_how_the_newest_set_grows(asked: Any, newest: int, old: list[int], wanted: int) -> None:
    sets = [view(n, n) for n in old]
    assert grown(spec(*asked), view(newest, newest, revision=9), sets) == wanted


SHRUNK = [
    # asked for, surge, unavailable; newest (size, available); old (size, available) → the old ones' sizes
    ("as many as may be missing", (10, 3, 2), (3, 0), [(10, 10)], [8]),
    ("what does not work goes first", (10, 3, 2), (3, 0), [(10, 7)], [8]),
    ("what does not work goes first, then more, in two steps", (10, 3, 2), (4, 4), [(9, 7)], [7, 4]),
    ("the new ones take over", (10, 3, 2), (5, 5), [(8, 8)], [3]),
    ("nothing below the minimum", (3, 1, 0), (1, 0), [(3, 3)], []),
    ("one for one", (3, 1, 0), (1, 1), [(3, 3)], [2]),
    ("the oldest first", (4, 2, 0), (2, 2), [(2, 2), (2, 2)], [0]),
    ("a broken roll-out is left for the next", (2, 1, 0), (1, 0), [(2, 2), (1, 0)], [0]),
]


@pytest.mark.parametrize(("asked", "newest", "old", "wanted"), [r[1:] for r in SHRUNK], ids=[r[0] for r in SHRUNK])
def test_how_old_sets_shrink(asked: Any, newest: Any, old: Any, wanted: list[int]) -> None:
    sets = [view(*sizes, revision=n) for n, sizes in enumerate(old, 1)]
    assert [change.replicas for change in shrunk(spec(*asked), view(*newest, revision=9), sets)] == wanted


PROPORTIONAL = [
    # asked for now; before at most; newest; old → sizes by revision
    ("grows in proportion", (20, 3, 2), 13, 5, [8], {9: 9, 1: 14}),
    ("shrinks in proportion", (5, 3, 2), 13, 5, [8], {9: 3, 1: 5}),
    ("to nothing", (0, 3, 2), 13, 5, [8], {9: 0, 1: 0}),
    ("one set alone", (7, 3, 2), 13, 5, [0], {9: 7}),
]


@pytest.mark.parametrize(
    ("asked", "before", "newest", "old", "wanted"), [r[1:] for r in PROPORTIONAL], ids=[r[0] for r in PROPORTIONAL]
)
def test_scaling_in_the_middle_of_a_roll_out(
    asked: Any, before: int, newest: int, old: list[int], wanted: dict[int, int]
) -> None:
    sets = [view(n, n, revision=k, maximum=before) for k, n in enumerate(old, 1)]
    new = view(newest, newest, revision=9, maximum=before)
    found: list[Scaling] = list(proportional(spec(*asked), new, sets))
    assert {int(change.target.item.metadata.name[1:]): change.replicas for change in found} == wanted


def test_a_new_set_begins_with_what_there_is_room_for() -> None:
    assert [first_replicas(spec(10, 3), [view(n, n)]) for n in (10, 13, 2)] == [3, 0, 10]
    assert first_replicas(DeploymentSpec(10, UpdateStrategy("Recreate")), [view(10, 10)]) == 10


# --- the whole controller ---------------------------------------------------------------------------------------


def deployment(**fields: Any) -> Object:
    return workload("Deployment", pod_template=template(containers=[container(**READY_AFTER)]), **fields)


def updated(version: str) -> dict[str, Any]:
    return template({**LABELS, "version": version}, containers=[container(**READY_AFTER)])


def edit(plane: ControlPlane, **fields: Any) -> None:
    before = doc(plane, "Deployment", "web")
    plane.store.update(Object.of({**before, "spec": {**before["spec"], **fields}}))


def versions(plane: ControlPlane) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for pod in pods(plane):
        if "deletionTimestamp" not in pod["metadata"]:
            version = pod["metadata"]["labels"].get("version")
            found[version] = found.get(version, 0) + 1
    return found


def said(plane: ControlPlane, kind: str = "Progressing") -> tuple[str, str, str]:
    found = condition(doc(plane, "Deployment", "web"), kind)
    return found["status"], found["reason"], found["message"].split('"')[0]


def test_a_rolling_update_instant_by_instant() -> None:
    plane = steady([deployment(replicas=4, strategy={"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}})])
    start = plane.clock.now()
    edit(plane, template=updated("2"))
    seen = []
    for at in (0, 5, 10, 15, 20, 25):
        plane.run_until(start + at)
        seen.append(versions(plane))
    assert seen == [{None: 3, "2": 3}, {None: 3, "2": 3}, {"2": 4}, {"2": 4}, {"2": 4}, {"2": 4}]


def test_what_a_deployment_says_on_its_way() -> None:
    plane = ControlPlane([node(1)], [deployment(replicas=2, progressDeadlineSeconds=600)], api_server=None)
    plane.run_until(1)
    assert said(plane) == ("True", "ReplicaSetUpdated", "ReplicaSet ")
    assert said(plane, "Available") == (
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
    )
    plane.run_until_steady()
    assert said(plane) == ("True", "NewReplicaSetAvailable", "ReplicaSet ")
    found = condition(doc(plane, "Deployment", "web"), "Progressing")
    assert found["lastUpdateTime"] == "2025-01-01T00:00:10Z"


def test_no_progress_for_too_long() -> None:
    never = template(annotations={"netsim.io/ready": "false"})
    plane = steady([workload("Deployment", pod_template=never, progressDeadlineSeconds=60)])
    assert (plane.clock.now(), said(plane)[1]) == (0, "ReplicaSetUpdated")
    plane.run_until(60)
    assert said(plane)[1] == "ReplicaSetUpdated"
    plane.run_until(61)
    assert said(plane)[:2] == ("False", "ProgressDeadlineExceeded")
    message = condition(doc(plane, "Deployment", "web"), "Progressing")["message"]
    assert message.endswith('" has timed out progressing.')


def test_a_paused_deployment_scales_and_does_not_roll() -> None:
    plane = steady([deployment(replicas=2, progressDeadlineSeconds=600)])
    changed(plane, "Deployment", "web", paused=True, template=updated("2"))
    assert (versions(plane), said(plane)[:2]) == ({None: 2}, ("Unknown", "DeploymentPaused"))
    changed(plane, "Deployment", "web", replicas=4)
    assert versions(plane) == {None: 4}
    changed(plane, "Deployment", "web", paused=False)
    assert (versions(plane), said(plane)[1]) == ({"2": 4}, "NewReplicaSetAvailable")


def test_a_roll_back_is_a_roll_out_of_an_old_set_with_a_new_number() -> None:
    plane = steady([deployment(replicas=2)])
    first = doc(plane, "Deployment", "web")["spec"]["template"]
    changed(plane, "Deployment", "web", template=updated("2"))
    changed(plane, "Deployment", "web", template=first)
    found = {
        item.document["spec"]["replicas"]: item.metadata.annotations["deployment.kubernetes.io/revision"]
        for item in plane.store.list("ReplicaSet").items
    }
    assert (versions(plane), found) == ({None: 2}, {0: "2", 2: "3"})
    histories = [
        item.metadata.annotations.get("deployment.kubernetes.io/revision-history")
        for item in plane.store.list("ReplicaSet").items
    ]
    assert sorted(histories, key=str) == ["1", None]
    assert doc(plane, "Deployment", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_a_set_has_the_annotations_of_its_deployment() -> None:
    plane = steady([deployment(replicas=1)])
    before = doc(plane, "Deployment", "web")
    annotations = {**before["metadata"]["annotations"], "kubernetes.io/change-cause": "a better image"}
    plane.store.update(Object.of({**before, "metadata": {**before["metadata"], "annotations": annotations}}))
    plane.run_until_steady()
    (found,) = plane.store.list("ReplicaSet").items
    assert found.metadata.annotations["kubernetes.io/change-cause"] == "a better image"


def test_a_new_set_without_room_is_made_in_silence() -> None:
    plane = steady([deployment(replicas=0)])
    assert [e.message for e in plane.events if e.reason == "ScalingReplicaSet"] == []


ROLL_BACKS = [
    ("0", {None: 2}, "DeploymentRollback"),
    ("1", {None: 2}, "DeploymentRollback"),
    ("2", {"2": 2}, "DeploymentRollbackTemplateUnchanged"),
    ("7", {"2": 2}, "DeploymentRollbackRevisionNotFound"),
]


@pytest.mark.parametrize(("revision", "wanted", "reason"), ROLL_BACKS)
def test_a_roll_back_that_an_annotation_asks_for(revision: str, wanted: Any, reason: str) -> None:
    plane = steady([deployment(replicas=2)])
    changed(plane, "Deployment", "web", template=updated("2"))
    before = doc(plane, "Deployment", "web")
    annotations = {**before["metadata"].get("annotations", {}), "deprecated.deployment.rollback.to": revision}
    plane.store.update(Object.of({**before, "metadata": {**before["metadata"], "annotations": annotations}}))
    plane.run_until_steady()
    assert (versions(plane), [e.reason for e in plane.events if "Rollback" in e.reason]) == (wanted, [reason])


def test_only_so_many_old_sets_are_kept() -> None:
    plane = steady([deployment(replicas=1, revisionHistoryLimit=2)])
    for version in "2345":
        changed(plane, "Deployment", "web", template=updated(version))
    sets = plane.store.list("ReplicaSet").items
    assert sorted(s.metadata.annotations["deployment.kubernetes.io/revision"] for s in sets) == ["3", "4", "5"]


def test_a_set_of_another_with_the_same_name_is_a_collision() -> None:
    plane = steady([deployment(replicas=1)])
    taken = plane.store.list("ReplicaSet").items[0]
    name = taken.metadata.name
    other = ControlPlane([node(1)], [], api_server=None)
    body = {
        **taken.document["spec"],
        "replicas": 0,
        "template": updated("x"),
        "selector": {"matchLabels": {"version": "x"}},
    }
    metadata = {"name": name, "namespace": "default"}
    other.create(Object.of({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": body}))
    other.create(deployment(replicas=1))
    other.run_until_steady()
    assert doc(other, "Deployment", "web")["status"]["collisionCount"] == 1
    assert len(other.store.list("ReplicaSet").items) == 2
    assert versions(other) == {None: 1}
