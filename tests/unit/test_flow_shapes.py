"""Rules taken apart: what is a hole, what stays, what is opaque; and that no field was added to a rule that nobody thought of."""

from __future__ import annotations

from dataclasses import fields

import pytest

from netsim.flows.places import Places
from netsim.flows.senders import Senders
from netsim.flows.shapes import _known, shape_of
from netsim.net.address import Family
from netsim.rules.nft import ast as nft
from netsim.rules.nft.parse import parse as parse_nft
from netsim.rules.xtables import ast as xt
from netsim.rules.xtables.matches import AddressRange
from netsim.rules.xtables.parse import parse
from netsim.scenario.build import load_world
from netsim.scenario.sources import find_sources

TAKEN_APART: dict[type, str] = {
    # type: the fields that the code which takes it apart knows of; a new one has to be thought of there first
    xt.PortRange: "first last",
    xt.NATRange: "first last port_first port_last",
    xt.RedirectTarget: "port_first port_last random",
    xt.CommentMatch: "text",
    xt.Jump: "chain goto",
    xt.SetMatch: "name directions inverted options",
    xt.RecentMatch: "operation name seconds reap hitcount rttl mask destination inverted",
    xt.InterfaceMatch: "name inverted",
    AddressRange: "first last inverted",
    nft.Range: "first last",
    nft.Jump: "chain goto",
    nft.SetReference: "name",
    nft.SetUpdate: "operation name element timeout_ms data stateful",
    nft.Payload: "protocol field",
    nft.Ct: "key direction",
    nft.Binary: "operator left right",
    nft.Match: "left operator right",
    nft.VerdictMap: "key mapping",
    nft.Lookup: "key mapping",
    nft.Assign: "target value",
    nft.NAT: "kind family address port flags prefix",
    nft.Rule: "statements comment",
    nft.Element: "data timeout_ms comment",
    nft.NamedSet: "name key data flags timeout_ms gc_interval_ms size auto_merge policy counter comment stateful elements",
    nft.Table: "family name comment flags chains sets others",
}


@pytest.mark.parametrize("kind", TAKEN_APART, ids=lambda kind: f"{kind.__module__.split('.')[-2]}.{kind.__name__}")
def test_every_field_was_thought_of(kind: type) -> None:
    assert " ".join(each.name for each in fields(kind) if each.compare) == TAKEN_APART[kind]


def test_whatever_is_taken_apart_by_hand_is_listed() -> None:
    whole = {xt.TCPMatch, xt.UDPMatch, xt.SCTPMatch}  # every field of theirs is told
    mine = {kind for kind in _known().special if kind.__module__.startswith("netsim.")}
    assert mine - whole <= TAKEN_APART.keys()


def xt_rule(words: str, table: str = "nat", chain: str = "PREROUTING") -> xt.Rule:
    text = f"*{table}\n:KUBE-X - [0:0]\n-A {chain} {words}\nCOMMIT\n"
    return parse(text, Family.IPV4, "x").tables[table].chains[chain].rules[0]


SAME = [
    # two rules that treat packets alike if their constants do
    ("-d 10.96.0.1 -p tcp -m tcp --dport 80 -j KUBE-X", "-d 10.96.7.7 -p tcp -m tcp --dport 443 -j KUBE-X"),
    ("-p tcp -j DNAT --to-destination 10.0.0.1:80", "-p tcp -j DNAT --to-destination 10.0.9.9:8080"),
    ("-s 10.0.0.0/8 -j KUBE-X", "-s 172.16.0.0/12 -j KUBE-X"),
    ('-m comment --comment "a/b cluster IP" -j KUBE-X', '-m comment --comment "c/d cluster IP" -j KUBE-X'),
]
OTHERWISE = [
    # two rules that do not
    ("-s 10.0.0.1 -j KUBE-X", "-d 10.0.0.1 -j KUBE-X"),
    ("! -s 10.0.0.0/8 -j KUBE-X", "-s 10.0.0.0/8 -j KUBE-X"),
    ("-s 10.0.0.1 -j KUBE-X", "-s 10.0.0.0/24 -j KUBE-X"),
    ("-p tcp -j KUBE-X", "-p udp -j KUBE-X"),
    ('-m comment --comment "a/b has no endpoints" -j KUBE-X', '-m comment --comment "a/b cluster IP" -j KUBE-X'),
    (
        "-m statistic --mode random --probability 0.5 -j KUBE-X",
        "-m statistic --mode random --probability 0.25 -j KUBE-X",
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_constants_are_holes(one: str, other: str) -> None:
    assert shape_of(xt_rule(one)).form == shape_of(xt_rule(other)).form


@pytest.mark.parametrize(("one", "other"), OTHERWISE)
def test_the_rest_stays(one: str, other: str) -> None:
    assert shape_of(xt_rule(one)).form != shape_of(xt_rule(other)).form


OPAQUE_RULES = [
    # a rule that computes with addresses, and its table and chain
    ("-j NETMAP --to 10.1.0.0/16", "nat", "PREROUTING"),
    ("-p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9", "nat", "PREROUTING"),
    ("-p tcp -j DNAT --to-destination 10.0.0.1:80-89", "nat", "PREROUTING"),
    ("-p tcp -j REDIRECT --to-ports 8080-8089", "nat", "PREROUTING"),
    ("-m mac --mac-source 0a:00:00:00:00:01 -j ACCEPT", "filter", "INPUT"),
    ("-m recent --name x --set --mask 255.255.255.0 --rsource -j ACCEPT", "filter", "INPUT"),
    ("-m connlimit --connlimit-above 3 --connlimit-mask 24 --connlimit-saddr -j DROP", "filter", "INPUT"),
]


@pytest.mark.parametrize(("words", "table", "chain"), OPAQUE_RULES)
def test_rules_that_compute_with_addresses_are_opaque(words: str, table: str, chain: str) -> None:
    assert shape_of(xt_rule(words, table, chain)).opaque


NFT_OPAQUE = [
    "ip saddr & 255.255.255.0 == 10.0.0.0 accept",
    "ip saddr > 10.0.0.1 accept",
    "ether saddr 0a:00:00:00:00:01 accept",
    "jhash ip saddr mod 2 vmap { 0 : accept, 1 : drop }",
    "@nh,96,32 0xa000001 accept",
    "dnat to 10.0.0.1:80-89",
    "redirect to :80-89",
    "tcp dport set 8080",
]


@pytest.mark.parametrize("text", NFT_OPAQUE)
def test_nft_rules_that_compute_with_addresses_are_opaque(text: str) -> None:
    assert shape_of(_nft_rule(text)).opaque


@pytest.mark.parametrize("text", ["ip saddr 10.0.0.1 accept", "ip daddr @x drop", "tcp dport 80 dnat to 10.0.0.1:80"])
def test_nft_rules_that_compare_are_not(text: str) -> None:
    assert not shape_of(_nft_rule(text)).opaque


def _nft_rule(text: str) -> nft.Rule:
    whole = f"table ip t {{\n set x {{ type ipv4_addr; }}\n chain c {{ type nat hook prerouting priority 0;\n {text}\n }}\n}}\n"
    (table,) = parse_nft(whole, "x").tables.values()
    return table.chains["c"].rules[0]


def test_pods_of_one_node_are_one_group_but_for_what_tells_them_apart() -> None:
    world, _ = load_world(find_sources(("default",), {}))
    pods = [name for name, ns in world.topology.namespaces.items() if ns.role.value == "pod"]
    groups = Senders(Places(world.topology)).groups((name, f"{name}/x") for name in pods)
    by_node = {frozenset(world.topology.namespaces[m.netns].node for m in group.members) for group in groups}
    assert all(len(nodes) == 1 for nodes in by_node)
    assert any(len(group.members) > 1 for group in groups)
