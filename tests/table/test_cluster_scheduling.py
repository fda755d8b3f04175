"""The scheduler: where pods go, and what it says where they cannot."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from netsim.cluster.scheduling.placement import HostPort, PlacementSpec, Toleration
from netsim.objects.core import Taint
from netsim.objects.meta import Object
from tests.cluster_objects import (
    condition,
    container,
    doc,
    key,
    node,
    pod,
    pods,
    steady,
    template,
    warnings,
    workload,
)

GPU = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]


def affinity(*expressions, **fields):
    term = {"matchExpressions": list(expressions), **fields}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"nodeAffinity": required}


def requirement(name, operator, *values):
    return {"key": name, "operator": operator, "values": list(values)}


PLACES = [
    ("the first node", {}, {}, {}, "node1"),
    ("not the cordoned one", {}, {"unschedulable": True}, {}, "node2"),
    ("not the tainted one", {}, {"taints": GPU}, {}, "node2"),
    (
        "tolerates the taint",
        {"tolerations": [{"key": "dedicated", "operator": "Exists"}]},
        {"taints": GPU},
        {},
        "node1",
    ),
    ("PreferNoSchedule ranks", {}, {"taints": [{**GPU[0], "effect": "PreferNoSchedule"}]}, {}, "node2"),
    (
        "PreferNoSchedule does not exclude",
        {},
        {"taints": [{**GPU[0], "effect": "PreferNoSchedule"}]},
        {"unschedulable": True},
        "node1",
    ),
    ("node selector", {"nodeSelector": {"disk": "ssd"}}, {}, {"labels": {"disk": "ssd"}}, "node2"),
    ("the kubelet's own labels", {"nodeSelector": {"kubernetes.io/hostname": "node2"}}, {}, {}, "node2"),
    ("affinity In", {"affinity": affinity(requirement("disk", "In", "ssd"))}, {}, {"labels": {"disk": "ssd"}}, "node2"),
    (
        "affinity Gt",
        {"affinity": affinity(requirement("cores", "Gt", "4"))},
        {"labels": {"cores": "4"}},
        {"labels": {"cores": "8"}},
        "node2",
    ),
    (
        "affinity by field",
        {"affinity": affinity(matchFields=[requirement("metadata.name", "In", "node2")])},
        {},
        {},
        "node2",
    ),
    ("given a node", {"nodeName": "node2"}, {}, {}, "node2"),
    ("not the broken one", {}, {"ready": "False"}, {}, "node2"),
]


@pytest.mark.parametrize(("spec", "first", "second", "expected"), [r[1:] for r in PLACES], ids=[r[0] for r in PLACES])
def test_where_a_pod_goes(spec, first, second, expected):
    plane = steady([pod("a", **spec)], [node(1, **first), node(2, **second)])
    assert doc(plane, "Pod", "a")["spec"]["nodeName"] == expected
    assert condition(doc(plane, "Pod", "a"), "PodScheduled")["status"] == "True"


HELPLESS = "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
REFUSALS = [
    (
        "tainted and cordoned",
        {},
        {"taints": GPU},
        {"unschedulable": True},
        "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. " + HELPLESS,
    ),
    (
        "selector",
        {"nodeSelector": {"no": "where"}},
        {},
        {},
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. " + HELPLESS,
    ),
    (
        "resources",
        {"containers": [container(resources={"requests": {"cpu": "2", "memory": "1Gi"}})]},
        {"allocatable": {"cpu": "1", "memory": "4Gi"}},
        {"allocatable": {"cpu": "1", "memory": "1Mi"}},
        (
            "0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu. "
            "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
        ),
    ),
    (
        "an empty term selects nothing",
        {"affinity": affinity()},
        {},
        {},
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. " + HELPLESS,
    ),
    (
        "address",
        {},
        {},
        {},
        "0/2 nodes are available: 2 node(s) didn't have the Pod's address in their podCIDRs. " + HELPLESS,
    ),
]


@pytest.mark.parametrize(("spec", "first", "second", "said"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_what_is_said_of_a_pod_that_fits_nowhere(spec, first, second, said):
    status = {"podIP": "192.0.2.1"} if "address" in said and "podCIDRs" in said else None
    plane = steady([pod("a", status=status, **spec)], [node(1, **first), node(2, **second)])
    refused = condition(doc(plane, "Pod", "a"), "PodScheduled")
    assert (refused["status"], refused["reason"], refused["message"]) == ("False", "Unschedulable", said)
    assert warnings(plane) == [("FailedScheduling", said)]
    assert "nodeName" not in doc(plane, "Pod", "a")["spec"]


def test_without_nodes():
    plane = steady([pod("a")], [node(1)])
    plane.delete(key("Node", "node1", ""))
    plane.create(pod("b"))
    plane.run_until_steady()
    assert condition(doc(plane, "Pod", "b"), "PodScheduled")["message"] == "no nodes available to schedule pods"


def test_a_host_port_is_taken_once_a_node():
    port = {"containerPort": 80, "hostPort": 80}
    fields = {"containers": [{"name": "c", "ports": [port]}]}
    plane = steady([workload("ReplicaSet", replicas=3, pod_template=template(**fields))])
    placed = Counter(p["spec"].get("nodeName") for p in pods(plane))
    assert placed == {"node1": 1, "node2": 1, None: 1}
    assert "2 node(s) didn't have free ports for the requested pod ports" in warnings(plane)[0][1]


HOST_PORTS = [
    (HostPort("TCP", 80), HostPort("TCP", 80), True),
    (HostPort("TCP", 80), HostPort("UDP", 80), False),
    (HostPort("TCP", 80), HostPort("TCP", 81), False),
    (HostPort("TCP", 80, "10.0.0.1"), HostPort("TCP", 80, "10.0.0.2"), False),
    (HostPort("TCP", 80, "10.0.0.1"), HostPort("TCP", 80), True),
]


@pytest.mark.parametrize(("one", "other", "conflict"), HOST_PORTS)
def test_host_port_conflicts(one, other, conflict):
    assert one.conflicts(other) is other.conflicts(one) is conflict


TOLERATIONS = [
    (Toleration("k", "Equal", "v", "NoSchedule"), Taint("k", "NoSchedule", "v"), True),
    (Toleration("k", "Equal", "w", "NoSchedule"), Taint("k", "NoSchedule", "v"), False),
    (Toleration("k", "Equal", "v"), Taint("k", "NoExecute", "v"), True),
    (Toleration("k", "Equal", "v", "NoExecute"), Taint("k", "NoSchedule", "v"), False),
    (Toleration("k", "Exists"), Taint("k", "NoSchedule", "v"), True),
    (Toleration("", "Exists"), Taint("anything", "NoExecute"), True),
    (Toleration("other", "Exists"), Taint("k", "NoSchedule"), False),
]


@pytest.mark.parametrize(("toleration", "taint", "tolerated"), TOLERATIONS)
def test_tolerations(toleration, taint, tolerated):
    assert toleration.tolerates(taint) is tolerated


# --- spreading --------------------------------------------------------------------------------------------------


def spread(plane, app):
    return Counter(p["spec"]["nodeName"] for p in pods(plane) if p["metadata"]["labels"].get("app") == app)


def test_pods_of_one_owner_are_spread():
    first = workload("ReplicaSet", "a", labels={"app": "a"}, replicas=5)
    second = workload("ReplicaSet", "b", labels={"app": "b"}, replicas=4)
    plane = steady([first, second], [node(1), node(2), node(3)])
    assert sorted(spread(plane, "a").values()) == [1, 2, 2]
    assert sorted(spread(plane, "b").values()) == [1, 1, 2]
    assert sorted((spread(plane, "a") + spread(plane, "b")).values()) == [3, 3, 3]


def test_spreading_goes_on_after_pods_left():
    plane = steady([workload("ReplicaSet", replicas=6)], [node(1), node(2), node(3)])
    on_first = [p["metadata"]["name"] for p in pods(plane) if p["spec"]["nodeName"] == "node1"]
    for name in on_first:
        plane.delete(key("Pod", name))
    plane.run_until_steady()
    assert spread(plane, "web") == {"node1": 2, "node2": 2, "node3": 2}


def test_resources_fill_a_node_up():
    asks = template(containers=[container(resources={"requests": {"cpu": "500m"}})])
    nodes = [node(1, allocatable={"cpu": "1"}), node(2, allocatable={"cpu": "2", "pods": "3"})]
    plane = steady([workload("ReplicaSet", replicas=6, pod_template=asks)], nodes)
    assert Counter(p["spec"].get("nodeName") for p in pods(plane)) == {"node1": 2, "node2": 3, None: 1}
    assert "1 Insufficient cpu, 1 Too many pods" in warnings(plane)[0][1]


def test_a_pod_that_waits_is_placed_when_there_is_room():
    asks = template(containers=[container(resources={"requests": {"cpu": "1"}})])
    plane = steady([workload("ReplicaSet", replicas=2, pod_template=asks)], [node(1, allocatable={"cpu": "1"})])
    assert len(warnings(plane)) == 1
    plane.create(node(2))
    plane.run_until_steady()
    assert {p["spec"]["nodeName"] for p in pods(plane)} == {"node1", "node2"}


def test_a_pod_that_waits_is_placed_when_another_leaves():
    asks = {"containers": [container(resources={"requests": {"cpu": "1"}})]}
    plane = steady([pod("a", **asks), pod("b", **asks)], [node(1, allocatable={"cpu": "1"})])
    plane.delete(key("Pod", "a"))
    plane.run_until_steady()
    assert doc(plane, "Pod", "b")["spec"]["nodeName"] == "node1"


def test_a_taint_taken_off_lets_pods_in():
    plane = steady([pod("a")], [node(1, taints=GPU)])
    before = doc(plane, "Node", "node1", "")
    plane.store.update(Object.of({**before, "spec": {**before["spec"], "taints": []}}))
    plane.run_until_steady()
    assert doc(plane, "Pod", "a")["spec"]["nodeName"] == "node1"


def test_scheduling_gates_hold_a_pod():
    plane = steady([pod("a", schedulingGates=[{"name": "x"}])])
    assert condition(doc(plane, "Pod", "a"), "PodScheduled")["reason"] == "SchedulingGated"


def test_a_pod_with_an_address_goes_to_its_node():
    plane = steady([pod("a", status={"podIP": "10.244.2.77"})])
    assert doc(plane, "Pod", "a")["spec"]["nodeName"] == "node2"
    assert doc(plane, "Pod", "a")["status"]["podIP"] == "10.244.2.77"


def test_pods_that_were_given_a_node_count():
    taken = [pod(f"given{n}", labels={"x": "y"}, nodeName="node1") for n in range(2)]
    plane = steady([*taken, workload("ReplicaSet", replicas=3)])
    assert spread(plane, "web") == {"node1": 1, "node2": 2}


def test_resources_of_given_pods_count():
    asks = {"containers": [container(resources={"requests": {"cpu": "1"}})]}
    nodes = [node(1, allocatable={"cpu": "1"}), node(2)]
    plane = steady([pod("a", nodeName="node1", **asks), pod("b", **asks)], nodes)
    assert doc(plane, "Pod", "b")["spec"]["nodeName"] == "node2"


REQUESTS = [
    ([{"requests": {"cpu": "1"}}, {"requests": {"cpu": "1"}}], [], {}, "2"),
    ([{"limits": {"cpu": "3"}}], [], {}, "3"),
    ([{"limits": {"cpu": "3"}, "requests": {"cpu": "1"}}], [], {}, "1"),
    ([{"requests": {"cpu": "1"}}], [{"requests": {"cpu": "4"}}], {}, "4"),
    ([{"requests": {"cpu": "1"}}], [{"requests": {"cpu": "500m"}}], {"cpu": "250m"}, "1.25"),
]


@pytest.mark.parametrize(("containers", "init", "overhead", "total"), REQUESTS)
def test_what_a_pod_asks_for(containers, init, overhead, total):
    spec = {
        "containers": [{"resources": r} for r in containers],
        "initContainers": [{"resources": r} for r in init],
        "overhead": overhead,
    }
    assert PlacementSpec.of(spec).requests == {"cpu": Decimal(total)}
