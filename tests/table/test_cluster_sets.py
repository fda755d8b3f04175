"""StatefulSets and DaemonSets: claims and to whom they belong, revisions, roll-outs with a surge."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.cluster.clock import VirtualClock
from netsim.cluster.context import Context
from netsim.cluster.controllers.statefulset import StatefulSetController
from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.store import Store
from netsim.objects.meta import Object
from tests.cluster_objects import LABELS, changed, container, doc, key, node, pods, steady, template, workload

SLOW = container(readinessProbe={"exec": {"command": ["true"]}, "initialDelaySeconds": 10})


def stateful(**fields: Any) -> Object:
    claim = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    return workload("StatefulSet", serviceName="web", volumeClaimTemplates=[claim], **fields)


def names(plane: ControlPlane, kind: str = "Pod") -> list[str]:
    return [item.metadata.name for item in plane.store.list(kind).items]


def version(number: str, **fields: Any) -> dict[str, Any]:
    return template({**LABELS, "version": number}, **fields)


RETENTION = [
    # policy → claims after scaling from 2 to 1, after deleting
    ("nothing said", {}, ["data-web-0", "data-web-1"], ["data-web-0", "data-web-1"]),
    (
        "retain",
        {"whenScaled": "Retain", "whenDeleted": "Retain"},
        ["data-web-0", "data-web-1"],
        ["data-web-0", "data-web-1"],
    ),
    ("when scaled", {"whenScaled": "Delete", "whenDeleted": "Retain"}, ["data-web-0"], ["data-web-0"]),
    ("when deleted", {"whenScaled": "Retain", "whenDeleted": "Delete"}, ["data-web-0", "data-web-1"], []),
    ("both", {"whenScaled": "Delete", "whenDeleted": "Delete"}, ["data-web-0"], []),
]


@pytest.mark.parametrize(("policy", "scaled", "deleted"), [r[1:] for r in RETENTION], ids=[r[0] for r in RETENTION])
def test_what_becomes_of_claims(policy: Any, scaled: list[str], deleted: list[str]) -> None:
    fields = {"persistentVolumeClaimRetentionPolicy": policy} if policy else {}
    plane = steady([stateful(replicas=2, **fields)])
    changed(plane, "StatefulSet", "web", replicas=1)
    assert names(plane, "PersistentVolumeClaim") == scaled
    plane.delete(key("StatefulSet", "web"))
    plane.run_until_steady()
    assert names(plane, "PersistentVolumeClaim") == deleted


def test_pods_know_their_number_and_their_claim() -> None:
    plane = steady([stateful(replicas=1, ordinals={"start": 3})])
    found = doc(plane, "Pod", "web-3")
    assert found["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "3"
    assert found["spec"]["volumes"][:1] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-3"}}]


def test_a_partition_keeps_the_lower_ones_old() -> None:
    plane = steady([stateful(replicas=3, updateStrategy={"rollingUpdate": {"partition": 2}})])
    changed(plane, "StatefulSet", "web", template=version("2"))
    assert [p["metadata"]["labels"].get("version") for p in pods(plane)] == [None, None, "2"]
    plane.delete(key("Pod", "web-0"))
    plane.run_until_steady()
    assert [p["metadata"]["labels"].get("version") for p in pods(plane)] == [None, None, "2"]
    status = doc(plane, "StatefulSet", "web")["status"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (2, 1)
    assert status["currentRevision"] != status["updateRevision"]


@pytest.mark.parametrize(("unavailable", "at_once"), [(None, 1), (2, 2), ("50%", 2), ("70%", 2), ("10%", 1)])
def test_so_many_are_replaced_at_once(unavailable: Any, at_once: int) -> None:
    rolling = {} if unavailable is None else {"maxUnavailable": unavailable}
    plane = steady(
        [
            workload(
                "StatefulSet",
                serviceName="web",
                replicas=4,
                podManagementPolicy="Parallel",
                updateStrategy={"type": "RollingUpdate", "rollingUpdate": rolling},
            )
        ]
    )
    most = 0

    def count() -> None:
        nonlocal most
        ready = sum(p["metadata"].get("deletionTimestamp") is None for p in pods(plane))
        most = max(most, 4 - ready)

    plane.observe(count)
    changed(plane, "StatefulSet", "web", template=version("2"))
    assert most == at_once
    assert {p["metadata"]["labels"].get("version") for p in pods(plane)} == {"2"}


REPLACED = [
    # policy, the pods that are not ready, how many may be missing → the pods that a new template replaces at first
    ("Parallel: what is missing already goes too", "Parallel", {0, 1}, 1, {0, 1}),
    ("Parallel: and as many more as may be missing", "Parallel", {0}, 2, {0, 3}),
    ("Parallel: from the highest on", "Parallel", set(), 2, {2, 3}),
    ("OrderedReady: nothing while one is missing", "OrderedReady", {0}, 2, set()),
]


@pytest.mark.parametrize(
    ("policy", "broken", "room", "wanted"), [r[1:] for r in REPLACED], ids=[r[0] for r in REPLACED]
)
def test_which_are_replaced_at_first(policy: str, broken: set[int], room: int, wanted: set[int]) -> None:
    """Ref: stateful_set_control.go:updateStatefulSetAfterInvariantEstablished() (v1.37)."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": room}}
    extra = {"podManagementPolicy": policy, "updateStrategy": strategy, "serviceName": "web"}
    owner = workload("StatefulSet", replicas=4, **extra)
    clock = VirtualClock()
    context = Context.of(Store(clock), clock)
    controller = StatefulSetController(context)
    context.store.create(owner)
    for number in range(5):
        _run(context, controller)
        for item in context.store.list("Pod").items:
            _set_ready(
                context, item, ready="True" if number < 4 or item.metadata.name[-1] not in map(str, broken) else "False"
            )
    changed_ = context.store.get(owner.key).document
    context.store.update(Object.of({**changed_, "spec": {**changed_["spec"], "template": version("2")}}))
    _run(context, controller)
    going = {int(p.metadata.name[-1]) for p in context.store.list("Pod").items if p.metadata.deletion_timestamp}
    gone = {0, 1, 2, 3} - {int(p.metadata.name[-1]) for p in context.store.list("Pod").items}
    assert going | gone == wanted


def _run(context: Context, controller: StatefulSetController) -> None:
    context.informers.drain()
    controller.sync(key("StatefulSet", "web"))
    context.informers.drain()


def _set_ready(context: Context, item: Object, *, ready: str) -> None:
    condition_ = {"type": "Ready", "status": ready, "lastTransitionTime": context.clock.timestamp()}
    context.store.update_status(
        Object.of({**item.document, "status": {"phase": "Running", "conditions": [condition_]}})
    )


def test_what_a_stateful_set_says_of_its_pods() -> None:
    plane = steady([workload("StatefulSet", replicas=1, serviceName="web")])
    changed(plane, "StatefulSet", "web", replicas=0)
    said = [(e.reason, e.message) for e in plane.events if e.object.kind == "StatefulSet"]
    assert said == [
        ("SuccessfulCreate", "Create Pod web-0 in StatefulSet web successful"),
        ("SuccessfulDelete", "Delete Pod web-0 in StatefulSet web successful"),
    ]


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_revisions_are_numbered_and_an_old_one_becomes_the_newest_again(kind: str) -> None:
    plane = steady([workload(kind, serviceName="web") if kind == "StatefulSet" else workload(kind)])
    first = doc(plane, kind, "web")["spec"]["template"]
    changed(plane, kind, "web", template=version("2"))
    changed(plane, kind, "web", template=first)
    found = plane.store.list("ControllerRevision").items
    assert sorted(item.document["revision"] for item in found) == [2, 3]
    newest = max(found, key=lambda item: item.document["revision"])
    assert newest.document["data"]["spec"]["template"] == first


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_only_so_many_revisions_are_kept(kind: str) -> None:
    extra = {"serviceName": "web"} if kind == "StatefulSet" else {}
    plane = steady([workload(kind, revisionHistoryLimit=1, **extra)])
    for number in "234":
        changed(plane, kind, "web", template=version(number))
    assert sorted(item.document["revision"] for item in plane.store.list("ControllerRevision").items) == [3, 4]


# --- DaemonSets -------------------------------------------------------------------------------------------------

NODES = [node(n) for n in (1, 2, 3, 4)]
SURGES = [
    # maxSurge, maxUnavailable → most pods on a node, fewest nodes with a pod that is ready, most nodes with two
    ("one missing", {}, 1, 3, 0),
    ("two missing", {"maxUnavailable": 2}, 1, 2, 0),
    ("one surges", {"maxSurge": 1, "maxUnavailable": 0}, 2, 4, 1),
    ("half surge", {"maxSurge": "50%", "maxUnavailable": 0}, 2, 4, 2),
]


@pytest.mark.parametrize(("rolling", "most", "least", "doubled"), [r[1:] for r in SURGES], ids=[r[0] for r in SURGES])
def test_a_daemon_set_rolls_within_its_bounds(rolling: Any, most: int, least: int, doubled: int) -> None:
    body = template(annotations={"netsim.io/terminates-after": "1"}, containers=[SLOW])
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    plane = steady([workload("DaemonSet", pod_template=body, updateStrategy=strategy)], NODES)
    seen: list[tuple[int, int, int]] = []

    def look() -> None:
        live: dict[str, list[bool]] = {}
        for pod in pods(plane):
            name = pod["spec"].get("nodeName")
            if name and "deletionTimestamp" not in pod["metadata"]:
                conditions = pod.get("status", {}).get("conditions", [])
                live.setdefault(name, []).append(
                    any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
                )
        seen.append(
            (max(map(len, live.values())), sum(map(any, live.values())), sum(len(p) > 1 for p in live.values()))
        )

    plane.observe(look)
    changed(plane, "DaemonSet", "web", template=version("2", annotations=None, containers=[SLOW]))
    assert (max(s[0] for s in seen), min(s[1] for s in seen), max(s[2] for s in seen)) == (most, least, doubled)
    assert [p["metadata"]["labels"].get("version") for p in pods(plane)] == ["2"] * 4
    status = doc(plane, "DaemonSet", "web")["status"]
    assert (status["updatedNumberScheduled"], status["numberAvailable"], status["numberMisscheduled"]) == (4, 4, 0)


def test_a_daemon_that_fails_is_replaced_ever_more_slowly() -> None:
    plane = steady([workload("DaemonSet")], [node(1)])
    replaced = []
    for at in (
        10,
        11,
        11.5,
        20,
        20.5,
        30,
    ):  # the waits: 0, then 1 after 10, 2 after 11, 4 after 13, 8 after 20, 16 after 28
        plane.run_until(at)
        (name,) = names(plane)
        before = doc(plane, "Pod", name)
        plane.store.update_status(Object.of({**before, "status": {**before["status"], "phase": "Failed"}}))
        plane.run_until(at)
        replaced.append(names(plane) != [name])
    assert replaced == [True, True, False, True, False, False]
    assert {e.reason for e in plane.events if e.severity.value == "Warning"} == {"FailedDaemonPod"}


def test_a_daemon_pod_that_has_succeeded_is_replaced_at_once() -> None:
    plane = steady([workload("DaemonSet")], [node(1)])
    for _ in range(2):
        (name,) = (p["metadata"]["name"] for p in pods(plane))
        before = doc(plane, "Pod", name)
        plane.store.update_status(Object.of({**before, "status": {**before["status"], "phase": "Succeeded"}}))
        plane.run_until(plane.clock.now())
        assert [p["metadata"]["name"] for p in pods(plane)] != [name]
        said = f"Found succeeded daemon pod default/{name} on node node1, will try to delete it"
        assert ("SucceededDaemonPod", said) in [(e.reason, e.message) for e in plane.events]


def test_a_node_that_is_relabelled_gets_or_loses_its_daemon() -> None:
    body = template(nodeSelector={"disk": "ssd"})
    plane = steady([workload("DaemonSet", pod_template=body)], [node(1), node(2, labels={"disk": "ssd"})])
    assert [p["spec"]["nodeName"] for p in pods(plane)] == ["node2"]
    for number, labels in ((1, {"disk": "ssd"}), (2, {})):
        before = doc(plane, "Node", f"node{number}", "")
        plane.store.update(Object.of({**before, "metadata": {**before["metadata"], "labels": labels}}))
    plane.run_until_steady()
    assert [p["spec"]["nodeName"] for p in pods(plane)] == ["node1"]
