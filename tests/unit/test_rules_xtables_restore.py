"""Merging several programs' rules: what restore flushes and keeps, what the kernel refuses, and EnsureRule."""

from __future__ import annotations

import pytest

from netsim.net.address import Family
from netsim.rules.source import RuleSyntaxErrors
from netsim.rules.xtables.ast import Counters, Jump, Rule, Ruleset, Verdict
from netsim.rules.xtables.dump import dump, dump_rule
from netsim.rules.xtables.parse import parse
from netsim.rules.xtables.restore import Payload, ensure_chain, ensure_rule, restore, without_empty_tables

V4 = Family.IPV4
NODE = """\
# the node's own
*filter
:INPUT DROP [1:2]
:OWN - [0:0]
-A INPUT -j OWN
-A OWN -s 10.0.0.1 -j ACCEPT
COMMIT
*nat
-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE
COMMIT
"""


def restored(base: str | None, text: str, *, noflush: bool) -> Ruleset:
    before = None if base is None else parse(base, V4, "base")
    return restore(before, Payload(text, V4, "payload"), noflush=noflush)


def rules(ruleset: Ruleset, table: str, chain: str) -> list[str]:
    return [dump_rule(rule, chain) for rule in ruleset.tables[table].chains[chain].rules]


def test_noflush_keeps_what_it_does_not_declare() -> None:
    after = restored(
        NODE, "*filter\n:KUBE - [0:0]\n:INPUT - [0:0]\n-A KUBE -j DROP\n-A INPUT -j KUBE\nCOMMIT\n", noflush=True
    )
    assert rules(after, "filter", "INPUT") == ["-A INPUT -j OWN", "-A INPUT -j KUBE"]
    assert after.tables["filter"].chains["INPUT"].policy is Verdict.DROP
    assert rules(after, "filter", "OWN") == ["-A OWN -s 10.0.0.1/32 -j ACCEPT"]
    assert after.tables["nat"] == parse(NODE, V4, "base").tables["nat"]


def test_noflush_empties_the_user_chains_that_it_declares() -> None:
    after = restored(NODE, "*filter\n:OWN - [0:0]\nCOMMIT\n", noflush=True)
    assert rules(after, "filter", "OWN") == []
    assert rules(after, "filter", "INPUT") == ["-A INPUT -j OWN"]


def test_without_noflush_a_named_table_begins_empty() -> None:
    after = restored(NODE, "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n", noflush=False)
    chains = after.tables["filter"].chains
    assert list(chains) == ["INPUT", "FORWARD", "OUTPUT"]
    assert rules(after, "filter", "INPUT") == ["-A INPUT -j ACCEPT"]
    assert chains["INPUT"].policy is Verdict.DROP
    assert rules(after, "nat", "POSTROUTING") == ["-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE"]


def test_a_table_that_was_not_there_is_made() -> None:
    after = restored(None, "*raw\nCOMMIT\n", noflush=True)
    assert list(after.tables["raw"].chains) == ["PREROUTING", "OUTPUT"]
    assert without_empty_tables(after).tables == {}


def test_commands_change_rules_and_chains_in_the_order_of_their_lines() -> None:
    text = """\
*filter
-P INPUT ACCEPT
-I INPUT -j DROP
-I INPUT 2 -s 1.1.1.1,2.2.2.2 -j ACCEPT
--append INPUT -p udp
-D INPUT -j OWN
-R INPUT 1 -p tcp
-F OWN
-X OWN
-N NEW
-C INPUT -p tcp
COMMIT
"""
    after = restored(NODE, text, noflush=True)
    assert rules(after, "filter", "INPUT") == [
        "-A INPUT -p tcp",
        "-A INPUT -s 2.2.2.2/32 -j ACCEPT",
        "-A INPUT -s 1.1.1.1/32 -j ACCEPT",
        "-A INPUT -p udp",
    ]
    assert after.tables["filter"].chains["INPUT"].policy is Verdict.ACCEPT
    assert set(after.tables["filter"].chains) == {"INPUT", "FORWARD", "OUTPUT", "NEW"}
    deleted = restored(dump(after), "*filter\n-D INPUT 1\n-Z INPUT\nCOMMIT\n", noflush=True)
    assert rules(deleted, "filter", "INPUT")[0] == "-A INPUT -s 2.2.2.2/32 -j ACCEPT"


REFUSED = (
    ("-X OWN", "chain OWN is not empty"),
    ("-F OWN\n-X OWN", "no chain OWN to jump to"),
    ("-N OWN", "Chain already exists"),
    ("-D INPUT 2", "there is no rule 2"),
    ("-R INPUT -j DROP", "takes a rule number"),
    ("-R INPUT 1 -s 1.1.1.1,2.2.2.2", "unique address"),
    ("-E OWN ELSE", "not modelled"),
    ("-P OWN DROP", "no built-in chain"),
    (":OWN DROP [0:0]", "Can't set policy"),
    ("-X OWN OTHER", "Bad argument `OTHER'"),
    ("-A OWN -j OWN", "OWN → OWN"),
)


@pytest.mark.parametrize(("line", "message"), REFUSED, ids=[line.replace("\n", " / ") for line, _ in REFUSED])
def test_a_refused_payload_changes_nothing(line: str, message: str) -> None:
    base = parse(NODE, V4, "base")
    with pytest.raises(RuleSyntaxErrors, match=message.replace("(", "\\(")):
        restore(base, Payload(f"*nat\n-A OUTPUT -j RETURN\nCOMMIT\n*filter\n{line}\nCOMMIT\n", V4, "p"), noflush=True)
    assert base == parse(NODE, V4, "base")


def test_a_payload_is_for_one_family() -> None:
    with pytest.raises(ValueError, match="IPv6 payload for IPv4 rules"):
        restore(parse(NODE, V4, "base"), Payload("", Family.IPV6, "p"), noflush=True)


def test_counters_are_kept_and_take_no_part_in_equality() -> None:
    counted = parse("*filter\n:INPUT ACCEPT [7:9]\n[3:4] -A INPUT -j DROP\n-A INPUT -c 5 6 -j DROP\nCOMMIT\n", V4, "x")
    first, second = counted.tables["filter"].chains["INPUT"].rules
    assert (first.counters, second.counters) == (Counters(3, 4), Counters(5, 6))
    assert first == second
    assert "[3:4] -A INPUT -j DROP" in dump(counted, counters=True).split("\n")
    assert ":INPUT ACCEPT [7:9]" in dump(counted).split("\n")


def test_ensure_rule_adds_once_at_the_head_or_the_end() -> None:
    jump = Rule(target=Jump("KUBE"))
    base = ensure_chain(parse(NODE, V4, "base"), "filter", "KUBE")
    assert ensure_chain(base, "filter", "KUBE") is base
    ahead = ensure_rule(base, "filter", "INPUT", jump, prepend=True)
    behind = ensure_rule(base, "filter", "INPUT", jump, prepend=False)
    assert rules(ahead, "filter", "INPUT") == ["-A INPUT -j KUBE", "-A INPUT -j OWN"]
    assert rules(behind, "filter", "INPUT") == ["-A INPUT -j OWN", "-A INPUT -j KUBE"]
    assert ensure_rule(ahead, "filter", "INPUT", jump, prepend=False) is ahead


def test_ensure_makes_a_table_and_asks_the_kernel() -> None:
    empty = Ruleset(V4, {})
    assert list(ensure_chain(empty, "mangle", "KUBE-KUBELET-CANARY").tables) == ["mangle"]
    with pytest.raises(RuleSyntaxErrors, match="no chain NOWHERE"):
        ensure_rule(empty, "filter", "INPUT", Rule(target=Jump("NOWHERE")), prepend=True)
    with pytest.raises(KeyError):
        ensure_rule(empty, "filter", "NOWHERE", Rule(), prepend=True)
