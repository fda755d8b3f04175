"""Who asks, and whether they may: authenticators, RBAC, the Node authorizer, escalation, and the API server's own words."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.cluster.access import bootstrap_policy
from netsim.cluster.access.attributes import Attributes
from netsim.cluster.access.authentication import Authentication
from netsim.cluster.access.authorization import Authorization
from netsim.cluster.access.controllers import aggregated
from netsim.cluster.access.escalation import check_escalation
from netsim.cluster.access.rbac import Rule
from netsim.cluster.access.tokens import TokenAuthority
from netsim.cluster.access.users import (
    ADMIN,
    ANONYMOUS,
    Certificate,
    Credentials,
    User,
    impersonated,
    service_account,
)
from netsim.cluster.clock import VirtualClock
from netsim.cluster.errors import Forbidden, Unauthorized
from netsim.cluster.store import Store
from netsim.objects.meta import Key, Object
from tests.cluster_objects import pod

RBAC_VERSION = "rbac.authorization.k8s.io/v1"
JANE = User("jane", ("developers", "system:authenticated"))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def store(clock: VirtualClock) -> Store:
    made = Store(clock)
    for item in bootstrap_policy.objects():
        made.create(item)
    for name in ("view", "edit", "admin"):  # each is aggregated to the next
        found = made.get(Key("ClusterRole", "", name))
        made.update(Object.of({**found.document, "rules": aggregated(found, made.list("ClusterRole").items)}))
    return made


def role(name: str, *rules: dict[str, Any], kind: str = "Role", namespace: str = "shop") -> Object:
    metadata = {"name": name} | ({"namespace": namespace} if kind == "Role" else {})
    return Object.of({"apiVersion": RBAC_VERSION, "kind": kind, "metadata": metadata, "rules": list(rules)})


def rule(verbs: str, resources: str = "", group: str = "", *, names: str = "", urls: str = "") -> dict[str, Any]:
    parts = {"verbs": verbs, "resources": resources, "resourceNames": names, "nonResourceURLs": urls}
    return {"apiGroups": [group], **{key: text.split() for key, text in parts.items() if text}}


def binding(name: str, of: str, *subjects: str, namespace: str = "shop") -> Object:
    """``of`` is ``Role/x`` or ``ClusterRole/x``; a subject is such as ``ServiceAccount ns/x``; no namespace: of the cluster."""
    kind, _, role_name = of.partition("/")
    listed = []
    for subject in subjects:
        what, _, who = subject.partition(" ")
        place, _, account = who.rpartition("/")
        listed.append({"kind": what, "name": account if what == "ServiceAccount" else who, "namespace": place})
    return Object.of(
        {
            "apiVersion": RBAC_VERSION,
            "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
            "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role_name},
            "subjects": listed,
        }
    )


# --- rules ------------------------------------------------------------------------------------------------------

RULES = [
    (rule("get", "pods"), ("get", "pods", ""), True),
    (rule("get", "pods"), ("list", "pods", ""), False),
    (rule("*", "pods"), ("deletecollection", "pods", ""), True),
    (rule("get", "*"), ("get", "secrets", ""), True),
    (rule("get", "*"), ("get", "deployments", "apps"), False),
    (rule("get", "deployments", "*"), ("get", "deployments", "apps"), True),
    (rule("get", "pods"), ("get", "pods/log", ""), False),
    (rule("get", "pods/log"), ("get", "pods/log", ""), True),
    (rule("get", "pods/log"), ("get", "pods", ""), False),
    (rule("get", "*/log"), ("get", "pods/log", ""), True),
    (rule("get", "*/log"), ("get", "pods/status", ""), False),
    (rule("get", "*"), ("get", "pods/log", ""), True),
]


@pytest.mark.parametrize(("document", "asked", "allowed"), RULES)
def test_rules(document: Any, asked: tuple[str, str, str], allowed: bool) -> None:
    verb, combined, group = asked
    resource, _, sub = combined.partition("/")
    request = Attributes(JANE, verb, resource, group, "shop", subresource=sub)
    assert Rule.of(document).allows(request) is allowed


@pytest.mark.parametrize(
    ("urls", "path", "allowed"),
    [("/metrics", "/metrics", True), ("/metrics", "/metrics/x", False), ("/api/*", "/api/v1", True), ("*", "/x", True)],
)
def test_paths_that_are_no_resources(urls: str, path: str, allowed: bool) -> None:
    assert Rule.of(rule("get", urls=urls)).allows(Attributes(JANE, "get", path=path)) is allowed
    assert not Rule.of(rule("get", urls=urls)).allows(Attributes(JANE, "post", path=path))


@pytest.mark.parametrize(("name", "allowed"), [("a", True), ("b", False), ("", False)])
def test_names(name: str, allowed: bool) -> None:
    assert Rule.of(rule("get", "pods", names="a c")).allows(Attributes(JANE, "get", "pods", name=name)) is allowed


# --- bindings ---------------------------------------------------------------------------------------------------

GET_PODS = rule("get", "pods")
ROBOT = service_account("ci", "robot")
BINDINGS = [
    ("a user", binding("b", "Role/r", "User jane"), JANE, "shop", 'RoleBinding "b/shop" of Role "r" to User "jane"'),
    (
        "a group",
        binding("b", "Role/r", "Group developers"),
        JANE,
        "shop",
        'RoleBinding "b/shop" of Role "r" to Group "developers"',
    ),
    ("another user", binding("b", "Role/r", "User joe"), JANE, "shop", None),
    ("another namespace", binding("b", "Role/r", "User jane"), JANE, "other", None),
    ("not the whole cluster", binding("b", "Role/r", "User jane"), JANE, "", None),
    (
        "a ClusterRole in one namespace",
        binding("b", "ClusterRole/c", "User jane"),
        JANE,
        "shop",
        'RoleBinding "b/shop" of ClusterRole "c" to User "jane"',
    ),
    (
        "a ClusterRole everywhere",
        binding("b", "ClusterRole/c", "User jane", namespace=""),
        JANE,
        "any",
        'ClusterRoleBinding "b" of ClusterRole "c" to User "jane"',
    ),
    (
        "a ServiceAccount",
        binding("b", "ClusterRole/c", "ServiceAccount ci/robot", namespace=""),
        ROBOT,
        "any",
        'ClusterRoleBinding "b" of ClusterRole "c" to ServiceAccount "robot/ci"',
    ),
    (
        "a ServiceAccount of the binding's namespace",
        binding("b", "Role/r", "ServiceAccount robot"),
        service_account("shop", "robot"),
        "shop",
        'RoleBinding "b/shop" of Role "r" to ServiceAccount "robot/shop"',
    ),
    (
        "every ServiceAccount of a namespace",
        binding("b", "Role/r", "Group system:serviceaccounts:ci"),
        ROBOT,
        "shop",
        'RoleBinding "b/shop" of Role "r" to Group "system:serviceaccounts:ci"',
    ),
]


@pytest.mark.parametrize(("bound", "user", "place", "by"), [r[1:] for r in BINDINGS], ids=[r[0] for r in BINDINGS])
def test_bindings(store: Store, bound: Object, user: User, place: str, by: str | None) -> None:
    for item in (role("r", GET_PODS), role("c", GET_PODS, kind="ClusterRole"), bound):
        store.create(item)
    decision = Authorization.of_kubeadm(store).decide(Attributes(user, "get", "pods", namespace=place, name="p"))
    assert (decision.allowed, decision.reason) == (by is not None, f"RBAC: allowed by {by}" if by else "")


REFUSALS = [
    (
        Attributes(JANE, "create", "pods", namespace="y"),
        'pods is forbidden: User "jane" cannot create resource "pods" in API group "" in the namespace "y"',
    ),
    (
        Attributes(JANE, "get", "deployments", "apps", "y", "web"),
        'deployments.apps "web" is forbidden: User "jane" cannot get resource "deployments" in API group "apps" in the namespace "y"',
    ),
    (
        Attributes(JANE, "update", "pods", namespace="y", name="p", subresource="status"),
        'pods "p" is forbidden: User "jane" cannot update resource "pods/status" in API group "" in the namespace "y"',
    ),
    (
        Attributes(JANE, "list", "nodes"),
        'nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope',
    ),
    (Attributes(JANE, "get", path="/metrics"), 'forbidden: User "jane" cannot get path "/metrics"'),
]


@pytest.mark.parametrize(("request_", "said"), REFUSALS)
def test_refusals_are_in_the_servers_words(store: Store, request_: Attributes, said: str) -> None:
    with pytest.raises(Forbidden) as error:
        Authorization.of_kubeadm(store).check(request_)
    assert str(error.value) == said


def test_a_binding_of_a_role_that_is_not_there_is_told(store: Store) -> None:
    store.create(binding("b", "ClusterRole/gone", "User jane", namespace=""))
    decision = Authorization.of_kubeadm(store).decide(Attributes(JANE, "list", "nodes"))
    assert decision.reason == 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'


# --- the roles that are there -----------------------------------------------------------------------------------

BUILT_IN = [
    ("cluster-admin", "delete", "secrets", "", True),
    ("admin", "create", "rolebindings", "rbac.authorization.k8s.io", True),
    ("admin", "create", "resourcequotas", "", False),
    ("edit", "delete", "deployments", "apps", True),
    ("edit", "create", "rolebindings", "rbac.authorization.k8s.io", False),
    ("edit", "get", "secrets", "", True),
    ("view", "list", "pods", "", True),
    ("view", "get", "secrets", "", False),
    ("view", "delete", "pods", "", False),
]


@pytest.mark.parametrize(("name", "verb", "resource", "group", "allowed"), BUILT_IN)
def test_user_facing_roles(store: Store, name: str, verb: str, resource: str, group: str, allowed: bool) -> None:
    store.create(binding("b", f"ClusterRole/{name}", "User jane"))
    request = Attributes(JANE, verb, resource, group, "shop")
    assert Authorization.of_kubeadm(store).decide(request).allowed is allowed


WHO_MAY = [
    (ADMIN, "delete", "nodes", "", True),
    (User("root", ("system:masters",)), "delete", "nodes", "", True),
    (impersonated("system:kube-scheduler"), "create", "pods/binding", "", True),
    (impersonated("system:kube-scheduler"), "create", "deployments", "apps", False),
    (impersonated("system:serviceaccount:kube-system:kube-proxy"), "list", "endpointslices", "discovery.k8s.io", True),
    (impersonated("system:serviceaccount:kube-system:coredns"), "watch", "services", "", True),
    (impersonated("system:serviceaccount:kube-flannel:flannel"), "patch", "nodes/status", "", True),
    (impersonated("system:serviceaccount:kube-system:replicaset-controller"), "create", "pods", "", True),
    (impersonated("system:serviceaccount:default:default"), "list", "pods", "", False),
    (ANONYMOUS, "list", "pods", "", False),
]


@pytest.mark.parametrize(("user", "verb", "combined", "group", "allowed"), WHO_MAY)
def test_system_users(store: Store, user: User, verb: str, combined: str, group: str, allowed: bool) -> None:
    resource, _, sub = combined.partition("/")
    request = Attributes(user, verb, resource, group, "default", subresource=sub)
    assert Authorization.of_kubeadm(store).decide(request).allowed is allowed


@pytest.mark.parametrize(
    ("user", "path", "allowed"),
    [(JANE, "/apis", True), (ANONYMOUS, "/apis", False), (ANONYMOUS, "/healthz", True), (JANE, "/metrics", False)],
)
def test_discovery_is_for_everybody_who_is_known(store: Store, user: User, path: str, allowed: bool) -> None:
    assert Authorization.of_kubeadm(store).decide(Attributes(user, "get", path=path)).allowed is allowed


def test_masters_cannot_be_locked_out(store: Store) -> None:
    store.delete(Key("ClusterRoleBinding", "", "cluster-admin"))
    store.delete(Key("ClusterRoleBinding", "", "kubeadm:cluster-admins"))
    authorization = Authorization.of_kubeadm(store)
    assert authorization.decide(Attributes(User("root", ("system:masters",)), "list", "nodes")).allowed
    assert not authorization.decide(Attributes(ADMIN, "list", "nodes")).allowed


# --- kubelets ---------------------------------------------------------------------------------------------------

KUBELET = User("system:node:node1", ("system:nodes", "system:authenticated"))


def node_pod(name: str, node: str, suffix: str) -> Object:
    return pod(
        name,
        nodeName=node,
        serviceAccountName=f"sa-{suffix}",
        volumes=[
            {"name": "s", "secret": {"secretName": f"secret-{suffix}"}},
            {"name": "c", "configMap": {"name": f"config-{suffix}"}},
            {"name": "p", "persistentVolumeClaim": {"claimName": f"claim-{suffix}"}},
            {"name": "t", "projected": {"sources": [{"secret": {"name": f"projected-{suffix}"}}]}},
        ],
        imagePullSecrets=[{"name": f"pull-{suffix}"}],
        containers=[
            {
                "name": "c",
                "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": f"env-{suffix}", "key": "k"}}}],
                "envFrom": [{"configMapRef": {"name": f"envfrom-{suffix}"}}],
            }
        ],
    )


NODE = [
    ("get", "secrets", "secret-a", True, ""),
    ("get", "secrets", "projected-a", True, ""),
    ("get", "secrets", "pull-a", True, ""),
    ("get", "secrets", "env-a", True, ""),
    ("get", "secrets", "secret-b", False, "no relationship found between node 'node1' and this object"),
    ("list", "secrets", "", False, "No Object name found"),
    ("delete", "secrets", "secret-a", False, "can only read resources of this type"),
    ("get", "secrets", "config-a", False, "no relationship found between node 'node1' and this object"),
    ("get", "configmaps", "config-a", True, ""),
    ("get", "configmaps", "envfrom-a", True, ""),
    ("get", "persistentvolumeclaims", "claim-a", True, ""),
    ("list", "persistentvolumeclaims", "claim-a", False, "can only get individual resources of this type"),
    ("create", "serviceaccounts/token", "sa-a", True, ""),
    ("create", "serviceaccounts/token", "sa-b", False, "no relationship found between node 'node1' and this object"),
    ("get", "pods", "a", True, ""),
    ("get", "pods", "b", False, "no relationship found between node 'node1' and this object"),
    ("list", "pods", "", False, "can only list/watch pods with spec.nodeName field selector"),
    ("update", "pods/status", "a", True, ""),
    ("update", "pods", "a", False, ""),
    ("get", "nodes", "node1", True, ""),
    ("get", "nodes", "node2", False, "node 'node1' cannot read 'node2', only its own Node object"),
    ("list", "services", "", True, ""),
    ("create", "services", "", False, ""),
]


@pytest.mark.parametrize(("verb", "combined", "name", "allowed", "why"), NODE)
def test_kubelets(store: Store, verb: str, combined: str, name: str, allowed: bool, why: str) -> None:
    store.create(node_pod("a", "node1", "a"))
    store.create(node_pod("b", "node2", "b"))
    resource, _, sub = combined.partition("/")
    place = "" if resource == "nodes" else "default"
    decision = Authorization.of_kubeadm(store).decide(Attributes(KUBELET, verb, resource, "", place, name, sub))
    assert (decision.allowed, decision.reason if not allowed else "") == (allowed, why)


def test_kubelets_list_their_own_pods(store: Store) -> None:
    authorization = Authorization.of_kubeadm(store)
    for node, allowed in (("node1", True), ("node2", False)):
        request = Attributes(KUBELET, "list", "pods", fields=f"spec.nodeName={node}")
        assert authorization.decide(request).allowed is allowed


@pytest.mark.parametrize(
    ("verb", "place", "name", "allowed"),
    [
        ("update", "kube-node-lease", "node1", True),
        ("update", "kube-node-lease", "node2", False),
        ("get", "default", "node1", False),
        ("list", "kube-node-lease", "", False),
    ],
)
def test_kubelets_renew_their_own_lease(store: Store, verb: str, place: str, name: str, allowed: bool) -> None:
    request = Attributes(KUBELET, verb, "leases", "coordination.k8s.io", place, name)
    assert Authorization.of_kubeadm(store).decide(request).allowed is allowed


# --- escalation -------------------------------------------------------------------------------------------------

LACKS = 'user "jane" (groups=["developers" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
ESCALATIONS = [
    ("what is held", ["edit"], role("new", rule("get list", "pods")), None),
    (
        "what is not held",
        ["edit"],
        role("new", rule("get delete", "nodes pods")),
        LACKS + '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "delete"]}',
    ),
    (
        "everything",
        ["edit"],
        role("new", rule("*", "*", "*")),
        LACKS + '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}',
    ),
    (
        "a path",
        ["edit"],
        role("new", {"verbs": ["get"], "nonResourceURLs": ["/metrics"]}, kind="ClusterRole"),
        LACKS + '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
    ),
    ("with the verb escalate", ["edit", "escalator"], role("new", rule("*", "*", "*")), None),
    ("a role of more", ["edit"], binding("new", "ClusterRole/view", "User joe"), None),
    (
        "a role of more than is held",
        ["view"],
        binding("new", "ClusterRole/few", "User joe"),
        LACKS + '{APIGroups:[""], Resources:["nodes"], ResourceNames:["n"], Verbs:["get"]}',
    ),
    ("with the verb bind", ["view", "binder"], binding("new", "ClusterRole/few", "User joe"), None),
    (
        "a role that is not there",
        ["view"],
        binding("new", "Role/gone", "User joe"),
        'roles.rbac.authorization.k8s.io "gone" not found',
    ),
]


@pytest.mark.parametrize(("held", "item", "said"), [r[1:] for r in ESCALATIONS], ids=[r[0] for r in ESCALATIONS])
def test_nobody_gives_what_they_do_not_have(store: Store, held: list[str], item: Object, said: str | None) -> None:
    rbac = "rbac.authorization.k8s.io"
    store.create(role("escalator", rule("escalate", "roles", rbac), kind="ClusterRole"))
    store.create(role("binder", rule("bind", "clusterroles", rbac, names="few"), kind="ClusterRole"))
    store.create(role("few", rule("get", "nodes", names="n"), kind="ClusterRole"))
    for name in held:
        store.create(binding(name, f"ClusterRole/{name}", "User jane"))
    authorization = Authorization.of_kubeadm(store)

    def act(user: User) -> None:
        check_escalation(item, None, user, store, lambda request: authorization.decide(request).allowed)

    act(User("root", ("system:masters",)))
    act(ADMIN)
    if said is None:
        act(JANE)
    else:
        with pytest.raises(Forbidden) as error:
            act(JANE)
        assert str(error.value).partition(" is forbidden: ")[2] == said


# --- authentication ---------------------------------------------------------------------------------------------


def account(store: Store, name: str = "robot") -> Object:
    return store.create(Object.of({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}))


@pytest.fixture
def authority(store: Store, clock: VirtualClock) -> TokenAuthority:
    return TokenAuthority(store, clock)


@pytest.fixture
def authentication(store: Store, clock: VirtualClock, authority: TokenAuthority) -> Authentication:
    return Authentication(store, clock, authority, {"secret": User("jane", ("developers",))})


def test_who_is_known(authentication: Authentication, authority: TokenAuthority, store: Store) -> None:
    token = authority.issue(account(store))
    rows = [
        (Credentials(), "anonymous", ANONYMOUS),
        (Credentials("secret"), "token file", JANE),
        (
            Credentials(certificate=Certificate("system:node:n", ("system:nodes",))),
            "x509",
            User("system:node:n", ("system:nodes", "system:authenticated")),
        ),
    ]
    for credentials, by, user in rows:
        found = authentication.identify(credentials)
        assert (found.by, found.user) == (by, user)
    found = authentication.identify(Credentials(token))
    assert (found.by, found.user.name) == ("service account token", "system:serviceaccount:default:robot")
    assert found.user.groups == ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated")


def test_a_token_that_nobody_knows_is_refused(authentication: Authentication) -> None:
    for token in ("wrong", "a.b.c", "abcdef.0123456789abcdef", "."):
        with pytest.raises(Unauthorized, match="Unauthorized"):
            authentication.identify(Credentials(token))


def test_without_anonymous_requests(store: Store, clock: VirtualClock, authority: TokenAuthority) -> None:
    with pytest.raises(Unauthorized):
        Authentication(store, clock, authority, anonymous=False).identify(Credentials())


def test_tokens_end(authentication: Authentication, authority: TokenAuthority, store: Store, clock: Any) -> None:
    made = account(store)
    bound = authority.issue(made, pod=store.create(pod("p")))
    plain = authority.issue(made, seconds=100)
    assert authentication.identify(Credentials(bound)).user.extra["authentication.kubernetes.io/pod-name"] == ("p",)
    store.delete(Key("Pod", "default", "p"))
    with pytest.raises(Unauthorized):
        authentication.identify(Credentials(bound))
    clock.advance_to(99)
    assert authentication.identify(Credentials(plain)).user.name == "system:serviceaccount:default:robot"
    clock.advance_to(100)
    with pytest.raises(Unauthorized):
        authentication.identify(Credentials(plain))
    long = authority.issue(made, seconds=9999)
    store.delete(made.key)
    account(store)
    with pytest.raises(Unauthorized):  # the same name, another account
        authentication.identify(Credentials(long))


def test_tokens_cannot_be_forged(
    authentication: Authentication, authority: TokenAuthority, store: Store, clock: Any
) -> None:
    made = account(store)
    head, body, signature = authority.issue(made).split(".")
    _, other, _ = authority.issue(account(store, "root")).split(".")
    for token in (
        f"{head}.{other}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        TokenAuthority(store, clock, 1).issue(made),
    ):
        with pytest.raises(Unauthorized):
            authentication.identify(Credentials(token))
    with pytest.raises(Unauthorized):
        authentication.identify(Credentials(authority.issue(made, audiences=("elsewhere",))))


def bootstrap_token(**data: str) -> Object:
    values = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        **data,
    }
    metadata = {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    kind = "bootstrap.kubernetes.io/token"
    return Object.of({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "stringData": values})


@pytest.mark.parametrize(
    ("data", "known"),
    [
        ({}, True),
        ({"token-secret": "another"}, False),
        ({"usage-bootstrap-authentication": "false"}, False),
        ({"expiration": "2025-01-01T00:00:01Z"}, True),
        ({"expiration": "2025-01-01T00:00:00Z"}, False),
    ],
)
def test_bootstrap_tokens(authentication: Authentication, store: Store, data: dict[str, str], known: bool) -> None:
    store.create(bootstrap_token(**data))
    credentials = Credentials("abcdef.0123456789abcdef")
    if known:
        user = authentication.identify(credentials).user
        assert (user.name, user.groups[1]) == (
            "system:bootstrap:abcdef",
            "system:bootstrappers:kubeadm:default-node-token",
        )
    else:
        with pytest.raises(Unauthorized):
            authentication.identify(credentials)
