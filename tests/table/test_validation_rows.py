"""What the API server refuses of configuration, claims and roles, and of names, in its own words."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.objects.meta import Object
from netsim.objects.validation import names, validate

RBAC = "rbac.authorization.k8s.io"


def problems(kind: str, api_version: str = "v1", *, namespaced: bool = True, **body: Any) -> list[str]:
    metadata = {"name": "x"} | ({"namespace": "default"} if namespaced else {})
    item = Object.of({"apiVersion": api_version, "kind": kind, "metadata": metadata, **body})
    return [problem.message for problem in validate(item, namespaced=namespaced)]


def role(*rules: Any, kind: str = "Role") -> list[str]:
    return problems(kind, f"{RBAC}/v1", namespaced=kind == "Role", rules=list(rules))


GOOD = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
PATHS = {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}
ROLES = [
    (GOOD, "Role", []),
    (PATHS, "ClusterRole", []),
    ({**GOOD, "verbs": []}, "Role", ["rules[0].verbs: Required value: verbs must contain at least one value"]),
    (
        {**GOOD, "apiGroups": []},
        "Role",
        ["rules[0].apiGroups: Required value: resource rules must supply at least one api group"],
    ),
    (
        {**GOOD, "resources": []},
        "Role",
        ["rules[0].resources: Required value: resource rules must supply at least one resource"],
    ),
    (
        PATHS,
        "Role",
        [
            'rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs',
        ],
    ),
    (
        {**GOOD, **PATHS},
        "ClusterRole",
        [
            'rules[0].nonResourceURLs: Invalid value: ["/metrics"]: rules cannot apply to both regular resources and non-resource URLs',
        ],
    ),
]


@pytest.mark.parametrize(("rule", "kind", "said"), ROLES)
def test_roles(rule: Any, kind: str, said: list[str]) -> None:
    assert role(rule, kind=kind) == said


VIEW = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
BINDINGS = [
    ("RoleBinding", VIEW, {"kind": "User", "apiGroup": RBAC, "name": "jane"}, []),
    ("RoleBinding", VIEW, {"kind": "ServiceAccount", "name": "robot"}, []),
    (
        "ClusterRoleBinding",
        VIEW,
        {"kind": "ServiceAccount", "name": "robot"},
        ["subjects[0].namespace: Required value"],
    ),
    (
        "ClusterRoleBinding",
        {**VIEW, "kind": "Role"},
        {"kind": "User", "name": "jane"},
        ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
    ),
    ("RoleBinding", {**VIEW, "name": ""}, {"kind": "User", "name": "jane"}, ["roleRef.name: Required value"]),
    (
        "RoleBinding",
        VIEW,
        {"kind": "Robot", "name": "x"},
        ['subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"'],
    ),
    (
        "RoleBinding",
        VIEW,
        {"kind": "User", "apiGroup": "apps", "name": "x"},
        [f'subjects[0].apiGroup: Unsupported value: "apps": supported values: "{RBAC}"'],
    ),
]


@pytest.mark.parametrize(("kind", "reference", "subject", "said"), BINDINGS)
def test_bindings(kind: str, reference: Any, subject: Any, said: list[str]) -> None:
    in_namespace = kind == "RoleBinding"
    found = problems(kind, f"{RBAC}/v1", namespaced=in_namespace, roleRef=reference, subjects=[subject])
    assert found == said


CONFIG = [
    ({"a.b-c_D": "1"}, []),
    (
        {"a b": "1"},
        [
            (
                "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
                "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
            )
        ],
    ),
    ({"..a": "1"}, ["data[..a]: Invalid value: \"..a\": must not start with '..'"]),
    ({"a": "x" * (1024 * 1024 + 1)}, ["[]: Too long: may not be more than 1048576 bytes"]),
]


@pytest.mark.parametrize(("data", "said"), CONFIG, ids=["good", "blank", "dots", "large"])
def test_config(data: Any, said: list[str]) -> None:
    assert problems("ConfigMap", data=data) == said


CLAIMS = [
    ({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}, []),
    (
        {"resources": {"requests": {"storage": "1Gi"}}},
        ["spec.accessModes: Required value: at least 1 access mode is required"],
    ),
    ({"accessModes": ["ReadWriteOnce"]}, ["spec.resources[storage]: Required value"]),
    (
        {"accessModes": ["Often"], "resources": {"requests": {"storage": "1Gi"}}},
        [
            (
                'spec.accessModes: Unsupported value: "Often": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", '
                '"ReadWriteOncePod"'
            )
        ],
    ),
]


@pytest.mark.parametrize(("spec", "said"), CLAIMS)
def test_claims(spec: Any, said: list[str]) -> None:
    assert problems("PersistentVolumeClaim", spec=spec) == said


def test_names_say_their_pattern() -> None:
    assert "".join(names.dns1123_label("My")) == (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
        "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )
    assert "".join(names.dns1123_subdomain("a_b")).endswith(
        r"(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )
    assert names.label_value("") == ()
    assert "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used" in "".join(names.label_value("-"))
