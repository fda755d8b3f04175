"""Base chains of nftables beside each other and beside iptables': order, what ends what, jumps, NAT, conntrack, what is not walked."""

from __future__ import annotations

import pytest

from netsim.net.address import Family
from netsim.stack.steps import ChainPass, ConntrackStep, NATStep, NftChainPass, NotModelled
from tests.unit.netfilter_world import FORWARD, INPUT, OUTPUT, World, answer, icmp, rules, tcp, udp, walk


def passed(world: World) -> list[str]:
    """``table chain VERDICT`` of every pass, in order."""
    found = []
    for step in world.steps:
        match step:
            case NftChainPass():
                found.append(f"{step.table} {step.chain} {step.verdict}{' policy' if step.policy else ''}")
            case ChainPass():
                found.append(f"{step.table} {step.hook.value} {step.verdict}{' policy' if step.policy else ''}")
            case _:
                continue
    return found


def matched(world: World) -> list[str]:
    passes = world.of(NftChainPass)
    return [f"{e.ref.chain}[{e.ref.index}] {e.effect}".rstrip() for p in passes for e in p.evaluations if e.matched]


def base(hook: str, priority: int, *lines: str, kind: str = "filter", policy: str = "accept") -> str:
    inside = "\n".join(lines)
    return f"chain c {{ type {kind} hook {hook} priority {priority}; policy {policy};\n{inside}\n}}\n"


def table(name: str, *chains: str, family: str = "ip") -> str:
    return f"table {family} {name} {{\n{''.join(chains)}}}\n"


def test_priorities_order_chains_and_iptables_tables() -> None:
    text = "".join(
        table(name, base("forward", priority)) for name, priority in (("a", 10), ("b", -151), ("d", -1), ("e", 51))
    )
    world, netfilter = rules("*mangle\n:FORWARD ACCEPT\n*filter\n:FORWARD ACCEPT\n*security\n:FORWARD ACCEPT", nft=text)
    assert walk(netfilter, tcp(), FORWARD[1:2]) is not None
    names = [line.split()[0] for line in passed(world)]
    assert names == ["b", "mangle", "d", "filter", "a", "security", "e"]


def test_of_equal_priority_what_was_loaded_last_comes_first() -> None:
    text = table("a", base("forward", 0)) + table("b", base("forward", 0), family="inet")
    world, netfilter = rules(":FORWARD ACCEPT", nft=text)
    walk(netfilter, tcp(), FORWARD[1:2])
    assert [line.split()[0] for line in passed(world)] == ["b", "a", "filter"]


def test_accept_ends_its_base_chain_only() -> None:
    text = table("a", base("forward", -1, "accept", "drop")) + table("b", base("forward", 0, "drop"))
    world, netfilter = rules(":FORWARD ACCEPT", nft=text)
    assert walk(netfilter, tcp(), FORWARD[1:2]) is None
    assert passed(world) == ["a c ACCEPT", "b c DROP"]
    assert world.drop().ref.table == "b"


def test_drop_ends_everything() -> None:
    text = table("a", base("forward", -1, "drop")) + table("b", base("forward", 0, "accept"))
    world, netfilter = rules(":FORWARD ACCEPT", nft=text)
    assert walk(netfilter, tcp(), FORWARD[1:2]) is None
    assert passed(world) == ["a c DROP"]


def test_a_policy_decides_at_the_end_and_names_the_chain() -> None:
    world, netfilter = rules("", nft=table("a", base("forward", 0, "tcp dport 81 accept", policy="drop")))
    assert walk(netfilter, tcp(), FORWARD[1:2]) is None
    assert (world.drop().ref, world.drop().chain, world.drop().detail) == (None, "c", "policy of c")


FLOWS = [
    # chains besides c, rules of c, what matched
    ("chain x { counter }", ("jump x", "accept"), ["c[0] jump x", "x[0]", "c[1] accept"]),
    ("chain x { counter }", ("goto x", "drop"), ["c[0] goto x", "x[0]"]),
    ("chain x { return; drop }", ("jump x", "accept"), ["c[0] jump x", "x[0] return", "c[1] accept"]),
    (
        "chain x { goto y }\nchain y { counter }",
        ("jump x", "accept"),
        ["c[0] jump x", "x[0] goto y", "y[0]", "c[1] accept"],
    ),
    ("", ("return", "drop"), ["c[0] return"]),
    ("", ("continue", "accept", "drop"), ["c[0] continue", "c[1] accept"]),
    ("chain x { tcp dport 80 accept }", ("tcp dport vmap { 80 : jump x }", "drop"), ["c[0] jump x", "x[0] accept"]),
    ("", ("tcp dport vmap { 81 : drop }", "accept"), ["c[1] accept"]),
    ("", ("meta mark set 0x1 tcp dport 81 drop", "meta mark 0x1 accept"), ["c[1] accept"]),
]


@pytest.mark.parametrize(("chains", "lines", "expected"), FLOWS)
def test_ways_through_chains(chains: str, lines: tuple[str, ...], expected: list[str]) -> None:
    world, netfilter = rules("", nft=table("a", f"{chains}\n", base("forward", 0, *lines)))
    assert walk(netfilter, tcp(), FORWARD[1:2]) is not None
    assert matched(world) == expected


def test_an_effect_before_a_break_is_told() -> None:
    world, netfilter = rules("", nft=table("a", base("forward", 0, "meta mark set 0x1 tcp dport 81 drop")))
    walk(netfilter, tcp(), FORWARD[1:2])
    (evaluation,) = world.of(NftChainPass)[0].evaluations
    assert (evaluation.matched, evaluation.effect) == (False, "mark 0x0 → 0x1")


# --- NAT ---------------------------------------------------------------------------------------------------------------


def test_the_first_of_two_nat_chains_wins_whoever_wrote_it() -> None:
    nft = table("a", base("prerouting", -101, "tcp dport 80 dnat to 10.2.0.3", kind="nat"))
    world, netfilter = rules("*nat\n-A PREROUTING -j DNAT --to-destination 10.2.0.4", nft=nft)
    skb = walk(netfilter, tcp(), FORWARD[:1])
    assert str(skb.packet.ip.dst) == "10.2.0.3"
    assert passed(world) == ["a c ACCEPT"]
    skb = walk(netfilter, tcp(dport=81), FORWARD[:1])
    assert str(skb.packet.ip.dst) == "10.2.0.4"


def test_iptables_wins_where_its_nat_comes_first() -> None:
    nft = table("a", base("prerouting", -99, "dnat to 10.2.0.3", kind="nat"))
    _, netfilter = rules("*nat\n-A PREROUTING -j DNAT --to-destination 10.2.0.4", nft=nft)
    assert str(walk(netfilter, tcp()).packet.ip.dst) == "10.2.0.4"


def test_a_nat_chain_is_walked_at_the_hook_of_nat_whatever_its_priority() -> None:
    """nf_nat_register_fn(): one hook at priority -100 calls the nat chains in the order of theirs."""
    nft = table("a", base("prerouting", 50, "dnat to 10.2.0.3", kind="nat")) + table(
        "b", base("prerouting", 0, "counter")
    )
    world, netfilter = rules("", nft=nft)
    walk(netfilter, tcp(), FORWARD[:1])
    assert [line.split()[0] for line in passed(world)] == ["a", "b"]


def test_only_the_first_packet_asks_the_nat_chains() -> None:
    nft = table("a", base("prerouting", -100, "dnat to 10.2.0.3:8080", kind="nat"))
    world, netfilter = rules("", nft=nft)
    skb = walk(netfilter, tcp())
    world.steps.clear()
    back = walk(netfilter, answer(skb.packet), back=True)
    assert str(back.packet) == "10.2.0.2:80 → 10.1.0.2:40000"
    assert passed(world) == []


NATS = [
    # hook, statement, hooks walked, packet, what comes out
    ("prerouting", "dnat to 10.2.0.3", FORWARD, tcp(), "10.1.0.2:40000 → 10.2.0.3:80"),
    ("prerouting", "meta l4proto tcp dnat to :8080", FORWARD, tcp(), "10.1.0.2:40000 → 10.2.0.2:8080"),
    ("prerouting", "dnat to ip daddr map { 10.2.0.2 : 10.2.0.7 }", FORWARD, tcp(), "10.1.0.2:40000 → 10.2.0.7:80"),
    ("prerouting", "dnat to ip daddr map { 10.2.0.9 : 10.2.0.7 }", FORWARD, tcp(), "10.1.0.2:40000 → 10.2.0.2:80"),
    ("prerouting", "meta l4proto tcp redirect to :8080", INPUT, tcp(), "10.1.0.2:40000 → 10.1.0.1:8080"),
    ("output", "meta l4proto tcp redirect to :8080", OUTPUT, tcp(src="10.2.0.1"), "10.2.0.1:40000 → 127.0.0.1:8080"),
    ("postrouting", "masquerade", FORWARD, tcp(), "10.2.0.1:40000 → 10.2.0.2:80"),
    ("postrouting", "meta l4proto tcp masquerade to :2000-2010", FORWARD, tcp(), "10.2.0.1:2000 → 10.2.0.2:80"),
    ("postrouting", "snat to 10.9.9.9", FORWARD, tcp(), "10.9.9.9:40000 → 10.2.0.2:80"),
    ("postrouting", "meta l4proto tcp snat to 10.9.9.9:5000-5001", FORWARD, tcp(), "10.9.9.9:5000 → 10.2.0.2:80"),
    ("postrouting", "snat to 10.9.9.9", FORWARD, icmp(), "10.9.9.9 → 10.2.0.2"),
    ("input", "snat to 10.9.9.9", INPUT, tcp(dst="10.1.0.1"), "10.9.9.9:40000 → 10.1.0.1:80"),
]


@pytest.mark.parametrize(("hook", "statement", "hooks", "packet", "expected"), NATS)
def test_nat_statements(hook, statement, hooks, packet, expected) -> None:
    world, netfilter = rules(
        "", nft=table("a", base(hook, 100 if hook in ("input", "postrouting") else -100, statement, kind="nat"))
    )
    assert str(walk(netfilter, packet, hooks).packet) == expected
    assert all(step.ref is None or step.ref.table == "a" for step in world.of(NATStep))


def test_nat_of_an_inet_table_is_for_the_family_it_names() -> None:
    lines = ("dnat ip to 10.2.0.3", "dnat ip6 to fd02::3")
    _, netfilter = rules("", nft=table("a", base("prerouting", -100, *lines, kind="nat"), family="inet"))
    assert str(walk(netfilter, tcp()).packet.ip.dst) == "10.2.0.3"
    assert str(walk(netfilter, tcp("fd01::2", "fd02::2")).packet.ip.dst) == "fd02::3"


# --- the rest of a hook -------------------------------------------------------------------------------------------------


def test_a_route_chain_routes_again_what_it_marked() -> None:
    world, netfilter = rules("", nft=table("a", base("output", -150, "tcp dport 80 meta mark set 0x1", kind="route")))
    walk(netfilter, tcp(), OUTPUT)
    walk(netfilter, udp(), OUTPUT)
    assert [str(packet) for packet in world.rerouted] == [str(tcp())]


HOLDING = [
    ("ct state new", True),
    ("ct mark set 0x1", True),
    ("meta mark set ct mark", True),
    ("ct state vmap { new : accept }", True),
    ("ip saddr . ct mark { 10.0.0.1 . 0x1 }", True),
    ("notrack", False),
    ("counter", False),
    ("ct helper set \"ftp\"", True),
]  # fmt: skip


@pytest.mark.parametrize(("line", "held"), HOLDING)
def test_what_holds_conntrack(line: str, held: bool) -> None:
    _, netfilter = rules("", nft=table("a", f"chain x {{ {line} }}\n"))
    assert netfilter.conntrack_active(Family.IPV4) is held
    assert not netfilter.conntrack_active(Family.IPV6)


def test_an_empty_nat_chain_does_not_hold_conntrack() -> None:
    world, netfilter = rules("", nft=table("a", base("prerouting", -100, kind="nat"), family="inet"))
    walk(netfilter, tcp())
    assert world.of(ConntrackStep) == []


def test_an_inet_table_holds_conntrack_for_both_families() -> None:
    _, netfilter = rules("", nft=table("a", "chain x { masquerade }\n", family="inet"))
    assert netfilter.conntrack_active(Family.IPV4)
    assert netfilter.conntrack_active(Family.IPV6)


def test_a_dormant_table_is_not_walked() -> None:
    world, netfilter = rules("", nft=f"table ip a {{\nflags dormant\n{base('forward', 0, 'drop')}}}\n")
    assert walk(netfilter, tcp()) is not None
    assert passed(world) == []


def test_a_table_of_the_other_family_is_not_met() -> None:
    world, netfilter = rules("", nft=table("a", base("forward", 0, "drop"), family="ip6"))
    assert walk(netfilter, tcp()) is not None
    assert walk(netfilter, tcp("fd01::2", "fd02::2")) is None
    assert len(passed(world)) == 1


REJECTS = [
    ("reject", "ip", "icmp-port-unreachable"),
    ("reject", "inet", "icmp-port-unreachable"),
    ("reject with icmp host-unreachable", "ip", "icmp-host-unreachable"),
    ("reject with icmp prot-unreachable", "ip", "icmp-proto-unreachable"),
    ("reject with icmpx no-route", "inet", "icmp-net-unreachable"),
    ("reject with icmpx admin-prohibited", "inet", "icmp-admin-prohibited"),
    ("reject with tcp reset", "inet", "tcp-reset"),
    ("reject with icmpv6 no-route", "inet", None),
]


@pytest.mark.parametrize(("line", "family", "kind"), REJECTS)
def test_rejects(line: str, family: str, kind: str | None) -> None:
    world, netfilter = rules("", nft=table("a", base("forward", 0, line), family=family))
    assert (walk(netfilter, tcp()) is None) is (kind is not None)
    assert [answer_kind for _, _, answer_kind in world.rejected] == ([kind] if kind else [])


REJECTS6 = [
    ("reject", "ip6", "icmp6-port-unreachable"),
    ("reject with icmpx no-route", "inet", "icmp6-no-route"),
    ("reject with icmpx host-unreachable", "inet", "icmp6-addr-unreachable"),
    ("reject with icmpv6 policy-fail", "inet", "icmp6-policy-fail"),
]


@pytest.mark.parametrize(("line", "family", "kind"), REJECTS6)
def test_rejects_of_ipv6(line: str, family: str, kind: str) -> None:
    world, netfilter = rules("", nft=table("a", base("forward", 0, line), family=family))
    assert walk(netfilter, tcp("fd01::2", "fd02::2")) is None
    assert world.rejected[0][2] == kind


# --- what is not walked ----------------------------------------------------------------------------------------------------

UNKNOWN = [
    "queue to 3",
    "meta cpu 0",
    "numgen random mod 1000000 vmap { 0 : drop }",
    "tcp option timestamp tsval 1",
    "@th,96,8 0x50",
    "osf name \"Linux\"",
    "meta hour \"10:00\"-\"12:00\"",
    "synproxy mss 1460",
    "xt match \"recent\"",
]  # fmt: skip


@pytest.mark.parametrize("line", UNKNOWN)
def test_unknown_is_not_accept(line: str) -> None:
    world, netfilter = rules("", nft=table("a", base("forward", 0, "tcp dport 81 accept", line, "accept")))
    assert walk(netfilter, tcp()) is None
    (step,) = world.of(NotModelled)
    assert step.ref is not None
    assert step.ref.index == 1
    assert passed(world)[-1] == "a c UNKNOWN"


def test_an_unknown_rule_that_no_packet_comes_to_is_no_matter() -> None:
    world, netfilter = rules("", nft=table("a", base("forward", 0, "udp dport 53 queue to 3", "accept")))
    assert walk(netfilter, tcp()) is not None
    assert world.of(NotModelled) == []


# --- sets and time --------------------------------------------------------------------------------------------------------

AFFINITY = table(
    "a",
    "set s { type ipv4_addr; flags dynamic,timeout; timeout 10s; }\n",
    "chain e1 { update @s { ip saddr }; meta l4proto tcp dnat to 10.2.0.3:8080 }\n",
    "chain e2 { meta l4proto tcp dnat to 10.2.0.4:8080 }\n",
    base(
        "prerouting", -100, "ip saddr @s goto e1", "numgen random mod 2 vmap { 0 : goto e1, 1 : goto e2 }", kind="nat"
    ),
)


def test_a_client_sticks_until_its_time_is_up() -> None:
    world, netfilter = rules("", nft=AFFINITY)
    world.choices = [0]
    assert str(walk(netfilter, tcp(sport=1)).packet.ip.dst) == "10.2.0.3"
    world.time = 9.0
    assert str(walk(netfilter, tcp(sport=2)).packet.ip.dst) == "10.2.0.3"
    world.time = 18.0
    assert str(walk(netfilter, tcp(sport=3)).packet.ip.dst) == "10.2.0.3"
    world.time, world.choices = 29.0, [1]
    assert str(walk(netfilter, tcp(sport=4)).packet.ip.dst) == "10.2.0.4"


def test_walks_do_not_share_what_they_remember() -> None:
    for _ in range(2):
        world, netfilter = rules("", nft=AFFINITY)
        world.choices = [1]
        assert str(walk(netfilter, tcp()).packet.ip.dst) == "10.2.0.4"


def test_chance_is_exact_and_equal_outcomes_are_one_option() -> None:
    line = "numgen random mod 7 vmap { 0-2 : accept, 3 : drop }"
    world, netfilter = rules("", nft=table("a", base("forward", 0, line)))
    world.choices = [2]
    assert walk(netfilter, tcp()) is not None
    ((_, options),) = world.asked
    assert [(text, str(chance)) for text, chance in options] == [
        ("accept", "3/7"),
        ("drop", "1/7"),
        ("no element", "3/7"),
    ]


def test_a_hash_with_a_secret_gives_a_flow_the_same_number_again() -> None:
    line = "symhash mod 3 vmap { 0 : accept, 1 : drop, 2 : continue }"
    world, netfilter = rules("", nft=table("a", base("forward", 0, line, "accept")))
    world.choices = [1]
    assert walk(netfilter, tcp()) is None
    assert walk(netfilter, tcp()) is None
    assert len(world.asked) == 1
