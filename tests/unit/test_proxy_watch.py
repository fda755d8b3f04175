"""From watch events to a proxy."""

from enum import Enum
from types import SimpleNamespace

import pytest

from netsim.net.address import Family, parse_address
from netsim.objects.core import Node
from netsim.objects.json import DecodeError
from netsim.objects.meta import Object
from proxy.config.model import KubeProxyConfiguration
from proxy.conntrack import UDPFlow, stale_flows
from proxy.health_check import health_checks
from proxy.node import proxy_node
from proxy.server import iptables_proxy
from proxy.watch import WatchFeed
from tests.proxy_objects import endpoint, feed_and_proxy, node_object, service_object, slice_object

Type = Enum("Type", {name: name for name in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")})


class Watch:
    def __init__(self):
        self.queue = []

    def push(self, kind, item):
        self.queue.append(SimpleNamespace(type=Type(kind), object=item))

    def events(self):
        events, self.queue = self.queue, []
        return events


@pytest.fixture
def watched():
    proxy = iptables_proxy(KubeProxyConfiguration(), proxy_node(Node.of(node_object())))
    services, slices = Watch(), Watch()
    return WatchFeed(proxy, [services, slices]), services, slices, proxy


def rules(proxy):
    return proxy.sync()[Family.IPV4].rules()


def test_events_reach_the_rules(watched):
    feed, services, slices, proxy = watched
    services.push("ADDED", service_object())
    slices.push("ADDED", slice_object([endpoint("10.244.1.2")]))
    services.push("BOOKMARK", service_object())
    assert feed.pull()
    assert "10.244.1.2" in rules(proxy)
    assert not feed.pull()
    slices.push("DELETED", slice_object([endpoint("10.244.1.2")]))
    assert feed.pull()
    assert "default/web has no endpoints" in rules(proxy)
    services.push("DELETED", service_object())
    feed.pull()
    assert "default/web" not in rules(proxy)


def test_an_unknown_event_is_an_error(watched):
    feed, services, _, _ = watched
    services.push("ERROR", service_object())
    with pytest.raises(ValueError, match="ERROR"):
        feed.pull()


@pytest.mark.parametrize("label", ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"])
def test_what_is_not_selected_is_as_if_it_were_gone(watched, label):
    feed, services, slices, proxy = watched
    services.push("ADDED", service_object())
    slices.push("ADDED", slice_object([endpoint("10.244.1.2")]))
    feed.pull()
    slices.push("MODIFIED", slice_object([endpoint("10.244.1.2")], labels={label: ""}))
    feed.pull()
    assert "default/web has no endpoints" in rules(proxy)
    services.push("MODIFIED", service_object(labels={label: ""}))
    feed.pull()
    assert "default/web" not in rules(proxy)


def test_service_cidrs_are_collected():
    feed, proxy = feed_and_proxy()
    planner = proxy.proxiers[Family.IPV4]._planner
    for name, cidrs in (("b", ["10.97.0.0/16"]), ("a", ["10.96.0.0/16", "fd00::/112"])):
        feed.put(
            Object.of({"apiVersion": "v1", "kind": "ServiceCIDR", "metadata": {"name": name}, "spec": {"cidrs": cidrs}})
        )
    assert [str(p) for p in planner.advance(full=True).service_cidrs] == ["10.96.0.0/16", "10.97.0.0/16"]


def test_what_cannot_be_decoded_names_the_object():
    feed, _ = feed_and_proxy()
    with pytest.raises(DecodeError, match=r"Service default/web: spec.ports\[0\].port"):
        feed.put(service_object(ports=({"port": "eighty"},)))


def test_a_wrong_hostname_override_finds_nothing_local():
    node = Node.of(node_object(labels={"topology.kubernetes.io/zone": "a"}))
    here, elsewhere = proxy_node(node), proxy_node(node, name="other")
    assert (here.place.zone, str(here.ips[Family.IPV4])) == ("a", "192.168.0.11")
    assert (elsewhere.place.zone, str(elsewhere.ips[Family.IPV4])) == ("", "127.0.0.1")
    assert elsewhere.families == (Family.IPV4,)
    assert proxy_node(Node.of(node_object(addresses=()))).families == (Family.IPV4,)
    assert proxy_node(Node.of(node_object(addresses=("fd00::1", "10.0.0.1")))).families == (Family.IPV4, Family.IPV6)


def test_health_checks_count_ready_local_addresses():
    feed, proxy = feed_and_proxy()
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000}
    feed.put(service_object(ports=({"name": "a", "port": 80}, {"name": "b", "port": 81}), **local))
    ports = ({"name": "a", "port": 8080}, {"name": "b", "port": 8081})
    leaving = endpoint("10.244.1.4", ready=False, serving=True, terminating=True)
    feed.put(slice_object([endpoint("10.244.1.2"), endpoint("10.244.2.2", "node2"), leaving], ports=ports))
    proxy.sync()
    (check,) = health_checks(proxy.proxiers[Family.IPV4].plans)
    assert (check.port, check.local_endpoints, check.healthy) == (31000, 1, True)
    feed.put(slice_object([leaving], ports=ports))
    proxy.sync()
    assert not health_checks(proxy.proxiers[Family.IPV4].plans)[0].healthy


def test_udp_flows_to_endpoints_that_are_gone_are_stale():
    feed, proxy = feed_and_proxy()
    udp = {"port": 53, "protocol": "UDP", "nodePort": 30053}
    feed.put(service_object(ports=(udp,), type="NodePort"))
    feed.put(slice_object([endpoint("10.244.1.2")], ports=({"port": 53, "protocol": "UDP"},)))
    proxy.sync()

    def flow(destination, port, source):
        return UDPFlow(parse_address(destination), port, parse_address(source))

    kept = [
        flow("10.96.0.10", 53, "10.244.1.2"),
        flow("192.168.0.11", 30053, "10.244.1.2"),
        flow("10.96.0.10", 54, "9.9.9.9"),
    ]
    gone = [
        flow("10.96.0.10", 53, "10.244.1.9"),
        flow("192.168.0.11", 30053, "10.244.1.9"),
        flow("10.96.0.10", 53, "10.96.0.10"),
    ]
    assert stale_flows(proxy.proxiers[Family.IPV4].plans, kept + gone) == tuple(gone)
