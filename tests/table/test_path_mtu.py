"""What a host does once it was told of a smaller path MTU, and what the metrics of its routes make of its packets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import TCPHeader
from netsim.stack.reasons import DropReason
from netsim.stack.steps import Fragmentation, LocalSend
from netsim.topology.model import Topology
from tests.table.path_mtu_rows import METRICS, TOLD, Row, told_by_a_router
from tests.unit.stack_world import Walk


def walked(seen: Walk, row: Row) -> list[str]:
    """What the client hears of one packet."""
    before, steps = len(seen.heard), len(seen.steps)
    seen.udp("a", row.dst, payload=row.payload, df=row.df)
    refused = any("'Message too long'" in getattr(step, "detail", "") for _, step in seen.steps[steps:])
    return [*seen.heard[before:], *(["EMSGSIZE"] if refused else [])]


@pytest.mark.parametrize("row", [*TOLD, *METRICS], ids=lambda row: row.id)
def test_what_a_host_hears_of_packets_one_after_the_other(row: Row):
    seen = Walk(row.world)
    assert [walked(seen, row) for _ in row.heard] == [[heard] for heard in row.heard]


def test_what_was_learnt_is_forgotten():
    row = TOLD[0]
    seen = Walk(row.world)
    assert walked(seen, row) == [row.heard[0]]
    assert walked(seen, row) == ["EMSGSIZE"]
    seen.clock.seconds = 601.0
    assert walked(seen, row) == [row.heard[0]]


def test_fragments_have_the_learnt_size():
    row = next(row for row in TOLD if not row.df and ":" in row.dst)
    seen = Walk(row.world)
    for _ in row.heard:
        walked(seen, row)
    assert [cut.mtu for cut in seen.of(Fragmentation, "a")] == [1400]


def test_a_smaller_path_than_min_pmtu_is_not_believed():
    world = told_by_a_router()
    narrow = world.namespaces["n2"]
    devices = tuple(replace(d, mtu=500) if d.name in ("cni0", "vethc") else d for d in narrow.devices)
    seen = Walk(Topology(world.name, {**world.namespaces, "n2": replace(narrow, devices=devices)}))
    seen.udp("a", "10.244.1.2", payload=600)
    learnt = seen.network.namespace("a").exceptions.path_mtus["eth0", parse_address("10.244.1.2")]
    assert (learnt.mtu, learnt.locked) == (552, True)
    seen.udp("a", "10.244.1.2", payload=600)
    assert [cut.mtu for cut in seen.of(Fragmentation, "a")] == [552]


def test_an_error_about_nobodys_packet_teaches_nothing():
    seen = Walk(told_by_a_router())
    assert not seen.network.namespace("a").exceptions.path_mtus
    seen.udp("x", "10.244.1.2", payload=1400)
    assert not seen.network.namespace("a").exceptions.path_mtus
    assert ("n2", DropReason.PKT_TOO_BIG) in seen.drops


@pytest.mark.parametrize(("metrics", "mss"), [({"advmss": 1200}, 1200), ({"mtu": 1300}, 1260), ({}, 1460)])
def test_a_listener_announces_what_its_route_back_says(metrics, mss):
    world = told_by_a_router(mtu=1500)
    pod = world.namespaces["c"]
    routes = tuple(replace(route, **metrics) for route in pod.routes)
    seen = Walk(Topology(world.name, {**world.namespaces, "c": replace(pod, routes=routes)})).tcp("a", "10.244.1.2")
    answers = [step.packet.l4 for step in seen.of(LocalSend, "c")]
    assert [answer.mss for answer in answers if isinstance(answer, TCPHeader)] == [mss]
