"""The schema of built-in kinds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import netsim.objects.schema as schema
from netsim.objects.path import Problem, nearest, parse_path, path_text
from netsim.objects.schema import Kind, builtin, check, find_kind


@pytest.mark.parametrize(
    ("api_version", "kind", "namespaced", "plural"),
    [
        ("v1", "Service", True, "services"),
        ("v1", "Node", False, "nodes"),
        ("v1", "Namespace", False, "namespaces"),
        ("apps/v1", "StatefulSet", True, "statefulsets"),
        ("discovery.k8s.io/v1", "EndpointSlice", True, "endpointslices"),
        ("networking.k8s.io/v1", "NetworkPolicy", True, "networkpolicies"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", False, "clusterroles"),
        ("events.k8s.io/v1", "Event", True, "events"),
    ],
)
def test_kinds(api_version: str, kind: str, namespaced: bool, plural: str) -> None:
    found = find_kind(api_version, kind)
    assert isinstance(found, Kind)
    assert (found.namespaced, found.plural) == (namespaced, plural)


def test_every_type_that_is_named_is_there() -> None:
    words = {"s", "i", "b", "n", "t", "y", "x", "q", "*"}
    found = builtin()
    for name in found.types:
        for field in found.fields(name).values():
            base = field.notation.lstrip("[{")
            assert base in words or base in found.types, (name, field)
    assert {kind.type for kind in found.kinds.values()} <= set(found.types)
    assert len(found.kinds) > 90


def test_the_file_is_small_and_says_where_it_is_from() -> None:
    file = Path(schema.__file__).with_name("schema.json")
    assert file.stat().st_size < 120_000
    assert json.loads(file.read_text())["source"].startswith("kubernetes client 37.")


def problems(document: dict[str, object], api_version: str, kind: str) -> list[str]:
    found = find_kind(api_version, kind)
    assert isinstance(found, Kind)
    return [problem.message for problem in check(document, found)]  # type: ignore[arg-type]


def test_quantities_take_numbers_and_text() -> None:
    limits = {"cpu": 1, "memory": "64Mi", "x": 0.5}
    document = {"spec": {"containers": [{"name": "a", "resources": {"limits": limits}}]}}
    assert problems(document, "v1", "Pod") == []
    limits["y"] = True
    assert len(problems(document, "v1", "Pod")) == 1


def test_null_is_absent() -> None:
    assert problems({"metadata": {"creationTimestamp": None}, "spec": None}, "v1", "Service") == []
    assert problems({"spec": {"ports": [{"port": None}]}}, "v1", "Service") == ["spec.ports[0].port: Required value"]


def test_a_status_may_be_partial() -> None:
    assert problems({"status": {"containerStatuses": [{"name": "a"}]}}, "v1", "Pod") == []


def test_a_recursive_schema_ends() -> None:
    node: dict[str, object] = {"type": "object"}
    for _ in range(30):
        node = {"type": "object", "properties": {"a": node}, "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": node}}
    spec = {"group": "a.b", "names": {"kind": "A", "plural": "as"}, "scope": "Cluster", "versions": [version]}
    assert problems({"spec": spec}, "apiextensions.k8s.io/v1", "CustomResourceDefinition") == []


@pytest.mark.parametrize(
    "path", [("spec", "ports", 0, "nodePort"), ("metadata", "labels", "a.b/c"), ("a", 1, 2, "b"), ()]
)
def test_paths(path: tuple[str | int, ...]) -> None:
    assert parse_path(path_text(path)) == path


def test_nearest() -> None:
    assert nearest("tragetPort", ["targetPort", "port", "nodePort"]) == "targetPort"
    assert nearest("PORT", ["port"]) == "port"
    assert nearest("zzz", ["port"]) is None


def test_versions_stable_first() -> None:
    assert builtin().versions_of("ResourceClaim")[0] == "resource.k8s.io/v1"
    found = find_kind("resource.k8s.io/v1alpha1", "ResourceClaim")
    assert isinstance(found, Problem)
    assert found.advice.startswith("ResourceClaim is served as apiVersion: resource.k8s.io/v1 or")
