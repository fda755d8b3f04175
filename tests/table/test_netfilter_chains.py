"""The way through the chains: order, jumps, returns, gotos, policies; which tables are passed where."""

from __future__ import annotations

import pytest

from netsim.net.address import Family, parse_prefix
from netsim.rules.xtables.ast import Chain, Jump, PrefixMatch, Rule, Ruleset, Table, Verdict
from netsim.stack.environment import HookVerdict
from netsim.stack.netfilter import HOOKS, Netfilter
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import ChainPass, Drop, Hook, NotModelled
from tests.unit.netfilter_world import FORWARD, INPUT, OUTPUT, World, rules, tcp, udp, walk

# rules of filter | effects in order | verdict, and whether the policy gave it
TRAVERSALS: list[tuple[str, list[str], str, bool]] = [
    ("", [], "ACCEPT", True),
    (":FORWARD DROP [0:0]", [], "DROP", True),
    ("-A FORWARD -j ACCEPT", ["FORWARD[0] ACCEPT"], "ACCEPT", False),
    ("-A FORWARD -p udp -j DROP\n-A FORWARD -j ACCEPT", ["FORWARD[1] ACCEPT"], "ACCEPT", False),
    ("-A FORWARD\n-A FORWARD -j DROP", ["FORWARD[0]", "FORWARD[1] DROP"], "DROP", False),
    (":FORWARD DROP [0:0]\n-A FORWARD -j RETURN\n-A FORWARD -j ACCEPT", ["FORWARD[0] RETURN"], "DROP", True),
    (
        ":A - [0:0]\n-A FORWARD -j A\n-A FORWARD -j DROP\n-A A -p udp -j ACCEPT",
        ["FORWARD[0] jump A", "FORWARD[1] DROP"],
        "DROP",
        False,
    ),
    (
        ":A - [0:0]\n-A FORWARD -j A\n-A FORWARD -j DROP\n-A A -j RETURN\n-A A -j ACCEPT",
        ["FORWARD[0] jump A", "A[0] RETURN", "FORWARD[1] DROP"],
        "DROP",
        False,
    ),
    (
        ":FORWARD DROP [0:0]\n:A - [0:0]\n-A FORWARD -g A\n-A FORWARD -j ACCEPT\n-A A",
        ["FORWARD[0] goto A", "A[0]"],
        "DROP",
        True,  # the end of a chain that was gone to from a base chain is the policy
    ),
    (
        ":A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A FORWARD -j DROP\n-A A -g B\n-A A -j ACCEPT\n-A B -j RETURN",
        ["FORWARD[0] jump A", "A[0] goto B", "B[0] RETURN", "FORWARD[1] DROP"],
        "DROP",
        False,  # a chain that was gone to returns to where its caller was called
    ),
    (
        "-A FORWARD -j LOG --log-prefix x\n-A FORWARD -j MARK --set-xmark 0x1/0x1\n-A FORWARD -m mark --mark 1 -j DROP",
        [
            "FORWARD[0] LOG --log-prefix x",
            "FORWARD[1] mark 0x0 → 0x1",
            "FORWARD[2] DROP",
        ],
        "DROP",
        False,
    ),
]


@pytest.mark.parametrize(("text", "effects", "verdict", "policy"), TRAVERSALS)
def test_traversal(text: str, effects: list[str], verdict: str, policy: bool) -> None:
    if "MARK" in text:
        text = f"*mangle\n{text}"
    world, netfilter = rules(text or ":FORWARD ACCEPT [0:0]")
    skb = SkBuff(tcp(), iif="in0", oif="out0")
    got = netfilter.run(Hook.FORWARD, skb)
    (step,) = world.of(ChainPass)
    assert world.effects() == effects
    assert (step.verdict, step.policy) == (verdict, policy)
    assert got.name == verdict


def test_every_rule_that_was_looked_at_is_reported_in_order() -> None:
    text = """
    :A - [0:0]
    -A FORWARD -p udp -j DROP
    -A FORWARD -j A
    -A FORWARD -j ACCEPT
    -A FORWARD -j DROP
    -A A -s 10.9.0.0/16 -j DROP
    -A A -p tcp -j RETURN
    -A A -j DROP
    """
    world, netfilter = rules(text)
    walk(netfilter, tcp())
    seen = [(each.ref.chain, each.ref.index, each.matched) for each in world.evaluations()]
    assert seen == [
        ("FORWARD", 0, False),
        ("FORWARD", 1, True),
        ("A", 0, False),
        ("A", 1, True),
        ("FORWARD", 2, True),
    ]


def test_a_long_chain_reports_the_rules_that_its_index_passed_over() -> None:
    lines = [f"-A FORWARD -d 10.2.0.{i} -j DROP" for i in range(100, 140)]
    lines.insert(7, "-A FORWARD -p udp -j ACCEPT")
    lines.insert(20, "-A FORWARD ! -d 10.2.0.3 -m comment --comment passes")
    world, netfilter = rules("\n".join(lines))
    assert walk(netfilter, tcp(dst="10.2.0.130")) is None
    assert [each.ref.index for each in world.evaluations()] == list(range(33))
    assert [each.ref.index for each in world.evaluations() if each.matched] == [20, 32]
    world.steps.clear()
    assert walk(netfilter, tcp()) is not None
    assert [each.ref.index for each in world.evaluations()] == list(range(42))


# --- drops ------------------------------------------------------------------------------------------------------


def test_a_drop_names_its_rule() -> None:
    world, netfilter = rules(":A - [0:0]\n-A FORWARD -j A\n-A A -j DROP")
    assert walk(netfilter, tcp()) is None
    drop = world.drop()
    assert (drop.reason, drop.where, drop.table, drop.chain) == (DropReason.NETFILTER_DROP, "FORWARD", "filter", "A")
    assert drop.ref is not None
    assert drop.ref.index == 0


def test_a_drop_by_policy_names_the_chain() -> None:
    world, netfilter = rules(":FORWARD DROP [0:0]")
    assert walk(netfilter, tcp()) is None
    drop = world.drop()
    assert (drop.ref, drop.chain, drop.detail) == (None, "FORWARD", "policy of FORWARD")


@pytest.mark.parametrize(
    ("hooks", "chain"), [(FORWARD, "FORWARD"), (INPUT, "INPUT"), (OUTPUT, "OUTPUT")], ids=["FORWARD", "INPUT", "OUTPUT"]
)
def test_reject_answers_and_drops(hooks: tuple[Hook, ...], chain: str) -> None:
    world, netfilter = rules(f"-A {chain} -p tcp -j REJECT --reject-with tcp-reset")
    assert walk(netfilter, tcp(), hooks) is None
    assert world.rejected == [(tcp(), Hook(chain), "tcp-reset")]
    drop = world.drop()
    assert drop.reason is DropReason.NETFILTER_REJECT
    assert world.effects() == [f"{chain}[0] REJECT with tcp-reset"]


# --- what the kernel would not load, should a Ruleset be built without the parser --------------------------------


def _filter(*chains: Chain) -> tuple[World, Netfilter]:
    world = World()
    table = Table("filter", {chain.name: chain for chain in chains})
    return world, Netfilter([Ruleset(Family.IPV4, {"filter": table})], world)


@pytest.mark.parametrize("goto", [False, True])
def test_chains_in_a_circle_end_the_walk(goto: bool) -> None:
    base = Chain("FORWARD", (Rule(target=Jump("A")),), Verdict.ACCEPT)
    world, netfilter = _filter(
        base, Chain("A", (Rule(target=Jump("B", goto)),)), Chain("B", (Rule(target=Jump("A", goto)),))
    )
    assert netfilter.run(Hook.FORWARD, SkBuff(tcp())) is HookVerdict.STOLEN
    (step,) = world.of(NotModelled)
    assert "circle" in step.what


def test_a_jump_to_nowhere_ends_the_walk() -> None:
    world, netfilter = _filter(Chain("FORWARD", (Rule(target=Jump("A")),), Verdict.ACCEPT))
    assert netfilter.run(Hook.FORWARD, SkBuff(tcp())) is HookVerdict.STOLEN
    assert "no chain A" in world.of(NotModelled)[0].what


def test_queue_is_not_modelled() -> None:
    world, netfilter = _filter(Chain("FORWARD", (Rule(target=Verdict.QUEUE),), Verdict.ACCEPT))
    assert netfilter.run(Hook.FORWARD, SkBuff(tcp())) is HookVerdict.STOLEN
    assert "QUEUE" in world.of(NotModelled)[0].what


def test_a_table_without_a_base_chain_has_no_hook_there() -> None:
    """iptables-nft makes only the base chains that it is given."""
    rule = Rule(destination=PrefixMatch(parse_prefix("10.2.0.2/32")), target=Verdict.DROP)
    world, netfilter = _filter(Chain("INPUT", (rule,), Verdict.ACCEPT))
    assert walk(netfilter, tcp()) is not None
    assert world.steps == []


# --- which tables, in which order -----------------------------------------------------------------------------

EVERYTHING = """
*raw
-A PREROUTING
-A OUTPUT
*mangle
-A FORWARD
*nat
-A PREROUTING
-A POSTROUTING -s 10.9.9.9 -j MASQUERADE
*filter
-A FORWARD
*security
-A FORWARD
"""

ORDER = [
    (FORWARD, "raw conntrack mangle nat | mangle filter security | mangle nat confirm"),
    (INPUT, "raw conntrack mangle nat | mangle filter security nat confirm"),
    (OUTPUT, "raw conntrack mangle nat filter security | mangle nat confirm"),
]


@pytest.mark.parametrize(("hooks", "order"), ORDER, ids=["forward", "input", "output"])
def test_order_of_the_tables(hooks: tuple[Hook, ...], order: str) -> None:
    world, netfilter = rules(EVERYTHING)
    assert walk(netfilter, tcp(), hooks) is not None
    names = []
    for hook in hooks:
        steps = [each for each in world.steps if not isinstance(each, Drop | NotModelled) and each.hook is hook]  # type: ignore[union-attr]
        names.append(" ".join(step.table if isinstance(step, ChainPass) else _name(step) for step in steps))
    assert " | ".join(names) == order


def _name(step: object) -> str:
    action = getattr(step, "action", "")
    return "confirm" if action == "confirm" else "conntrack"


def test_priorities_rise() -> None:
    priorities = [row.priority for row in HOOKS]
    assert priorities == sorted(priorities)
    assert all(row.reason for row in HOOKS)


def test_others_register_between_the_tables() -> None:
    """IPVS sits at 98 and 99 of INPUT, between security and nat."""
    world, netfilter = rules(EVERYTHING)

    def ipvs(hook: Hook, skb: SkBuff) -> HookVerdict:
        world.record("node", NotModelled("ipvs", hook.value))
        return HookVerdict.ACCEPT

    netfilter.register(Hook.INPUT, 99, Family.IPV4, ipvs)
    walk(netfilter, tcp(), INPUT)
    steps = [each for each in world.steps if isinstance(each, ChainPass | NotModelled)]
    at = next(i for i, each in enumerate(steps) if isinstance(each, NotModelled))
    assert [steps[at - 1].table, steps[at + 1].table] == ["security", "nat"]  # type: ignore[union-attr]


def test_of_two_rule_sets_the_later_one_is_asked_first() -> None:
    """Ref: net/netfilter/core.c:nf_hook_entries_grow() inserts before those of equal priority."""
    world, netfilter = rules("-A FORWARD -p tcp -j ACCEPT", "-A FORWARD -p udp -j DROP")
    walk(netfilter, tcp())
    assert [step.ref.rule.protocol.number for step in world.evaluations() if step.ref.rule.protocol] == [17, 6]


# --- marks and routing ----------------------------------------------------------------------------------------

# table and rule | is a packet made here routed again
REROUTES = [
    ("*mangle\n-A OUTPUT -j MARK --set-xmark 0x1/0xffffffff", 1),
    ("*mangle\n-A OUTPUT -j MARK --set-xmark 0x0/0xffffffff", 0),
    ("*mangle\n-A POSTROUTING -j MARK --set-xmark 0x1/0xffffffff", 0),
    ("*raw\n-A OUTPUT -j MARK --set-xmark 0x1/0xffffffff", 0),
    ("*filter\n-A OUTPUT -j MARK --set-xmark 0x1/0xffffffff", 0),
    ("*nat\n-A OUTPUT -p tcp -j DNAT --to-destination 10.2.0.9", 1),
    ("*nat\n-A OUTPUT -p tcp -j DNAT --to-destination :8080", 0),
    ("*nat\n-A POSTROUTING -j MASQUERADE", 0),
]


@pytest.mark.parametrize(("text", "times"), REROUTES)
def test_rerouting_of_a_packet_made_here(text: str, times: int) -> None:
    world, netfilter = rules(text)
    assert walk(netfilter, tcp(), OUTPUT) is not None
    assert len(world.rerouted) == times
    world, netfilter = rules(text, world=World(routable=False))
    assert (walk(netfilter, tcp(), OUTPUT) is None) == bool(times)


def test_rerouted_packet_is_matched_by_its_first_device_in_output_and_by_the_new_one_after() -> None:
    """Measured on 6.18 with both iptables: filter OUTPUT after DNAT in nat OUTPUT still sees the first ``-o``."""
    text = """
    *nat
    -A OUTPUT -d 10.2.0.2 -j DNAT --to-destination 10.2.0.9
    *filter
    -A OUTPUT -o in0 -m comment --comment first
    -A OUTPUT -o out0 -m comment --comment second
    *mangle
    -A POSTROUTING -o in0 -m comment --comment first
    -A POSTROUTING -o out0 -m comment --comment second
    """
    world, netfilter = rules(text)
    skb = SkBuff(udp(), oif="in0")
    assert netfilter.run(Hook.OUTPUT, skb) is HookVerdict.ACCEPT
    assert netfilter.run(Hook.POSTROUTING, skb) is HookVerdict.ACCEPT
    assert world.effects("filter") == ["OUTPUT[0]"]
    assert world.effects("mangle") == ["POSTROUTING[1]"]


def test_marks_before_and_after_a_pass() -> None:
    world, netfilter = rules("*mangle\n-A FORWARD -j MARK --or-mark 0x4000")
    walk(netfilter, tcp(), mark=1)
    step = next(each for each in world.of(ChainPass) if each.hook is Hook.FORWARD)
    assert (step.mark_before, step.mark_after) == (0x1, 0x4001)


MARKS = [
    ("MARK --set-mark 0x5", 0x4001, 0x5),
    ("MARK --set-xmark 0x5/0xff", 0x4001, 0x4005),
    ("MARK --or-mark 0x2", 0x4001, 0x4003),
    ("MARK --and-mark 0x1", 0x4001, 0x1),
    ("MARK --xor-mark 0x4001", 0x4001, 0x0),
]


@pytest.mark.parametrize(("target", "before", "after"), MARKS)
def test_mark(target: str, before: int, after: int) -> None:
    _, netfilter = rules(f"*mangle\n-A FORWARD -j {target}")
    skb = walk(netfilter, tcp(), mark=before)
    assert skb is not None
    assert skb.mark == after


def test_connmark_carries_a_mark_to_the_replies() -> None:
    text = """
    *mangle
    -A FORWARD -i in0 -j MARK --set-xmark 0x7/0xff
    -A FORWARD -i in0 -j CONNMARK --save-mark
    -A PREROUTING -i out0 -j CONNMARK --restore-mark
    """
    _, netfilter = rules(text)
    first = walk(netfilter, tcp())
    assert first is not None
    back = walk(netfilter, tcp("10.2.0.2", "10.1.0.2", 80, 40000, "SA"), back=True)
    assert back is not None
    assert back.mark == 7
    assert [ct.mark for ct in netfilter.conntrack] == [7]
