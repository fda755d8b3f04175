"""What the API server fills in."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from netsim.manifest.document import read_documents
from netsim.objects.defaults import default_document
from netsim.objects.meta import Object
from netsim.objects.schema import Kind, check, find_kind
from netsim.objects.validation import validate

POD: dict[str, Any] = {"containers": [{"name": "a", "image": "x:1", "ports": [{"containerPort": 80}]}]}


def filled(kind: str, api_version: str = "v1", **fields: Any) -> dict[str, Any]:
    document = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **fields}
    before = copy.deepcopy(document)
    found = default_document(document)
    assert document == before
    return found


def test_service() -> None:
    found = filled("Service", spec={"ports": [{"port": 80}, {"port": 81, "targetPort": "http", "protocol": "UDP"}]})
    assert found["metadata"]["namespace"] == "default"
    assert found["spec"] == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ports": [
            {"port": 80, "protocol": "TCP", "targetPort": 80},
            {"port": 81, "protocol": "UDP", "targetPort": "http"},
        ],
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "NodePort"}, {"externalTrafficPolicy": "Cluster"}),
        ({"externalIPs": ["1.2.3.4"]}, {"externalTrafficPolicy": "Cluster"}),
        ({"type": "LoadBalancer"}, {"allocateLoadBalancerNodePorts": True, "externalTrafficPolicy": "Cluster"}),
        ({"sessionAffinity": "ClientIP"}, {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}),
        ({"sessionAffinityConfig": None}, {"sessionAffinity": "None"}),
    ],
)
def test_service_fields(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    found = filled("Service", spec=spec)["spec"]
    assert {key: found.get(key) for key in expected} == expected


def test_load_balancer_ingress() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "x"}]}}
    found = filled("Service", spec={"type": "LoadBalancer"}, status=status)
    assert found["status"]["loadBalancer"]["ingress"] == [{"ip": "1.2.3.4", "ipMode": "VIP"}, {"hostname": "x"}]


def test_pod() -> None:
    spec = filled("Pod", spec=POD)["spec"]
    assert (spec["restartPolicy"], spec["dnsPolicy"]) == ("Always", "ClusterFirst")
    assert spec["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_host_network_gives_host_ports() -> None:
    spec = filled("Pod", spec={**POD, "hostNetwork": True})["spec"]
    assert spec["containers"][0]["ports"][0]["hostPort"] == 80


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("a", "Always"),
        ("r:5000/a", "Always"),
        ("a:latest", "Always"),
        ("r:5000/a:1", "IfNotPresent"),
        ("a@sha256:0", "IfNotPresent"),
    ],
)
def test_image_pull_policy(image: str, policy: str) -> None:
    found = filled("Pod", spec={"containers": [{"name": "a", "image": image}]})
    assert found["spec"]["containers"][0]["imagePullPolicy"] == policy


@pytest.mark.parametrize(
    ("kind", "api_version", "expected"),
    [
        ("Deployment", "apps/v1", {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}),
        ("ReplicaSet", "apps/v1", {"replicas": 1}),
        ("StatefulSet", "apps/v1", {"replicas": 1, "podManagementPolicy": "OrderedReady"}),
        (
            "DaemonSet",
            "apps/v1",
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
        ),
        ("Job", "batch/v1", {"completions": 1, "parallelism": 1, "backoffLimit": 6}),
    ],
)
def test_workloads(kind: str, api_version: str, expected: dict[str, Any]) -> None:
    found = filled(kind, api_version, spec={"template": {"spec": copy.deepcopy(POD)}})["spec"]
    assert {key: found.get(key) for key in expected} == expected
    assert found["template"]["spec"]["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {},
            {
                "concurrencyPolicy": "Allow",
                "suspend": False,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1,
            },
        ),
        (
            {"successfulJobsHistoryLimit": 0, "concurrencyPolicy": "Forbid"},
            {"successfulJobsHistoryLimit": 0, "concurrencyPolicy": "Forbid"},
        ),
    ],
    ids=["absent", "given"],
)
def test_a_cron_job_and_the_pods_of_its_jobs(given: dict[str, Any], expected: dict[str, Any]) -> None:
    job = {"spec": {"template": {"spec": {**copy.deepcopy(POD), "restartPolicy": "Never"}}}}
    found = filled("CronJob", "batch/v1", spec={"schedule": "@daily", "jobTemplate": job, **given})["spec"]
    assert {key: found.get(key) for key in expected} == expected
    made = found["jobTemplate"]["spec"]
    assert made["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert "backoffLimit" not in made


def test_zero_replicas_stay_zero() -> None:
    assert filled("Deployment", "apps/v1", spec={"replicas": 0, "template": {"spec": POD}})["spec"]["replicas"] == 0


def test_endpoint_slice() -> None:
    found = filled("EndpointSlice", "discovery.k8s.io/v1", addressType="IPv4", ports=[{"port": 80}])
    assert found["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]


def test_what_a_user_wrote_is_kept() -> None:
    found = filled("Service", spec={"ports": [], "loadBalancerClass": "x"}, status={"conditions": [{"type": "a"}]})
    assert found["spec"]["loadBalancerClass"] == "x"
    assert found["status"] == {"conditions": [{"type": "a"}]}


def test_cluster_scoped_objects_have_no_namespace() -> None:
    assert "namespace" not in filled("Node")["metadata"]


STORED = sorted((Path(__file__).parent.parent / "data" / "kube-proxy").glob("*/step-*.yaml"))


def stored_objects() -> list[dict[str, Any]]:
    """What an API server stored, from the reference cases of kube-proxy."""
    found = []
    for file in STORED:
        for document in read_documents(file.read_text(encoding="utf-8"))[0]:
            assert isinstance(document.value, dict)
            found += document.value["apply"]  # type: ignore[operator]
    return found  # type: ignore[return-value]


def test_what_an_api_server_stored_is_valid_and_has_all_defaults() -> None:
    objects = stored_objects()
    assert len(objects) > 50
    for stored in objects:
        kind = find_kind(stored["apiVersion"], stored["kind"])
        assert isinstance(kind, Kind)
        assert list(check(stored, kind)) == []
        assert list(validate(Object.of(stored), namespaced=kind.namespaced)) == []
        assert default_document(stored) == stored
