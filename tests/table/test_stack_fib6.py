"""The IPv6 tables: what ``ip -6 route`` prints, what is found in them, and which source a packet gets."""

from __future__ import annotations

import pytest

from netsim.net.address import MAC, parse_address
from netsim.rules.xtables.ast import AddressType
from netsim.stack.addrconf import eui64_link_local, multicast_mac, solicited_node
from netsim.stack.ip6_netfilter import match_type6
from netsim.stack.wiring import NetnsWiring
from netsim.topology.model import RouteType
from tests.unit.stack_world import Walk, lo, netns, route, topology, veth, with_device


def host(*, forwarding: bool = False):
    """What was built from real namespaces of Linux 6.18 when these tables were written down."""
    addresses = ("fd00::1/64", "fd00::2/64", "fd00:7::1/128", "fd00:6::1/127", "2001:db8:1::1/64", "10.0.0.1/24")
    eth0 = veth("h/eth0", "g/eth0", *addresses)
    routes = (
        route("fd00:55::/64", type=RouteType.UNREACHABLE),
        route("fd00:56::/64", "fd00::9", "eth0", metric=100, source=parse_address("fd00::1")),
        route("fd00:57::/64", "fe80::9", "eth0"),
        route("fd00:5c::/64", "fd01::9", "eth0", onlink=True),
        route("fd00:5d::/64", dev="eth0"),
        route("fd00:5f::/64", type=RouteType.BLACKHOLE, metric=3),
        route("fd00:60::/64", type=RouteType.PROHIBIT),
        route("fd00::77/128", type=RouteType.THROW),
        route("2000::/3", "fd00::9"),
    )
    sysctls = {"net.ipv6.conf.all.forwarding": "1"} if forwarding else {}
    return netns("h", (lo("fd00:9::9/128", "fd00:8::9/64"), eth0), routes, sysctls=sysctls)


LINK_LOCAL = next(str(eui64_link_local(d.mac).ip) for d in host().devices if d.name == "eth0")

MAIN = """\
2000::/3 via fd00::9 dev eth0 metric 1024 pref medium
2001:db8:1::/64 dev eth0 proto kernel metric 256 pref medium
throw fd00::77 dev lo metric 1024 pref medium
fd00::/64 dev eth0 proto kernel metric 256 pref medium
fd00:6::/127 dev eth0 proto kernel metric 256 pref medium
fd00:7::1 dev eth0 proto kernel metric 256 pref medium
fd00:8::/64 dev lo proto kernel metric 256 pref medium
fd00:9::9 dev lo proto kernel metric 256 pref medium
unreachable fd00:55::/64 dev lo metric 1024 pref medium
fd00:56::/64 via fd00::9 dev eth0 src fd00::1 metric 100 pref medium
fd00:57::/64 via fe80::9 dev eth0 metric 1024 pref medium
fd00:5c::/64 via fd01::9 dev eth0 metric 1024 onlink pref medium
fd00:5d::/64 dev eth0 metric 1024 pref medium
blackhole fd00:5f::/64 dev lo metric 3 pref medium
prohibit fd00:60::/64 dev lo metric 1024 pref medium
fe80::/64 dev eth0 proto kernel metric 256 pref medium
"""

LOCAL = f"""\
local ::1 dev lo proto kernel metric 0 pref medium
local 2001:db8:1::1 dev eth0 proto kernel metric 0 pref medium
local fd00::1 dev eth0 proto kernel metric 0 pref medium
local fd00::2 dev eth0 proto kernel metric 0 pref medium
local fd00:6::1 dev eth0 proto kernel metric 0 pref medium
local fd00:7::1 dev eth0 proto kernel metric 0 pref medium
local fd00:8::9 dev lo proto kernel metric 0 pref medium
local fd00:9::9 dev lo proto kernel metric 0 pref medium
local {LINK_LOCAL} dev eth0 proto kernel metric 0 pref medium
multicast ff00::/8 dev eth0 proto kernel metric 256 pref medium
"""

ANYCAST = """\
anycast 2001:db8:1:: dev eth0 proto kernel metric 0 pref medium
anycast fd00:: dev eth0 proto kernel metric 0 pref medium
anycast fd00:8:: dev lo proto kernel metric 0 pref medium
anycast fe80:: dev eth0 proto kernel metric 0 pref medium
"""


@pytest.mark.parametrize(
    ("table", "forwarding", "printed"),
    [("main", False, MAIN), ("local", False, LOCAL), ("local", True, LOCAL + ANYCAST)],
    ids=["main", "local", "local of a router"],
)
def test_a_table_as_ip_route_prints_it(table, forwarding, printed):
    entries = getattr(NetnsWiring(host(forwarding=forwarding)).fib6, table)
    assert sorted(map(str, entries)) == sorted(printed.splitlines())


@pytest.mark.parametrize("change", [{"up": False}, {"mtu": 1279}], ids=["down", "small"])
def test_a_device_that_is_down_or_too_small_has_no_ipv6(change):
    world = with_device(topology(host()), "h/eth0", **change)
    fib = NetnsWiring(world.namespaces["h"]).fib6
    assert not fib.is_local(parse_address("fd00::1"))
    assert fib.addresses["eth0"] == ()
    assert {str(entry).split(" dev ")[1].split(" ")[0] for entry in (*fib.main, *fib.local)} == {"lo"}


def test_disable_ipv6_takes_the_device_out():
    for name in ("all", "default", "eth0"):
        spec = netns(
            "h", (veth("h/eth0", "g/eth0", "fd00::1/64"),), sysctls={f"net.ipv6.conf.{name}.disable_ipv6": "1"}
        )
        assert NetnsWiring(spec).fib6.addresses["eth0"] == ()


SOURCES = (
    # destination, the source that ``ip route get`` names; None where it says that there is no way
    ("fd00::9", "fd00::2"),  # equally good: the later address
    ("fd00::1", "fd00::1"),
    ("fd00:56::1", "fd00::1"),  # the route's own
    ("fd00:57::1", "fd00:6::1"),  # as many bits as any other of its label: the latest
    ("fd00:7::1", "fd00:7::1"),
    ("fd00:8::9", "fd00:8::9"),
    ("fd00:8::77", "fd00:8::9"),
    ("2001:db8:1::77", "2001:db8:1::1"),
    ("2001:db8::77", "2001:db8:1::1"),  # the label of 2001:db8::/32 is not fc00::/7's
    ("2001:4860::1", "2001:db8:1::1"),
    ("::1", "::1"),
    ("fd00:55::1", None),
    ("fd00:5f::1", None),
    ("fd00:60::1", None),
    ("fd00::77", None),
    ("fd99::1", None),
)


@pytest.mark.parametrize(("destination", "source"), SOURCES)
def test_the_source_that_connect_chooses(destination, source):
    chosen = Walk(topology(host())).network.source_for("h", parse_address(destination))
    assert chosen == (None if source is None else parse_address(source))


REFUSED = (
    (route("fd00:58::/64", "fd01::9", "eth0"), "No route to host"),
    (route("fd00:59::/64", "fd01::9"), "No route to host"),
    (route("fd00:5a::/64", "fe80::9"), "Egress device not specified."),
    (route("fd00:5b::/64", "fd00::1", "eth0"), "Gateway can not be a local address."),
    (route("fd00:5e::/64", dev="eth9"), 'Cannot find device "eth9"'),
    (route("fd00:61::/64", "fd00:56::1"), "No route to host"),
    (route("fd00:62::/64", dev="eth0", source=parse_address("fd00::99")), "Invalid source address."),
    (route("fd00:57::/64", dev="eth0"), "File exists"),
)


@pytest.mark.parametrize(("refused", "message"), REFUSED)
def test_routes_that_the_kernel_refuses_are_told(refused, message):
    spec = host()
    fib = NetnsWiring(netns("h", spec.devices, (*spec.routes, refused))).fib6
    assert fib.refused == ((refused, message),)


def test_a_link_local_destination_counts_on_its_own_device_only():
    fib = NetnsWiring(host()).fib6
    assert str(fib.lookup(parse_address("fe80::1"), "eth0")).startswith("fe80::/64 dev eth0")
    assert fib.lookup(parse_address("fe80::1"), "lo") is None


def test_link_local_addresses_and_groups():
    mac = MAC.parse("02:42:ac:11:00:02")
    assert str(eui64_link_local(mac)) == "fe80::42:acff:fe11:2/64"
    group = solicited_node(eui64_link_local(mac).ip)
    assert str(group) == "ff02::1:ff11:2"
    assert str(multicast_mac(group)) == "33:33:ff:11:00:02"


@pytest.mark.parametrize(
    ("group", "forwarding", "joined"),
    [
        ("ff02::1", False, True),
        ("ff02::1:ff00:1", False, True),
        ("ff02::1:ff00:9", False, False),
        ("ff02::1:ff00:0", False, False),
        ("ff02::1:ff00:0", True, True),
        ("ff02::2", False, False),
        ("ff02::2", True, True),
        ("ff05::2", True, True),
    ],
)
def test_groups_that_a_device_joins(group, forwarding, joined):
    assert NetnsWiring(host(forwarding=forwarding)).fib6.joined(parse_address(group), "eth0") is joined


@pytest.mark.parametrize(
    ("address", "device", "wanted", "holds"),
    [
        ("fd00::1", None, {AddressType.LOCAL}, True),
        ("fd00::1", None, {AddressType.UNICAST}, True),
        ("fd00::1", "eth0", {AddressType.LOCAL}, True),
        ("fd00:9::9", "eth0", {AddressType.LOCAL}, False),
        ("fd00::9", None, {AddressType.LOCAL}, False),
        ("fd00::9", None, {AddressType.LOCAL, AddressType.UNICAST}, False),
        ("ff02::1", None, {AddressType.MULTICAST}, True),
        ("ff02::1", None, {AddressType.UNICAST}, False),
        ("::", None, {AddressType.UNSPEC}, True),
        ("::1", None, {AddressType.LOCAL}, True),
        ("fd99::1", None, {AddressType.UNREACHABLE}, True),
        ("fd00:55::1", None, {AddressType.UNREACHABLE}, True),
        ("fd00::9", None, {AddressType.UNREACHABLE}, False),
        ("fd00::", None, {AddressType.ANYCAST}, True),
    ],
)
def test_addrtype(address, device, wanted, holds):
    ns = Walk(topology(host(forwarding=True))).network.namespace("h")
    assert match_type6(ns, parse_address(address), frozenset(wanted), device) is holds
