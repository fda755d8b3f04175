"""Matching by an index is matching by a scan: the same verdict, the same steps, the same memory, packet after packet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.address import Family, parse_prefix
from netsim.net.packet import Packet
from netsim.rules.xtables.ast import (
    Chain,
    CommentMatch,
    InterfaceMatch,
    Jump,
    LogTarget,
    Match,
    PortMatch,
    PortRange,
    PrefixMatch,
    ProtocolMatch,
    RecentMatch,
    Rule,
    Ruleset,
    SCTPMatch,
    StatisticNthMatch,
    StatisticRandomMatch,
    Table,
    TCPMatch,
    UDPMatch,
    Verdict,
)
from netsim.rules.xtables.matches import LimitMatch
from netsim.stack import rule_index
from netsim.stack.ip_tables import CompiledChain
from netsim.stack.netfilter import Netfilter
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import ChainPass, Hook
from tests.unit.netfilter_world import World, icmp, sctp, tcp, udp

SETTINGS = settings(max_examples=150, deadline=None)
yes = st.booleans()
prefixes = st.builds(
    PrefixMatch,
    st.sampled_from([parse_prefix(each) for each in ("10.1.0.2", "10.2.0.2", "10.2.0.3", "10.2.0.0/24")]),
    yes,
)
devices = st.builds(InterfaceMatch, st.sampled_from(["in0", "in1", "in+", "out0", "out1"]), yes)
ports = st.builds(PortMatch, st.sampled_from([PortRange(80, 80), PortRange(53, 53), PortRange(50, 90)]), yes)
transports = {6: TCPMatch, 17: UDPMatch, 132: SCTPMatch}
remembering: st.SearchStrategy[Match] = st.one_of(
    st.just(CommentMatch("x")),
    st.just(StatisticNthMatch(2, 0)),
    st.just(StatisticRandomMatch(1 << 30)),
    st.just(LimitMatch(36_000_000, 3)),
    st.builds(RecentMatch, st.sampled_from(["set", "rcheck", "update", "remove"])),
)
targets = st.one_of(
    st.none(),
    st.sampled_from([Verdict.ACCEPT, Verdict.DROP, Verdict.RETURN]),
    st.builds(Jump, st.sampled_from(["A", "B"]), yes),
    st.just(LogTarget("LOG")),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    protocol = draw(st.none() | st.sampled_from([6, 17, 132]))
    matches = draw(st.lists(remembering, max_size=2))
    if protocol is not None and draw(yes):
        match = transports[protocol](destination=draw(st.none() | ports))
        matches.insert(draw(st.integers(0, len(matches))), match)
    return Rule(
        source=draw(st.none() | st.none() | prefixes),
        destination=draw(st.none() | st.none() | prefixes),
        in_interface=draw(st.none() | devices),
        out_interface=draw(st.none() | devices),
        protocol=None if protocol is None else ProtocolMatch(protocol, draw(st.integers(0, 5)) == 0),
        matches=tuple(matches),
        target=draw(targets),
    )


packets = st.lists(
    st.sampled_from(
        [
            tcp(),
            tcp(dport=53),
            tcp(dst="10.2.0.3"),
            udp(),
            udp(dport=80),
            sctp(),
            icmp(),
            udp().with_ip(fragment_offset=8),
        ]
    ),
    min_size=1,
    max_size=4,
)


class _Fair(World):
    """Takes the options one after the other."""

    def choose(self, description: str, options: object) -> int:
        self.asked.append((description, options))  # type: ignore[arg-type]
        return len(self.asked) % 2


def walk(chains: dict[str, Chain], sent: list[Packet]) -> tuple[list[object], World]:
    """What became of some packets, one after the other, in one namespace."""
    world = _Fair()
    netfilter = Netfilter([Ruleset(Family.IPV4, {"filter": Table("filter", chains)})], world)
    verdicts: list[object] = []
    for number, packet in enumerate(sent):
        world.time = float(number)
        verdicts.append(netfilter.run(Hook.FORWARD, SkBuff(packet, iif="in0", oif="out0")))
    return verdicts, world


@SETTINGS
@given(
    st.lists(rules(), max_size=12),
    st.lists(rules(), max_size=4),
    st.lists(rules(), max_size=3),
    packets,
    st.integers(1, 3),
)
def test_the_index_gives_what_a_scan_gives(
    forward: list[Rule], first: list[Rule], second: list[Rule], sent: list[Packet], size: int
) -> None:
    def chains() -> dict[str, Chain]:
        return {
            "FORWARD": Chain("FORWARD", tuple(forward), Verdict.ACCEPT),
            "A": Chain("A", tuple(first)),
            "B": Chain("B", tuple(second)),
        }

    scanned, plain = walk(chains(), sent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_index, "INDEX_FROM", size)
        found, indexed = walk(chains(), sent)
    assert found == scanned
    assert indexed.asked == plain.asked
    assert indexed.steps == plain.steps
    for step in (*indexed.of(ChainPass), *plain.of(ChainPass)):
        told = list(step.evaluations)
        assert len(step.evaluations) == len(told)
        assert step.evaluations.matched() == [each for each in told if each.matched]  # type: ignore[attr-defined]


def _candidates(chain: tuple[Rule, ...], packet: Packet) -> list[int]:
    compiled = CompiledChain(4, "filter", Chain("FORWARD", chain))
    return list(compiled.index.candidates(SkBuff(packet), "in0", "out0"))


# a rule that may be filed | packets that look at it | packets that pass it over
FILED = [
    (Rule(destination=PrefixMatch(parse_prefix("10.2.0.2"))), tcp(), tcp(dst="10.2.0.3")),
    (Rule(source=PrefixMatch(parse_prefix("10.1.0.2"))), tcp(), tcp(src="10.1.0.3")),
    (
        Rule(protocol=ProtocolMatch(6), matches=(TCPMatch(destination=PortMatch(PortRange(80, 80))),)),
        tcp(),
        tcp(dport=81),
    ),
    (
        Rule(protocol=ProtocolMatch(6), matches=(TCPMatch(destination=PortMatch(PortRange(80, 80))),)),
        tcp(),
        udp(dport=80),
    ),
    (Rule(in_interface=InterfaceMatch("in0")), tcp(), None),
    (Rule(out_interface=InterfaceMatch("out0")), tcp(), None),
]


@pytest.mark.parametrize(("rule", "looks", "passes"), FILED)
def test_long_chains_have_an_index(rule: Rule, looks: Packet, passes: Packet | None) -> None:
    other = Rule(in_interface=InterfaceMatch("elsewhere"))
    chain = (*[other] * (rule_index.INDEX_FROM - 1), rule)
    assert _candidates(chain, looks) == [len(chain) - 1]
    if passes is not None:
        assert _candidates(chain, passes) == []
    assert len(_candidates(chain[1:], looks)) == rule_index.INDEX_FROM - 1


def test_a_rule_that_remembers_before_it_looks_at_the_port_is_not_filed() -> None:
    port = TCPMatch(destination=PortMatch(PortRange(80, 80)))
    rule = Rule(protocol=ProtocolMatch(6), matches=(StatisticNthMatch(2, 0), port))
    chain = (*[Rule(in_interface=InterfaceMatch("elsewhere"))] * rule_index.INDEX_FROM, rule)
    assert _candidates(chain, tcp(dport=81)) == [len(chain) - 1]
