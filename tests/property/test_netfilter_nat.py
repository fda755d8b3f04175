"""What holds for every NAT rule set and every packet."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netsim.net.address import Family, parse_address, parse_prefix
from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.rules.xtables.ast import (
    Chain,
    DNATTarget,
    Jump,
    MarkMatch,
    MarkTarget,
    MasqueradeTarget,
    Match,
    NATRange,
    PrefixMatch,
    ProtocolMatch,
    RedirectTarget,
    Rule,
    Ruleset,
    SNATTarget,
    StatisticRandomMatch,
    Table,
    Target,
    Verdict,
)
from netsim.stack.environment import HookVerdict
from netsim.stack.netfilter import Netfilter
from netsim.stack.nf_conntrack_core import Direction, packet_tuple
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import ChainPass, Hook
from tests.unit.netfilter_world import FORWARD, World, answer, icmp, tcp, through, udp

SETTINGS = settings(max_examples=40, deadline=None)

ADDRESSES = ["10.1.0.2", "10.1.0.3", "10.2.0.2", "10.2.0.3", "10.96.0.1"]
PORTS = [80, 443, 600, 5000, 40000]

addresses = st.sampled_from(ADDRESSES)
ports = st.sampled_from(PORTS)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    """A first packet of some connection."""
    src, dst = draw(addresses), draw(addresses)
    match draw(st.sampled_from(["tcp", "udp", "icmp"])):
        case "tcp":
            return tcp(src, dst, draw(ports), draw(ports))
        case "udp":
            return udp(src, dst, draw(ports), draw(ports))
        case _:
            return icmp(src, dst, identifier=draw(ports))


@st.composite
def ranges(draw: st.DrawFn) -> NATRange:
    """Addresses, ports, or both."""
    first, last = sorted([parse_address(draw(addresses)), parse_address(draw(addresses))])
    port = draw(st.none() | ports)
    last_port = None if port is None else port + draw(st.integers(0, 3))
    return NATRange(first, last, port, last_port)


@st.composite
def nat_rules(draw: st.DrawFn, *, source: bool) -> Rule:
    """A NAT rule of one kind, for some packets."""
    targets: list[st.SearchStrategy[Target]] = (
        [
            st.builds(SNATTarget, ranges(), st.booleans(), st.booleans(), st.booleans()),
            st.builds(MasqueradeTarget, st.none() | ports, random=st.booleans(), random_fully=st.booleans()),
        ]
        if source
        else [
            st.builds(DNATTarget, ranges(), st.booleans(), st.booleans()),
            st.builds(RedirectTarget, st.none() | ports, random=st.booleans()),
        ]
    )
    prefix = draw(st.none() | addresses)
    match = None if prefix is None else PrefixMatch(parse_prefix(prefix), draw(st.booleans()))
    protocol = draw(st.none() | st.sampled_from([6, 17]))
    return Rule(
        destination=match,
        protocol=None if protocol is None else ProtocolMatch(protocol),
        target=draw(st.one_of(targets)),
    )


def _netfilter(tables: dict[str, dict[str, Chain]]) -> tuple[World, Netfilter]:
    world = World()
    built = {name: Table(name, chains) for name, chains in tables.items()}
    return world, Netfilter([Ruleset(Family.IPV4, built)], world)


def _nat(pre: list[Rule], post: list[Rule]) -> tuple[World, Netfilter]:
    chains = {
        "PREROUTING": Chain("PREROUTING", tuple(pre), Verdict.ACCEPT),
        "INPUT": Chain("INPUT", (), Verdict.ACCEPT),
        "OUTPUT": Chain("OUTPUT", (), Verdict.ACCEPT),
        "POSTROUTING": Chain("POSTROUTING", tuple(post), Verdict.ACCEPT),
    }
    return _netfilter({"nat": chains})


def _forward(netfilter: Netfilter, packet: Packet, *, back: bool = False) -> Packet | None:
    near, far = ("out0", "in0") if back else ("in0", "out0")
    skb = SkBuff(packet, iif=near)
    return skb.packet if through(netfilter, skb, FORWARD, far) is HookVerdict.ACCEPT else None


some_nat = st.tuples(
    st.lists(nat_rules(source=False), max_size=3),
    st.lists(nat_rules(source=True), max_size=3),
)


@SETTINGS
@given(some_nat, packets())
def test_a_reply_comes_back_as_the_answer_to_what_was_sent(
    rules: tuple[list[Rule], list[Rule]], packet: Packet
) -> None:
    _, netfilter = _nat(*rules)
    sent = _forward(netfilter, packet)
    if sent is None:
        return
    assert _forward(netfilter, answer(sent), back=True) == answer(packet)
    if packet.ip.protocol is Protocol.TCP:
        assert _forward(netfilter, answer(answer(packet), "A")) == answer(answer(sent), "A")


@SETTINGS
@given(some_nat, st.lists(packets(), max_size=12))
def test_no_two_connections_look_alike_from_either_side(
    rules: tuple[list[Rule], list[Rule]], many: list[Packet]
) -> None:
    _, netfilter = _nat(*rules)
    for packet in many:
        _forward(netfilter, packet)
    # A packet from a port to the same port of the same address is its own reply, in the kernel too.
    assume(all(ct.original != ct.reply for ct in netfilter.conntrack))
    tuples = [ct.tuple(direction) for ct in netfilter.conntrack for direction in Direction]
    assert len(tuples) == len(set(tuples))
    for ct in netfilter.conntrack:
        assert netfilter.conntrack.find(ct.original) == (ct, Direction.ORIGINAL)
        assert netfilter.conntrack.find(ct.reply) == (ct, Direction.REPLY)


@SETTINGS
@given(some_nat, packets())
def test_an_icmp_error_from_the_far_side_quotes_what_the_client_sent(
    rules: tuple[list[Rule], list[Rule]], packet: Packet
) -> None:
    _, netfilter = _nat(*rules)
    sent = _forward(netfilter, packet)
    if sent is None:
        return
    error = icmp("10.2.0.254", str(sent.ip.src), 3, 3, 0, quoted=sent)
    got = _forward(netfilter, error, back=True)
    assert got is not None
    assert got.ip.dst == packet.ip.src
    assert isinstance(got.l4, ICMPHeader)
    assert got.l4.quoted == packet


@SETTINGS
@given(packets())
def test_a_tuple_inverted_twice_is_itself(packet: Packet) -> None:
    key = packet_tuple(packet)
    inverse = key.invert()
    assert inverse is not None
    assert inverse.invert() == key


# --- chains -----------------------------------------------------------------------------------------------------

NAMES = ["A", "B", "C"]

matches: st.SearchStrategy[Match] = st.one_of(
    st.builds(MarkMatch, st.integers(0, 3), st.just(3), st.booleans()),
    st.builds(StatisticRandomMatch, st.sampled_from([0, 1 << 29, 1 << 30, 1 << 31])),
)
targets: st.SearchStrategy[Target | None] = st.one_of(
    st.none(),
    st.sampled_from([Verdict.ACCEPT, Verdict.DROP, Verdict.RETURN]),
    st.builds(Jump, st.sampled_from(NAMES), st.booleans()),
    st.builds(MarkTarget, st.integers(0, 3), st.integers(0, 3)),
)
chain_rules = st.builds(
    Rule,
    destination=st.none() | st.builds(PrefixMatch, st.sampled_from([parse_prefix(each) for each in ADDRESSES])),
    matches=st.lists(matches, max_size=2).map(tuple),
    target=targets,
)


class _Fair(World):
    """Takes the options one after the other."""

    def choose(self, description: str, options: object) -> int:
        self.asked.append((description, options))  # type: ignore[arg-type]
        return len(self.asked) % 2


def _traverse(chains: dict[str, Chain], packet: Packet) -> tuple[HookVerdict, World]:
    world = _Fair()
    ruleset = Ruleset(Family.IPV4, {"filter": Table("filter", chains)})
    verdict = Netfilter([ruleset], world).run(Hook.FORWARD, SkBuff(packet, iif="in0", oif="out0"))
    return verdict, world


@st.composite
def chain_sets(draw: st.DrawFn) -> dict[str, Chain]:
    """FORWARD and three chains that call each other as they like, circles included."""
    chains = {name: Chain(name, tuple(draw(st.lists(chain_rules, max_size=4)))) for name in NAMES}
    chains["FORWARD"] = Chain("FORWARD", tuple(draw(st.lists(chain_rules, max_size=6))), Verdict.ACCEPT)
    return chains


@SETTINGS
@given(chain_sets(), packets())
def test_every_traversal_ends_and_says_how(chains: dict[str, Chain], packet: Packet) -> None:
    verdict, world = _traverse(chains, packet)
    (step,) = world.of(ChainPass)
    assert step.verdict == {"ACCEPT": "ACCEPT", "DROP": "DROP", "STOLEN": "UNKNOWN"}[verdict.name]
    for evaluation in step.evaluations:
        assert evaluation.choice is None or 0 < evaluation.choice.probability < Fraction(1)
