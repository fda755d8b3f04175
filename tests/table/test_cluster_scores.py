"""What each score plugin says of a node, and who is taken of equals."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.cluster.scheduling.nodes import NodeState
from netsim.cluster.scheduling.placement import PlacementSpec
from netsim.cluster.scheduling.population import Resident
from netsim.cluster.scheduling.scores import balanced, default_spread, least_allocated
from netsim.objects.meta import Key, Object
from tests.cluster_objects import container, doc, node, pod, pods, steady, workload

BIG = {"cpu": "4", "memory": "8Gi", "pods": "110"}
MI = 1024 * 1024


def resident(name: str, cpu: str = "", memory: str = "", group: str = "g") -> Resident:
    asked = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
    spec = PlacementSpec.of({"containers": [{"name": "c", "resources": {"requests": asked}}]})
    return Resident(Key("Pod", "default", name), {}, spec, group)


def state(number: int, *there: Resident, allocatable: Any = BIG, zone: str = "") -> NodeState:
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    found = NodeState.of(node(number, allocatable=allocatable, labels=labels), number)
    for item in there:
        found.add(item)
    return found


LEAST = [
    # pod; there already → hundredths: the mean of what is left of processors and of memory
    ("an empty node", resident("p", "1", "2Gi"), [], 75),
    ("half full", resident("p", "1", "2Gi"), [resident("a", "1", "2Gi")], 50),
    ("uneven", resident("p", "3", "1Gi"), [], (25 + 87) // 2),
    ("nothing asked for counts as a little", resident("p"), [], (97 + 97) // 2),
    ("more than there is", resident("p", "9", "1Gi"), [], (0 + 87) // 2),
]


@pytest.mark.parametrize(("item", "there", "wanted"), [r[1:] for r in LEAST], ids=[r[0] for r in LEAST])
def test_node_resources_fit(item: Resident, there: list[Resident], wanted: int) -> None:
    assert least_allocated(item, state(1, *there)) == wanted


BALANCED = [
    ("even", resident("p", "1", "2Gi"), [], 75),  # as before
    ("uneven", resident("p", "2", "2Gi"), [], 68),  # 50 + (50 + 87 - 100) / 2, where 87 is 1 - |0.5 - 0.25| / 2
    ("evened out", resident("p", "2", ""), [resident("a", "", "4Gi")], 87),
    ("nothing asked for", resident("p"), [resident("a", "4", "")], 0),
    ("all of both", resident("p", "4", "8Gi"), [], 75),
]


@pytest.mark.parametrize(("item", "there", "wanted"), [r[1:] for r in BALANCED], ids=[r[0] for r in BALANCED])
def test_balanced_allocation(item: Resident, there: list[Resident], wanted: int) -> None:
    assert balanced(item, state(1, *there)) == wanted


def test_a_node_that_says_nothing_is_as_even_as_before() -> None:
    silent = state(1, allocatable={})
    assert (least_allocated(resident("p", "1"), silent), balanced(resident("p", "1"), silent)) == (0, 75)


SPREADS = [
    # how many of its kind are on each node, zones → scores. A pod counts ln(nodes + 2) on its node and ln(zones + 2) in its zone;
    # 2 (and 4 with a zone) are added; of the rounded points 2, 4, 5 come 100 * (5 + 2 - points) / 5
    ("hosts", [0, 1, 2], ["", "", ""], [100, 60, 40]),
    ("nothing anywhere", [0, 0], ["", ""], [100, 100]),
    ("zones", [1, 0, 0], ["a", "a", "b"], [66, 88, 100]),  # points 9, 7, 6
    ("some zones", [1, 0, 1, 1], ["a", "a", "b", ""], [44, 55, 44, 100]),  # 9.4, 7.6, 9.4, 3.8: no zone counts as one
]


@pytest.mark.parametrize(("there", "zones", "wanted"), [r[1:] for r in SPREADS], ids=[r[0] for r in SPREADS])
def test_default_spreading(there: list[int], zones: list[str], wanted: list[int]) -> None:
    nodes = [
        state(n, *(resident(f"p{n}{k}") for k in range(count)), zone=zone)
        for n, (count, zone) in enumerate(zip(there, zones, strict=True), 1)
    ]
    found = default_spread(resident("p").spec, lambda state: state.groups["g"], nodes, nodes)
    assert list(found.values()) == wanted


def test_the_emptier_node_is_taken() -> None:
    nodes = [node(1, allocatable=BIG), node(2, allocatable={**BIG, "cpu": "16", "memory": "32Gi"})]
    big = container(resources={"requests": {"cpu": "1", "memory": "2Gi"}})
    plane = steady([pod("a", containers=[big], labels={})], nodes)
    assert doc(plane, "Pod", "a")["spec"]["nodeName"] == "node2"


def test_replicas_are_spread_over_zones_before_nodes() -> None:
    zone = "topology.kubernetes.io/zone"
    nodes = [node(n, allocatable=BIG, labels={zone: "a" if n < 4 else "b"}) for n in (1, 2, 3, 4)]
    plane = steady([workload("ReplicaSet", replicas=2)], nodes)
    assert sorted(p["spec"]["nodeName"] for p in pods(plane)) == ["node1", "node4"]


def test_the_seed_decides_between_equals() -> None:
    def placed(seed: int) -> list[str]:
        nodes = [node(n, allocatable=BIG) for n in range(1, 9)]
        plane = steady([pod(f"p{n}", labels={}) for n in range(6)], nodes, seed=seed)
        return [p["spec"]["nodeName"] for p in pods(plane)]

    assert placed(0) == [f"node{n}" for n in range(1, 7)]
    assert placed(7) == placed(7)
    assert len({tuple(placed(seed)) for seed in range(1, 6)}) == 5
    assert all(len(set(placed(seed))) == 6 for seed in range(1, 4))


# --- PodDisruptionBudgets ---------------------------------------------------------------------------------------


def budget(name: str = "web", labels: Any = None, **spec: Any) -> Object:
    body = {"selector": {"matchLabels": labels or {"app": "web"}}, **spec}
    metadata = {"name": name, "namespace": "default"}
    return Object.of({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": body})


BUDGETS = [
    ("at least", {"minAvailable": 2}, (4, 4, 2, 2)),
    ("at least half", {"minAvailable": "60%"}, (4, 4, 3, 1)),
    ("at most", {"maxUnavailable": 1}, (4, 4, 3, 1)),
    ("at most half", {"maxUnavailable": "50%"}, (4, 4, 2, 2)),
    ("none", {"maxUnavailable": 0}, (4, 4, 4, 0)),
]


@pytest.mark.parametrize(("spec", "wanted"), [r[1:] for r in BUDGETS], ids=[r[0] for r in BUDGETS])
def test_what_a_budget_allows(spec: Any, wanted: Any) -> None:
    plane = steady([budget(**spec), workload("Deployment", replicas=4)])
    found = doc(plane, "PodDisruptionBudget", "web")["status"]
    assert tuple(found[f] for f in ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed")) == wanted


@pytest.mark.parametrize(("protected", "loses"), [("a", "b"), ("b", "a")])
def test_a_pod_that_a_budget_protects_is_spared(protected: str, loses: str) -> None:
    full = container(resources={"requests": {"cpu": "4"}})
    items = [
        pod(name, labels={"app": name}, nodeName=f"node{n}", containers=[full]) for n, name in ((1, "a"), (2, "b"))
    ]
    urgent = Object.of(
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "urgent"}, "value": 1000}
    )
    guard = budget("guard", {"app": protected}, minAvailable=1)
    plane = steady([urgent, guard, *items], [node(1, allocatable=BIG), node(2, allocatable=BIG)])
    plane.create(pod("vip", containers=[full], labels={}, priorityClassName="urgent", priority=1000))
    plane.run_until_steady()
    left = [item.metadata.name for item in plane.store.list("Pod").items]
    assert left == sorted({"a", "b", "vip"} - {loses})
