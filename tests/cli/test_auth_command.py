"""``netsim auth can-i`` and ``--as``: who may do and see what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import netsim

RBAC = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: jane}
- {kind: ServiceAccount, name: reader, namespace: default}
"""
BY_JANE = 'RBAC: allowed by RoleBinding "readers/default" of ClusterRole "view" to User "jane"'


@pytest.fixture
def world(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "rbac.yaml").write_text(RBAC)
    return ("-t", "default", "-t", str(tmp_path / "rbac.yaml"))


ANSWERS = [
    ("create pods", 0, 'yes - RBAC: allowed by ClusterRoleBinding "kubeadm:cluster-admins"'),
    ("list pods --as jane", 0, f"yes - {BY_JANE}"),
    ("list po --as jane", 0, f"yes - {BY_JANE}"),
    ("get pods/web --as jane", 0, f"yes - {BY_JANE}"),
    ("get pods --subresource log --as jane", 0, f"yes - {BY_JANE}"),
    ("get pods --subresource exec --as jane", 1, "no\n"),
    ("list pods --as jane -n kube-system", 1, "no\n"),
    ("list pods --as jane -A", 1, "no\n"),
    ("list secrets --as jane", 1, "no\n"),
    ("delete nodes --as joe --as-group system:masters", 0, "yes - allowed to the group system:masters"),
    ("list deployments.apps --as system:serviceaccount:default:reader", 0, 'to ServiceAccount "reader/default"'),
    ("get /healthz --as system:anonymous", 0, "system:public-info-viewer"),
    ("get /metrics --as jane", 1, "no\n"),
    ("* *", 0, 'yes - RBAC: allowed by ClusterRoleBinding "kubeadm:cluster-admins"'),
    ("get * --as jane", 1, "no\n"),
    ("* pods --as jane", 1, "no\n"),
]


@pytest.mark.parametrize(("words", "status", "said"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_can_i(world: tuple[str, ...], words: str, status: int, said: str) -> None:
    done = netsim("auth", "can-i", *words.split(), *world)
    assert (done.status, done.err) == (status, "")
    assert said in done.out


def test_list_names_every_rule_and_who_granted_it(world: tuple[str, ...]) -> None:
    done = netsim("auth", "can-i", "--list", "--as", "jane", *world)
    assert done.status == 0
    assert 'RoleBinding "readers/default" of ClusterRole "view" to User "jane"' in done.out
    assert "system:discovery" in done.out


REFUSED = [
    ("auth can-i", "say what is to be done"),
    ("auth can-i create", "say what is to be done"),
    ("auth can-i create pods --list", "say what is to be done"),
    ("auth can-i create podz", 'doesn\'t have a resource type "podz"'),
    ("auth can-i create pods --as-group x", "--as-group says nothing without --as"),
    (
        "get nodes --as jane",
        'nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster',
    ),
    ("get pod pod-a --as joe", 'pods "pod-a" is forbidden: User "joe" cannot get resource "pods"'),
    ("describe pod pod-a --as joe", 'pods "pod-a" is forbidden: User "joe" cannot get resource "pods"'),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refusals(world: tuple[str, ...], words: str, said: str) -> None:
    done = netsim(*words.split(), *world)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "help:" in done.err


def test_who_may_sees_the_same(world: tuple[str, ...]) -> None:
    assert netsim("get", "pods", "--as", "jane", *world).out == netsim("get", "pods", *world).out
    assert netsim("describe", "pod", "pod-a", "--as", "jane", *world).status == 0


def test_a_creation_that_is_not_allowed_ends_there(world: tuple[str, ...]) -> None:
    done = netsim("explain-creation", "pod-a", "--as", "jane", "-o", "json", *world)
    links = json.loads(done.out)
    assert [link["warning"] for link in links] == [False, False, True]
    assert links[-1]["what"].startswith('authorization: User "jane" cannot create resource "pods"')


def test_events_are_selected(world: tuple[str, ...]) -> None:
    done = netsim("get", "events", "--field-selector", "involvedObject.name=pod-a,reason=Started", "-o", "json", *world)
    assert {item["reason"] for item in json.loads(done.out)["items"]} == {"Started"}
