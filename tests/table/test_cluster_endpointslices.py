"""EndpointSlices: what a Service's slices say of its pods."""

from __future__ import annotations

import pytest

from netsim.cluster.controllers.slices import Slice, _fill, slice_labels
from netsim.objects.core import Service
from netsim.objects.meta import Object
from tests.cluster_objects import (
    changed,
    container,
    doc,
    endpoints,
    key,
    node,
    pod,
    service,
    slices,
    steady,
    template,
    warnings,
    workload,
)

ZONES = [node(1, labels={"topology.kubernetes.io/zone": "a"}), node(2, labels={"topology.kubernetes.io/zone": "b"})]
FALSE = [{"type": "Ready", "status": "False"}]


def test_form_of_a_slice():
    plane = steady(
        [service(labels={"team": "x", "kubernetes.io/service-name": "lie"}), pod("a", nodeName="node1")], ZONES
    )
    (made,) = slices(plane)
    uid = doc(plane, "Pod", "a")["metadata"]["uid"]
    meta = made["metadata"]
    assert meta["labels"] == {
        "team": "x",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert meta["name"].startswith("web-")
    assert len(meta["name"]) == 9
    assert meta["ownerReferences"][0]["name"] == "web"
    assert made["addressType"] == "IPv4"
    assert made["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    assert made["endpoints"] == [
        {
            "addresses": ["10.244.1.2"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": "a", "uid": uid},
            "nodeName": "node1",
            "zone": "a",
        }
    ]


CONDITIONS = [
    # a pod's status and annotations, publishNotReadyAddresses → ready, serving, terminating
    ("ready", None, {}, False, (True, True, False)),
    ("given as not ready", {"conditions": FALSE}, {}, False, (False, False, False)),
    ("scripted as not ready", None, {"netsim.io/ready": "false"}, False, (False, False, False)),
    ("terminating", None, {"netsim.io/terminating": "true"}, False, (False, True, True)),
    (
        "terminating and not ready",
        None,
        {"netsim.io/terminating": "true", "netsim.io/ready": "false"},
        False,
        (False, False, True),
    ),
    ("not ready, published", {"conditions": FALSE}, {}, True, (True, False, False)),
    ("terminating, published", None, {"netsim.io/terminating": "true"}, True, (True, True, True)),
]


@pytest.mark.parametrize(
    ("status", "annotations", "publish", "expected"),
    [row[1:] for row in CONDITIONS],
    ids=[row[0] for row in CONDITIONS],
)
def test_conditions(status, annotations, publish, expected):
    plane = steady([service(publishNotReadyAddresses=publish), pod("a", status=status, annotations=annotations)])
    (endpoint,) = endpoints(plane).values()
    conditions = endpoint["conditions"]
    assert (conditions["ready"], conditions["serving"], conditions["terminating"]) == expected


NO_SLICES = [
    ("ExternalName", service(type="ExternalName", clusterIP="", externalName="example.org")),
    ("without a selector", service(selector={})),
]


@pytest.mark.parametrize("item", [row[1] for row in NO_SLICES], ids=[row[0] for row in NO_SLICES])
def test_services_that_get_no_slices(item):
    assert slices(steady([item, pod("a")])) == []


def test_a_service_without_pods_has_an_empty_slice():
    plane = steady([service(selector={"app": "none"}), pod("a")])
    (made,) = slices(plane)
    assert (made["endpoints"], made["ports"]) == ([], [])
    before = plane.store.resource_version
    plane.create(pod("b"))
    plane.run_until_steady()
    assert slices(plane) == [made]
    assert plane.store.resource_version > before


def test_an_empty_slice_is_used_again_for_the_first_endpoint():
    plane = steady([service()])
    (empty,) = slices(plane)
    plane.create(pod("a"))
    plane.run_until_steady()
    (made,) = slices(plane)
    assert made["metadata"]["name"] == empty["metadata"]["name"]
    assert len(made["endpoints"]) == 1


LEFT_OUT = [
    ("finished", pod("a", status={"phase": "Succeeded", "podIP": "10.244.1.9"}, nodeName="node1")),
    (
        "of another namespace",
        Object.of({**pod("a").document, "metadata": {"name": "a", "namespace": "other", "labels": {"app": "web"}}}),
    ),
    ("on a node that is not there", pod("a", nodeName="gone", status={"podIP": "10.244.9.9"})),
    ("without a node", pod("a", nodeSelector={"no": "where"})),
    ("other labels", pod("a", labels={"app": "db"})),
]


@pytest.mark.parametrize("item", [row[1] for row in LEFT_OUT], ids=[row[0] for row in LEFT_OUT])
def test_pods_that_are_no_endpoints(item):
    assert endpoints(steady([service(), item])) == {}


# --- ports ------------------------------------------------------------------------------------------------------

NAMED = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]
TWO = [*NAMED, {"name": "admin", "port": 81, "protocol": "TCP", "targetPort": "admin"}]


def ports_by_pod(plane):
    return {
        e["targetRef"]["name"]: {p["name"]: p["port"] for p in s["ports"]}
        for s in slices(plane)
        for e in s["endpoints"]
    }


PORTS = [
    ("number", [{"port": 80, "protocol": "TCP", "targetPort": 8080}], {}, {"a": {"": 8080}}),
    ("none is the port itself", [{"port": 80, "protocol": "TCP"}], {}, {"a": {"": 80}}),
    ("name", NAMED, {"a": [("http", 8080)]}, {"a": {"http": 8080}}),
    (
        "name, other numbers in other pods",
        NAMED,
        {"a": [("http", 8080)], "b": [("http", 9090)]},
        {"a": {"http": 8080}, "b": {"http": 9090}},
    ),
    (
        "name absent in one pod",
        TWO,
        {"a": [("http", 8080), ("admin", 8081)], "b": [("http", 8080)]},
        {"a": {"http": 8080, "admin": 8081}, "b": {"http": 8080}},
    ),
    ("name absent everywhere", NAMED, {"a": [("web", 8080)]}, {"a": {}}),
]


@pytest.mark.parametrize(("ports", "declared", "expected"), [r[1:] for r in PORTS], ids=[r[0] for r in PORTS])
def test_ports_are_resolved_in_each_pod(ports, declared, expected):
    items = [pod(name, containers=[container(*listed)]) for name, listed in (declared or {"a": []}).items()]
    plane = steady([service(ports=ports), *items])
    assert ports_by_pod(plane) == expected
    assert len(slices(plane)) == len({str(sorted(p.items())) for p in expected.values()})


@pytest.mark.parametrize(("policy", "expected"), [("Always", {"a": {"http": 9000}}), (None, {"a": {}})])
def test_named_ports_of_sidecars_count(policy, expected):
    side = {
        "name": "s",
        "ports": [{"name": "http", "containerPort": 9000}],
        **({"restartPolicy": policy} if policy else {}),
    }
    item = pod("a", containers=[{"name": "c"}], initContainers=[side])
    assert ports_by_pod(steady([service(ports=NAMED), item])) == expected


def test_a_name_is_looked_up_for_its_protocol():
    listed = [{"name": "dns", "containerPort": 53, "protocol": "UDP"}, {"name": "dns-tcp", "containerPort": 53}]
    item = pod("a", containers=[{"name": "c", "ports": listed}])
    ports = [{"name": "x", "port": 53, "protocol": "TCP", "targetPort": "dns"}]
    assert ports_by_pod(steady([service(ports=ports), item])) == {"a": {}}


def test_app_protocol_is_handed_on():
    ports = [{"name": "x", "port": 80, "protocol": "TCP", "targetPort": 80, "appProtocol": "h2c"}]
    (made,) = slices(steady([service(ports=ports), pod("a")]))
    assert made["ports"] == [{"name": "x", "port": 80, "protocol": "TCP", "appProtocol": "h2c"}]


# --- families ---------------------------------------------------------------------------------------------------

DUAL = [node(1, cidrs=["10.244.1.0/24", "fd00:1::/64"], addresses=["192.168.0.11", "fd00::11"])]
FAMILIES = [
    ({"ipFamilies": ["IPv4"]}, {"IPv4": ["10.244.1.2"]}),
    ({"ipFamilies": ["IPv6", "IPv4"]}, {"IPv4": ["10.244.1.2"], "IPv6": ["fd00:1::2"]}),
    ({"ipFamilies": [], "clusterIP": "fd00:96::1"}, {"IPv6": ["fd00:1::2"]}),
    ({"ipFamilies": [], "clusterIP": "None"}, {"IPv4": ["10.244.1.2"], "IPv6": ["fd00:1::2"]}),
]


@pytest.mark.parametrize(("spec", "expected"), FAMILIES)
def test_slices_of_each_family(spec, expected):
    plane = steady([service(**spec), pod("a")], DUAL, service_cidrs=("10.96.0.0/16", "fd00:96::/112"))
    found = {s["addressType"]: [a for e in s["endpoints"] for a in e["addresses"]] for s in slices(plane)}
    assert found == expected


def test_a_family_that_no_pod_has_gets_an_empty_slice():
    plane = steady([service(ipFamilies=["IPv4", "IPv6"]), pod("a")])
    assert {s["addressType"]: len(s["endpoints"]) for s in slices(plane)} == {"IPv4": 1, "IPv6": 0}


# --- headless ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subdomain", "hostname"), [("web", "h"), ("other", None), (None, None)])
def test_hostname_where_the_subdomain_is_the_service(subdomain, hostname):
    item = pod("a", hostname="h", **({"subdomain": subdomain} if subdomain else {}))
    plane = steady([service(clusterIP="None"), item])
    (endpoint,) = endpoints(plane).values()
    assert endpoint.get("hostname") == hostname
    assert slices(plane)[0]["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_a_headless_service_without_ports_has_endpoints():
    plane = steady([service(clusterIP="None", ports=[]), pod("a")])
    assert list(endpoints(plane)) == ["10.244.1.2"]


# --- hints ------------------------------------------------------------------------------------------------------

HINTS = [
    (None, None),
    ("PreferClose", {"forZones": [{"name": "a"}]}),
    ("PreferSameZone", {"forZones": [{"name": "a"}]}),
    ("PreferSameNode", {"forZones": [{"name": "a"}], "forNodes": [{"name": "node1"}]}),
]


@pytest.mark.parametrize(("distribution", "expected"), HINTS)
def test_hints(distribution, expected):
    spec = {"trafficDistribution": distribution} if distribution else {}
    plane = steady([service(**spec), pod("a", nodeName="node1")], ZONES)
    assert endpoints(plane)["10.244.1.2"].get("hints") == expected


def test_hints_without_a_zone_and_of_what_is_not_ready():
    items = [pod("a", nodeName="node1"), pod("b", nodeName="node1", status={"conditions": FALSE})]
    plane = steady([service(trafficDistribution="PreferSameNode"), *items])
    found = {e["targetRef"]["name"]: e.get("hints") for e in endpoints(plane).values()}
    assert found == {"a": {"forNodes": [{"name": "node1"}]}, "b": None}


def test_hints_come_and_go_with_the_service():
    plane = steady([service(), pod("a", nodeName="node1")], ZONES)
    changed(plane, "Service", "web", trafficDistribution="PreferClose")
    assert endpoints(plane)["10.244.1.2"]["hints"] == {"forZones": [{"name": "a"}]}
    changed(plane, "Service", "web", trafficDistribution=None)
    assert "hints" not in endpoints(plane)["10.244.1.2"]


# --- filling ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("replicas", "sizes"), [(100, [100]), (101, [1, 100]), (250, [50, 100, 100])])
def test_at_most_a_hundred_endpoints_a_slice(replicas, sizes):
    plane = steady([workload("ReplicaSet", replicas=replicas), service()])
    assert sorted(len(s["endpoints"]) for s in slices(plane)) == sizes
    assert len(endpoints(plane)) == replicas


def test_scaling_changes_few_slices():
    plane = steady([workload("ReplicaSet", replicas=250), service()])
    before = {s["metadata"]["name"]: s["metadata"]["resourceVersion"] for s in slices(plane)}
    changed(plane, "ReplicaSet", "web", replicas=260)
    after = {s["metadata"]["name"]: s["metadata"]["resourceVersion"] for s in slices(plane)}
    assert before.keys() == after.keys()
    assert sum(before[name] != after[name] for name in before) == 1
    assert len(endpoints(plane)) == 260


def test_a_pod_that_goes_leaves_its_slice():
    plane = steady([pod("a"), pod("b"), service()])
    (before,) = slices(plane)
    plane.delete(key("Pod", "a"))
    plane.run_until_steady()
    (after,) = slices(plane)
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert [e["targetRef"]["name"] for e in after["endpoints"]] == ["b"]


def test_a_pod_whose_labels_change_leaves_one_service_for_another():
    plane = steady([pod("a"), service(), service("db", selector={"app": "db"})])
    before = doc(plane, "Pod", "a")
    plane.store.update(Object.of({**before, "metadata": {**before["metadata"], "labels": {"app": "db"}}}))
    plane.run_until_steady()
    assert (list(endpoints(plane)), list(endpoints(plane, "db"))) == ([], ["10.244.1.2"])


def test_a_change_of_the_selector_moves_the_service():
    plane = steady([pod("a"), pod("b", labels={"app": "db"}), service()])
    changed(plane, "Service", "web", selector={"app": "db"})
    assert [e["targetRef"]["name"] for e in endpoints(plane).values()] == ["b"]


def test_a_zone_that_comes_late_is_written_with_the_next_change():
    """A node's labels alone do not make the real controller look at its Services. Ref: endpointslice_controller.go:updateNode()."""
    plane = steady([pod("a", nodeName="node1"), service()])
    before = doc(plane, "Node", "node1", "")
    labels = {**before["metadata"]["labels"], "topology.kubernetes.io/zone": "z"}
    plane.store.update(Object.of({**before, "metadata": {**before["metadata"], "labels": labels}}))
    plane.run_until_steady()
    assert "zone" not in endpoints(plane)["10.244.1.2"]
    plane.create(pod("b", nodeName="node2"))
    plane.run_until_steady()
    assert endpoints(plane)["10.244.1.2"]["zone"] == "z"


def test_pods_on_a_node_that_comes_late_are_told_of_and_then_written():
    plane = steady([service(), pod("a", nodeName="node3", status={"podIP": "10.244.3.9"})])
    said = "skipping Pod a for Service default/web: Node node3 Not Found"
    assert (
        "FailedToUpdateEndpointSlices",
        f"Error updating Endpoint Slices for Service default/web: {said}",
    ) in warnings(plane)
    assert endpoints(plane) == {}
    plane.create(node(3))
    plane.run_until_steady()
    assert list(endpoints(plane)) == ["10.244.3.9"]


AUTO = {"service.kubernetes.io/topology-mode": "Auto"}


def _hints(plane):
    return [e.get("hints") for e in endpoints(plane).values()]


def test_hints_are_reckoned_anew_where_a_zone_has_too_few_endpoints():
    """A node that becomes ready counts; that one has more processors is not noticed before. Ref: checkNodeTopologyDistribution()."""
    cpu = {"allocatable": {"cpu": "2"}}
    nodes = [
        node(n, labels={"topology.kubernetes.io/zone": zone}, ready=ready, **amount)
        for n, zone, ready, amount in (
            (1, "a", "True", cpu),
            (2, "b", "True", cpu),
            (3, "a", "False", {"allocatable": {"cpu": "4"}}),
        )
    ]
    svc = service()
    annotated = Object.of({**svc.document, "metadata": {**svc.document["metadata"], "annotations": AUTO}})
    pods_ = [pod(f"p{n}", nodeName=f"node{n % 2 + 1}") for n in range(8)]
    plane = steady([annotated, *pods_], nodes)
    even = _hints(plane)
    assert sorted(h["forZones"][0]["name"] for h in even) == ["a"] * 4 + ["b"] * 4
    before = doc(plane, "Node", "node1", "")
    plane.store.update_status(Object.of({**before, "status": {**before["status"], "allocatable": {"cpu": "6"}}}))
    plane.run_until_steady()
    assert _hints(plane) == even
    before = doc(plane, "Node", "node3", "")
    ready = [{"type": "Ready", "status": "True"}]
    plane.store.update_status(Object.of({**before, "status": {**before["status"], "conditions": ready}}))
    plane.run_until_steady()
    assert sorted(h["forZones"][0]["name"] for h in _hints(plane)) == ["a"] * 6 + ["b"] * 2


# --- given slices -----------------------------------------------------------------------------------------------


def given(name: str, address: str) -> Object:
    return Object.of(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": 1, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address]}],
        }
    )


@pytest.mark.parametrize("selector", [{}, {"app": "web"}], ids=["without selector", "with selector"])
def test_given_slices_are_left_alone(selector):
    plane = steady([service(selector=selector), pod("a"), given("mine", "192.0.2.1")])
    assert list(endpoints(plane)) == ["192.0.2.1"]
    assert [s["metadata"]["name"] for s in slices(plane)] == ["mine"]


def test_slices_of_one_service_do_not_hold_up_another():
    plane = steady([service(), service("db"), pod("a"), given("mine", "192.0.2.1")])
    assert list(endpoints(plane, "db")) == ["10.244.1.2"]


def test_a_deployment_behind_a_service():
    plane = steady([workload("Deployment", replicas=3, pod_template=template()), service()])
    assert sorted(endpoints(plane)) == ["10.244.1.2", "10.244.1.3", "10.244.2.2"]


def filled(name: str, count: int) -> Slice:
    return Slice(name, "IPv4", PORT, tuple(ENDPOINTS[name][:count]), LABELS)


PORT = ({"name": "", "port": 8080, "protocol": "TCP"},)
LABELS = slice_labels(Service.of(service()))
ENDPOINTS = {name: [{"addresses": [f"10.{n}.0.{i}"]} for i in range(100)] for n, name in enumerate("abcn")}

# sizes of the slices that are there, how many endpoints come, and which slices are written with which sizes
FILLING = [
    ({"a": 50, "b": 80}, 20, {"b": 100}),  # the one that comes closest to full
    ({"a": 50, "b": 90}, 20, {"a": 70}),  # the only one with room for all
    ({"a": 95, "b": 90}, 20, {"new": 20}),  # no single one has room
    ({"a": 50}, 50, {"a": 100}),
    ({}, 3, {"new": 3}),
    ({"a": 100}, 1, {"new": 1}),
]


@pytest.mark.parametrize(("sizes", "count", "written"), FILLING)
def test_which_slice_takes_new_endpoints(sizes, count, written):
    existing = [filled(name, size) for name, size in sizes.items()]
    old = [e for s in existing for e in s.endpoints]
    wanted = {e["addresses"][0] + "||/": e for e in [*old, *ENDPOINTS["n"][:count]]}
    made, changed_slices, emptied = _fill(existing, wanted, Slice("", "IPv4", PORT, (), LABELS))
    assert {s.name or "new": len(s.endpoints) for s in [*made, *changed_slices]} == written
    assert emptied == []


def test_a_slice_that_is_written_anyway_is_filled_first():
    existing = [filled("a", 99), filled("b", 50)]
    kept = [*existing[0].endpoints, *existing[1].endpoints[1:]]
    wanted = {e["addresses"][0] + "||/": e for e in [*kept, ENDPOINTS["n"][0]]}
    _, changed_slices, _ = _fill(existing, wanted, Slice("", "IPv4", PORT, (), LABELS))
    assert {s.name: len(s.endpoints) for s in changed_slices} == {"b": 50}
