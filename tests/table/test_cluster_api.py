"""The API's verbs: patches, server-side apply, admission, what is refused and in which words, deletion."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.cluster.api import DeleteOptions, Options, PatchType
from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound, StatusError
from netsim.cluster.patching.apply import fields_of, managed_fields, read_managers, updated
from netsim.cluster.patching.patches import json_patch, merge_patch, strategic_merge
from netsim.cluster.store import Propagation
from netsim.objects.meta import Key, Object
from tests.cluster_objects import doc, key, pod, pods, service, steady, workload

# --- patches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "patch", "wanted"),
    [
        # the test cases of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, wanted: Any) -> None:
    assert merge_patch(target, patch) == wanted


def op(name: str, path: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, "value": value, **more}


@pytest.mark.parametrize(
    ("target", "operations", "wanted"),
    [
        # from RFC 6902, appendix A
        ({"foo": "bar"}, [op("add", "/baz", "qux")], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar", "baz"]}, [op("add", "/foo/1", "qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"foo": ["bar"]}, [op("add", "/foo/-", ["x"])], {"foo": ["bar", ["x"]]}),
        ({"baz": "qux", "foo": "bar"}, [op("remove", "/baz")], {"foo": "bar"}),
        ({"foo": ["a", "b", "c"]}, [op("remove", "/foo/1")], {"foo": ["a", "c"]}),
        ({"baz": "qux"}, [op("replace", "/baz", "boo")], {"baz": "boo"}),
        ({"a": {"b": 1}, "c": {}}, [op("move", "/c/d", **{"from": "/a/b"})], {"a": {}, "c": {"d": 1}}),
        ({"a": [1, 2, 3]}, [op("move", "/a/2", **{"from": "/a/0"})], {"a": [2, 3, 1]}),
        ({"a": 1}, [op("copy", "/b", **{"from": "/a"})], {"a": 1, "b": 1}),
        ({"a/b": {"m~n": 1}}, [op("replace", "/a~1b/m~0n", 2)], {"a/b": {"m~n": 2}}),
        ({"a": 1}, [op("test", "/a", 1), op("add", "/b", 2)], {"a": 1, "b": 2}),
    ],
)
def test_json_patch(target: Any, operations: Any, wanted: Any) -> None:
    assert json_patch(target, operations) == wanted


@pytest.mark.parametrize(
    "operations",
    [
        [op("remove", "/gone")],
        [op("replace", "/gone", 1)],
        [op("test", "/a", 2)],
        [op("add", "/x/y", 1)],
        [op("add", "/list/7", 1)],
        [op("jump", "/a")],
    ],
)
def test_json_patches_that_do_not_apply(operations: Any) -> None:
    with pytest.raises((Invalid, BadRequest)):
        json_patch({"a": 1, "list": [1]}, operations)


A, B = {"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}


@pytest.mark.parametrize(
    ("target", "patch", "wanted"),
    [
        (
            {"containers": [A, B]},
            {"containers": [{"name": "b", "image": "b:2"}]},
            {"containers": [A, {**B, "image": "b:2"}]},
        ),
        ({"containers": [A]}, {"containers": [B]}, {"containers": [A, B]}),
        ({"containers": [A, B]}, {"containers": [{"name": "a", "$patch": "delete"}]}, {"containers": [B]}),
        ({"containers": [A, B]}, {"containers": [B, {"$patch": "replace"}]}, {"containers": [B]}),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
        ({"args": ["a"]}, {"args": ["b"]}, {"args": ["b"]}),
        (
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
            {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
            {"strategy": {"type": "Recreate"}},
        ),
        ({"labels": {"a": "1", "b": "2"}}, {"labels": {"a": None}}, {"labels": {"b": "2"}}),
        ({"labels": {"a": "1"}}, {"labels": {"$patch": "replace", "b": "2"}}, {"labels": {"b": "2"}}),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}},
            {"metadata": {"finalizers": ["b", "c"]}},
        ),
        (
            {"spec": {"ports": [{"port": 80, "name": "a"}]}},
            {"spec": {"ports": [{"port": 80, "name": "b"}, {"port": 443}]}},
            {"spec": {"ports": [{"port": 80, "name": "b"}, {"port": 443}]}},
        ),
    ],
)
def test_strategic_merge(target: Any, patch: Any, wanted: Any) -> None:
    assert strategic_merge(target, patch) == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda inner: (
        st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3) | st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.text("abc", min_size=1, max_size=2), JSON, max_size=3)


@given(OBJECT, OBJECT)
def test_a_merge_patch_applied_twice_is_applied_once(target: Any, patch: Any) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3))
def test_managers_are_stored_and_read_back(data: Any) -> None:
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}
    managers = updated({}, document, "me", ())
    stored = {"metadata": {"managedFields": managed_fields(managers, "v1", "2025-01-01T00:00:00Z")}}
    assert read_managers(stored) == managers
    assert fields_of(document) == (managers[0].fields if managers else frozenset())


# --- verbs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def plane() -> ControlPlane:
    return steady([workload("Deployment", replicas=2), service()])


def config(name: str = "c", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


CONFIG = Key("ConfigMap", "default", "c")


def test_create_fills_in_what_the_server_does(plane: ControlPlane) -> None:
    made = plane.api.create(service("new", selector={"a": "b"}, clusterIP="").document).document
    assert made["spec"]["clusterIP"].startswith("10.96.")
    assert made["spec"]["sessionAffinity"] == "None"
    assert made["metadata"]["resourceVersion"]


def test_a_patch_rolls_a_deployment(plane: ControlPlane) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "web:2"}]}}}}
    plane.api.patch(key("Deployment", "web"), PatchType.STRATEGIC, patch)
    plane.run_until_steady()
    assert {p["spec"]["containers"][0]["image"] for p in pods(plane)} == {"web:2"}
    assert doc(plane, "Deployment", "web")["status"]["readyReplicas"] == 2


def test_a_dry_run_changes_nothing(plane: ControlPlane) -> None:
    before = plane.store.resource_version
    dry = Options(dry_run=True)
    plane.api.create(config(a="1"), dry)
    plane.api.patch(key("Deployment", "web"), PatchType.MERGE, {"spec": {"replicas": 9}}, dry)
    plane.api.apply({**config(a="1")}, dry)
    plane.api.delete(key("Deployment", "web"), DeleteOptions(dry_run=True))
    assert plane.store.resource_version == before


def test_generated_names(plane: ControlPlane) -> None:
    made = plane.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}})
    assert made.metadata.name.startswith("x-")
    assert len(made.metadata.name) == 7


def test_a_stale_update_is_refused(plane: ControlPlane) -> None:
    made = plane.api.create(config(a="1"))
    plane.api.update({**made.document, "data": {"a": "2"}})
    with pytest.raises(Conflict, match="the object has been modified"):
        plane.api.update({**made.document, "data": {"a": "3"}})


def test_the_status_subresource_changes_the_status_only(plane: ControlPlane) -> None:
    before = doc(plane, "Service", "web")
    plane.api.update_status({**before, "spec": {}, "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}})
    after = doc(plane, "Service", "web")
    assert (after["spec"], after["status"]["loadBalancer"]["ingress"][0]["ip"]) == (before["spec"], "1.2.3.4")
    with pytest.raises(NotFound):
        plane.api.update_status(plane.api.create(config()).document)


REFUSED = [
    ("unknown field", {**config(), "dta": {}}, BadRequest, 'strict decoding error: unknown field "dta"'),
    ("no name", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, StatusError, "name"),
    ("no namespace", {**config(), "metadata": {"name": "c", "namespace": "no"}}, NotFound, 'namespaces "no" not found'),
    ("taken address", service("b", clusterIP="10.96.0.10").document, Invalid, "already allocated"),
    (
        "no such priority",
        pod("p", priorityClassName="no").document,
        Forbidden,
        "no PriorityClass with name no was found",
    ),
]


@pytest.mark.parametrize(("document", "error", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_is_refused(plane: ControlPlane, document: Any, error: type[StatusError], said: str) -> None:
    with pytest.raises(error, match=said):
        plane.api.create(document)


def secret() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque"}


OTHER_LABELS = {"selector": {"matchLabels": {"app": "y"}}, "template": {"metadata": {"labels": {"app": "y"}}}}
OTHER_ADDRESS = {"clusterIP": "10.96.0.21", "clusterIPs": ["10.96.0.21"]}
IMMUTABLE = [
    (
        workload("Deployment", "d").document,
        {"spec": OTHER_LABELS},
        'spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable',
    ),
    (pod("p").document, {"spec": {"dnsPolicy": "Default"}}, "pod updates may not change fields other than"),
    (pod("p").document, {"spec": {"containers": []}}, "spec.containers"),
    (
        workload("StatefulSet", "s").document,
        {"spec": {"serviceName": "other"}},
        'spec.serviceName: Invalid value: "other": field is immutable',
    ),
    (service("b", clusterIP="10.96.0.20").document, {"spec": OTHER_ADDRESS}, "may not change once set"),
    (
        {**config(a="1"), "immutable": True},
        {"data": {"a": "2"}},
        "data: Forbidden: field is immutable when `immutable` is set",
    ),
    (secret(), {"type": "other"}, 'type: Invalid value: "other": field is immutable'),
]


@pytest.mark.parametrize(("document", "patch", "said"), IMMUTABLE, ids=[str(n) for n in range(len(IMMUTABLE))])
def test_immutable_fields(plane: ControlPlane, document: Any, patch: Any, said: str) -> None:
    made = plane.api.create(document)
    with pytest.raises(Invalid) as error:
        plane.api.patch(made.key, PatchType.MERGE, patch)
    assert said in str(error.value)


ANOTHER = {"clusterIP": "10.96.0.21"}
TAKEN = {"clusterIP": "10.96.0.10"}


def _apply_alone(plane: ControlPlane, made: Any, spec: Any) -> Any:
    asked = {"ports": made.document["spec"]["ports"], **spec}
    return plane.api.apply({**made.document, "metadata": {"name": "b"}, "spec": asked}, force=True)


def _update_alone(plane: ControlPlane, made: Any, spec: Any) -> Any:
    kept = {k: v for k, v in made.document["spec"].items() if k != "clusterIPs"}
    return plane.api.update({**made.document, "spec": {**kept, **spec}})


def _patch_alone(plane: ControlPlane, made: Any, spec: Any) -> Any:
    return plane.api.patch(made.key, PatchType.MERGE, {"spec": spec})


@pytest.mark.parametrize("spec", [ANOTHER, TAKEN], ids=["free", "another Service's"])
@pytest.mark.parametrize("change", [_apply_alone, _update_alone, _patch_alone])
def test_a_cluster_ip_may_not_change_where_it_is_named_alone(plane: ControlPlane, change: Any, spec: Any) -> None:
    made = plane.api.create(service("b", clusterIP="10.96.0.20").document)
    with pytest.raises(Invalid) as error:
        change(plane, made, spec)
    assert f'spec.clusterIPs[0]: Invalid value: ["{spec["clusterIP"]}"]: may not change once set' in str(error.value)
    assert doc(plane, "Service", "b")["spec"]["clusterIP"] == "10.96.0.20"


def test_an_apply_that_leaves_the_cluster_ip_out_keeps_it(plane: ControlPlane) -> None:
    made = plane.api.create(service("b", clusterIP="10.96.0.20").document)
    after = _apply_alone(plane, made, {"selector": {"app": "other"}}).document["spec"]
    assert (after["clusterIP"], after["clusterIPs"]) == ("10.96.0.20", ["10.96.0.20"])


def test_what_a_pod_may_change(plane: ControlPlane) -> None:
    made = plane.api.create(pod("p").document)
    patch = {"spec": {"containers": [{"name": "c", "image": "new"}]}, "metadata": {"labels": {"a": "b"}}}
    after = plane.api.patch(made.key, PatchType.STRATEGIC, patch).document
    assert after["spec"]["containers"][0]["image"] == "new"


# --- server-side apply ------------------------------------------------------------------------------------------


def apply(plane: ControlPlane, manager: str, *, force: bool = False, **data: str) -> Any:
    return plane.api.apply(config(**data), Options(manager=manager), force=force).document.get("data", {})


def test_a_manager_gives_up_what_it_leaves_out(plane: ControlPlane) -> None:
    apply(plane, "one", a="1", b="2")
    assert apply(plane, "one", a="1") == {"a": "1"}


def test_what_another_manager_has_stays(plane: ControlPlane) -> None:
    apply(plane, "one", a="1", b="2")
    apply(plane, "two", b="2", c="3")
    assert apply(plane, "one", a="1") == {"a": "1", "b": "2", "c": "3"}


def test_managers_that_disagree_conflict_unless_forced(plane: ControlPlane) -> None:
    apply(plane, "one", a="1")
    with pytest.raises(Conflict) as error:
        apply(plane, "two", a="2")
    assert str(error.value) == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert apply(plane, "two", force=True, a="2") == {"a": "2"}
    owners = {m.name for m in read_managers(plane.store.get(CONFIG).document)}
    assert owners == {"two"}


def test_the_same_again_is_no_change(plane: ControlPlane) -> None:
    apply(plane, "one", a="1")
    before = plane.store.resource_version
    apply(plane, "one", a="1")
    assert plane.store.resource_version == before


def test_an_update_takes_what_it_changes(plane: ControlPlane) -> None:
    apply(plane, "one", a="1", b="1")
    live = plane.store.get(CONFIG).document
    plane.api.update({**live, "data": {"a": "2", "b": "1"}}, Options(manager="hand"))
    with pytest.raises(Conflict, match='conflict with "hand"'):
        apply(plane, "one", a="1", b="1")


def test_items_of_lists_with_keys_are_managed_apart(plane: ControlPlane) -> None:
    def with_env(*names: str, manager: str) -> Any:
        env = [{"name": n, "value": n} for n in names]
        body = workload("Deployment", "d").document
        spec = {"selector": body["spec"]["selector"], "template": {**body["spec"]["template"]}}
        spec["template"] = {**spec["template"], "spec": {"containers": [{"name": "c", "image": "web:1", "env": env}]}}
        made = plane.api.apply({**body, "spec": spec}, Options(manager=manager)).document
        return [e["name"] for e in made["spec"]["template"]["spec"]["containers"][0].get("env", [])]

    assert with_env("A", manager="one") == ["A"]
    assert with_env("B", manager="two") == ["A", "B"]
    assert with_env(manager="one") == ["B"]


# --- deletion ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("propagation", "sets", "count"),
    [(Propagation.BACKGROUND, 0, 0), (Propagation.FOREGROUND, 0, 0), (Propagation.ORPHAN, 1, 2)],
)
def test_propagation(plane: ControlPlane, propagation: Propagation, sets: int, count: int) -> None:
    plane.api.delete(key("Deployment", "web"), DeleteOptions(propagation=propagation))
    plane.run_until_steady()
    assert plane.store.find(key("Deployment", "web")) is None
    left = plane.store.list("ReplicaSet").items
    assert (len(left), len(pods(plane))) == (sets, count)
    assert all(not item.metadata.owner_references for item in left)


def test_in_the_foreground_the_owner_goes_last(plane: ControlPlane) -> None:
    plane.api.delete(key("Deployment", "web"), DeleteOptions(propagation=Propagation.FOREGROUND))
    plane.run_until_steady(until=plane.clock.now() + 29)
    assert len(pods(plane)) == 2
    assert plane.store.get(key("Deployment", "web")).metadata.finalizers == ("foregroundDeletion",)
    plane.run_until_steady()
    assert (plane.store.find(key("Deployment", "web")), pods(plane)) == (None, [])


@pytest.mark.parametrize("wrong", [DeleteOptions(uid="x"), DeleteOptions(resource_version="1")])
def test_preconditions(plane: ControlPlane, wrong: DeleteOptions) -> None:
    with pytest.raises(Conflict, match="Precondition failed"):
        plane.api.delete(key("Deployment", "web"), wrong)


def test_finalizers_hold_an_object(plane: ControlPlane) -> None:
    made = plane.api.create({**config(), "metadata": {"name": "c", "finalizers": ["example.org/x"]}})
    plane.api.delete(made.key)
    assert plane.store.get(made.key).metadata.deletion_timestamp
    plane.api.patch(made.key, PatchType.MERGE, {"metadata": {"finalizers": None}})
    assert plane.store.find(made.key) is None


def test_a_namespace_goes_when_it_is_empty(plane: ControlPlane) -> None:
    plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    own = Object.of({**pod("p").document, "metadata": {"name": "p", "namespace": "team"}})
    plane.api.create(own.document)
    plane.run_until_steady()
    plane.api.delete(Key("Namespace", "", "team"))
    assert doc(plane, "Namespace", "team", "")["status"]["phase"] == "Terminating"
    with pytest.raises(
        Forbidden, match="unable to create new content in namespace team because it is being terminated"
    ):
        plane.api.create({**config(), "metadata": {"name": "c", "namespace": "team"}})
    plane.run_until_steady()
    assert plane.store.find(Key("Namespace", "", "team")) is None
    assert plane.store.find(Key("Pod", "team", "p")) is None


def test_some_namespaces_stay(plane: ControlPlane) -> None:
    with pytest.raises(Forbidden, match="this namespace may not be deleted"):
        plane.api.delete(Key("Namespace", "", "kube-system"))


# --- admission --------------------------------------------------------------------------------------------------


def limit(**fields: Any) -> Object:
    metadata = {"name": "limits", "namespace": "default"}
    spec = {"limits": [{"type": "Container", **fields}]}
    return Object.of({"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": spec})


def quota(**hard: str) -> Object:
    metadata = {"name": "compute", "namespace": "default"}
    names = {key.replace("_", "."): value for key, value in hard.items()}
    return Object.of({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": names}})


def test_pods_get_an_account_and_tolerations() -> None:
    spec = doc(steady([pod("a")]), "Pod", "a")["spec"]
    assert spec["serviceAccountName"] == "default"
    assert [(t["key"], t["tolerationSeconds"]) for t in spec["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]


def test_limit_ranges_fill_in_and_refuse() -> None:
    given = limit(default={"cpu": "1"}, defaultRequest={"cpu": "100m"}, max={"cpu": "2"})
    plane = steady([given, pod("a")])
    resources = doc(plane, "Pod", "a")["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}}
    big = pod("b").document
    big = {**big, "spec": {"containers": [{"name": "c", "image": "x", "resources": {"limits": {"cpu": "4"}}}]}}
    with pytest.raises(Forbidden, match="maximum cpu usage per Container is 2, but limit is 4"):
        plane.api.create(big)


def test_quotas_count() -> None:
    plane = steady([quota(pods="2"), workload("ReplicaSet", replicas=3)])
    assert len(pods(plane)) == 2
    said = [e.message for e in plane.events if e.reason == "FailedCreate"]
    assert "is forbidden: exceeded quota: compute, requested: pods=1, used: pods=2, limited: pods=2" in said[0]


def test_quotas_of_cpu_make_containers_say_what_they_ask_for() -> None:
    plane = steady([quota(requests_cpu="1")])
    with pytest.raises(Forbidden, match=r"failed quota: compute: must specify requests\.cpu for: c"):
        plane.api.create(pod("a").document)
