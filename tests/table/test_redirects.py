"""The rows of ``redirect_rows`` in the model."""

from __future__ import annotations

import pytest

from netsim.net.address import parse_address
from netsim.stack.dst import route_output
from netsim.stack.inetpeer import InetPeers
from netsim.stack.route import OutputKey
from netsim.stack.steps import LocalSend, RoutingDecision
from tests.table.redirect_rows import G6, PING, ROWS, Row, one_link
from tests.unit.stack_world import Walk


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_what_a_host_believes(row: Row):
    seen = Walk(row.world)
    for second in range(2):
        seen.clock.seconds = float(second)
        (seen.ping if row.protocol is PING else seen.udp)("h", row.dst)
    assert len(seen.heard) == 2
    nexthop = route_output(seen.network.namespace("h"), OutputKey(parse_address(row.dst))).nexthop
    assert nexthop is not None
    assert str(nexthop.gateway) == row.next_hop


def test_tcp_believes_a_redirect_in_ipv6():
    """On a veth the redirect comes while connect() holds the socket, which then ignores it; so the kernel's tests cannot ask."""
    seen = Walk(one_link()).tcp("h", "fd09::1")
    nexthop = route_output(seen.network.namespace("h"), OutputKey(parse_address("fd09::1"))).nexthop
    assert nexthop is not None
    assert str(nexthop.gateway) == G6


def test_a_redirect_is_a_packet_and_its_effect_is_told():
    seen = Walk(one_link()).udp("h", "10.9.0.1")
    seen.clock.seconds = 1.0
    seen.udp("h", "10.9.0.1")
    for redirect in (step.packet for step in seen.of(LocalSend, "r")):
        assert (redirect.l4.type, redirect.l4.code, str(redirect.l4.gateway)) == (5, 1, "10.1.0.2")
    effects = [step.result for step in seen.of(RoutingDecision, "h") if step.stage == "redirect"]
    assert effects == [
        "redirect noted: 10.9.0.1 by 10.1.0.2, whose MAC is asked for first",
        "redirect accepted: 10.9.0.1 by 10.1.0.2",
    ]


def test_redirects_wait_twice_as_long_each_time_and_end():
    peers, host = InetPeers(), parse_address("10.1.0.5")
    assert peers.redirects(host, 0.0)
    assert not peers.redirects(host, 0.03)
    assert peers.redirects(host, 0.05)
    assert not peers.redirects(host, 0.12)
    assert peers.redirects(host, 0.14)
    now = 0.14
    sent = 3
    while sent < 9:
        now += 0.02 * 2**sent + 0.01
        assert peers.redirects(host, now)
        sent += 1
    assert not peers.redirects(host, now + 20)
    assert peers.redirects(host, now + 20 + 21)


def test_ipv6_has_six_at_once_and_one_a_second():
    peers, host = InetPeers(), parse_address("fd01::5")
    assert [peers.allow(host, 0.0) for _ in range(7)] == [True] * 6 + [False]
    assert peers.allow(host, 1.0)
