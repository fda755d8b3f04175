"""Admission: what each plugin changes, and what it refuses in which words."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.cluster.admission.chain import CHAIN
from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.errors import Forbidden
from netsim.objects.meta import Key, Object
from tests.cluster_objects import container, pod, steady, warnings, workload


@pytest.fixture
def plane() -> ControlPlane:
    return steady([])


def made(plane: ControlPlane, item: Object) -> Any:
    return plane.api.create(item.document).document


def refused(plane: ControlPlane, item: Object) -> str:
    with pytest.raises(Forbidden) as error:
        plane.api.create(item.document)
    return str(error.value).partition(" is forbidden: ")[2]


def labelled(plane: ControlPlane, **labels: str) -> None:
    before = plane.store.get(Key("Namespace", "", "default"))
    named = {f"pod-security.kubernetes.io/{key.replace('_', '-')}": value for key, value in labels.items()}
    metadata = {**before.document["metadata"], "labels": {**before.metadata.labels, **named}}
    plane.store.update(Object.of({**before.document, "metadata": metadata}))


def test_the_order_of_the_chain() -> None:
    names = [plugin.name for plugin in CHAIN]
    assert (names[0], names[-1], len(names)) == ("NamespaceLifecycle", "ResourceQuota", 8)


def test_what_changed_a_pod_is_known(plane: ControlPlane) -> None:
    item = plane.api.create(pod("a").document)
    assert plane.admission.changed_by(item.key) == ("ServiceAccount", "Priority", "DefaultTolerationSeconds")


# --- ServiceAccount ---------------------------------------------------------------------------------------------


def account(name: str, namespace: str = "default", **fields: Any) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return Object.of({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, **fields})


def volumes(document: Any) -> list[str]:
    return [v["name"] for v in document["spec"].get("volumes", []) if "projected" in v]


def test_a_token_is_mounted(plane: ControlPlane) -> None:
    document = made(plane, pod("a", initContainers=[{"name": "i", "image": "i"}]))
    (name,) = volumes(document)
    assert name.startswith("kube-api-access-")
    mount = {"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": name, "readOnly": True}
    for group in ("containers", "initContainers"):
        assert [c["volumeMounts"] for c in document["spec"][group]] == [[mount]]
    assert document["spec"]["serviceAccountName"] == "default"


AUTOMOUNT = [
    ({}, {}, True),
    ({"automountServiceAccountToken": False}, {}, False),
    ({}, {"automountServiceAccountToken": False}, False),
    ({"automountServiceAccountToken": True}, {"automountServiceAccountToken": False}, True),
]


@pytest.mark.parametrize(("spec", "fields", "mounted"), AUTOMOUNT)
def test_who_wants_no_token_gets_none(plane: ControlPlane, spec: Any, fields: Any, mounted: bool) -> None:
    plane.api.create(account("own", **fields).document)
    document = made(plane, pod("a", serviceAccountName="own", **spec))
    assert bool(volumes(document)) is mounted


def test_a_mount_that_is_there_stays(plane: ControlPlane) -> None:
    own = {"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": "own"}
    document = made(
        plane, pod("a", containers=[container(volumeMounts=[own])], volumes=[{"name": "own", "emptyDir": {}}])
    )
    assert (document["spec"]["containers"][0]["volumeMounts"], volumes(document)) == ([own], [])


def test_an_accounts_pull_secrets(plane: ControlPlane) -> None:
    plane.api.create(account("own", imagePullSecrets=[{"name": "s"}]).document)
    assert made(plane, pod("a", serviceAccountName="own"))["spec"]["imagePullSecrets"] == [{"name": "s"}]


def test_an_account_that_is_not_there(plane: ControlPlane) -> None:
    said = 'error looking up service account default/no: serviceaccount "no" not found'
    assert refused(plane, pod("a", serviceAccountName="no")) == said
    plane.api.create(workload("ReplicaSet", replicas=1, pod_template={**template(serviceAccountName="no")}).document)
    plane.run_until_steady()
    assert any(reason == "FailedCreate" and said in message for reason, message in warnings(plane))


def template(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container()], **spec}}


def test_every_namespace_has_its_account_and_certificate(plane: ControlPlane) -> None:
    plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    plane.api.create({**pod("p").document, "metadata": {"name": "p", "namespace": "team"}})
    plane.run_until_steady()
    for key in (Key("ServiceAccount", "team", "default"), Key("ConfigMap", "team", "kube-root-ca.crt")):
        assert plane.store.find(key) is not None
        plane.api.delete(key)
        plane.run_until_steady()
        assert plane.store.find(key) is not None, "its controller makes it again"
    plane.api.delete(Key("Namespace", "", "team"))
    plane.run_until_steady()
    assert plane.store.list("ServiceAccount", "team").items == ()


def test_what_a_cluster_has_of_itself_may_be_given_too() -> None:
    given = [
        account("default", imagePullSecrets=[{"name": "s"}]),
        Object.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "labels": {"a": "b"}}}),
        Object.of(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "view", "resourceVersion": "77"},
                "rules": [],
            }
        ),
    ]
    plane = steady(given)
    assert plane.store.get(Key("ServiceAccount", "default", "default")).document["imagePullSecrets"] == [{"name": "s"}]
    assert plane.store.get(Key("Namespace", "", "default")).metadata.labels["a"] == "b"


def test_aggregated_roles(plane: ControlPlane) -> None:
    def resources(name: str) -> set[str]:
        rules = plane.store.get(Key("ClusterRole", "", name)).document["rules"]
        return {resource for rule in rules for resource in rule["resources"]}

    assert {"pods", "pods/log"} <= resources("view")
    assert resources("view") < resources("edit") < resources("admin")
    more = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "more", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["example.org"], "resources": ["widgets"], "verbs": ["get"]}],
    }
    plane.api.create(more)
    plane.run_until_steady()
    assert all("widgets" in resources(name) for name in ("view", "edit", "admin"))
    plane.api.delete(Key("ClusterRole", "", "more"))
    plane.run_until_steady()
    assert not any("widgets" in resources(name) for name in ("view", "edit", "admin"))


# --- LimitRanger ------------------------------------------------------------------------------------------------


def limits(kind: str, **fields: Any) -> Object:
    metadata = {"name": "limits", "namespace": "default"}
    spec = {"limits": [{"type": kind, **fields}]}
    return Object.of({"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": spec})


def asks(requests: Any = None, most: Any = None, count: int = 1) -> Object:
    resources = {"requests": requests or {}, "limits": most or {}}
    return pod("a", containers=[{**container(resources=resources), "name": f"c{n}"} for n in range(count)])


def claim(**requests: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": requests}}
    metadata = {"name": "c", "namespace": "default"}
    return Object.of({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})


LIMITS = [
    (
        limits("Container", max={"cpu": "1"}),
        asks(most={"cpu": "2"}),
        "maximum cpu usage per Container is 1, but limit is 2",
    ),
    (limits("Pod", max={"cpu": "1"}), asks(), "maximum cpu usage per Pod is 1.  No limit is specified"),
    (
        limits("Container", min={"cpu": "100m"}),
        asks({"cpu": "50m"}),
        "minimum cpu usage per Container is 100m, but request is 50m",
    ),
    (
        limits("Container", maxLimitRequestRatio={"cpu": "2"}),
        asks({"cpu": "1"}, {"cpu": "3"}),
        "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
    ),
    (
        limits("Container", maxLimitRequestRatio={"cpu": "2"}),
        asks(),
        "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
    ),
    (
        limits("Pod", max={"cpu": "1"}),
        asks({"cpu": "1"}, {"cpu": "1"}, 2),
        "maximum cpu usage per Pod is 1, but limit is 2",
    ),
    (
        limits("PersistentVolumeClaim", max={"storage": "1Gi"}),
        claim(storage="2Gi"),
        "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi",
    ),
    (
        limits("PersistentVolumeClaim", min={"storage": "1Gi"}),
        claim(storage="1Mi"),
        "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi",
    ),
    (
        limits("Pod", max={"cpu": "1", "memory": "1Gi"}),
        asks(),
        "[maximum cpu usage per Pod is 1.  No limit is specified, maximum memory usage per Pod is 1Gi.  No limit is specified]",
    ),
]


@pytest.mark.parametrize(("given", "item", "said"), LIMITS)
def test_limit_ranges_refuse(plane: ControlPlane, given: Object, item: Object, said: str) -> None:
    plane.api.create(given.document)
    assert refused(plane, item) == said


@pytest.mark.parametrize(
    ("given", "item"),
    [
        (limits("Container", max={"cpu": "1"}), asks(most={"cpu": "1"})),
        (limits("Container", maxLimitRequestRatio={"cpu": "2"}), asks({"cpu": "1"}, {"cpu": "2"})),
        (limits("Pod", max={"cpu": "2"}), asks({"cpu": "1"}, {"cpu": "1"}, 2)),
        (limits("PersistentVolumeClaim", max={"storage": "1Gi"}), claim(storage="1Gi")),
        (limits("Container", max={"cpu": "1"}, default={"cpu": "1"}), asks()),
    ],
)
def test_limit_ranges_allow(plane: ControlPlane, given: Object, item: Object) -> None:
    plane.api.create(given.document)
    made(plane, item)


# --- storage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "chosen"), [({}, "standard"), ({"storageClassName": ""}, ""), ({"storageClassName": "x"}, "x")]
)
def test_a_claim_without_a_class_gets_the_default(plane: ControlPlane, said: Any, chosen: str) -> None:
    item = claim(storage="1Gi").document
    document = made(plane, Object.of({**item, "spec": {**item["spec"], **said}}))
    assert document["spec"]["storageClassName"] == chosen


# --- PodSecurity ------------------------------------------------------------------------------------------------

SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def secured(*contexts: Any, **spec: Any) -> Object:
    containers = [{"name": f"c{n}", "image": "i", "securityContext": context} for n, context in enumerate(contexts)]
    return pod("a", **{"containers": containers, **spec})


BASELINE = [
    (secured(SAFE, hostNetwork=True, hostPID=True), "host namespaces (hostNetwork=true, hostPID=true)"),
    (
        secured({"privileged": True}, {"privileged": True}),
        'privileged (containers "c0", "c1" must not set securityContext.privileged=true)',
    ),
    (
        secured({"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}}),
        'non-default capabilities (container "c0" must not include "NET_ADMIN" in securityContext.capabilities.add)',
    ),
    (
        secured({}, volumes=[{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "hostPath": {"path": "/"}}]),
        'hostPath volumes (volumes "a", "b")',
    ),
    (
        pod("a", containers=[container(ports=[{"containerPort": 80, "hostPort": 80}])]),
        'hostPort (container "c" uses hostPort 80)',
    ),
    (
        pod("a", containers=[container(livenessProbe={"httpGet": {"port": 80, "host": "h"}})]),
        'probe or lifecycle host (container "c" uses probe or lifecycle host "h")',
    ),
    (
        secured({"seccompProfile": {"type": "Unconfined"}}, securityContext={"seccompProfile": {"type": "Unconfined"}}),
        'seccompProfile (pod and container "c0" must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    (
        secured({}, securityContext={"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}),
        "forbidden sysctls (net.core.somaxconn)",
    ),
    (
        secured({"seLinuxOptions": {"type": "spc_t", "user": "root"}}),
        'seLinuxOptions (container "c0" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
    ),
    (
        secured({"procMount": "Unmasked"}),
        'procMount (container "c0" must not set securityContext.procMount to "Unmasked")',
    ),
    (
        secured({"windowsOptions": {"hostProcess": True}}),
        'hostProcess (container "c0" must not set securityContext.windowsOptions.hostProcess=true)',
    ),
    (
        secured({"appArmorProfile": {"type": "Unconfined"}}),
        'forbidden AppArmor profile (container "c0" must not set AppArmor profile type to "Unconfined")',
    ),
]


@pytest.mark.parametrize(("item", "said"), BASELINE)
def test_baseline(plane: ControlPlane, item: Object, said: str) -> None:
    labelled(plane, enforce="privileged")
    plane.api.store.admit(Object.of({**item.document}), plane.store)  # type: ignore[misc]
    labelled(plane, enforce="baseline")
    assert refused(plane, item) == f'violates PodSecurity "baseline:latest": {said}'


RESTRICTED = [
    (
        secured({}),
        (
            'allowPrivilegeEscalation != false (container "c0" must set securityContext.allowPrivilegeEscalation=false), '
            'unrestricted capabilities (container "c0" must set securityContext.capabilities.drop=["ALL"]), '
            'runAsNonRoot != true (pod or container "c0" must set securityContext.runAsNonRoot=true), '
            'seccompProfile (pod or container "c0" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
        ),
    ),
    (
        secured({**SAFE, "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}),
        'unrestricted capabilities (container "c0" must not include "CHOWN" in securityContext.capabilities.add)',
    ),
    (secured({**SAFE, "runAsUser": 0}), 'runAsUser=0 (container "c0" must not set runAsUser=0)'),
    (
        secured({**SAFE, "runAsNonRoot": False}),
        'runAsNonRoot != true (container "c0" must not set securityContext.runAsNonRoot=false)',
    ),
    (
        secured(SAFE, volumes=[{"name": "n", "nfs": {"server": "s", "path": "/"}}]),
        'restricted volume types (volume "n" uses restricted volume type "nfs")',
    ),
    (
        secured(SAFE, hostNetwork=True),
        "host namespaces (hostNetwork=true)",
    ),
]


@pytest.mark.parametrize(("item", "said"), RESTRICTED)
def test_restricted(plane: ControlPlane, item: Object, said: str) -> None:
    labelled(plane, enforce="restricted", enforce_version="v1.34")
    assert refused(plane, item) == f'violates PodSecurity "restricted:v1.34": {said}'


@pytest.mark.parametrize(
    "item",
    [
        secured(SAFE),
        secured({**SAFE, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}),
        secured(
            {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        ),
    ],
)
def test_restricted_allows(plane: ControlPlane, item: Object) -> None:
    labelled(plane, enforce="restricted")
    assert made(plane, item)["kind"] == "Pod"


def test_warnings_do_not_refuse(plane: ControlPlane) -> None:
    labelled(plane, warn="restricted", audit="restricted")
    assert made(plane, secured({"privileged": True}))["kind"] == "Pod"


def test_what_a_controller_makes_is_judged_too(plane: ControlPlane) -> None:
    labelled(plane, enforce="restricted")
    plane.api.create(workload("Deployment", replicas=1).document)
    plane.run_until_steady()
    assert plane.store.list("Pod").items == ()
    assert any("violates PodSecurity" in message for _, message in warnings(plane))
