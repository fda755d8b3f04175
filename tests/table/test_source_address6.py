"""Which of a host's IPv6 addresses a packet gets as its source, rule by rule of RFC 6724 §5. Compared with 6.18.

Rules 3, 4 and 7 have nothing to choose here: no address is deprecated, a home address or temporary. A tentative address is none yet.
Ref: net/ipv6/addrconf.c:ipv6_get_saddr_eval(), net/ipv6/addrlabel.c:ip6addrlbl_init_table[] (v6.12).
"""

from __future__ import annotations

import pytest

from netsim.net.address import parse_address
from netsim.topology.model import Netns
from tests.unit.stack_world import Walk, lo, netns, route, topology, veth


def many_addresses() -> Netns:
    """Addresses of every label that an address may have, on three devices."""
    devices = (
        lo("fd00:9::9/128"),
        veth("h/eth0", "g/eth0", "fd00:1::1/64", "2001:db8::1/64", "2002:a00::1/64"),
        veth("h/eth1", "g/eth1", "2001::1/64", "2001:10::1/64", "fec0::1/64", "3ffe::1/64", "fd00:2::1/48"),
        veth("h/eth2", "g/eth2"),
    )
    routes = (
        route("::/0", "fe80::9", "eth0"),
        route("fd00:3::/64", "fe80::9", "eth2"),
        route("2001:db8:3::/64", "fe80::9", "eth2"),
        route("2001:db8:4::/64", "fe80::9", "eth1"),
    )
    return netns("h", devices, routes)


CHOSEN = [
    # RFC 6724 §5: rule, destination, source
    ("1, the same address", "fd00:2::1", "fd00:2::1"),
    ("1, of lo", "fd00:9::9", "fd00:9::9"),
    ("2, the scope of a site", "fec0::77", "fec0::1"),
    ("5, the device it leaves by", "2001:db8:9::1", "2001:db8::1"),
    ("5, before the label", "2001:db8:4::1", "2001::1"),
    ("5, a device without a global address: any device's", "2001:db8:3::1", "2001:db8::1"),
    ("6, of fc00::/7", "fd77::1", "fd00:1::1"),
    ("6, of 2002::/16", "2002:b00::1", "2002:a00::1"),
    ("6, of 2001::/32, on another device", "2001::77", "2001::1"),
    ("6, of 2001:10::/28", "2001:10::77", "2001:10::1"),
    ("6, of 3ffe::/16", "3ffe::77", "3ffe::1"),
    ("6, nobody has the label of ::/96", "::a00:1", "2002:a00::1"),
    ("6, the default label", "64:ff9b::1", "2001:db8::1"),
    ("8, the most bits, on any device", "fd00:3::1", "fd00:2::1"),
    ("8, no more than the prefix has", "fd00:2:0:1::1", "fd00:2::1"),
]


@pytest.mark.parametrize(("destination", "source"), [row[1:] for row in CHOSEN], ids=[row[0] for row in CHOSEN])
def test_the_source(destination, source):
    assert str(Walk(topology(many_addresses())).network.source_for("h", parse_address(destination))) == source
