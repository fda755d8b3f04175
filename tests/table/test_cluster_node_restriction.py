"""NodeRestriction: what a kubelet may write, through the API and over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.cluster.access.users import User
from netsim.cluster.admission.node_restriction import Operation, Write, restrict_node, restrict_token
from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.errors import Forbidden
from netsim.objects.meta import Key, Object
from tests.cluster_objects import doc, node, pod

KUBELET = User("system:node:node1", ("system:nodes", "system:authenticated"))
MIRROR = {"kubernetes.io/config.mirror": "x"}


@pytest.fixture
def plane() -> ControlPlane:
    made = ControlPlane(
        [node(1), node(2)], [pod("mine", nodeName="node1"), pod("other", nodeName="node2")], api_server=None
    )
    made.run_until_steady()
    return made


def owner(plane: ControlPlane, **fields: Any) -> dict[str, Any]:
    uid = doc(plane, "Node", "node1", "")["metadata"]["uid"]
    return {"apiVersion": "v1", "kind": "Node", "name": "node1", "uid": uid, "controller": True, **fields}


def static(owners: list[Any], *, annotations: Any = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "static", "namespace": "default", "annotations": MIRROR if annotations is None else annotations}
    body = {"nodeName": "node1", "containers": [{"name": "c", "image": "i"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "ownerReferences": owners}, "spec": body}


def volume(name: str, **source: Any) -> list[dict[str, Any]]:
    return [{"name": name, **source}]


STATIC = [
    # (owners: fields over those of its node, or None for no owner; other fields; why not)
    pytest.param([{}], {}, "", id="a mirror pod of its own"),
    pytest.param(
        [{}],
        {"annotations": {}},
        'pod does not have "kubernetes.io/config.mirror" annotation, node "node1" can only create mirror pods',
        id="no mirror",
    ),
    pytest.param(
        [{}],
        {"nodeName": "node2"},
        'node "node1" can only create pods with spec.nodeName set to itself',
        id="elsewhere",
    ),
    pytest.param([], {}, 'node "node1" can only create pods with an owner reference set to itself', id="no owner"),
    pytest.param(
        [{}, {}], {}, 'node "node1" can only create pods with a single owner reference set to itself', id="two owners"
    ),
    pytest.param(
        [{"name": "node2"}],
        {},
        'node "node1" can only create pods with an owner reference set to itself',
        id="another's",
    ),
    pytest.param(
        [{"controller": False}],
        {},
        'node "node1" can only create pods with a controller owner reference set to itself',
        id="no controller",
    ),
    pytest.param(
        [{"blockOwnerDeletion": True}],
        {},
        'node "node1" must not set blockOwnerDeletion on an owner reference',
        id="blocks",
    ),
    pytest.param([{"uid": "z"}], {}, "node node1 UID mismatch: expected z got ", id="another node of its name"),
    pytest.param(
        [{}],
        {"serviceAccountName": "x"},
        'node "node1" can not create pods that reference a service account',
        id="an account",
    ),
    pytest.param(
        [{}],
        {"volumes": volume("v", secret={"secretName": "s"})},
        'node "node1" can not create pods that reference secrets',
        id="a Secret",
    ),
    pytest.param(
        [{}],
        {"volumes": volume("v", configMap={"name": "s"})},
        'node "node1" can not create pods that reference configmaps',
        id="a ConfigMap",
    ),
    pytest.param(
        [{}],
        {"volumes": volume("v", persistentVolumeClaim={"claimName": "s"})},
        'node "node1" can not create pods that reference persistentvolumeclaims',
        id="a claim",
    ),
]


@pytest.mark.parametrize(("owners", "fields", "why"), STATIC)
def test_a_kubelet_makes_mirror_pods_only(plane: ControlPlane, owners: list[Any], fields: Any, why: str) -> None:
    document = static([owner(plane, **each) for each in owners], **fields)
    kubelet = plane.api.acting_as(KUBELET)
    if not why:
        assert kubelet.create(document).key.name == "static"
        return
    with pytest.raises(Forbidden) as refused:
        kubelet.create(document)
    assert str(refused.value).startswith(f'pods "static" is forbidden: {why}')


def test_a_kubelet_deletes_and_reports_on_its_own_pods(plane: ControlPlane) -> None:
    kubelet = plane.api.acting_as(KUBELET)
    for name, allowed in (("mine", True), ("other", False)):
        report = {**doc(plane, "Pod", name), "status": {"phase": "Failed"}}
        relabelled = {**report, "metadata": {**report["metadata"], "labels": {"a": "b"}}}
        if allowed:
            with pytest.raises(Forbidden, match='node "node1" cannot update labels through pod status'):
                kubelet.update_status(relabelled)
            assert kubelet.update_status(report).document["status"] == {"phase": "Failed"}
            kubelet.delete(Key("Pod", "default", name))
            continue
        with pytest.raises(Forbidden, match=r"can only update pod status for pods with spec\.nodeName set to itself"):
            kubelet.update_status(report)
        with pytest.raises(Forbidden, match=r"can only delete pods with spec\.nodeName set to itself"):
            kubelet.delete(Key("Pod", "default", name))


NODES = [
    # (node, path and value that changes, why not)
    pytest.param("node1", ("labels", "example.com/rack"), "7", "", id="a label of nobody's"),
    pytest.param("node1", ("labels", "topology.kubernetes.io/zone"), "b", "", id="a kubelet's label"),
    pytest.param("node1", ("labels", "feature.node.kubernetes.io/gpu"), "1", "", id="a node's domain"),
    pytest.param(
        "node1",
        ("labels", "node-restriction.kubernetes.io/tier"),
        "gold",
        "is not allowed to modify labels: node-restriction.kubernetes.io/tier",
        id="a restricted label",
    ),
    pytest.param(
        "node1",
        ("labels", "node-role.kubernetes.io/control-plane"),
        "",
        "is not allowed to modify labels: node-role.kubernetes.io/control-plane",
        id="a role",
    ),
    pytest.param(
        "node1",
        ("ownerReferences",),
        [{"apiVersion": "v1", "kind": "Node", "name": "node2", "uid": "u"}],
        'node "node1" is not allowed to modify ownerReferences',
        id="owners",
    ),
    pytest.param(
        "node2", ("labels", "a"), "b", 'node "node1" is not allowed to modify node "node2"', id="another node"
    ),
]


@pytest.mark.parametrize(("name", "path", "value", "why"), NODES)
def test_a_kubelet_says_of_its_node_what_is_a_kubelets(
    plane: ControlPlane, name: str, path: tuple[str, ...], value: Any, why: str
) -> None:
    before = doc(plane, "Node", name, "")
    metadata = dict(before["metadata"])
    metadata[path[0]] = {**metadata.get("labels", {}), path[1]: value} if path[1:] else value
    kubelet = plane.api.acting_as(KUBELET)
    if not why:
        assert kubelet.update({**before, "metadata": metadata}).metadata.labels[path[1]] == value
        return
    with pytest.raises(Forbidden) as refused:
        kubelet.update({**before, "metadata": metadata})
    assert str(refused.value) == f'nodes "{name}" is forbidden: {why}'


def test_a_kubelet_does_not_untaint_its_node(plane: ControlPlane) -> None:
    before = doc(plane, "Node", "node1", "")
    tainted = {**before, "spec": {**before["spec"], "taints": [{"key": "a", "effect": "NoSchedule"}]}}
    with pytest.raises(Forbidden, match='node "node1" is not allowed to modify taints'):
        plane.api.acting_as(KUBELET).update(tainted)
    assert plane.api.update(tainted)  # the admin may


def test_a_node_that_registers_itself_sets_no_role(plane: ControlPlane) -> None:
    kubelet = plane.api.acting_as(User("system:node:node3", ("system:nodes",)))
    made = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node3", "labels": {"node-role.kubernetes.io/x": ""}},
    }
    said = 'node "node3" is not allowed to set the following labels: node-role.kubernetes.io/x'
    with pytest.raises(Forbidden, match=said):
        kubelet.create(made)
    made["metadata"] = {"name": "node3", "labels": {"kubernetes.io/os": "linux"}}
    assert kubelet.create(made).key.name == "node3"


CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "c", "namespace": "default"},
    "status": {"phase": "Bound"},
}
WRITES = [
    # (the object before, after it, of which subresource, why not)
    pytest.param(
        CLAIM,
        {**CLAIM, "status": {"phase": "Bound", "capacity": {"storage": "2Gi"}}},
        "status",
        "",
        id="a claim's capacity",
    ),
    pytest.param(
        CLAIM,
        {**CLAIM, "status": {"phase": "Lost"}},
        "status",
        'node "node1" is not allowed to update fields other than status.capacity and status.conditions',
        id="a claim's phase",
    ),
    pytest.param(CLAIM, CLAIM, "", "may only update PVC status", id="a claim"),
]


@pytest.mark.parametrize(("before", "after", "subresource", "why"), WRITES)
def test_of_a_claim_only_what_grows(plane: ControlPlane, before: Any, after: Any, subresource: str, why: str) -> None:
    write = Write(Operation.UPDATE, Object.of(after), Object.of(before), subresource)
    if not why:
        restrict_node(KUBELET, write, plane.store)
        return
    with pytest.raises(Forbidden) as refused:
        restrict_node(KUBELET, write, plane.store)
    assert str(refused.value) == f'persistentvolumeclaims "c" is forbidden: {why}'


@pytest.mark.parametrize(
    ("place", "name", "why"),
    [
        ("kube-node-lease", "node1", ""),
        ("kube-node-lease", "node2", "can only access node lease with the same name as the requesting node"),
        ("default", "node1", 'can only access leases in the "kube-node-lease" system namespace'),
    ],
)
def test_a_lease_has_its_nodes_name(plane: ControlPlane, place: str, name: str, why: str) -> None:
    made = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, "namespace": place}}
    write = Write(Operation.CREATE, Object.of(made))
    if not why:
        restrict_node(KUBELET, write, plane.store)
        return
    with pytest.raises(Forbidden, match=why):
        restrict_node(KUBELET, write, plane.store)


BOUND = [
    # (what the request is bound to, beside the pod's own uid where the name is in it; why not)
    pytest.param({"kind": "Pod", "name": "mine"}, "", id="its own pod"),
    pytest.param({}, "node requested token not bound to a pod", id="nothing"),
    pytest.param({"kind": "Secret", "name": "mine"}, "node requested token not bound to a pod", id="a Secret"),
    pytest.param(
        {"kind": "Pod", "name": "mine", "uid": ""}, "node requested token with a pod binding without a uid", id="no uid"
    ),
    pytest.param(
        {"kind": "Pod", "name": "mine", "uid": "x"},
        "the UID in the bound object reference (x) does not match",
        id="an earlier one",
    ),
    pytest.param(
        {"kind": "Pod", "name": "other"},
        "node requested token bound to a pod scheduled on a different node",
        id="another's",
    ),
]


@pytest.mark.parametrize(("bound", "why"), BOUND)
def test_a_token_is_for_a_pod_of_its_own(plane: ControlPlane, bound: dict[str, str], why: str) -> None:
    account = plane.store.get(Key("ServiceAccount", "default", "default"))
    uid = doc(plane, "Pod", bound["name"])["metadata"]["uid"] if bound else ""
    request = {"spec": {"boundObjectRef": {"apiVersion": "v1", "uid": uid, **bound} if bound else {}}}
    if not why:
        restrict_token(KUBELET, account, request, plane.store)
        return
    with pytest.raises(Forbidden) as refused:
        restrict_token(KUBELET, account, request, plane.store)
    assert str(refused.value).startswith(f'serviceaccounts "default" is forbidden: {why}')


def test_who_is_no_kubelet_is_not_asked(plane: ControlPlane) -> None:
    nobody = User("system:node:", ("system:nodes",))
    write = Write(Operation.DELETE, before=plane.store.get(Key("Pod", "default", "other")))
    with pytest.raises(Forbidden, match='could not determine node from user "system:node:"'):
        restrict_node(nobody, write, plane.store)
    restrict_node(User("system:node:node1", ()), write, plane.store)
