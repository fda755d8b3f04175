"""Cluster IPs and node ports, by KEP-3070 and KEP-3668."""

from __future__ import annotations

import pytest

from netsim.net.address import parse_address, parse_prefix
from netsim.objects.allocation import AddressPool, AllocationError, NodePortPool, static_band
from netsim.objects.cluster import ClusterSpec
from netsim.objects.core import Service
from netsim.objects.defaults import apply_defaults
from netsim.objects.json import Json
from netsim.objects.meta import Key, Object
from netsim.objects.path import path_text

ONE, TWO = Key("Service", "default", "one"), Key("Service", "shop", "two")


@pytest.mark.parametrize(
    ("cidr", "first"),
    [
        ("10.96.0.0/12", "10.96.1.1"),
        ("10.96.0.0/16", "10.96.1.1"),
        ("10.96.0.0/20", "10.96.1.1"),
        ("10.96.0.0/24", "10.96.0.17"),
        ("10.96.0.0/28", "10.96.0.1"),
        ("fd00::/112", "fd00::101"),
        ("fd00::/108", "fd00::101"),
    ],
)
def test_the_first_dynamic_address(cidr: str, first: str) -> None:
    assert str(AddressPool.of(parse_prefix(cidr)).allocate(ONE)) == first


def test_the_static_band_comes_last_and_then_the_range_is_full() -> None:
    pool = AddressPool.of(parse_prefix("10.0.0.0/27"))
    found = [str(pool.allocate(ONE)) for _ in range(30)]
    assert found[:14] == [f"10.0.0.{n}" for n in range(17, 31)]
    assert found[14:] == [f"10.0.0.{n}" for n in range(1, 17)]
    with pytest.raises(AllocationError, match="range is full"):
        pool.allocate(ONE)


@pytest.mark.parametrize("address", ["10.0.0.0", "10.0.0.255", "10.0.1.1", "fd00::1"])
def test_outside_the_range(address: str) -> None:
    with pytest.raises(AllocationError, match="the provided network does not match the current range"):
        AddressPool.of(parse_prefix("10.0.0.0/24")).reserve(parse_address(address), ONE)


def test_node_ports() -> None:
    pool = NodePortPool.of()
    assert static_band(2768, lowest=16, step=32, highest=128) == 86
    pool.reserve(30086, ONE)
    assert [pool.allocate(TWO), pool.allocate(TWO)] == [30087, 30088]
    with pytest.raises(AllocationError, match="provided port is already allocated") as error:
        pool.reserve(30086, TWO)
    assert error.value.holder == ONE


def service(name: str, **spec: Json) -> Object:
    ports: Json = [{"port": 80}]
    document: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": ports, **spec},
    }
    return Object.of(document)  # type: ignore[arg-type]


def views(*services: Object, cluster: ClusterSpec | None = None) -> list[Service]:
    found = apply_defaults(services, cluster or ClusterSpec())
    assert found.problems == ()
    return [Service.of(item) for item in found.objects]


DUAL = ClusterSpec(
    pod_cidrs=(parse_prefix("10.244.0.0/16"), parse_prefix("fd00:10:244::/56")),
    service_cidrs=(parse_prefix("10.96.0.0/16"), parse_prefix("fd00:10:96::/112")),
)


def test_who_asks_is_served_first() -> None:
    first, second = views(service("a"), service("b", clusterIP="10.96.1.1"))
    assert (first.spec.cluster_ip, second.spec.cluster_ip) == ("10.96.1.2", "10.96.1.1")
    assert first.spec.cluster_ips == ("10.96.1.2",)


def test_the_order_of_those_who_ask_does_not_matter() -> None:
    a, b = service("a", clusterIP="10.96.9.9"), service("b", type="NodePort")
    assert {s.metadata.name: s.spec for s in views(a, b)} == {s.metadata.name: s.spec for s in views(b, a)}


def test_one_service_port_has_one_node_port_for_all_its_protocols() -> None:
    ports: Json = [{"name": "u", "port": 53, "protocol": "UDP"}, {"name": "t", "port": 53, "nodePort": 30053}]
    (found,) = views(service("dns", type="NodePort", ports=ports))
    assert [port.node_port for port in found.spec.ports] == [30053, 30053]


def test_another_port_of_the_same_service_has_another_node_port() -> None:
    ports: Json = [
        {"name": "u", "port": 53, "protocol": "UDP", "nodePort": 30053},
        {"name": "t", "port": 54, "nodePort": 30053},
    ]
    found = apply_defaults([service("dns", type="NodePort", ports=ports)], ClusterSpec())
    assert [(i, path_text(p.path)) for i, p in found.problems] == [(0, "spec.ports[1].nodePort")]


def test_load_balancer() -> None:
    (found,) = views(service("lb", type="LoadBalancer", externalTrafficPolicy="Local"))
    assert (found.spec.ports[0].node_port, found.spec.health_check_node_port) == (30086, 30087)
    (found,) = views(service("lb", type="LoadBalancer", allocateLoadBalancerNodePorts=False))
    assert (found.spec.ports[0].node_port, found.spec.health_check_node_port) == (0, 0)


@pytest.mark.parametrize(
    ("spec", "policy", "families", "addresses"),
    [
        ({}, "SingleStack", ["IPv4"], ["10.96.1.1"]),
        ({"ipFamilies": ["IPv6"]}, "SingleStack", ["IPv6"], ["fd00:10:96::101"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, "PreferDualStack", ["IPv4", "IPv6"], ["10.96.1.1", "fd00:10:96::101"]),
        (
            {"ipFamilyPolicy": "RequireDualStack", "clusterIP": "fd00:10:96::7"},
            "RequireDualStack",
            ["IPv6", "IPv4"],
            ["fd00:10:96::7", "10.96.1.1"],
        ),
        ({"clusterIP": "None", "selector": {"a": "b"}}, "SingleStack", ["IPv4"], ["None"]),
        ({"clusterIP": "None"}, "RequireDualStack", ["IPv4", "IPv6"], ["None"]),
    ],
)
def test_families(spec: dict[str, Json], policy: str, families: list[str], addresses: list[str]) -> None:
    (found,) = views(service("a", **spec), cluster=DUAL)
    assert found.spec.ip_family_policy == policy
    assert list(found.spec.ip_families) == families
    assert list(found.spec.cluster_ips) == addresses
    assert found.spec.cluster_ip == addresses[0]


def test_headless_without_selector_is_dual_even_on_a_single_stack_cluster() -> None:
    (found,) = views(service("a", clusterIP="None"))
    assert found.spec.ip_families == ("IPv4", "IPv6")


def test_external_name_has_no_address() -> None:
    (found,) = views(service("a", type="ExternalName", externalName="example.com"))
    assert (found.spec.cluster_ip, found.spec.ip_families) == ("", ())


def test_a_full_range_is_told() -> None:
    tiny = ClusterSpec(service_cidrs=(parse_prefix("10.0.0.0/30"),))
    found = apply_defaults([service("a"), service("b")], tiny)
    assert [i for i, _ in found.problems] == [1]
    assert 'failed to allocate a serviceIP for Service "b": range is full' in found.problems[0][1].message


def test_a_health_check_has_a_port_of_its_own() -> None:
    ports: Json = [{"port": 80, "nodePort": 30001}]
    spec: dict[str, Json] = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001}
    found = apply_defaults([service("lb", ports=ports, **spec)], ClusterSpec())
    assert [path_text(problem.path) for _, problem in found.problems] == ["spec.healthCheckNodePort"]
