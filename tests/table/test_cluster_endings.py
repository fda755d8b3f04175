"""How pods end: grace, what endpoints say meanwhile, eviction, and mirrored Endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.cluster.controlplane import ControlPlane
from netsim.objects.meta import Object
from tests.cluster_objects import doc, endpoints, key, node, pod, pods, service, slices, steady, workload


def conditions(plane: ControlPlane) -> list[tuple[bool, bool, bool]]:
    found = [e["conditions"] for e in endpoints(plane).values()]
    return [(c["ready"], c["serving"], c["terminating"]) for c in found]


@pytest.mark.parametrize(
    ("spec", "annotations", "seconds"),
    [
        ({}, {}, 30),
        ({"terminationGracePeriodSeconds": 5}, {}, 5),
        ({"terminationGracePeriodSeconds": 60}, {"netsim.io/terminates-after": "2"}, 2),
    ],
)
def test_a_pod_serves_until_its_grace_is_over(spec: Any, annotations: Any, seconds: int) -> None:
    plane = steady([service(), pod("a", annotations=annotations, **spec)])
    plane.delete(key("Pod", "a"))
    plane.run_until_steady(until=seconds - 1)
    assert conditions(plane) == [(False, True, True)]
    plane.run_until_steady(until=seconds)
    assert (pods(plane), conditions(plane)) == ([], [])


def test_a_replacement_does_not_wait_for_the_old_pod() -> None:
    plane = steady([service(), workload("ReplicaSet", replicas=1)])
    plane.delete(key("Pod", pods(plane)[0]["metadata"]["name"]))
    plane.run_until_steady(until=1)
    assert sorted(conditions(plane)) == [(False, True, True), (True, True, False)]


def test_recreate_waits_until_the_old_pods_have_ended() -> None:
    plane = steady([workload("Deployment", replicas=1, strategy={"type": "Recreate"})])
    before = doc(plane, "Deployment", "web")
    spec = before["spec"]
    template = {**spec["template"], "metadata": {"labels": {"app": "web", "version": "2"}}}
    plane.store.update(Object.of({**before, "spec": {**spec, "template": template}}))
    plane.run_until_steady(until=29)
    assert [p["metadata"]["labels"].get("version") for p in pods(plane)] == [None]
    plane.run_until_steady()
    assert [p["metadata"]["labels"].get("version") for p in pods(plane)] == ["2"]


def test_pods_leave_a_node_that_is_not_ready_after_five_minutes() -> None:
    nodes = [node(1, ready="False"), node(2)]
    plane = ControlPlane(nodes, [pod("a", nodeName="node1")], api_server=None)
    plane.run_until_steady(until=299)
    assert doc(plane, "Pod", "a")["metadata"].get("deletionTimestamp") is None
    plane.run_until_steady()
    assert pods(plane) == []
    assert any(e.reason == "TaintManagerEviction" and e.first == 300 for e in plane.events)


def test_a_pod_on_a_node_that_nobody_hears_of_stays_terminating() -> None:
    plane = steady([pod("a", nodeName="node1")], [node(1, ready="Unknown")])
    assert doc(plane, "Pod", "a")["metadata"]["deletionTimestamp"] == "2025-01-01T00:05:00Z"


TOLERATES = [
    ("for ever", {"operator": "Exists"}, None),
    ("for ten seconds", {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 10}, 10),
    ("not at all", {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 0}, 0),
]


@pytest.mark.parametrize(("toleration", "seconds"), [r[1:] for r in TOLERATES], ids=[r[0] for r in TOLERATES])
def test_tolerations_say_how_long_a_pod_stays(toleration: Any, seconds: int | None) -> None:
    tolerations = [{"effect": "NoExecute", **toleration}]
    plane = steady([pod("a", nodeName="node1", tolerations=tolerations)], [node(1, ready="False")])
    times = [e.first for e in plane.events if e.reason == "TaintManagerEviction"]
    assert times == ([] if seconds is None else [seconds])


# --- mirroring --------------------------------------------------------------------------------------------------


def written(*subsets: Any, labels: Any = None, annotations: Any = None, name: str = "db") -> Object:
    metadata = {"name": name, "namespace": "default", "labels": labels or {}, "annotations": annotations or {}}
    return Object.of({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": list(subsets)})


def subset(*addresses: str, not_ready: tuple[str, ...] = (), port: int = 5432) -> dict[str, Any]:
    return {
        "addresses": [{"ip": a} for a in addresses],
        "notReadyAddresses": [{"ip": a} for a in not_ready],
        "ports": [{"name": "pg", "port": port}],
    }


PLAIN = service("db", selector={})
MIRRORED = [
    ("one", PLAIN, written(subset("1.2.3.4", "1.2.3.5")), [("IPv4", [5432], ["1.2.3.4", "1.2.3.5"])]),
    (
        "both families apart",
        PLAIN,
        written(subset("1.2.3.4", "fd00::1")),
        [("IPv4", [5432], ["1.2.3.4"]), ("IPv6", [5432], ["fd00::1"])],
    ),
    (
        "a slice for each set of ports",
        PLAIN,
        written(subset("1.2.3.4"), subset("1.2.3.5", port=1)),
        [("IPv4", [1], ["1.2.3.5"]), ("IPv4", [5432], ["1.2.3.4"])],
    ),
    ("not of a Service with a selector", service("db"), written(subset("1.2.3.4")), []),
    ("not without a Service", service("other", selector={}), written(subset("1.2.3.4")), []),
    (
        "not where it says so",
        PLAIN,
        written(subset("1.2.3.4"), labels={"endpointslice.kubernetes.io/skip-mirror": "true"}),
        [],
    ),
    (
        "not a leader's",
        PLAIN,
        written(subset("1.2.3.4"), annotations={"control-plane.alpha.kubernetes.io/leader": "{}"}),
        [],
    ),
]


@pytest.mark.parametrize(("owner", "given", "expected"), [r[1:] for r in MIRRORED], ids=[r[0] for r in MIRRORED])
def test_endpoints_are_mirrored(owner: Object, given: Object, expected: Any) -> None:
    found = [s for s in slices(steady([owner, given]), "db") if "mirroring" in str(s["metadata"]["labels"])]
    seen = [
        (s["addressType"], [p["port"] for p in s["ports"]], [a for e in s["endpoints"] for a in e["addresses"]])
        for s in found
    ]
    assert sorted(seen) == sorted(expected)


def test_addresses_that_are_not_ready_are_mirrored_so() -> None:
    plane = steady([PLAIN, written(subset(not_ready=("1.2.3.4",)))])
    assert [e["conditions"] for e in endpoints(plane, "db").values()] == [{"ready": False}]


def test_a_mirror_follows_its_endpoints_and_goes_with_them() -> None:
    plane = steady([PLAIN, written(subset("1.2.3.4"))])
    plane.store.update(written(subset("1.2.3.9")))
    plane.run_until_steady()
    assert list(endpoints(plane, "db")) == ["1.2.3.9"]
    plane.delete(key("Endpoints", "db"))
    plane.run_until_steady()
    assert slices(plane, "db") == []
