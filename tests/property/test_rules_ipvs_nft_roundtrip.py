"""Printing and reading virtual servers, and nftables rules, are inverse."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.address import Address, parse_address, parse_prefix
from netsim.rules.ipvs.ast import SCHEDULERS, Forwarding, RealServer, TransportService, VirtualServer, VirtualServers
from netsim.rules.ipvs.dump import dump as dump_ipvs
from netsim.rules.ipvs.parse import parse as parse_ipvs
from netsim.rules.nft.ast import (
    NAT,
    AnonymousMap,
    AnonymousSet,
    Assign,
    Binary,
    Concatenation,
    Ct,
    Flags,
    Jump,
    Literal,
    Lookup,
    Match,
    Meta,
    Numgen,
    Payload,
    Range,
    Rule,
    TableFamily,
    Value,
    Verdict,
    VerdictMap,
    VerdictStatement,
)
from netsim.rules.nft.datatypes import sort_key
from netsim.rules.nft.dump import dump, dump_rule
from netsim.rules.nft.parse import parse

ports = st.integers(1, 65535)
addresses = st.builds(
    lambda value: parse_address(f"10.{value >> 16}.{value >> 8 & 255}.{value & 255}"), st.integers(0, (1 << 24) - 1)
)
u32 = st.integers(0, 0xFFFFFFFF)


@st.composite
def virtual_servers(draw: st.DrawFn) -> VirtualServer:
    key = TransportService(draw(st.sampled_from([6, 17, 132])), draw(addresses), draw(ports))
    backends = draw(st.dictionaries(st.tuples(addresses, ports), st.integers(0, 99), max_size=4))
    return VirtualServer(
        key,
        scheduler=draw(st.sampled_from(SCHEDULERS)),
        persistent=draw(st.none() | st.integers(1, 99999)),
        netmask=draw(st.none() | st.integers(1, 31)),
        flags=draw(st.frozensets(st.integers(1, 3))),
        one_packet=key.protocol == 17 and draw(st.booleans()),
        real_servers=tuple(
            RealServer(address, port, Forwarding.MASQUERADE, weight) for (address, port), weight in backends.items()
        ),
    )


@given(st.lists(virtual_servers(), max_size=5))
@settings(max_examples=40, deadline=None)
def test_virtual_servers(written: list[VirtualServer]) -> None:
    servers = VirtualServers({server.key: server for server in written})
    assert parse_ipvs(dump_ipvs(servers), "x") == servers


def ordered(literals: list[Literal]) -> tuple[tuple[Literal, ...], ...]:
    return tuple((literal,) for literal in sorted(literals, key=sort_key))


prefixes = st.builds(lambda length: parse_prefix(f"10.128.0.0/{length}"), st.integers(9, 24))
comparisons = st.sampled_from(["==", "!="])
states = st.frozensets(st.sampled_from(["new", "established", "related", "invalid"]), min_size=1)
verdicts = st.sampled_from(Verdict) | st.builds(Jump, st.just("other"), st.booleans())
ip_daddr, dport, mark = Payload("ip", "daddr"), Payload("tcp", "dport"), Meta("mark")
endpoints = st.tuples(addresses, ports)


def numbered(pairs: list[tuple[Address, int]]) -> AnonymousMap:
    return AnonymousMap(tuple(((index,), pair) for index, pair in enumerate(pairs)))


statements = st.one_of(
    st.builds(Match, st.just(ip_daddr), comparisons, (addresses | prefixes).map(Value)),
    st.builds(Match, st.just(dport), comparisons, ports.map(Value)),
    st.builds(
        Match, st.just(dport), st.just("=="), st.builds(lambda a, b: Value(Range(min(a, b), max(a, b))), ports, ports)
    ),
    st.builds(
        Match,
        st.just(ip_daddr),
        comparisons,
        st.lists(addresses, min_size=2, max_size=4, unique=True).map(lambda found: AnonymousSet(ordered(list(found)))),
    ),
    st.builds(Match, st.just(Ct("state")), st.just("&"), states.map(Flags).map(Value)),
    st.builds(Match, st.builds(Binary, st.just("&"), st.just(mark), u32.map(Value)), comparisons, u32.map(Value)),
    st.builds(Assign, st.just(mark), st.builds(Binary, st.sampled_from("|^&"), st.just(mark), u32.map(Value))),
    st.builds(VerdictStatement, verdicts),
    st.builds(
        VerdictMap,
        st.just(Concatenation((ip_daddr, Meta("l4proto"), Payload("th", "dport")))),
        st.builds(
            lambda address, port, verdict: AnonymousMap((((address, 6, port), verdict),)), addresses, ports, verdicts
        ),
    ),
    st.builds(NAT, st.just("dnat"), st.just("ip"), addresses.map(Value), st.none() | ports.map(Value)),
    st.lists(endpoints, min_size=1, max_size=4).map(
        lambda pairs: NAT("dnat", "ip", Lookup(Numgen("random", len(pairs)), numbered(pairs)))
    ),
    st.builds(
        NAT, st.just("masquerade"), flags=st.frozensets(st.sampled_from(["random", "fully-random", "persistent"]))
    ),
)


@given(
    st.lists(
        st.builds(Rule, st.lists(statements, min_size=1, max_size=4).map(tuple), st.sampled_from(["", "a b"])),
        max_size=4,
    )
)
@settings(max_examples=60, deadline=None)
def test_nft_rules(written: list[Rule]) -> None:
    rules = "".join(f"\t\t{dump_rule(rule)}\n" for rule in written)
    ruleset = parse(f"table ip t {{\n\tchain other {{\n\t}}\n\tchain c {{\n{rules}\t}}\n}}\n", "x")
    assert ruleset.tables[TableFamily.IP, "t"].chains["c"].rules == tuple(written)
    assert parse(dump(ruleset), "dump") == ruleset
