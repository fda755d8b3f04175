"""Rule sets as programs write them: everything in them is known, and packets go where the program means them to go."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsim.rules.nft.ast import Limit, ObjectReference, Quota
from netsim.rules.nft.dump import dump_as_loaded
from netsim.rules.nft.parse import parse
from netsim.stack.nf_tables_core import CompiledTable
from netsim.stack.nf_tables_expression import Scope
from netsim.stack.nf_tables_statement import compiled
from netsim.stack.steps import NftRuleRef
from netsim.stack.x_tables import RuleNotModelledError
from tests.unit.netfilter_world import FORWARD, INPUT, World, rules, tcp, udp, walk

DATA = Path(__file__).parents[1] / "data" / "rules"
TEXTS = sorted((*(DATA / "nft-programs").glob("*.nft"), *(DATA / "nft").glob("*.nft")))


def unknown(path: Path) -> list[str]:
    """Every statement that a walk could not evaluate."""
    found = []
    for table in parse(path.read_text(), path.name).tables.values():
        ready = CompiledTable(table)
        for chain in table.chains.values():
            for index, rule in enumerate(chain.rules):
                ref = NftRuleRef(table.family.value, table.name, chain.name, index, rule)
                scope = Scope("place", "label", ready.named, ready.object, (table.family.value, table.name))
                for statement in rule.statements:
                    try:
                        compiled(statement, ref, scope)
                    except RuleNotModelledError as missing:
                        found.append(f"{chain.name}: {missing}")
    return found


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_nothing_is_unknown(path: Path) -> None:
    assert unknown(path) == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_it_survives_printing(path: Path) -> None:
    ruleset = parse(path.read_text(), path.name)
    assert parse(dump_as_loaded(ruleset), path.name) == ruleset


def program(name: str) -> str:
    return (DATA / "nft-programs" / f"{name}.nft").read_text()


def test_a_named_limit_is_read_once() -> None:
    ruleset = parse("table ip t { limit l { rate 5/minute; }; quota q { over 1 mbytes }; counter c { }; }", "t")
    table = CompiledTable(next(iter(ruleset.tables.values())))
    assert isinstance(table.object(ObjectReference("limit", "l")), Limit)
    assert isinstance(table.object(ObjectReference("quota", "q")), Quota)
    assert table.object(ObjectReference("limit", "absent")) is None


def test_firewalld_rejects_what_no_zone_allows() -> None:
    """firewalld#527: its table is its own, and no ACCEPT of iptables helps against it."""
    world, netfilter = rules("*filter\n-A FORWARD -j ACCEPT", nft=program("firewalld"))
    assert walk(netfilter, tcp(), FORWARD) is None
    assert world.drop().chain == "filter_FWD_public"
    assert world.rejected[0][2] == "icmp-admin-prohibited"


def test_firewalld_lets_through_what_was_translated() -> None:
    _world, netfilter = rules("*nat\n-A PREROUTING -j DNAT --to-destination 10.2.0.9", nft=program("firewalld"))
    skb = walk(netfilter, tcp(), FORWARD)
    assert skb is not None
    assert str(skb.packet.ip.dst) == "10.2.0.9"


@pytest.mark.parametrize(("port", "verdict"), [(22, True), (10250, True), (25, False), (8443, False)])
def test_firewalld_ports(port: int, verdict: bool) -> None:
    _, netfilter = rules("", nft=program("firewalld"))
    assert (walk(netfilter, tcp(dst="10.1.0.1", dport=port), INPUT) is not None) is verdict


def _docker(packet, iif: str = "in0", oif: str = "docker0"):
    from netsim.stack.skbuff import Nexthop, SkBuff
    from tests.unit.netfilter_world import through

    world, netfilter = rules("", nft=program("docker"))
    skb = SkBuff(packet, iif=iif, oif=None)
    skb.nexthop = Nexthop(oif, None, None)
    verdict = through(netfilter, skb, FORWARD, oif)
    return world, skb, verdict


def test_docker_publishes_a_port() -> None:
    _world, skb, verdict = _docker(tcp(dst="10.1.0.1", dport=8080))
    assert verdict.value == "accept"
    assert str(skb.packet) == "10.1.0.2:40000 → 172.17.0.2:80"


def test_docker_drops_what_is_not_published() -> None:
    world, _, verdict = _docker(tcp(dst="172.17.0.3", dport=81))
    assert verdict.value == "drop"
    assert world.drop().ref.rule.comment == "UNPUBLISHED PORT DROP"


def test_docker_drops_what_goes_round_the_host_port() -> None:
    world, _, _ = _docker(tcp(dst="172.17.0.2", dport=80))
    assert world.drop().chain == "raw-PREROUTING"


def test_docker_masquerades_what_leaves() -> None:
    _, skb, _ = _docker(tcp(src="172.17.0.2", dst="10.2.0.2"), iif="docker0", oif="out0")
    assert str(skb.packet.ip.src) == "10.2.0.1"


def test_netavark_publishes_a_port() -> None:
    _, netfilter = rules("", nft=program("netavark"))
    skb = walk(netfilter, tcp(dst="10.1.0.1", dport=8080), FORWARD)
    assert skb is not None
    assert str(skb.packet) == "10.1.0.2:40000 → 10.88.0.2:80"


def test_a_dump_of_iptables_nft_chooses_as_the_rules_did() -> None:
    world = World(choices=[1])
    _, netfilter = rules("", nft=program("iptables-nft"), world=world)
    walk(netfilter, tcp(dst="10.96.0.10"), FORWARD[:1])
    (description, options), *_ = world.asked
    assert description == "node: ip nat KUBE-SVC rule 1"
    assert [(text, str(chance)) for text, chance in options] == [
        ("KUBE-SEP-A", "1/2"),
        ("past ip nat KUBE-SVC rule 1", "1/2"),
    ]
    assert world.nat()[0].endswith("10.244.2.2:8080")
    assert walk(netfilter, udp(), FORWARD[:1]) is not None
