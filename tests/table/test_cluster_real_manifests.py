"""Manifests that people wrote come up: every workload runs and every Service has the endpoints of its pods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from netsim.cluster.controlplane import ControlPlane
from netsim.manifest import load
from netsim.objects.meta import Key
from netsim.scenario.build import steady
from tests.cluster_objects import condition

FOLDER = Path(__file__).resolve().parent.parent / "data" / "manifests"

# file → replicas by workload, ready endpoints by Service
GUESTBOOK = (
    {"frontend": 3, "redis-replica": 2, "redis-master": 1},
    {"frontend": 3, "redis-replica": 2, "redis-master": 1},
)
BOUTIQUE = [
    *("adservice", "cartservice", "checkoutservice", "currencyservice", "emailservice", "frontend", "loadgenerator"),
    *("paymentservice", "productcatalogservice", "recommendationservice", "redis-cart", "shippingservice"),
]
ROWS: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "guestbook": GUESTBOOK,
    "online-boutique": (
        dict.fromkeys(BOUTIQUE, 1),
        {**dict.fromkeys((n for n in BOUTIQUE if n != "loadgenerator"), 1), "frontend-external": 1},
    ),
    "cassandra": ({"cassandra": 3}, {"cassandra": 3}),
}


@pytest.fixture(scope="module", params=sorted(ROWS))
def world(request: pytest.FixtureRequest) -> tuple[str, ControlPlane]:
    return request.param, steady(load([FOLDER / f"{request.param}.yaml"]))


def test_every_workload_runs(world: tuple[str, ControlPlane]) -> None:
    name, plane = world
    found: dict[str, int] = {}
    for kind in ("Deployment", "StatefulSet"):
        for item in plane.store.list(kind, "default").items:
            status: Any = item.document["status"]
            found[item.metadata.name] = status["readyReplicas"]
            assert status["readyReplicas"] == status["updatedReplicas"] == status["replicas"]
            if kind == "Deployment":
                assert condition(item.document, "Progressing")["reason"] == "NewReplicaSetAvailable"
                assert condition(item.document, "Available")["status"] == "True"
    assert found == ROWS[name][0]


def test_every_service_has_its_endpoints(world: tuple[str, ControlPlane]) -> None:
    name, plane = world
    found: dict[str, int] = {}
    for item in plane.store.list("Service", "default").items:
        if item.metadata.name == "kubernetes":
            continue
        label = f"kubernetes.io/service-name={item.metadata.name}"
        slices: list[Any] = [s.document for s in plane.store.list("EndpointSlice", "default", label).items]
        found[item.metadata.name] = sum(e["conditions"]["ready"] is True for s in slices for e in s["endpoints"])
        endpoints: Any = plane.store.get(Key("Endpoints", "default", item.metadata.name)).document
        assert sum(len(s.get("addresses", ())) for s in endpoints["subsets"]) == found[item.metadata.name]
    assert found == ROWS[name][1]


def test_nothing_restarts_and_no_pod_waits(world: tuple[str, ControlPlane]) -> None:
    _, plane = world
    for item in plane.store.list("Pod", "default").items:
        status: Any = item.document["status"]
        assert status["phase"] == "Running"
        assert [c["restartCount"] for c in status["containerStatuses"]] == [0] * len(status["containerStatuses"])
    assert [e for e in plane.events if e.reason in ("FailedScheduling", "Unhealthy", "BackOff")] == []
