"""Addresses: how sloppily they are read, which are the node's own, and where node ports are served."""

import pytest

from netsim.net.address import Family, parse_address
from netsim.objects.core import Node
from netsim.objects.meta import Object
from proxy.addresses import parse_address_sloppy, parse_prefix_sloppy
from proxy.config.model import DetectLocal, KubeProxyConfiguration, LocalMode
from proxy.iptables.settings import match_local
from proxy.local_detector import local_detector
from proxy.node import node_ips
from proxy.node_port_addresses import node_port_addresses
from proxy.service_port import service_ports
from tests.proxy_objects import service

ADDRESSES = [
    ("10.0.0.1", "10.0.0.1"),
    ("010.000.0.01", "10.0.0.1"),
    ("FD00:0:0:0:0:0:0:1", "fd00::1"),
    ("::ffff:10.0.0.1", "10.0.0.1"),
    ("10.0.0", None),
    ("10.0.0.256", None),
    ("", None),
    ("node1", None),
]


@pytest.mark.parametrize(("text", "found"), ADDRESSES)
def test_addresses_are_read_as_go_reads_them(text, found):
    assert parse_address_sloppy(text) == (parse_address(found) if found else None)


PREFIXES = [
    ("10.1.2.3/8", "10.0.0.0/8"),
    ("010.0.0.0/08", "10.0.0.0/8"),
    ("fd00::1/64", "fd00::/64"),
    ("10.0.0.1", None),
    ("10.0.0.0/33", None),
    ("10.0.0.0/255.0.0.0", None),
    ("10.0.0.0/", None),
]


@pytest.mark.parametrize(("text", "found"), PREFIXES)
def test_prefixes_lose_their_host_bits(text, found):
    parsed = parse_prefix_sloppy(text)
    assert (str(parsed) if parsed is not None else None) == found


NODE_IPS = [
    ([("InternalIP", "10.0.0.1"), ("InternalIP", "10.0.0.2")], "0.0.0.0", "10.0.0.1", "::1"),
    ([("ExternalIP", "1.2.3.4"), ("InternalIP", "10.0.0.1")], "0.0.0.0", "10.0.0.1", "::1"),
    ([("ExternalIP", "1.2.3.4"), ("InternalIP", "fd00::1")], "0.0.0.0", "1.2.3.4", "fd00::1"),
    ([("Hostname", "node1"), ("InternalIP", "bad")], "0.0.0.0", "127.0.0.1", "::1"),
    ([("InternalIP", "10.0.0.1")], "10.0.0.9", "10.0.0.9", "::1"),
    ([("InternalIP", "10.0.0.1")], "::", "10.0.0.1", "::1"),
]


@pytest.mark.parametrize(("addresses", "bind", "v4", "v6"), NODE_IPS)
def test_the_nodes_primary_addresses(addresses, bind, v4, v6):
    document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    document["status"] = {"addresses": [{"type": kind, "address": address} for kind, address in addresses]}
    found = node_ips(Node.of(Object.of(document)), bind)
    assert {family: str(ip) for family, ip in found.items()} == {Family.IPV4: v4, Family.IPV6: v6}


IPS = tuple(map(parse_address, ("10.0.0.1", "fd00::1")))
LOCAL = tuple(map(parse_address, ("127.0.0.1", "10.0.0.1", "10.0.0.2", "::1", "fd00::1")))
EVERYWHERE = [
    ((), Family.IPV4),
    ((), Family.IPV6),
    (("0.0.0.0/0",), Family.IPV4),
    (("10.0.0.0/8",), Family.IPV6),
    (("10.0.0.0/8", "0.0.0.0/0"), Family.IPV4),
    (("all",), Family.IPV6),
]


@pytest.mark.parametrize(("values", "family"), EVERYWHERE)
def test_node_ports_on_every_address(values, family):
    found = node_port_addresses(values, family, IPS)
    assert found.match_all
    assert found.contains_ipv4_loopback is (family is Family.IPV4)


SOMEWHERE = [
    (("10.0.0.0/31",), Family.IPV4, ["10.0.0.1"], False),
    (("10.0.0.2/32", "10.0.0.0/8"), Family.IPV4, ["10.0.0.1", "10.0.0.2"], False),
    (("primary",), Family.IPV4, ["10.0.0.1"], False),
    (("primary",), Family.IPV6, ["fd00::1"], False),
    (("primary", "localhost"), Family.IPV4, ["10.0.0.1", "127.0.0.1"], True),
    (("localhost",), Family.IPV6, ["::1"], False),
    (("127.0.0.0/7",), Family.IPV4, ["127.0.0.1"], True),
    (("127.0.0.1/32",), Family.IPV4, ["127.0.0.1"], True),
]


@pytest.mark.parametrize(("values", "family", "addresses", "loopback"), SOMEWHERE)
def test_node_ports_on_some_addresses(values, family, addresses, loopback):
    found = node_port_addresses(values, family, IPS)
    assert not found.match_all
    assert [str(a) for a in found.of(LOCAL)] == addresses
    assert found.contains_ipv4_loopback is loopback


def test_a_node_without_an_address_of_the_family_serves_primary_everywhere():
    assert node_port_addresses(("primary",), Family.IPV6, [parse_address("10.0.0.1"), parse_address("::1")]).match_all


DETECTORS = [
    (LocalMode.CLUSTER_CIDR, Family.IPV4, "-s 10.244.0.0/16"),
    (LocalMode.CLUSTER_CIDR, Family.IPV6, ""),
    (LocalMode.NODE_CIDR, Family.IPV4, "-s 10.244.1.0/24"),
    (LocalMode.NODE_CIDR, Family.IPV6, "-s fd00:1::/64"),
    (LocalMode.BRIDGE_INTERFACE, Family.IPV6, "-i cni0"),
    (LocalMode.INTERFACE_NAME_PREFIX, Family.IPV4, "-i veth+"),
]


@pytest.mark.parametrize(("mode", "family", "match"), DETECTORS)
def test_traffic_of_the_nodes_pods_is_told_by(mode, family, match):
    configuration = KubeProxyConfiguration(
        detect_local_mode=mode, cluster_cidrs=("10.244.0.0/16",), detect_local=DetectLocal("cni0", "veth")
    )
    assert match_local(local_detector(configuration, family, ("10.244.1.0/24", "fd00:1::/64"))) == match


POLICIES = [
    ({"type": "NodePort"}, True, 0),
    ({"type": "LoadBalancer"}, True, 31000),
    ({"type": "ClusterIP"}, False, 0),
    ({"type": "ClusterIP", "externalIPs": ["1.2.3.4"]}, True, 0),
    ({"type": "LoadBalancer", "externalTrafficPolicy": "Cluster"}, False, 0),
]


@pytest.mark.parametrize(("spec", "local", "health_check"), POLICIES)
def test_policy_local_counts_for_what_is_reached_from_outside(spec, local, health_check):
    web = service(**{"externalTrafficPolicy": "Local", "healthCheckNodePort": 31000, **spec})
    (port,) = service_ports(web, Family.IPV4).values()
    assert (port.external_policy_local, port.health_check_node_port) == (local, health_check)
