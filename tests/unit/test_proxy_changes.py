"""What accumulates between two syncs."""

import pytest

from netsim.net.address import Family
from proxy.endpoint_changes import EndpointsChangeTracker
from proxy.names import NamespacedName, ServicePortName
from proxy.service_changes import ServiceChangeTracker
from proxy.service_port import service_ports
from tests.proxy_objects import endpoint, endpoint_slice, service

WEB = NamespacedName("default", "web")
PORT = ServicePortName("default", "web", "", "TCP")


def texts(change):
    return [e.text for e in change.current.get(PORT, ())]


def test_a_service_change_that_is_taken_back_is_none():
    tracker = ServiceChangeTracker(Family.IPV4)
    assert tracker.update(WEB, service())
    tracker.checkout()
    assert tracker.update(WEB, service(ports=({"port": 81},)))
    assert not tracker.update(WEB, service())
    assert tracker.checkout() == {}


def test_a_service_that_came_and_went_is_no_change():
    tracker = ServiceChangeTracker(Family.IPV4)
    tracker.update(WEB, service())
    assert not tracker.update(WEB, None)


def test_changes_accumulate_from_what_was_last_synced():
    tracker = ServiceChangeTracker(Family.IPV4)
    tracker.update(WEB, service())
    tracker.checkout()
    for number in (81, 82, 83):
        tracker.update(WEB, service(ports=({"port": number},)))
    change = tracker.checkout()[WEB]
    assert [p.port for p in change.previous.values()] == [80]
    assert [p.port for p in change.current.values()] == [83]


def test_a_change_that_no_proxier_looks_at_is_none():
    tracker = ServiceChangeTracker(Family.IPV4)
    tracker.update(WEB, service())
    tracker.checkout()
    assert not tracker.update(WEB, service(selector={"app": "other"}, labels={"a": "b"}))


def test_services_that_are_not_proxied_have_no_ports():
    assert service_ports(service(ips=("None",), ipFamilies=["IPv4"]), Family.IPV4) == {}
    assert service_ports(service(type="ExternalName"), Family.IPV4) == {}
    assert service_ports(service(), Family.IPV6) == {}


def test_addresses_of_the_other_family_are_left_out():
    web = service(
        ips=("10.96.0.10", "fd00::10"),
        externalIPs=["1.2.3.4", "2001:db8::1"],
        loadBalancerSourceRanges=[" 10.0.0.0/8", "2001:db8::/64"],
        ingress=({"ip": "5.6.7.8"}, {"ip": "2001:db8::2"}, {"ip": "9.9.9.9", "ipMode": "Proxy"}, {"hostname": "x"}),
    )
    (v4,) = service_ports(web, Family.IPV4).values()
    (v6,) = service_ports(web, Family.IPV6).values()
    shown = [
        [str(port.cluster_ip), *map(str, (*port.external_ips, *port.load_balancer_vips, *port.source_ranges))]
        for port in (v4, v6)
    ]
    assert shown == [
        ["10.96.0.10", "1.2.3.4", "5.6.7.8", "10.0.0.0/8"],
        ["fd00::10", "2001:db8::1", "2001:db8::2", "2001:db8::/64"],
    ]


def test_a_range_that_spans_the_family_is_no_restriction():
    (port,) = service_ports(service(loadBalancerSourceRanges=["10.0.0.0/8", "0.0.0.0/0"]), Family.IPV4).values()
    assert port.source_ranges == ()


def test_opening_ranges_to_everyone_is_a_change_though_no_rule_differs():
    """In kube-proxy no ranges are nil and opened ones an empty slice, and it takes the two for different."""
    tracker = ServiceChangeTracker(Family.IPV4)
    tracker.update(WEB, service(loadBalancerSourceRanges=["2001:db8::/64"]))
    tracker.checkout()
    assert not tracker.update(WEB, service())
    assert tracker.update(WEB, service(loadBalancerSourceRanges=["0.0.0.0/0"]))


def test_an_endpoint_that_moves_between_slices_is_never_missed():
    tracker = EndpointsChangeTracker(Family.IPV4, "node1")
    tracker.update(endpoint_slice([endpoint("10.0.0.1")], name="a"))
    tracker.checkout()
    tracker.update(endpoint_slice([endpoint("10.0.0.1")], name="b"))
    tracker.update(endpoint_slice([], name="a"))
    assert texts(tracker.checkout()[WEB]) == ["10.0.0.1:8080"]


DUPLICATES = (
    # endpoints of slices a and b, and the node of the one that is used
    ([{"terminating": True, "ready": False, "serving": True}], [{}], "b"),
    ([{}], [{"terminating": True, "ready": False, "serving": True}], "a"),
    ([{}], [{"ready": False}], "b"),
    ([{"terminating": True}], [{"terminating": True}], "a"),
    ([{}, {"terminating": True}], [], "a"),
)


@pytest.mark.parametrize(("first", "second", "used"), DUPLICATES)
def test_of_duplicates_the_last_that_is_not_terminating_is_used(first, second, used):
    """An address that a terminating pod has left to another pod is the other pod's."""
    tracker = EndpointsChangeTracker(Family.IPV4, "a")
    tracker.update(endpoint_slice([endpoint("10.0.0.1", node="a", **what) for what in first], name="a"))
    tracker.update(endpoint_slice([endpoint("10.0.0.1", node="b", **what) for what in second], name="b"))
    (found,) = tracker.checkout()[WEB].current[PORT]
    assert found.local is (used == "a")
    assert not found.terminating or first[0].get("terminating")


@pytest.mark.parametrize(
    ("written", "family", "used"),
    [("010.0.00.1", "IPv4", "10.0.0.1:8080"), ("FD00:0::0a", "IPv6", "[fd00::a]:8080")],
)
def test_an_endpoint_is_named_by_its_address_and_not_by_how_that_was_written(written, family, used):
    tracker = EndpointsChangeTracker(Family[family.upper()], "node1")
    tracker.update(endpoint_slice([endpoint(written)], family=family))
    assert texts(tracker.checkout()[WEB]) == [used]


TOUCHED = (
    {"labels": {"team": "a"}},
    {"endpoints": [{**endpoint("10.0.0.1"), "zone": "a"}, endpoint("10.0.0.2")]},
    {"endpoints": [endpoint("10.0.0.2"), endpoint("10.0.0.1")]},
    {"ports": ({"port": 8080}, {"name": "every"})},
)


@pytest.mark.parametrize("touched", TOUCHED)
def test_any_difference_of_a_slice_is_a_change(touched):
    """kube-proxy compares slices whole, so one that differs in what no rule needs has its Service written anew."""
    tracker = EndpointsChangeTracker(Family.IPV4, "node1")
    whole = {"endpoints": [endpoint("10.0.0.1"), endpoint("10.0.0.2")]}
    tracker.update(endpoint_slice(**whole))
    tracker.checkout()
    assert not tracker.update(endpoint_slice(**whole))
    assert tracker.update(endpoint_slice(**{**whole, **touched}))
    change = tracker.checkout()[WEB]
    assert change.previous == change.current


def test_endpoints_stand_in_the_order_of_their_text():
    tracker = EndpointsChangeTracker(Family.IPV4, "node1")
    tracker.update(endpoint_slice([endpoint(f"10.0.0.{i}") for i in (9, 10, 1)]))
    assert texts(tracker.checkout()[WEB]) == ["10.0.0.10:8080", "10.0.0.1:8080", "10.0.0.9:8080"]


def test_the_removal_of_a_slice_leaves_the_others():
    tracker = EndpointsChangeTracker(Family.IPV4, "node1")
    a = endpoint_slice([endpoint("10.0.0.1")], name="a")
    tracker.update(a)
    tracker.update(endpoint_slice([endpoint("10.0.0.2")], name="b"))
    tracker.checkout()
    assert tracker.update(a, removed=True)
    assert texts(tracker.checkout()[WEB]) == ["10.0.0.2:8080"]


def test_what_is_not_a_change_or_not_ours():
    tracker = EndpointsChangeTracker(Family.IPV4, "node1")
    a = endpoint_slice([endpoint("10.0.0.1")])
    assert not tracker.update(a, removed=True)
    assert tracker.update(a)
    assert not tracker.update(a)
    tracker.checkout()
    assert not tracker.update(a)
    assert not tracker.update(endpoint_slice([endpoint("fd00::1")], family="IPv6"))
    assert not tracker.update(endpoint_slice([], labels={"kubernetes.io/service-name": ""}))
    assert tracker.checkout() == {}


def test_ports_without_a_number_are_passed_over():
    tracker = EndpointsChangeTracker(Family.IPV4, "node1")
    tracker.update(
        endpoint_slice(
            [endpoint("10.0.0.1")], ports=({"name": "x"}, {"name": "y", "port": 0}, {"name": "z", "port": 1})
        )
    )
    assert [name.port for name in tracker.checkout()[WEB].current] == ["z"]


def test_conditions_that_are_not_given_mean_ready():
    tracker = EndpointsChangeTracker(Family.IPV4, "node1")
    tracker.update(endpoint_slice([{"addresses": ["10.0.0.1"]}]))
    (found,) = tracker.checkout()[WEB].current[PORT]
    assert (found.ready, found.serving, found.terminating, found.local) == (True, True, False, False)
