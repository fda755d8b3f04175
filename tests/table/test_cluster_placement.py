"""Where other pods, zones, volumes and priorities let a pod run, and what the scheduler says where they do not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.objects.meta import Object
from tests.cluster_objects import condition, container, doc, node, pod, pods, steady, template, warnings, workload

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
NODES = (node(1, labels={ZONE: "a"}), node(2, labels={ZONE: "a"}), node(3, labels={ZONE: "b"}))


def term(app: str, key: str = HOST, **fields: Any) -> dict[str, Any]:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **fields}


def near(*terms: Any) -> dict[str, Any]:
    return {"affinity": {"podAffinity": {REQUIRED: list(terms)}}}


def far(*terms: Any) -> dict[str, Any]:
    return {"affinity": {"podAntiAffinity": {REQUIRED: list(terms)}}}


def rather(kind: str, weight: int, wanted: Any) -> dict[str, Any]:
    return {"affinity": {kind: {PREFERRED: [{"weight": weight, "podAffinityTerm": wanted}]}}}


def spread(skew: int = 1, key: str = ZONE, **fields: Any) -> dict[str, Any]:
    entry = {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule"}
    return {**entry, "labelSelector": {"matchLabels": {"app": "x"}}, **fields}


def existing(app: str, on: str, name: str | None = None, **spec: Any) -> Object:
    return pod(name or f"{app}-{on}", labels={"app": app}, nodeName=on, **spec)


ROWS = [
    ("near a pod of the same node", near(term("db")), [existing("db", "node3")], "node3"),
    ("near a pod of the same zone", near(term("db", ZONE)), [existing("db", "node3")], "node3"),
    ("near both", near(term("db", ZONE), term("db")), [existing("db", "node2")], "node2"),
    ("near itself where there is none yet", near(term("x", ZONE)), [], "node1"),
    ("far from the node", far(term("db")), [existing("db", "node1")], "node2"),
    ("far from the zone", far(term("db", ZONE)), [existing("db", "node1")], "node3"),
    ("a running pod keeps it off", {}, [existing("db", "node1", **far(term("x", ZONE)))], "node3"),
    ("a term means its own namespace", far(term("db", namespaces=["other"])), [existing("db", "node1")], "node2"),
    ("all namespaces", far(term("db", ZONE, namespaceSelector={})), [existing("db", "node1")], "node3"),
    (
        "matchLabelKeys",
        far(term("x", ZONE, matchLabelKeys=["version"])),
        [pod("old", labels={"app": "x", "version": "1"}, nodeName="node1")],
        "node2",
    ),
    ("rather near", rather("podAffinity", 10, term("db", ZONE)), [existing("db", "node3")], "node3"),
    ("rather far", rather("podAntiAffinity", 10, term("db", ZONE)), [existing("db", "node1")], "node3"),
    (
        "a running pod would rather have it near",
        {},
        [existing("db", "node3", **rather("podAffinity", 5, term("x")))],
        "node3",
    ),
    (
        "rather on a node of a label",
        {"affinity": {"nodeAffinity": {PREFERRED: [{"weight": 1, "preference": {
            "matchExpressions": [{"key": ZONE, "operator": "In", "values": ["b"]}]}}]}}},
        [],
        "node3",
    ),
    ("spread over zones", {"topologySpreadConstraints": [spread()]}, [existing("x", "node1")], "node3"),
    (
        "a soft constraint ranks",
        {"topologySpreadConstraints": [spread(whenUnsatisfiable="ScheduleAnyway")]},
        [existing("x", "node1"), existing("x", "node2")],
        "node3",
    ),
    ("spread over nodes", {"topologySpreadConstraints": [spread(key=HOST)]}, [existing("x", "node1")], "node2"),
    (
        "a skew of two is allowed",
        {"topologySpreadConstraints": [spread(2)]},
        [existing("x", "node1"), existing("db", "node2"), existing("db", "node3")],
        "node1",
    ),
    (
        "only the zones that the pod may run in count",
        {"topologySpreadConstraints": [spread()], "nodeSelector": {ZONE: "a"}},
        [existing("x", "node1")],
        "node2",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "others", "expected"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_where_other_pods_let_a_pod_run(spec, others, expected):
    labels = {"app": "x", "version": "2"}
    plane = steady([*others, pod("z", labels=labels, **spec)], NODES)
    assert doc(plane, "Pod", "z")["spec"].get("nodeName") == expected


NOT_HELPFUL = "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
NO_VICTIMS = "preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
REFUSALS = [
    ("nobody to be near", near(term("db")), [], f"3 node(s) didn't match pod affinity rules. {NOT_HELPFUL}"),
    (
        "too near everywhere",
        far(term("db", ZONE)),
        [existing("db", "node1"), existing("db", "node3")],
        f"3 node(s) didn't match pod anti-affinity rules. {NO_VICTIMS}",
    ),
    (
        "kept off everywhere",
        {},
        [existing("db", f"node{n}", **far(term("x"))) for n in (1, 2, 3)],
        f"3 node(s) didn't satisfy existing pods anti-affinity rules. {NO_VICTIMS}",
    ),
    (
        "a label that no node has",
        {"topologySpreadConstraints": [spread(key="rack")]},
        [],
        f"3 node(s) didn't match pod topology spread constraints (missing required label). {NOT_HELPFUL}",
    ),
    (
        "fewer domains than asked for",
        {"topologySpreadConstraints": [spread(minDomains=3)]},
        [existing("x", "node1"), existing("x", "node3")],
        f"3 node(s) didn't match pod topology spread constraints. {NO_VICTIMS}",
    ),
    (
        "no such claim",
        {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]},
        [],
        'persistentvolumeclaim "data" not found. not found',
    ),
]


@pytest.mark.parametrize(("spec", "others", "said"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_what_the_scheduler_says(spec, others, said):
    plane = steady([*others, pod("z", labels={"app": "x"}, **spec)], NODES)
    assert warnings(plane) == [("FailedScheduling", f"0/3 nodes are available: {said}")]
    assert condition(doc(plane, "Pod", "z"), "PodScheduled")["reason"] == "Unschedulable"


def test_replicas_that_keep_apart_fill_each_node_once():
    own = template({"app": "x"}, **far(term("x")))
    plane = steady([workload("ReplicaSet", labels={"app": "x"}, pod_template=own, replicas=4)], NODES)
    placed = Counter(p["spec"].get("nodeName") for p in pods(plane))
    assert placed == {"node1": 1, "node2": 1, "node3": 1, None: 1}


def test_a_waiting_pod_runs_when_who_it_wants_near_runs():
    plane = steady([pod("a", labels={"app": "x"}, **near(term("db")))], NODES)
    assert "nodeName" not in doc(plane, "Pod", "a")["spec"]
    plane.create(existing("db", "node2"))
    plane.run_until_steady()
    assert doc(plane, "Pod", "a")["spec"]["nodeName"] == "node2"


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 4))
def test_spread_replicas_never_skew_more_than_allowed(replicas, skew, zones):
    nodes = [node(n, labels={ZONE: f"z{n % zones}"}) for n in range(1, 7)]
    own = template({"app": "x"}, topologySpreadConstraints=[spread(skew)])
    plane = steady([workload("ReplicaSet", labels={"app": "x"}, pod_template=own, replicas=replicas)], nodes)
    zone_of = {n.metadata.name: n.metadata.labels[ZONE] for n in nodes}
    counts = Counter(dict.fromkeys(zone_of.values(), 0))
    counts.update(zone_of[p["spec"]["nodeName"]] for p in pods(plane))
    assert max(counts.values()) - min(counts.values()) <= skew


# --- priority ---------------------------------------------------------------------------------------------------


def priority_class(name: str, value: int, **fields: Any) -> Object:
    head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
    return Object.of({**head, "value": value, **fields})


def asks(cpu: str, **spec: Any) -> dict[str, Any]:
    return {"containers": [container(resources={"requests": {"cpu": cpu}})], **spec}


HIGH, LOW = priority_class("high", 1000), priority_class("low", 10)
SMALL = [node(1, allocatable={"cpu": "2"}), node(2, allocatable={"cpu": "2"})]


def test_a_pod_of_higher_priority_takes_the_place_of_the_least():
    lower = [
        pod("low", **asks("2", priorityClassName="low", nodeName="node1")),
        pod("none", **asks("2", nodeName="node2")),
    ]
    plane = steady([HIGH, LOW, *lower, pod("vip", **asks("1", priorityClassName="high"))], SMALL)
    assert [p["metadata"]["name"] for p in pods(plane)] == ["low", "vip"]
    assert doc(plane, "Pod", "vip")["spec"]["nodeName"] == "node2"
    assert any(e.reason == "Preempted" and e.object.name == "none" for e in plane.events)


def test_only_as_many_go_as_must():
    lower = [pod(f"p{n}", **asks("1", nodeName="node1")) for n in range(2)]
    nodes = [node(1, allocatable={"cpu": "2"})]
    plane = steady([HIGH, *lower, pod("vip", **asks("1", priorityClassName="high"))], nodes)
    assert sorted(p["metadata"]["name"] for p in pods(plane)) == ["p0", "vip"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "No preemption victims found for incoming pod."),
        ({"priorityClassName": "high", "preemptionPolicy": "Never"}, "not eligible due to preemptionPolicy=Never."),
    ],
)
def test_who_does_not_preempt(spec, said):
    nodes = [node(1, allocatable={"cpu": "2"})]
    plane = steady([HIGH, pod("a", **asks("2", nodeName="node1")), pod("b", **asks("1", **spec))], nodes)
    assert warnings(plane)[0][1].endswith(said)
    assert len(pods(plane)) == 2


def test_nobody_takes_the_place_that_is_kept_free():
    lower = pod("low", **asks("2", nodeName="node1"))
    later = pod("a-later", **asks("2"))
    plane = steady([HIGH, lower, later, pod("vip", **asks("2", priorityClassName="high"))], SMALL[:1])
    assert doc(plane, "Pod", "vip")["spec"]["nodeName"] == "node1"
    assert "nodeName" not in doc(plane, "Pod", "a-later")["spec"]


def test_pods_of_high_priority_are_taken_first():
    plane = steady([HIGH, pod("a", **asks("2")), pod("z", **asks("2", priorityClassName="high"))], SMALL[:1])
    assert doc(plane, "Pod", "z")["spec"]["nodeName"] == "node1"


# --- volumes ----------------------------------------------------------------------------------------------------


def claim(name: str = "data", **spec: Any) -> Object:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    metadata = {"name": name, "namespace": "default"}
    return Object.of({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": body})


def volume(name: str, size: str, **spec: Any) -> Object:
    body = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": size}, "storageClassName": "manual", **spec}
    return Object.of({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": body})


def storage_class(name: str, provisioner: str, mode: str = "Immediate") -> Object:
    head = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    return Object.of({**head, "provisioner": provisioner, "volumeBindingMode": mode})


USES = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}
ON_NODE3 = {"required": {"nodeSelectorTerms": [{"matchExpressions": [
    {"key": HOST, "operator": "In", "values": ["node3"]}]}]}}  # fmt: skip
VOLUMES = [
    ("the default class makes one", [claim()], "node1"),
    ("a class makes one", [claim(storageClassName="fast"), storage_class("fast", "ebs.csi.aws.com")], "node1"),
    (
        "the smallest that is there",
        [claim(storageClassName="manual"), volume("big", "9Gi"), volume("pv", "1Gi")],
        "node1",
    ),
    ("where the volume is", [claim(storageClassName="manual"), volume("pv", "1Gi", nodeAffinity=ON_NODE3)], "node3"),
    (
        "a waiting claim, where a volume is",
        [
            claim(storageClassName="manual"),
            volume("pv", "1Gi", nodeAffinity=ON_NODE3),
            storage_class("manual", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
        ],
        "node3",
    ),
]


@pytest.mark.parametrize(("objects", "expected"), [r[1:] for r in VOLUMES], ids=[r[0] for r in VOLUMES])
def test_claims_bind(objects, expected):
    plane = steady([*objects, pod("a", **USES)], NODES)
    assert doc(plane, "Pod", "a")["spec"].get("nodeName") == expected
    bound = doc(plane, "PersistentVolumeClaim", "data")
    assert bound["status"]["phase"] == "Bound"
    held = doc(plane, "PersistentVolume", bound["spec"]["volumeName"], "")
    assert held["spec"]["claimRef"]["name"] == "data"
    assert bound["spec"]["volumeName"] != "big"


UNBOUND = [
    ("too small", [claim(storageClassName="manual"), volume("pv", "1Mi")], "ProvisioningFailed"),
    ("no such class", [claim(storageClassName="gp3")], "ProvisioningFailed"),
    ("no class at all", [claim(storageClassName="")], "FailedBinding"),
]


@pytest.mark.parametrize(("objects", "reason"), [r[1:] for r in UNBOUND], ids=[r[0] for r in UNBOUND])
def test_claims_that_wait(objects, reason):
    plane = steady([*objects, pod("a", **USES)], NODES)
    said = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    assert condition(doc(plane, "Pod", "a"), "PodScheduled")["message"] == said
    assert doc(plane, "PersistentVolumeClaim", "data")["status"]["phase"] == "Pending"
    assert reason in {e.reason for e in plane.events}


def test_each_replica_of_a_stateful_set_has_its_claim():
    claims = [{"metadata": {"name": "data"}, "spec": claim().document["spec"]}]
    plane = steady([workload("StatefulSet", "db", serviceName="db", replicas=2, volumeClaimTemplates=claims)], NODES)
    found = plane.store.list("PersistentVolumeClaim").items
    assert [c.metadata.name for c in found] == ["data-db-0", "data-db-1"]
    assert all(c.document["status"]["phase"] == "Bound" for c in found)
    assert all(p["status"]["phase"] == "Running" for p in pods(plane))
