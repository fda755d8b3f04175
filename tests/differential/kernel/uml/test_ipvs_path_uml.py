"""A connection's way through IPVS and iptables against a kernel that has IPVS: every rule that counts, in every hook, and what is heard."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import ICMPHeader, Protocol, TCPFlags, TCPHeader
from netsim.stack.namespace import ArrivalKind
from netsim.stack.network import Network
from netsim.stack.steps import ChainPass, Drop
from netsim.trace.model import Flow
from netsim.trace.walk import drive
from tests.differential.kernel.uml.guest import guest_missing, run_in_guest
from tests.differential.kernel.uml.path_rows import ROWS, Row
from tests.unit.stack_world import Walk

pytestmark = pytest.mark.kernel

ERRORS = {(3, 3): "ECONNREFUSED", (3, 1): "EHOSTUNREACH", (11, 0): "EHOSTUNREACH", (3, 0): "ENETUNREACH"}


def modelled(row: Row) -> dict[str, Any]:
    """The model's answer in the guest's form."""
    walk = Walk(row.world())
    network: Network = walk.network
    protocol = Protocol.TCP if row.kind == "tcp" else Protocol.UDP
    flow = Flow(row.netns, parse_address(row.to), protocol, row.port, ttl=row.ttl, payload=0, dont_fragment=True)
    drive(network, walk.world, flow, one_way=False)
    assert not walk.not_modelled
    node = network.namespace("n")
    counts = Counter(
        f"{step.table} {evaluation.ref.chain} {evaluation.ref.index}"
        for step in walk.of(ChainPass, "n")
        for evaluation in step.evaluations
        if evaluation.matched
    )
    reached = [
        f"{arrival.netns} from {arrival.packet.ip.src}"
        for arrival in network.arrivals
        if arrival.kind is ArrivalKind.LISTENER and _opens(arrival.packet.l4)
    ]
    conns = sorted(conn.text(0) for conn in node.ipvs.conns) if node.ipvs is not None else []
    heard = _heard(walk)
    if row.kind == "tcp" and heard != "connected":
        reached = []  # a process learns of a connection that is open on both sides
    return {"heard": heard, "reached": reached, "counted": dict(counts), "connections": conns}


def _opens(l4: object) -> bool:
    return not isinstance(l4, TCPHeader) or bool(l4.flags & TCPFlags.SYN)


def _heard(walk: Walk) -> str:
    for arrival in walk.network.arrivals:
        if arrival.owner != "client":
            continue
        match arrival.packet.l4:
            case TCPHeader(flags=flags):
                return "ECONNREFUSED" if flags & TCPFlags.RST else "connected"
            case ICMPHeader(type=kind, code=code):
                return ERRORS[kind, code]
            case _:
                return "answer"
    return ""


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    if (missing := guest_missing()) is not None:
        if os.environ.get("NETSIM_REQUIRE_KERNEL"):
            pytest.fail(missing)
        pytest.skip(missing)
    told = run_in_guest(Path(__file__).with_name("path_job.py"), [row.guest() for row in ROWS])
    return {row.name: answer for row, answer in zip(ROWS, told, strict=True)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("part", ["heard", "reached", "counted"])
def test_the_way_is_the_kernels(row: Row, part: str, answers: dict[str, dict[str, Any]]) -> None:
    assert modelled(row)[part] == answers[row.name][part]


def test_every_end_of_a_packet_is_recorded() -> None:
    for row in ROWS:
        walk = Walk(row.world()).tcp(row.netns, row.to, row.port)
        assert walk.of(Drop) or walk.heard, row.name
