"""The API over HTTP, as kubectl speaks it: paths, parameters, bodies, Status objects, watches."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from netsim.cluster.access.users import Certificate
from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.http.handler import Handler
from netsim.cluster.http.message import Request, Response
from netsim.cluster.http.path import request_info
from tests.cluster_objects import node, pod, service, workload

ADMIN = Certificate("kubernetes-admin", ("kubeadm:cluster-admins",))
MERGE, STRATEGIC, JSON = (f"application/{kind}+json" for kind in ("merge-patch", "strategic-merge-patch", "json-patch"))
APPLY = "application/apply-patch+yaml"


class Client:
    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.handler = Handler(plane.api, plane.authentication, plane.tokens)

    def __call__(self, method: str, url: str, body: Any = None, **options: Any) -> Response:
        parts = urlsplit(url)
        query = {key: tuple(values) for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {name.replace("_", "-"): (value,) for name, value in options.items() if name != "certificate"}
        certificate = options.get("certificate", ADMIN)
        return self.handler.handle(Request(method, parts.path, query, headers, body, certificate))

    def get(self, url: str, **options: Any) -> Any:
        found = self("GET", url, **options)
        assert found.status == 200, found.body
        return found.body


@pytest.fixture
def client() -> Client:
    plane = ControlPlane([node(1), node(2)], [workload("Deployment", replicas=2), service()], api_server=None)
    plane.run_until_steady()
    return Client(plane)


def names(listed: Any) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def config(name: str = "c", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


CONFIGS = "/api/v1/namespaces/default/configmaps"

PATHS = [
    ("GET", "/api/v1/pods", "list  v1  pods  "),
    ("GET", "/api/v1/namespaces/shop/pods", "list  v1 shop pods  "),
    ("GET", "/api/v1/namespaces/shop/pods/web", "get  v1 shop pods web "),
    ("GET", "/api/v1/namespaces/shop/pods/web/log", "get  v1 shop pods web log"),
    ("GET", "/api/v1/namespaces/shop", "get  v1 shop namespaces shop "),
    ("PUT", "/api/v1/namespaces/shop/finalize", "update  v1 shop namespaces shop finalize"),
    ("GET", "/api/v1/namespaces", "list  v1  namespaces  "),
    ("GET", "/api/v1/nodes/n1", "get  v1  nodes n1 "),
    ("POST", "/apis/apps/v1/namespaces/shop/deployments", "create apps v1 shop deployments  "),
    ("DELETE", "/apis/apps/v1/namespaces/shop/deployments", "deletecollection apps v1 shop deployments  "),
    ("DELETE", "/apis/apps/v1/namespaces/shop/deployments/d", "delete apps v1 shop deployments d "),
    ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/d/scale", "patch apps v1 shop deployments d scale"),
    ("GET", "/apis/apps/v1", "get      "),
    ("GET", "/healthz", "get      "),
]


@pytest.mark.parametrize(("method", "path", "read"), PATHS)
def test_paths(method: str, path: str, read: str) -> None:
    found = request_info(Request(method, path))
    words = (found.verb, found.group, found.version, found.namespace, found.resource, found.name, found.subresource)
    assert " ".join(words) == read


def test_a_list_that_watches() -> None:
    for value, verb in (("true", "watch"), ("1", "watch"), ("", "watch"), ("false", "list"), ("0", "list")):
        assert request_info(Request("GET", "/api/v1/pods", {"watch": (value,)})).verb == verb


# --- reading ----------------------------------------------------------------------------------------------------


def test_get_and_list(client: Client) -> None:
    web = client.get("/apis/apps/v1/namespaces/default/deployments/web")
    assert (web["kind"], web["status"]["readyReplicas"]) == ("Deployment", 2)
    listed = client.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")
    assert (listed["kind"], listed["apiVersion"], len(listed["items"])) == ("PodList", "v1", 2)
    assert "kind" not in listed["items"][0]
    assert listed["metadata"]["resourceVersion"] == client.plane.store.resource_version
    slices = client.get("/apis/discovery.k8s.io/v1/endpointslices")
    assert slices["kind"] == "EndpointSliceList"
    assert names(client.get("/api/v1/namespaces/default/pods?labelSelector=app!%3Dweb")) == []
    chosen = client.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode1,status.phase%3DRunning")
    assert [p["spec"]["nodeName"] for p in chosen["items"]] == ["node1"]


def test_pages(client: Client) -> None:
    for name in "cab":
        client("POST", CONFIGS, config(name))
    first = client.get(f"{CONFIGS}?limit=2")
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b"], 2)
    client("DELETE", f"{CONFIGS}/c")
    token = first["metadata"]["continue"]
    assert names(client.get(f"{CONFIGS}?limit=2&continue={token}")) == ["c", "kube-root-ca.crt"]
    client.plane.store.compact()
    gone = client("GET", f"{CONFIGS}?limit=2&continue={token}")
    assert (gone.status, gone.body["reason"], gone.body["code"]) == (410, "Expired", 410)
    rest = client.get(f"{CONFIGS}?continue={gone.body['metadata']['continue']}")
    assert names(rest) == ["kube-root-ca.crt"]


def test_lists_of_the_past(client: Client) -> None:
    version = client("POST", CONFIGS, config("old")).body["metadata"]["resourceVersion"]
    client("DELETE", f"{CONFIGS}/old")
    exact = client.get(f"{CONFIGS}?resourceVersion={version}&resourceVersionMatch=Exact")
    assert ("old" in names(exact), exact["metadata"]["resourceVersion"]) == (True, version)
    assert "old" not in names(client.get(f"{CONFIGS}?resourceVersion={version}&resourceVersionMatch=NotOlderThan"))


def test_a_watch(client: Client) -> None:
    version = client.get(CONFIGS)["metadata"]["resourceVersion"]
    stream = client("GET", f"{CONFIGS}?watch=true&resourceVersion={version}&allowWatchBookmarks=true").stream
    assert stream is not None
    client("POST", CONFIGS, config(a="1"))
    client("PATCH", f"{CONFIGS}/c", {"data": {"a": "2"}}, content_type=MERGE)
    told = [(e["type"], e["object"].get("data")) for e in stream]
    assert told == [("ADDED", {"a": "1"}), ("MODIFIED", {"a": "2"}), ("BOOKMARK", None)]
    assert list(stream) == []
    client("DELETE", f"{CONFIGS}/c")
    assert [e["type"] for e in stream] == ["DELETED", "BOOKMARK"]
    client("POST", CONFIGS, config("d"))
    client.plane.store.compact()
    (last,) = stream
    assert (last["type"], last["object"]["reason"], last["object"]["code"]) == ("ERROR", "Expired", 410)
    assert list(stream) == []


def test_a_watch_that_begins_with_what_is_there(client: Client) -> None:
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    stream = client("GET", f"{CONFIGS}?{query}").stream
    assert stream is not None
    *initial, mark = stream
    assert [e["object"]["metadata"]["name"] for e in initial] == ["kube-root-ca.crt"]
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert mark["object"]["metadata"]["resourceVersion"] == client.plane.store.resource_version


# --- writing ----------------------------------------------------------------------------------------------------


def test_create_update_patch_delete(client: Client) -> None:
    made = client("POST", f"{CONFIGS}?fieldManager=me", config(a="1"))
    assert (made.status, made.body["metadata"]["managedFields"][0]["manager"]) == (201, "me")
    updated = client("PUT", f"{CONFIGS}/c", {**made.body, "data": {"a": "2"}})
    assert (updated.status, updated.body["data"]) == (200, {"a": "2"})
    stale = client("PUT", f"{CONFIGS}/c", {**made.body, "data": {"a": "3"}})
    assert (stale.status, stale.body["reason"], stale.body["details"]["name"]) == (409, "Conflict", "c")
    patched = client("PATCH", f"{CONFIGS}/c", [{"op": "add", "path": "/data/b", "value": "1"}], content_type=JSON)
    assert patched.body["data"] == {"a": "2", "b": "1"}
    gone = client("DELETE", f"{CONFIGS}/c")
    assert (gone.status, gone.body["status"], gone.body["details"]["kind"]) == (200, "Success", "configmaps")
    assert client("GET", f"{CONFIGS}/c").status == 404


def test_server_side_apply(client: Client) -> None:
    url = f"{CONFIGS}/c?fieldManager=one"
    first = client("PATCH", url, config(a="1"), content_type=APPLY)
    assert (first.status, first.body["metadata"]["namespace"]) == (201, "default")
    assert client("PATCH", url, config(a="1"), content_type=APPLY).status == 200
    other = url.replace("one", "two")
    conflict = client("PATCH", other, config(a="2"), content_type=APPLY)
    assert (conflict.status, conflict.body["message"]) == (
        409,
        'Apply failed with 1 conflict: conflict with "one": .data.a',
    )
    assert client("PATCH", f"{other}&force=true", config(a="2"), content_type=APPLY).body["data"] == {"a": "2"}
    assert client("PATCH", f"{CONFIGS}/c", config(a="2"), content_type=APPLY).status == 400


def test_dry_runs_change_nothing(client: Client) -> None:
    version = client.plane.store.resource_version
    assert client("POST", f"{CONFIGS}?dryRun=All", config()).status == 201
    assert client("DELETE", "/api/v1/namespaces/default/services/web?dryRun=All").status == 200
    assert client.plane.store.resource_version == version
    assert client("POST", f"{CONFIGS}?dryRun=Some", config()).status == 400


def test_fields_that_nobody_knows(client: Client) -> None:
    wrong = {**config(), "dta": {}}
    strict = client("POST", f"{CONFIGS}?fieldValidation=Strict", wrong)
    assert (strict.status, strict.body["reason"]) == (400, "BadRequest")
    assert strict.body["message"].endswith('strict decoding error: unknown field "dta"')
    warned = client("POST", CONFIGS, wrong)
    assert (warned.status, warned.headers["warning"]) == (201, ('299 - "unknown field \\"dta\\""',))
    ignored = client("PUT", f"{CONFIGS}/c?fieldValidation=Ignore", wrong)
    assert (ignored.status, "warning" in ignored.headers) == (200, False)


def test_deleting_with_options(client: Client) -> None:
    url = "/apis/apps/v1/namespaces/default/deployments/web"
    wrong = {"preconditions": {"uid": "x"}}
    assert client("DELETE", url, wrong).body["reason"] == "Conflict"
    left = client("DELETE", url, {"propagationPolicy": "Foreground"})
    assert (left.status, left.body["metadata"]["finalizers"]) == (202, ["foregroundDeletion"])


def test_deleting_a_collection(client: Client) -> None:
    for name in "ab":
        client("POST", CONFIGS, {**config(name), "metadata": {"name": name, "labels": {"x": name}}})
    gone = client("DELETE", f"{CONFIGS}?labelSelector=x%3Da")
    assert (gone.status, names(gone.body)) == (200, ["a"])
    assert names(client.get(CONFIGS)) == ["b", "kube-root-ca.crt"]


def test_status_scale_binding_and_tokens(client: Client) -> None:
    url = "/apis/apps/v1/namespaces/default/deployments/web"
    changed = client("PATCH", f"{url}/status", {"status": {"observedGeneration": 9}}, content_type=MERGE)
    assert changed.body["status"]["observedGeneration"] == 9
    scale = client.get(f"{url}/scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 2, "selector": "app=web"})
    assert client("PATCH", f"{url}/scale", {"spec": {"replicas": 3}}, content_type=MERGE).body["spec"] == {
        "replicas": 3
    }
    client.plane.run_until_steady()
    assert len(client.get("/api/v1/namespaces/default/pods")["items"]) == 3
    lonely = {**pod("lonely").document, "spec": {**pod("lonely").document["spec"], "schedulerName": "mine"}}
    client("POST", "/api/v1/namespaces/default/pods", lonely)
    bound = client("POST", "/api/v1/namespaces/default/pods/lonely/binding", {"target": {"name": "node2"}})
    assert bound.status == 201
    assert client.get("/api/v1/namespaces/default/pods/lonely")["spec"]["nodeName"] == "node2"
    asked = client("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {}})
    token = asked.body["status"]["token"]
    who = client(
        "POST",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        {},
        certificate=None,
        authorization=f"Bearer {token}",
    )
    assert who.body["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"


# --- refusals ---------------------------------------------------------------------------------------------------

REFUSED = [
    ("GET", "/api/v1/namespaces/default/pods/no", None, 404, 'pods "no" not found'),
    ("GET", "/apis/apps/v1/namespaces/default/deployments/no", None, 404, 'deployments.apps "no" not found'),
    ("GET", "/apis/apps/v2/deployments", None, 404, "the server could not find the requested resource"),
    ("GET", "/nowhere", None, 404, "the server could not find the requested resource"),
    ("POST", CONFIGS, config("kube-root-ca.crt"), 409, 'configmaps "kube-root-ca.crt" already exists'),
    ("POST", CONFIGS, None, 400, "the request has no body that is an object"),
    ("POST", f"{CONFIGS}/c", config(), 405, "create is not supported on resources of kind"),
    ("PUT", f"{CONFIGS}/c", config("d"), 400, "the name of the object (d) does not match the name on the URL (c)"),
    (
        "POST",
        CONFIGS,
        {**config(), "metadata": {"name": "c", "namespace": "x"}},
        400,
        "the namespace of the provided object does not match the namespace sent on the request",
    ),
    ("POST", "/api/v1/namespaces/no/configmaps", config(), 404, 'namespaces "no" not found'),
    ("GET", "/api/v1/pods?labelSelector=a%3D%3D%3Db", None, 400, "unable to parse requirement"),
    ("GET", "/api/v1/pods?fieldSelector=spec.color%3Dred", None, 400, "field label not supported: spec.color"),
    ("GET", "/api/v1/pods?limit=x", None, 400, "invalid syntax"),
    ("GET", "/api/v1/pods?continue=x", None, 400, "continue key is not valid"),
    ("GET", "/api/v1/pods?resourceVersion=999999", None, 504, "Too large resource version: 999999, current:"),
    ("GET", "/api/v1/pods?watch=1&resourceVersion=x", None, 400, "invalid resource version"),
    ("GET", "/api/v1/namespaces/default/pods/x/log", None, 501, "not modelled"),
    ("DELETE", "/api/v1/namespaces/kube-system", None, 403, "this namespace may not be deleted"),
]


@pytest.mark.parametrize(("method", "url", "body", "code", "said"), REFUSED)
def test_refusals(client: Client, method: str, url: str, body: Any, code: int, said: str) -> None:
    found = client(method, url, body)
    assert (found.status, found.body["kind"], found.body["status"], found.body["code"]) == (
        code,
        "Status",
        "Failure",
        code,
    )
    assert said in found.body["message"]


def test_an_invalid_object_says_each_cause(client: Client) -> None:
    bad = {**service("b", clusterIP="10.96.0.11").document}
    bad["spec"] = {**bad["spec"], "ports": [{"port": 0}, {"port": 80}], "type": "Cluster"}
    found = client("POST", "/api/v1/namespaces/default/services", bad).body
    assert (found["reason"], found["code"], found["details"]["kind"]) == ("Invalid", 422, "Service")
    causes = [(c["reason"], c["field"]) for c in found["details"]["causes"]]
    assert ("FieldValueInvalid", "spec.ports[0].port") in causes
    assert ("FieldValueRequired", "spec.ports[0].name") in causes
    assert ("FieldValueNotSupported", "spec.type") in causes


def test_a_patch_of_an_unknown_type(client: Client) -> None:
    found = client("PATCH", f"{CONFIGS}/c", {}, content_type="text/plain")
    assert (found.status, found.body["reason"]) == (415, "UnsupportedMediaType")


# --- who --------------------------------------------------------------------------------------------------------


def test_nobody_is_anonymous_and_may_little(client: Client) -> None:
    assert client("GET", "/healthz", certificate=None).text == "ok"
    found = client("GET", "/api/v1/namespaces/default/pods", certificate=None)
    assert (found.status, found.body["message"]) == (
        403,
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "default"',
    )
    wrong = client("GET", "/healthz", certificate=None, authorization="Bearer wrong")
    assert (wrong.status, wrong.body["reason"]) == (401, "Unauthorized")


def test_impersonation(client: Client) -> None:
    as_jane = client("GET", "/api/v1/pods", impersonate_user="jane", impersonate_group="system:masters")
    assert as_jane.status == 200
    refused = client("GET", "/api/v1/pods", impersonate_user="jane")
    assert refused.body["message"].startswith('pods is forbidden: User "jane" cannot list resource "pods"')
    other = Certificate("joe")
    may_not = client("GET", "/healthz", certificate=other, impersonate_user="jane")
    assert may_not.body["message"] == (
        'users "jane" is forbidden: User "joe" cannot impersonate resource "users" in API group "" at the cluster scope'
    )


def test_a_namespaces_own_users_read_it(client: Client) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
    bind = {
        "metadata": {"name": "v"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
    }
    assert client("POST", rbac, bind).status == 201
    jane = Certificate("jane")
    assert client("GET", "/api/v1/namespaces/default", certificate=jane).status == 200
    assert client("GET", "/api/v1/namespaces/kube-system", certificate=jane).status == 403
    assert client("GET", "/api/v1/namespaces/default/pods", certificate=jane).status == 200
    assert client("DELETE", "/api/v1/namespaces/default/services/web", certificate=jane).status == 403
    grant = client("POST", rbac, {**bind, "metadata": {"name": "w"}}, certificate=jane)
    assert grant.status == 403


def review(verb: str, resource: str, **more: str) -> dict[str, Any]:
    return {"spec": {"resourceAttributes": {"verb": verb, "resource": resource, **more}}}


def test_reviews(client: Client) -> None:
    url = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    mine = client("POST", url, review("delete", "nodes"))
    assert (mine.status, mine.body["kind"], mine.body["status"]["allowed"]) == (201, "SelfSubjectAccessReview", True)
    assert mine.body["status"]["reason"] == (
        'RBAC: allowed by ClusterRoleBinding "kubeadm:cluster-admins" of ClusterRole "cluster-admin" to Group "kubeadm:cluster-admins"'
    )
    asked = review("get", "pods", namespace="default")
    asked["spec"]["user"] = "jane"
    theirs = client("POST", url.replace("self", ""), asked)
    assert theirs.body["status"] == {"allowed": False}
    assert client("POST", url, {"spec": {}}).status == 400
    token = client("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "x"}})
    assert token.body["status"]["error"] == "Unauthorized"


# --- discovery --------------------------------------------------------------------------------------------------


def test_discovery(client: Client) -> None:
    assert client.get("/api")["versions"] == ["v1"]
    groups = {group["name"]: group["preferredVersion"]["version"] for group in client.get("/apis")["groups"]}
    assert groups["apps"] == groups["discovery.k8s.io"] == groups["rbac.authorization.k8s.io"] == "v1"
    assert groups["autoscaling"] == "v1"
    core = {row["name"]: row for row in client.get("/api/v1")["resources"]}
    assert (core["pods"]["kind"], core["pods"]["namespaced"], core["pods"]["shortNames"]) == ("Pod", True, ["po"])
    assert (core["nodes"]["namespaced"], "pods/status" in core, "configmaps/status" in core) == (False, True, False)
    apps = {row["name"]: row["kind"] for row in client.get("/apis/apps/v1")["resources"]}
    assert (apps["deployments"], apps["deployments/scale"]) == ("Deployment", "Scale")
    assert client.get("/version")["gitVersion"].startswith("v1.37")
    assert client("GET", "/apis/no.such").status == 404


def test_every_discovered_resource_is_served(client: Client) -> None:
    for path in ["/api/v1", *(f"/apis/{g['preferredVersion']['groupVersion']}" for g in client.get("/apis")["groups"])]:
        for row in client.get(path)["resources"]:
            if "list" in row["verbs"]:
                assert client.get(f"{path}/{row['name']}")["kind"] == f"{row['kind']}List"


def test_custom_resources_are_served_once_they_are_defined(client: Client) -> None:
    url = "/apis/example.org/v1/namespaces/default/widgets"
    widget = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    assert client("POST", url, widget).status == 404
    definition = {
        "metadata": {"name": "widgets.example.org"},
        "spec": {
            "group": "example.org",
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }
    made = client("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    assert made.status == 201, made.body
    assert client("POST", url, widget).status == 201
    assert names(client.get(url)) == ["w"]
    assert [g["name"] for g in client.get("/apis")["groups"] if "example" in g["name"]] == ["example.org"]
