"""Endpoints beside the slices, hints by processors, and load balancers' addresses."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.cluster.controllers.topology_hints import OVERLOADED, Allocation, allocations, exchange
from netsim.cluster.controlplane import ControlPlane
from netsim.objects.meta import Object
from tests.cluster_objects import changed, container, doc, endpoints, key, node, pod, service, steady, workload

NOT_READY = {"netsim.io/ready": "false"}


def subsets(plane: ControlPlane, name: str = "web") -> list[Any]:
    """Of each subset its ready and its other addresses, and its ports."""
    return [
        (
            [a["ip"] for a in s.get("addresses", [])],
            [a["ip"] for a in s.get("notReadyAddresses", [])],
            [(p.get("name"), p["port"], p["protocol"]) for p in s.get("ports", [])],
        )
        for s in doc(plane, "Endpoints", name)["subsets"]
    ]


def on_node1(name: str, **fields: Any) -> Object:
    return pod(name, nodeName="node1", **fields)


NAMED = {"ports": [{"name": "web", "port": 80, "protocol": "TCP", "targetPort": "http"}]}
ROWS = [
    ("one", service(), [on_node1("a")], [(["10.244.1.2"], [], [(None, 8080, "TCP")])]),
    (
        "ready and not",
        service(),
        [on_node1("a"), on_node1("b", annotations=NOT_READY)],
        [(["10.244.1.2"], ["10.244.1.3"], [(None, 8080, "TCP")])],
    ),
    (
        "published all the same",
        service(publishNotReadyAddresses=True),
        [on_node1("a", annotations=NOT_READY)],
        [(["10.244.1.2"], [], [(None, 8080, "TCP")])],
    ),
    (
        "a subset for each number that a name has",
        service(**NAMED),
        [on_node1("a"), on_node1("b", containers=[container(("http", 9090))])],
        [(["10.244.1.2"], [], [("web", 8080, "TCP")]), (["10.244.1.3"], [], [("web", 9090, "TCP")])],
    ),
    ("no pods", service(), [], []),
    ("a port that no pod has", service(**NAMED), [on_node1("a", containers=[container(("other", 9090))])], []),
    (
        "addresses in the order of their texts",  # this and the ports' order are what RepackSubsets() of 1.37.2 answers
        service(),
        [on_node1(f"p{n}", status={"podIP": f"10.244.1.{n}"}) for n in (2, 9, 10)],
        [(["10.244.1.10", "10.244.1.2", "10.244.1.9"], [], [(None, 8080, "TCP")])],
    ),
    (
        "ports in the order of their hashes",
        service(
            ports=[{"name": n, "port": k, "protocol": "TCP", "targetPort": 8080} for k, n in enumerate("abcdefgh", 1)]
        ),
        [on_node1("a")],
        [(["10.244.1.2"], [], [(name, 8080, "TCP") for name in "hgcdbeaf"])],
    ),
    (
        "ports of kube-dns",
        service(
            ports=[
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
            ]
        ),
        [on_node1("a")],
        [(["10.244.1.2"], [], [("metrics", 9153, "TCP"), ("dns-tcp", 53, "TCP"), ("dns", 53, "UDP")])],
    ),
    ("finished pods do not count", service(), [on_node1("a", status={"phase": "Failed", "podIP": "10.244.1.9"})], []),
]


@pytest.mark.parametrize(("item", "items", "wanted"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_endpoints(item: Object, items: list[Object], wanted: Any) -> None:
    assert subsets(steady([item, *items])) == wanted


def test_addresses_that_are_too_many_to_be_mirrored_are_counted_together() -> None:
    addresses = [{"ip": f"10.{n // 250}.{n % 250}.1"} for n in range(1001)]
    subset = {"addresses": addresses, "ports": [{"port": 80}]}
    endpoints = Object.of(
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": "web", "namespace": "default"},
            "subsets": [subset, {**subset, "ports": [{"port": 81}]}],
        }
    )
    plane = steady([service(selector={}), endpoints])
    most = "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset."
    assert [e.message for e in plane.events if e.reason == "TooManyAddressesToMirror"] == [
        f"{most} 2 addresses were skipped"
    ]


def test_endpoints_have_labels_and_names_of_headless_services() -> None:
    item = service(labels={"team": "a"}, clusterIP="None")
    plane = steady([item, on_node1("a", hostname="first", subdomain="web")])
    found = doc(plane, "Endpoints", "web")
    assert found["metadata"]["labels"] == {
        "team": "a",
        "service.kubernetes.io/headless": "",
        "endpoints.kubernetes.io/managed-by": "endpoint-controller",
    }
    (address,) = found["subsets"][0]["addresses"]
    assert (address["hostname"], address["nodeName"], address["targetRef"]["name"]) == ("first", "node1", "a")


def test_endpoints_go_with_their_service_and_without_what_ends() -> None:
    plane = steady([service(), on_node1("a"), on_node1("b")])
    plane.delete(key("Pod", "a"))
    plane.run_until(1)
    assert subsets(plane) == [(["10.244.1.3"], [], [(None, 8080, "TCP")])]
    plane.delete(key("Service", "web"))
    plane.run_until(2)
    assert plane.store.find(key("Endpoints", "web")) is None


def test_endpoints_that_were_loaded_are_left_alone() -> None:
    given = Object.of(
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": "web", "namespace": "default"},
            "subsets": [{"addresses": [{"ip": "192.0.2.1"}]}],
        }
    )
    plane = steady([given, service(), on_node1("a")])
    assert subsets(plane) == [(["192.0.2.1"], [], [])]


# --- hints by processors ----------------------------------------------------------------------------------------

HALF = {"a": 0.5, "b": 0.5}
ALLOCATIONS = [
    # shares, endpoints → least, most, share; or why not
    ("even", HALF, 4, {"a": Allocation(2, 2, 2.0), "b": Allocation(2, 2, 2.0)}),
    ("uneven", {"a": 0.75, "b": 0.25}, 8, {"a": Allocation(5, 6, 6.0), "b": Allocation(2, 3, 2.0)}),
    ("too few", HALF, 1, "Insufficient number of endpoints (1 endpoints, 2 zones)"),
    (
        "would be overloaded",
        {"a": 0.34, "b": 0.33, "c": 0.33},
        4,
        f"{OVERLOADED} (4 endpoints, 3 zones)",
    ),
    (
        "nothing known",
        {},
        4,
        "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
    ),
]


@pytest.mark.parametrize(("shares", "number", "wanted"), [r[1:] for r in ALLOCATIONS], ids=[r[0] for r in ALLOCATIONS])
def test_how_many_endpoints_a_zone_gets(shares: dict[str, float], number: int, wanted: Any) -> None:
    assert allocations(shares, number) == wanted


EXCHANGES = [
    # desired, given → gives, gets
    ({"a": 2.0, "b": 2.0}, {"a": 3, "b": 1}, {"a": 1}, {"b": 1}),
    ({"a": 2.0, "b": 2.0}, {"a": 4}, {"a": 2}, {"b": 2}),
    ({"a": 1.5, "b": 1.5}, {"a": 2, "b": 1}, {}, {}),
    ({"a": 1.4, "b": 2.6}, {"a": 2, "b": 2}, {}, {}),
    ({"a": 1.0, "b": 1.0, "c": 4.0}, {"a": 3, "b": 3}, {"a": 2, "b": 2}, {"c": 4}),
]


@pytest.mark.parametrize(("desired", "given", "gives", "gets"), EXCHANGES)
def test_what_zones_exchange(desired: Any, given: Any, gives: Any, gets: Any) -> None:
    found = exchange({zone: Allocation(0, 9, share) for zone, share in desired.items()}, given)
    assert found == (gives, gets)


AUTO = {"service.kubernetes.io/topology-mode": "Auto"}


def zoned(number: int, zone: str, cpu: str | None = "4") -> Object:
    allocatable = {} if cpu is None else {"allocatable": {"cpu": cpu}}
    return node(number, labels={"topology.kubernetes.io/zone": zone}, **allocatable)


def hints(annotations: Any, nodes: list[Object], placed: list[int], **spec: Any) -> tuple[list[Any], list[str]]:
    item = service(**spec).document
    marked = Object.of({**item, "metadata": {**item["metadata"], "annotations": annotations}})
    pods = [pod(f"p{n}", nodeName=f"node{number}") for n, number in enumerate(placed)]
    plane = steady([marked, *pods], nodes)
    found = sorted(endpoints(plane).values(), key=lambda e: e["targetRef"]["name"])
    zones = [[z["name"] for z in e.get("hints", {}).get("forZones", [])] for e in found]
    return zones, [e.reason for e in plane.events if "Topology" in e.reason][-1:]  # before: there were no endpoints yet


HINTS = [
    ("own zones", AUTO, [zoned(1, "a"), zoned(2, "b")], [1, 2, 1, 2], [["a"], ["b"], ["a"], ["b"]], "Enabled"),
    ("one is given away", AUTO, [zoned(1, "a"), zoned(2, "b")], [1, 1, 1, 2], [["b"], ["a"], ["a"], ["b"]], "Enabled"),
    ("a zone without any", AUTO, [zoned(1, "a"), zoned(2, "b")], [1, 1], [["b"], ["a"]], "Enabled"),
    ("few", AUTO, [zoned(1, "a"), zoned(2, "b")], [1], [[]], "Disabled"),
    ("processors unknown", AUTO, [zoned(1, "a"), zoned(2, "b", None)], [1, 2], [[], []], "Disabled"),
    ("one zone", AUTO, [zoned(1, "a"), zoned(2, "a")], [1, 2], [[], []], "Disabled"),
    ("not asked for", {}, [zoned(1, "a"), zoned(2, "b")], [1, 2], [[], []], None),
]


@pytest.mark.parametrize(
    ("annotations", "nodes", "placed", "wanted", "said"), [r[1:] for r in HINTS], ids=[r[0] for r in HINTS]
)
def test_hints_by_processors(annotations: Any, nodes: Any, placed: Any, wanted: Any, said: str | None) -> None:
    assert hints(annotations, nodes, placed) == (wanted, [f"TopologyAwareHints{said}"] if said else [])


def test_the_annotation_goes_before_the_field() -> None:
    nodes = [zoned(1, "a"), zoned(2, "b")]
    assert hints(AUTO, nodes, [1, 1], trafficDistribution="PreferClose")[0] == [["b"], ["a"]]
    assert hints({}, nodes, [1, 1], trafficDistribution="PreferClose")[0] == [["a"], ["a"]]


# --- load balancers ---------------------------------------------------------------------------------------------


def balanced(name: str, **spec: Any) -> Object:
    return service(name, type="LoadBalancer", clusterIP=f"10.96.1.{len(name)}", **spec)


def ingress(plane: ControlPlane, name: str) -> Any:
    return doc(plane, "Service", name).get("status", {}).get("loadBalancer", {}).get("ingress")


def test_load_balancers_get_addresses_from_the_pool() -> None:
    items = [
        balanced("a"),
        balanced("bb", loadBalancerIP="192.0.2.5"),
        balanced("ccc", loadBalancerClass="mine.org/lb"),
    ]
    plane = steady(items, load_balancer_pools=["192.0.2.0/29"])
    assert ingress(plane, "a") == [{"ip": "192.0.2.1", "ipMode": "VIP"}]
    assert ingress(plane, "bb") == [{"ip": "192.0.2.5", "ipMode": "VIP"}]
    assert ingress(plane, "ccc") is None
    assert [e.reason for e in plane.events if e.object.name == "a"] == ["EnsuringLoadBalancer", "EnsuredLoadBalancer"]


def test_without_a_pool_they_stay_pending() -> None:
    assert ingress(steady([balanced("a")]), "a") is None


def test_a_pool_that_is_used_up() -> None:
    plane = steady([balanced("a"), balanced("bb"), balanced("ccc")], load_balancer_pools=["192.0.2.0/30"])
    assert [ingress(plane, n) is None for n in ("a", "bb", "ccc")] == [False, False, True]
    assert any(e.reason == "SyncLoadBalancerFailed" for e in plane.events)


def test_an_address_comes_back_when_its_service_is_no_load_balancer_any_more() -> None:
    plane = steady([balanced("a")], load_balancer_pools=["192.0.2.1/32"])
    changed(plane, "Service", "a", type="ClusterIP")
    assert (ingress(plane, "a"), doc(plane, "Service", "a")["metadata"]["finalizers"]) == (None, [])
    plane.create(balanced("bb"))
    plane.run_until_steady()
    assert ingress(plane, "bb") == [{"ip": "192.0.2.1", "ipMode": "VIP"}]


def test_a_deleted_one_is_cleaned_up_first() -> None:
    plane = steady([balanced("a"), workload("ReplicaSet", replicas=1)], load_balancer_pools=["192.0.2.0/29"])
    plane.delete(key("Service", "a"))
    assert plane.store.find(key("Service", "a")) is not None
    plane.run_until_steady()
    assert plane.store.find(key("Service", "a")) is None
    assert [e.reason for e in plane.events if e.object.name == "a"][-1] == "DeletedLoadBalancer"
