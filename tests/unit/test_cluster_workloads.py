"""Controllers of workloads: what pods there are in the end, and on the way."""

from __future__ import annotations

import pytest

from netsim.cluster.controllers.deployment_rolling import fenceposts
from netsim.cluster.workloads import DeploymentSpec, RollingUpdate, UpdateStrategy
from netsim.objects.meta import Object
from tests.cluster_objects import (
    changed,
    container,
    doc,
    key,
    node,
    pod,
    pods,
    service,
    steady,
    template,
    warnings,
    workload,
)

NEW = template(containers=[container(image="web:2")])


def names(plane):
    return [p["metadata"]["name"] for p in pods(plane)]


def images(plane):
    return [p["spec"]["containers"][0]["image"] for p in pods(plane)]


# --- ReplicaSet -------------------------------------------------------------------------------------------------


def test_replicaset_makes_pods_that_it_owns():
    plane = steady([workload("ReplicaSet", replicas=3)])
    owner = doc(plane, "ReplicaSet", "web")
    assert len(pods(plane)) == 3
    for item in pods(plane):
        meta = item["metadata"]
        assert meta["generateName"] == "web-"
        assert meta["name"].startswith("web-")
        assert len(meta["name"]) == 9
        assert meta["labels"] == {"app": "web"}
        (reference,) = meta["ownerReferences"]
        assert (reference["uid"], reference["controller"]) == (owner["metadata"]["uid"], True)
    counts = {k: owner["status"][k] for k in ("replicas", "readyReplicas", "availableReplicas", "observedGeneration")}
    assert counts == {"replicas": 3, "readyReplicas": 3, "availableReplicas": 3, "observedGeneration": 1}


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1), (2, 0), (0, 2)])
def test_replicaset_scales(before, after):
    plane = steady([workload("ReplicaSet", replicas=before)])
    old = set(names(plane))
    changed(plane, "ReplicaSet", "web", replicas=after)
    assert len(pods(plane)) == after
    assert old >= set(names(plane)) if after < before else old <= set(names(plane))
    assert doc(plane, "ReplicaSet", "web")["status"]["replicas"] == after


def test_replicaset_adopts_orphans_and_lets_go_of_what_matches_no_more():
    plane = steady([workload("ReplicaSet", replicas=2), pod("orphan"), pod("other", labels={"app": "db"})])
    assert len(pods(plane)) == 3
    adopted = doc(plane, "Pod", "orphan")
    assert adopted["metadata"]["ownerReferences"][0]["name"] == "web"
    metadata = {**adopted["metadata"], "labels": {"app": "debug"}}
    plane.store.update(Object.of({**adopted, "metadata": metadata}))
    plane.run_until_steady()
    assert doc(plane, "Pod", "orphan")["metadata"]["ownerReferences"] == []
    assert len(pods(plane)) == 4


def test_letting_go_keeps_the_other_owners():
    plane = steady([workload("ReplicaSet", replicas=1)])
    (made,) = pods(plane)
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}
    references = [*made["metadata"]["ownerReferences"], other]
    metadata = {**made["metadata"], "labels": {"app": "debug"}, "ownerReferences": references}
    plane.store.update(Object.of({**made, "metadata": metadata}))
    plane.run_until_steady()
    assert doc(plane, "Pod", made["metadata"]["name"])["metadata"]["ownerReferences"] == [other]


def test_replicaset_gives_up_what_is_not_ready_first():
    unready = pod("unready", status={"conditions": [{"type": "Ready", "status": "False"}]})
    plane = steady([workload("ReplicaSet", replicas=3), pod("a"), unready, pod("b")])
    changed(plane, "ReplicaSet", "web", replicas=2)
    assert names(plane) == ["a", "b"]


def test_replicaset_gives_up_the_cheapest_first():
    cost = {"controller.kubernetes.io/pod-deletion-cost": "-5"}
    plane = steady([workload("ReplicaSet", replicas=2), pod("a"), pod("cheap", annotations=cost)])
    changed(plane, "ReplicaSet", "web", replicas=1)
    assert names(plane) == ["a"]


def test_finished_pods_are_replaced():
    plane = steady([workload("ReplicaSet", replicas=1), pod("done", status={"phase": "Failed"})])
    assert len(pods(plane)) == 2
    assert doc(plane, "ReplicaSet", "web")["status"]["replicas"] == 1


def test_a_template_held_terminating_does_not_make_pods_without_end():
    held = template(annotations={"netsim.io/terminating": "true"})
    plane = steady([workload("ReplicaSet", replicas=2, pod_template=held)])
    assert len(pods(plane)) == 2
    assert all(p["metadata"]["deletionTimestamp"] for p in pods(plane))


def test_a_selector_that_does_not_select_its_template_makes_nothing():
    wrong = workload("ReplicaSet", pod_template=template({"app": "other"}))
    plane = steady([wrong])
    assert pods(plane) == []
    assert [reason for reason, _ in warnings(plane)] == ["InvalidSelector"]


def test_replication_controllers_are_known():
    plane = steady([workload("ReplicationController", replicas=2)])
    assert len(pods(plane)) == 2


def test_what_is_owned_goes_with_its_owner():
    plane = steady([workload("Deployment", replicas=2), service(), pod("other", labels={"x": "y"})])
    plane.delete(key("Deployment", "web"))
    plane.delete(key("Service", "web"))
    plane.run_until_steady()
    assert names(plane) == ["other"]
    assert plane.store.list("ReplicaSet").items == ()
    assert plane.store.list("EndpointSlice").items == ()


def test_an_owner_that_never_was_is_no_reason_to_delete():
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gone", "uid": "1", "controller": True}
    item = pod("a").document
    plane = steady([Object.of({**item, "metadata": {**item["metadata"], "ownerReferences": [reference]}})])
    assert names(plane) == ["a"]


# --- Deployment -------------------------------------------------------------------------------------------------


def test_deployment_makes_a_hashed_replicaset():
    plane = steady([workload("Deployment", replicas=2)])
    (made,) = [item.document for item in plane.store.list("ReplicaSet").items]
    digest = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == f"web-{digest}"
    assert made["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    assert made["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert all(p["metadata"]["name"].startswith(f"web-{digest}-") for p in pods(plane))
    status = doc(plane, "Deployment", "web")["status"]
    assert (status["readyReplicas"], status["updatedReplicas"], status["unavailableReplicas"]) == (2, 2, 0)
    assert status["conditions"][0]["reason"] == "MinimumReplicasAvailable"


@pytest.mark.parametrize("strategy", [{"type": "RollingUpdate"}, {"type": "Recreate"}])
def test_deployment_rolls_to_a_new_template(strategy):
    plane = steady([workload("Deployment", replicas=4, strategy=strategy)])
    changed(plane, "Deployment", "web", template=NEW)
    assert images(plane) == ["web:2"] * 4
    assert sorted(s.document["spec"]["replicas"] for s in plane.store.list("ReplicaSet").items) == [0, 4]


def test_rolling_never_falls_below_the_minimum_nor_rises_above_the_maximum():
    slow = template(containers=[container(image="web:2", readinessProbe={"initialDelaySeconds": 5, "exec": {}})])
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    plane = steady([workload("Deployment", replicas=5, strategy=rolling)])
    before = doc(plane, "Deployment", "web")
    watch = plane.store.watch("Pod")
    present = {e.object.metadata.name: e.object.document for e in watch.events()}
    plane.store.update(Object.of({**before, "spec": {**before["spec"], "template": slow}}))
    plane.run_until_steady()
    for event in watch.events():
        present[event.object.metadata.name] = event.object.document
        if event.type.value == "DELETED":
            del present[event.object.metadata.name]
        live = [p for p in present.values() if "deletionTimestamp" not in p["metadata"]]
        ready = [
            p
            for p in live
            if ("Ready", "True") in {(c["type"], c["status"]) for c in p.get("status", {}).get("conditions", [])}
        ]
        assert 4 <= len(live) <= 6
        assert len(ready) >= 4
    assert images(plane) == ["web:2"] * 5
    assert plane.clock.now() > 5


def test_a_new_version_that_never_gets_ready_does_not_take_the_old_one_away():
    broken = template(annotations={"netsim.io/ready": "false"}, containers=[container(image="web:2")])
    plane = steady([workload("Deployment", replicas=4)])
    changed(plane, "Deployment", "web", template=broken)
    assert sorted(images(plane)) == ["web:1"] * 3 + ["web:2"] * 2
    status = doc(plane, "Deployment", "web")["status"]
    assert (status["availableReplicas"], status["updatedReplicas"]) == (3, 2)


def test_rolling_back_uses_the_old_replicaset_again():
    plane = steady([workload("Deployment", replicas=2)])
    old = template()
    changed(plane, "Deployment", "web", template=NEW)
    changed(plane, "Deployment", "web", template=old)
    assert images(plane) == ["web:1"] * 2
    sets = [s.document for s in plane.store.list("ReplicaSet").items]
    revision = "deployment.kubernetes.io/revision"
    assert {s["metadata"]["annotations"][revision]: s["spec"]["replicas"] for s in sets} == {"2": 0, "3": 2}


def test_a_paused_deployment_does_not_roll():
    plane = steady([workload("Deployment", replicas=2)])
    changed(plane, "Deployment", "web", paused=True, template=NEW)
    assert images(plane) == ["web:1"] * 2
    changed(plane, "Deployment", "web", paused=False)
    assert images(plane) == ["web:2"] * 2


def test_old_replicasets_are_cleaned_up():
    plane = steady([workload("Deployment", replicas=1, revisionHistoryLimit=1)])
    for version in (2, 3, 4):
        changed(plane, "Deployment", "web", template=template(containers=[container(image=f"web:{version}")]))
    assert len(plane.store.list("ReplicaSet").items) == 2


def test_min_ready_seconds_delay_availability():
    plane = steady([workload("Deployment", replicas=1, minReadySeconds=30)])
    assert plane.clock.now() == 30
    assert doc(plane, "Deployment", "web")["status"]["availableReplicas"] == 1


FENCEPOSTS = [
    # replicas, surge, unavailable → pods above, pods below; Ref: deployment_util_test.go TestResolveFenceposts and the API's defaults
    (10, None, None, (3, 2)),
    (1, None, None, (1, 0)),
    (10, "0%", "0%", (0, 1)),
    (10, 0, 0, (0, 1)),
    (4, "50%", 1, (2, 1)),
    (3, "1%", "1%", (1, 0)),
    (2, 0, 5, (0, 2)),
]


@pytest.mark.parametrize(("replicas", "surge", "unavailable", "expected"), FENCEPOSTS)
def test_fenceposts(replicas, surge, unavailable, expected):
    strategy = UpdateStrategy("RollingUpdate", RollingUpdate(surge, unavailable))
    assert fenceposts(DeploymentSpec(replicas=replicas, strategy=strategy)) == expected


# --- StatefulSet ------------------------------------------------------------------------------------------------


def test_statefulset_makes_pods_in_order_with_stable_names():
    slow = template(containers=[container(readinessProbe={"initialDelaySeconds": 15, "exec": {}})])
    plane = steady([workload("StatefulSet", "db", replicas=3, serviceName="db", pod_template=slow)])
    made = pods(plane)
    assert [p["metadata"]["name"] for p in made] == ["db-0", "db-1", "db-2"]
    assert [p["metadata"]["creationTimestamp"][-3:] for p in made] == ["00Z", "15Z", "30Z"]
    assert made[1]["spec"]["hostname"] == "db-1"
    assert made[1]["spec"]["subdomain"] == "db"
    assert made[1]["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "db-1"
    assert made[1]["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "1"
    assert doc(plane, "StatefulSet", "db")["status"]["readyReplicas"] == 3


def test_statefulset_waits_for_one_that_is_not_ready_unless_parallel():
    broken = template(annotations={"netsim.io/ready": "false"})
    plane = steady([workload("StatefulSet", "a", replicas=3, pod_template=broken)])
    assert names(plane) == ["a-0"]
    plane = steady([workload("StatefulSet", "a", replicas=3, pod_template=broken, podManagementPolicy="Parallel")])
    assert names(plane) == ["a-0", "a-1", "a-2"]


def test_statefulset_scales_down_from_the_highest_and_starts_where_told():
    plane = steady([workload("StatefulSet", "db", replicas=4, ordinals={"start": 2})])
    assert names(plane) == ["db-2", "db-3", "db-4", "db-5"]
    changed(plane, "StatefulSet", "db", replicas=2)
    assert names(plane) == ["db-2", "db-3"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({"type": "RollingUpdate"}, ["web:2", "web:2", "web:2"]),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, ["web:1", "web:1", "web:2"]),
        ({"type": "OnDelete"}, ["web:1", "web:1", "web:1"]),
    ],
    ids=["all", "partition", "on delete"],
)
def test_statefulset_updates(strategy, expected):
    plane = steady([workload("StatefulSet", "db", replicas=3, updateStrategy=strategy)])
    changed(plane, "StatefulSet", "db", template=NEW)
    assert images(plane) == expected


def test_a_pod_below_the_partition_is_made_again_from_the_old_template():
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    plane = steady([workload("StatefulSet", "db", replicas=2, updateStrategy=strategy)])
    changed(plane, "StatefulSet", "db", template=NEW)
    plane.delete(key("Pod", "db-0"))
    plane.run_until_steady()
    assert images(plane) == ["web:1", "web:2"]


def test_statefulset_pods_name_their_claims():
    claims = [{"metadata": {"name": "data"}, "spec": {}}]
    own = template(volumes=[{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}])
    plane = steady([workload("StatefulSet", "db", replicas=1, volumeClaimTemplates=claims, pod_template=own)])
    given = [v for v in pods(plane)[0]["spec"]["volumes"] if "projected" not in v]
    assert given == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
        {"name": "tmp", "emptyDir": {}},
    ]


# --- DaemonSet --------------------------------------------------------------------------------------------------

NO_SCHEDULE = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]
TOLERATES = [{"key": "dedicated", "operator": "Exists"}]


@pytest.mark.parametrize(
    ("spec", "nodes", "expected"),
    [
        ({}, [node(1), node(2)], ["node1", "node2"]),
        ({}, [node(1), node(2, taints=NO_SCHEDULE)], ["node1"]),
        ({"tolerations": TOLERATES}, [node(1), node(2, taints=NO_SCHEDULE)], ["node1", "node2"]),
        ({"nodeSelector": {"disk": "ssd"}}, [node(1), node(2, labels={"disk": "ssd"})], ["node2"]),
        ({}, [node(1), node(2, unschedulable=True)], ["node1", "node2"]),
        ({}, [node(1), node(2, ready="False")], ["node1"]),
    ],
    ids=["everywhere", "tainted", "tolerated", "selected", "cordoned", "not ready"],
)
def test_daemonset_has_one_pod_on_each_node_that_fits(spec, nodes, expected):
    plane = steady([workload("DaemonSet", pod_template=template(**spec))], nodes)
    assert sorted(p["spec"]["nodeName"] for p in pods(plane)) == expected
    assert doc(plane, "DaemonSet", "web")["status"]["desiredNumberScheduled"] == len(expected)


def test_daemonset_follows_nodes():
    plane = steady([workload("DaemonSet")])
    plane.create(node(3))
    plane.run_until_steady()
    assert sorted(p["spec"]["nodeName"] for p in pods(plane)) == ["node1", "node2", "node3"]


def test_daemonset_rolls_to_a_new_template():
    plane = steady([workload("DaemonSet")])
    changed(plane, "DaemonSet", "web", template=NEW)
    assert images(plane) == ["web:2", "web:2"]


@pytest.mark.parametrize(
    ("rolling", "left"),
    [({"maxUnavailable": 1}, 2), ({"maxSurge": 1, "maxUnavailable": 0}, 3), ({"maxUnavailable": "100%"}, 0)],
)
def test_daemonset_keeps_enough_pods_while_it_rolls(rolling, left):
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    nodes = [node(n) for n in (1, 2, 3)]
    broken = template(annotations={"netsim.io/ready": "false"})
    plane = steady([workload("DaemonSet", updateStrategy=strategy)], nodes)
    plane.run_until(60)  # the pod that is shown of a node is the older one: not both are made in one second
    changed(plane, "DaemonSet", "web", template=broken)
    assert doc(plane, "DaemonSet", "web")["status"]["numberAvailable"] == left


def test_daemonset_on_delete_waits():
    plane = steady([workload("DaemonSet", updateStrategy={"type": "OnDelete"})])
    changed(plane, "DaemonSet", "web", template=NEW)
    assert images(plane) == ["web:1", "web:1"]


# --- Job and CronJob --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({}, 1),
        ({"parallelism": 3}, 3),
        ({"parallelism": 3, "completions": 2}, 2),
        ({"parallelism": 2, "completions": 5}, 2),
        ({"parallelism": 0}, 0),
        ({"suspend": True}, 0),
    ],
)
def test_job_runs_as_many_pods_as_it_may(spec, count):
    plane = steady([workload("Job", "calc", **spec)])
    assert len(pods(plane)) == count
    assert doc(plane, "Job", "calc")["status"]["active"] == count
    assert all(p["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "calc" for p in pods(plane))


def test_job_goes_on_when_a_pod_succeeds():
    plane = steady([workload("Job", "calc", parallelism=1, completions=2)])
    (first,) = pods(plane)
    plane.store.update_status(Object.of({**first, "status": {**first["status"], "phase": "Succeeded"}}))
    plane.run_until_steady()
    assert sorted(p["status"]["phase"] for p in pods(plane)) == ["Running", "Succeeded"]
    assert doc(plane, "Job", "calc")["status"]["succeeded"] == 1


def test_indexed_job_numbers_its_pods():
    plane = steady([workload("Job", "calc", parallelism=3, completions=3, completionMode="Indexed")])
    assert sorted(p["spec"]["hostname"] for p in pods(plane)) == ["calc-0", "calc-1", "calc-2"]
