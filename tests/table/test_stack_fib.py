"""The FIB: the tables that addresses and routes make, as ``ip route`` prints them, and what is found in them."""

from __future__ import annotations

import pytest

from netsim.net.address import parse_address
from netsim.rules.xtables.ast import AddressType
from netsim.stack.wiring import NetnsWiring
from netsim.topology.model import RouteType
from tests.unit.stack_world import Walk, lo, netns, route, topology, veth


def host(*, up: bool = True):
    """What was built from real namespaces of Linux 6.18 when these tables were written down."""
    eth0 = veth("h/eth0", "g/eth0", "10.0.0.1/24", "10.0.0.9/24", "10.8.0.1/31")
    if not up:
        eth0 = type(eth0)(eth0.name, eth0.kind, eth0.mac, addresses=eth0.addresses, up=False)
    routes = (
        route("10.1.0.0/16", "10.0.0.2", metric=100, source=parse_address("10.0.0.9")),
        route("10.2.0.0/16", dev="eth0"),
        route("10.3.0.0/16", type=RouteType.UNREACHABLE),
        route("10.4.0.0/16", "172.16.0.1", "eth0", onlink=True),
        route("default", "10.0.0.2"),
        route("10.5.0.0/16", type=RouteType.BLACKHOLE, metric=3),
        route("10.0.0.77/32", type=RouteType.THROW),
    )
    return netns("h", (lo("10.9.9.9/32"), eth0), routes)


MAIN = """\
default via 10.0.0.2 dev eth0
10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1
throw 10.0.0.77
10.1.0.0/16 via 10.0.0.2 dev eth0 src 10.0.0.9 metric 100
10.2.0.0/16 dev eth0 scope link
unreachable 10.3.0.0/16
10.4.0.0/16 via 172.16.0.1 dev eth0 onlink
blackhole 10.5.0.0/16 metric 3
10.8.0.0/31 dev eth0 proto kernel scope link src 10.8.0.1
"""

LOCAL = """\
local 10.0.0.1 dev eth0 proto kernel scope host src 10.0.0.1
local 10.0.0.9 dev eth0 proto kernel scope host src 10.0.0.1
broadcast 10.0.0.255 dev eth0 proto kernel scope link src 10.0.0.1
local 10.8.0.1 dev eth0 proto kernel scope host src 10.8.0.1
local 10.9.9.9 dev lo proto kernel scope host src 10.9.9.9
local 127.0.0.0/8 dev lo proto kernel scope host src 127.0.0.1
local 127.0.0.1 dev lo proto kernel scope host src 127.0.0.1
broadcast 127.255.255.255 dev lo proto kernel scope link src 127.0.0.1
"""


@pytest.mark.parametrize(("table", "printed"), [("main", MAIN), ("local", LOCAL)])
def test_a_table_as_ip_route_prints_it(table, printed):
    entries = getattr(NetnsWiring(host()).fib, table)
    assert sorted(map(str, entries)) == sorted(printed.splitlines())


def test_a_device_that_is_down_has_local_addresses_and_no_routes():
    fib = NetnsWiring(host(up=False)).fib
    assert fib.is_local(parse_address("10.0.0.1"))
    assert fib.lookup(parse_address("10.0.0.2")) is None
    assert {message for _, message in fib.refused} == {"Nexthop has invalid gateway.", "Network is down"}


SOURCES = (
    # destination, the source that ``ip route get`` names; None where it says that there is no way
    ("10.0.0.2", "10.0.0.1"),
    ("10.1.2.3", "10.0.0.9"),
    ("10.2.2.3", "10.0.0.1"),
    ("10.4.0.1", "10.0.0.1"),
    ("8.8.8.8", "10.0.0.1"),
    ("10.8.0.0", "10.8.0.1"),
    ("10.0.0.9", "10.0.0.1"),
    ("10.9.9.9", "10.9.9.9"),
    ("127.0.0.1", "127.0.0.1"),
    ("127.1.2.3", "127.0.0.1"),
    ("10.3.0.1", None),
    ("10.5.0.1", None),
    ("10.0.0.77", None),
)


@pytest.mark.parametrize(("destination", "source"), SOURCES)
def test_the_source_that_connect_chooses(destination, source):
    chosen = Walk(topology(host())).network.source_for("h", parse_address(destination))
    assert chosen == (None if source is None else parse_address(source))


@pytest.mark.parametrize(
    ("address", "device", "kind"),
    [
        ("10.0.0.1", None, AddressType.LOCAL),
        ("10.0.0.1", "eth0", AddressType.LOCAL),
        ("10.0.0.1", "lo", AddressType.UNICAST),
        ("10.9.9.9", "lo", AddressType.LOCAL),
        ("127.3.2.1", None, AddressType.LOCAL),
        ("10.0.0.255", None, AddressType.BROADCAST),
        ("255.255.255.255", None, AddressType.BROADCAST),
        ("0.0.0.0", None, AddressType.BROADCAST),
        ("0.1.2.3", None, AddressType.UNICAST),
        ("10.0.0.0", None, AddressType.UNICAST),
        ("224.0.0.1", None, AddressType.MULTICAST),
        ("10.3.0.1", None, AddressType.UNICAST),
        ("8.8.8.8", None, AddressType.UNICAST),
    ],
)
def test_the_type_of_an_address(address, device, kind):
    assert NetnsWiring(host()).fib.address_type(parse_address(address), device) is kind


@pytest.mark.parametrize(
    ("device", "towards", "chosen"),
    [
        ("eth0", "10.0.0.50", "10.0.0.1"),
        ("eth0", "10.8.0.0", "10.8.0.1"),
        ("eth0", "203.0.113.1", "10.0.0.1"),
        ("lo", "203.0.113.1", "10.9.9.9"),
        ("nothing", "203.0.113.1", "10.9.9.9"),
    ],
)
def test_inet_select_addr(device, towards, chosen):
    assert NetnsWiring(host()).fib.select_source(device, parse_address(towards)) == parse_address(chosen)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (route("10.7.0.0/16", "192.168.9.1"), "Nexthop has invalid gateway."),
        (route("10.7.0.0/16", "10.0.0.2", "eth7"), 'Cannot find device "eth7"'),
        (route("10.7.0.0/16", "10.0.0.255"), "Nexthop has invalid gateway."),
        (route("10.7.0.0/16", "192.168.9.1", "eth0"), "Nexthop has invalid gateway."),
    ],
)
def test_routes_that_the_kernel_refuses_are_told(refused, message):
    fib = NetnsWiring(netns("h", (veth("h/eth0", "g/eth0", "10.0.0.1/24"),), (refused,))).fib
    assert fib.refused == ((refused, message),)
    assert fib.lookup(parse_address("10.7.0.1")) is None
