"""Chances: numgen, hashes and schedulers, counted over many connections, are what their forks say."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import Protocol
from netsim.rules.nft.parse import parse
from netsim.stack.ip_vs_ctl import Service
from netsim.stack.ip_vs_sched import Asked
from netsim.topology.model import Topology
from netsim.trace.explore import ScriptedChooser
from netsim.trace.model import Flow
from netsim.trace.selection import Selection
from netsim.trace.trace import trace
from tests.table.test_ipvs_schedulers import packet, sequences, virtual_server
from tests.unit.stack_world import FORWARDING, WEB, changed, netns, route, topology, veth

CONNECTIONS = 600
BACKENDS = tuple(f"10.2.0.{number}" for number in (2, 3, 4))


def world(rule: str) -> Topology:
    """Client c – router r with one rule – a host that has all backends."""
    text = f"table ip t {{ chain c {{ type nat hook prerouting priority dstnat;\nip daddr 10.9.0.9 {rule}\n}} }}"
    addresses = [f"{address}/24" for address in BACKENDS]
    client = netns("c", (veth("c/eth0", "r/in0", "10.1.0.2/24"),), (route("default", "10.1.0.1"),))
    server = netns("s", (veth("s/eth0", "r/out0", *addresses),), (route("default", "10.2.0.1"),), listeners=WEB)
    devices = (veth("r/in0", "c/eth0", "10.1.0.1/24"), veth("r/out0", "s/eth0", "10.2.0.1/24"))
    made = topology(client, netns("r", devices, sysctls=FORWARDING), server)
    return changed(made, "r", nftables=(parse(text, "numbers"),))


def flow(sport: int) -> Flow:
    return Flow("c", parse_address("10.9.0.9"), Protocol.TCP, 80, sport)


RANDOM = (
    # rule, the chance of each backend
    ("dnat to numgen random mod 3 map { 0 : 10.2.0.2, 1 : 10.2.0.3, 2 : 10.2.0.4 }", (1, 1, 1)),
    ("dnat to numgen random mod 4 map { 0-1 : 10.2.0.2, 2 : 10.2.0.3, 3 : 10.2.0.4 }", (2, 1, 1)),
    ("dnat to numgen random mod 3 offset 5 map { 5 : 10.2.0.2, 6 : 10.2.0.3, 7 : 10.2.0.4 }", (1, 1, 1)),
    ("dnat to symhash mod 3 map { 0 : 10.2.0.2, 1 : 10.2.0.3, 2 : 10.2.0.4 }", (1, 1, 1)),
    ("dnat to jhash ip saddr . tcp sport mod 3 map { 0 : 10.2.0.2, 1 : 10.2.0.3, 2 : 10.2.0.4 }", (1, 1, 1)),
)


@pytest.mark.parametrize(("rule", "weights"), RANDOM, ids=[row[0][8:40] for row in RANDOM])
def test_the_fork_is_exact(rule: str, weights: tuple[int, ...]) -> None:
    found = trace(world(rule), flow(40000), source="c", target="s")
    chances = {str(branch.backend[0]): branch.probability for branch in found.branches if branch.backend}
    assert chances == {
        address: Fraction(weight, sum(weights)) for address, weight in zip(BACKENDS, weights, strict=True)
    }


@pytest.mark.parametrize(("rule", "weights"), RANDOM[:2], ids=[row[0][8:40] for row in RANDOM[:2]])
def test_what_a_seed_draws_is_so_distributed(rule: str, weights: tuple[int, ...]) -> None:
    made = world(rule)
    counted: Counter[str] = Counter()
    for seed in range(CONNECTIONS):
        found = trace(
            made, flow(40000), source="c", target="s", selection=Selection(seed=seed), seed=seed, one_way=True
        )
        backend = found.branches[0].backend
        assert backend is not None
        counted[str(backend[0])] += 1
    assert _chi_square([counted[address] for address in BACKENDS], weights) < LIMIT


def test_a_seeded_hash_spreads_flows_evenly() -> None:
    """``jhash … seed`` is computed: many flows come to each backend about as often."""
    made = world(
        "dnat to jhash ip saddr . tcp sport mod 3 seed 0x1234 map { 0 : 10.2.0.2, 1 : 10.2.0.3, 2 : 10.2.0.4 }"
    )
    counted: Counter[str] = Counter()
    for sport in range(1024, 1024 + CONNECTIONS):
        found = trace(made, flow(sport), source="c", target="s", one_way=True)
        (branch,) = found.branches
        assert branch.backend is not None
        counted[str(branch.backend[0])] += 1
    assert _chi_square([counted[address] for address in BACKENDS], (1, 1, 1)) < LIMIT


# --- IPVS's schedulers --------------------------------------------------------------------------------------------

TURNS = (
    # scheduler, weights, how many of 600 connections that stay open each real server gets
    ("rr", (1, 1, 1), (200, 200, 200)),
    ("rr", (5, 1, 1), (200, 200, 200)),
    ("wrr", (1, 2, 3), (100, 200, 300)),
    ("lc", (1, 2, 3), (200, 200, 200)),
    ("wlc", (1, 2, 3), (100, 200, 300)),
    ("sed", (1, 2, 3), (100, 200, 300)),
    ("nq", (1, 2, 3), (100, 200, 300)),
)


def connections(scheduler: str, weights: tuple[int, ...], *, clients: bool) -> Counter[int]:
    """Who got 600 connections: of one client in turn, or each of a client of its own."""
    service = Service.of(virtual_server(scheduler, *weights))
    counted: Counter[int] = Counter()
    for number in range(CONNECTIONS):
        source = f"10.2.{number // 200}.{number % 200 + 1}" if clients else "10.2.0.1"
        found = service.scheduler.schedule(
            Asked(packet(source, 1024 + number), ScriptedChooser(()), "place", fresh=True)
        )
        assert found.dest is not None
        found.dest.active += 1
        counted[int(found.dest.spec.address) & 0xFF] += 1
    return counted


@pytest.mark.parametrize(("scheduler", "weights", "shares"), TURNS, ids=[f"{row[0]} {row[1]}" for row in TURNS])
def test_turns_come_to_their_shares(scheduler: str, weights: tuple[int, ...], shares: tuple[int, ...]) -> None:
    counted = connections(scheduler, weights, clients=False)
    assert all(abs(counted[number] - share) <= 2 for number, share in enumerate(shares, 1))
    forked = sequences(virtual_server(scheduler, *weights), 1)
    assert forked == {str(number): Fraction(share, CONNECTIONS) for number, share in enumerate(shares, 1)}


@pytest.mark.parametrize("scheduler", ["sh", "mh"])
def test_hashes_spread_clients_by_weight(scheduler: str) -> None:
    """Not by chance: a client has its place. Over many clients the places are near the weights."""
    counted = connections(scheduler, (1, 2, 3), clients=True)
    assert all(abs(counted[number] - 100 * number) < 45 for number in (1, 2, 3))
    assert counted == connections(scheduler, (1, 2, 3), clients=True)


LIMIT = 13.8
"""Chi-square with two degrees of freedom: exceeded by chance in one of a thousand cases; the draws here are always the same."""


def _chi_square(counted: list[int], weights: tuple[int, ...]) -> float:
    total, sum_of = sum(counted), sum(weights)
    expected = [total * weight / sum_of for weight in weights]
    return sum((seen - wanted) ** 2 / wanted for seen, wanted in zip(counted, expected, strict=True))
