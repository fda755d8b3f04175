"""The rows of ``match_rows`` before the model."""

from __future__ import annotations

import pytest

from netsim.net.address import Family
from netsim.stack.netfilter import Netfilter
from netsim.stack.steps import ChainPass, NotModelled
from tests.table.match_rows import ROWS, MatchRow
from tests.unit.netfilter_world import World, rules, tcp, udp, walk


def matched(world: World, netfilter: Netfilter, row: MatchRow) -> str:
    """One letter a packet: ``y`` where the row's rule matched."""
    letters = ""
    for packet in row.packets:
        world.steps.clear()
        walk(netfilter, packet)
        passes = [step for step in world.of(ChainPass) if f"{step.table} {step.hook.value}" == row.where]
        hits = [evaluation.matched for step in passes for evaluation in step.evaluations]
        letters += "y" if any(hits) else "n"
    assert not world.of(NotModelled)
    return letters


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_packets_and_rules(row: MatchRow) -> None:
    table, chain = row.where.split()
    world = World(routes_back={"10.2.0.3": "out0", "10.9.0.9": ""})
    world, netfilter = rules(f"*{table}\n-A {chain} {row.rule}", world=world, sets=row.sets)
    assert matched(world, netfilter, row) == row.matched


# types that this machine's kernel has no module for; the rows follow the kernel's source
MORE_SETS = [
    ("create s hash:net,net\nadd s 10.1.0.0/24,10.2.0.0/16", "src,dst", tcp(), True),
    (
        "create s hash:net,net\nadd s 10.1.0.0/24,10.2.0.0/16\nadd s 10.1.0.0/24,10.2.0.0/24 nomatch",
        "src,dst",
        tcp(),
        False,
    ),
    ("create s hash:net,net\nadd s 10.1.0.0/24,10.2.0.0/16", "dst,src", tcp(), False),
    ("create s hash:ip,mark\nadd s 10.1.0.2,0x00000007", "src,src", tcp(), True),
    ("create s hash:net,port,net\nadd s 10.1.0.0/24,tcp:80,10.2.0.0/24", "src,dst,dst", tcp(), True),
    ("create s hash:net,port,net\nadd s 10.1.0.0/24,tcp:80,10.2.0.0/24", "src,src,dst", tcp(), False),
]


@pytest.mark.parametrize(("sets", "directions", "packet", "hit"), MORE_SETS)
def test_sets_by_the_source(sets, directions, packet, hit) -> None:
    _, netfilter = rules(f"-A FORWARD -m set --match-set s {directions} -j DROP", sets=sets)
    assert (walk(netfilter, packet, mark=7) is None) == hit


def test_members_go_when_their_time_is_up() -> None:
    world, netfilter = rules(
        "-A FORWARD -m set --match-set s src -j DROP", sets="create s hash:ip timeout 0\nadd s 10.1.0.2 timeout 10"
    )
    assert walk(netfilter, udp()) is None
    world.time = 9.9
    assert walk(netfilter, udp()) is None
    world.time = 10
    assert walk(netfilter, udp()) is not None


def test_a_limit_fills_with_time() -> None:
    world, netfilter = rules("-A FORWARD -m limit --limit 6/min --limit-burst 2 -j DROP")
    assert [walk(netfilter, udp()) is None for _ in range(3)] == [True, True, False]
    world.time = 9.9
    assert walk(netfilter, udp()) is not None
    world.time = 10.0
    assert walk(netfilter, udp()) is None
    world.time = 1000.0
    assert [walk(netfilter, udp()) is None for _ in range(3)] == [True, True, False]


def test_an_idle_bucket_is_forgotten() -> None:
    text = "-m hashlimit --hashlimit-upto 1/day --hashlimit-burst 1 --hashlimit-name x --hashlimit-htable-expire 5000"
    world, netfilter = rules(f"-A FORWARD {text} -j DROP")
    assert [walk(netfilter, udp()) is None for _ in range(2)] == [True, False]
    world.time = 5.1
    assert walk(netfilter, udp()) is None


def test_rules_of_one_name_share_their_buckets() -> None:
    text = "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 2 --hashlimit-name x"
    _, netfilter = rules(f"-A FORWARD {text}\n-A FORWARD {text} -j DROP")
    assert [walk(netfilter, udp()) is None for _ in range(2)] == [True, False]


def test_connections_that_conntrack_forgot_do_not_count() -> None:
    world, netfilter = rules("-A FORWARD -m connlimit --connlimit-above 1 -j DROP")
    assert walk(netfilter, udp(sport=1)) is not None
    assert walk(netfilter, udp(sport=2)) is None
    world.time = 31
    assert walk(netfilter, udp(sport=2)) is not None


def test_the_set_target_adds_and_deletes() -> None:
    text = """
    -A FORWARD -p udp --dport 1 -j SET --add-set seen src --exist --timeout 5
    -A FORWARD -p udp --dport 2 -j SET --del-set seen src
    -A FORWARD -m set --match-set seen src -j DROP
    """
    world, netfilter = rules(text, sets="create seen hash:ip timeout 100")
    assert [walk(netfilter, udp(dport=port)) is None for port in (3, 1, 3, 2, 3)] == [False, True, True, False, False]
    assert walk(netfilter, udp(dport=1)) is None
    world.time = 5
    assert walk(netfilter, udp(dport=3)) is not None


def test_a_set_of_the_other_family_holds_nothing() -> None:
    text = "-A FORWARD -m set --match-set s src -j DROP"
    _, netfilter = rules(
        text, family=Family.IPV6, sets="create s hash:net family inet6\nadd s fd01::/64\nadd s fd01::2 nomatch"
    )
    assert walk(netfilter, tcp("fd01::3", "fd02::2")) is None
    assert walk(netfilter, tcp("fd01::2", "fd02::2")) is not None


def test_a_set_of_ipv6_addresses_holds_no_ipv4_packet() -> None:
    """iptables refuses to load such a rule; a list of sets may hold sets of both families."""
    sets = "create six hash:ip family inet6\ncreate four hash:ip\nadd four 10.1.0.2\ncreate s list:set\nadd s six\nadd s four"
    _, netfilter = rules("-A FORWARD -m set --match-set s src -j DROP", sets=sets)
    assert walk(netfilter, udp()) is None
    assert walk(netfilter, udp(src="10.1.0.3")) is not None
