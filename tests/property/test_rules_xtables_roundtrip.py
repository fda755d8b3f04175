"""Printing and reading are inverse for every rule, and reading by parts is only a faster way of reading."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.address import Family
from netsim.rules.xtables.ast import (
    AddressType,
    AddrTypeMatch,
    CommentMatch,
    ConnmarkTarget,
    ConntrackMatch,
    CtState,
    InterfaceMatch,
    Jump,
    LogTarget,
    MarkMatch,
    MarkTarget,
    MultiportMatch,
    PortMatch,
    PortRange,
    PrefixMatch,
    ProtocolMatch,
    RecentMatch,
    RejectTarget,
    Rule,
    SetMatch,
    StatisticNthMatch,
    StatisticRandomMatch,
    TCPFlagsMatch,
    TCPMatch,
    Verdict,
)
from netsim.rules.xtables.dump import dump, dump_rule
from netsim.rules.xtables.extensions.statistic import threshold
from netsim.rules.xtables.loader import Loader
from netsim.rules.xtables.parse import parse
from netsim.rules.xtables.parts import PartReader
from netsim.rules.xtables.values import read_prefix
from netsim.rules.xtables.words import quote, split, split_with_columns

V4 = Family.IPV4
u32 = st.integers(0, 0xFFFFFFFF)
yes = st.booleans()
names = st.from_regex(r"[A-Z][A-Z0-9-]{0,20}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=40)
prefixes = st.builds(
    PrefixMatch,
    st.builds(lambda high, length: read_prefix(f"{high}.2.3.4/{length}", V4), st.integers(1, 223), st.integers(1, 32)),
    yes,
)
interfaces = st.builds(InterfaceMatch, st.from_regex(r"[a-z][a-z0-9]{0,9}\+?", fullmatch=True), yes)
ranges = st.builds(lambda a, b: PortRange(min(a, b), max(a, b)), st.integers(1, 65535), st.integers(1, 65535))
ports = st.builds(PortMatch, ranges, yes)
flags = st.builds(TCPFlagsMatch, st.integers(1, 0x3F), st.integers(0, 0x3F), yes)
optional_types = st.none() | st.frozensets(st.sampled_from(AddressType), min_size=1)

matches = st.one_of(
    st.builds(TCPMatch, st.none() | ports, st.none() | ports, st.none() | flags, st.none() | st.integers(1, 255)),
    st.builds(
        MultiportMatch,
        st.sampled_from(["source", "destination", "either"]),
        st.lists(ranges, min_size=1, max_size=7).map(tuple),
        yes,
    ),
    st.builds(CommentMatch, texts),
    st.builds(MarkMatch, u32, u32, yes),
    st.builds(StatisticRandomMatch, st.integers(0, 1 << 31), yes),
    st.integers(1, 99).flatmap(
        lambda every: st.builds(StatisticNthMatch, st.just(every), st.integers(0, every - 1), yes)
    ),
    st.builds(
        RecentMatch, st.sampled_from(["rcheck", "update"]), names, st.integers(1, 9999), yes, st.integers(0, 20), yes
    ),
    st.builds(SetMatch, names, st.lists(st.sampled_from(["src", "dst"]), min_size=1, max_size=3).map(tuple), yes),
    st.builds(
        ConntrackMatch,
        st.frozensets(st.sampled_from(CtState), min_size=1),
        yes,
        st.sampled_from([None, "ORIGINAL", "REPLY"]),
    ),
    st.builds(AddrTypeMatch, st.frozensets(st.sampled_from(AddressType), min_size=1), yes, optional_types),
)
targets = st.one_of(
    st.none(),
    st.sampled_from(Verdict),
    st.builds(Jump, st.just("OTHER"), yes),
    st.builds(MarkTarget, u32, u32),
    st.builds(ConnmarkTarget, st.just("set"), u32, u32),
    st.builds(ConnmarkTarget, st.sampled_from(["save", "restore"]), st.just(0), u32, u32),
    st.builds(RejectTarget, st.sampled_from(["icmp-port-unreachable", "tcp-reset", "icmp-host-prohibited"])),
    st.builds(
        LogTarget,
        st.just("LOG"),
        st.builds(lambda text: ("--log-prefix", text), texts.filter(lambda text: 0 < len(text) < 29)),
    ),
)
rules = st.builds(
    Rule,
    source=st.none() | prefixes,
    destination=st.none() | prefixes,
    in_interface=st.none() | interfaces,
    protocol=st.just(ProtocolMatch(6)),
    matches=st.lists(matches, max_size=4).map(tuple),
    target=targets,
)


def text_of(lines: list[str]) -> str:
    return "\n".join(["*filter", ":OTHER - [0:0]", ":CHAIN - [0:0]", *lines, "COMMIT", ""])


@given(st.lists(rules, max_size=5))
@settings(max_examples=60, deadline=None)
def test_reading_what_was_printed_gives_the_same(written: list[Rule]) -> None:
    ruleset = parse(text_of([dump_rule(rule, "CHAIN") for rule in written]), V4, "x")
    assert ruleset.tables["filter"].chains["CHAIN"].rules == tuple(written)
    assert parse(dump(ruleset), V4, "y") == ruleset


@given(st.lists(rules, min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_reading_by_parts_is_reading(written: list[Rule]) -> None:
    text = text_of([dump_rule(rule, "CHAIN") for rule in written])
    whole = Loader(V4, "x", _NoParts(V4))
    whole.load(text)
    assert whole.errors == []
    by_parts = parse(text, V4, "x").tables["filter"].chains["CHAIN"].rules
    assert by_parts == whole.tables["filter"].done().chains["CHAIN"].rules


words = st.sampled_from(
    [
        *(
            "-s 10.0.0.1",
            "-d 10.0.0.0/8",
            "! -s 10.0.0.2",
            "-s",
            "-d",
            "!",
            "10.0.0.1",
            "-s 10.0.0.1,10.0.0.2",
            "-s 10.0.0.1/0",
        ),
        *("-p tcp", "-p udp", "-p", "tcp", "-m tcp", "-m udp", "-m", "--dport 80", "--sport 1:2", "--dport", "--syn"),
        *(
            "-m comment",
            '--comment "a b"',
            '-m comment --comment "a -j b"',
            "-m comment --comment a",
            '"',
            "-m comment --comment",
        ),
        *(
            "-j ACCEPT",
            "-j OTHER",
            "-g OTHER",
            "-j",
            "-j REJECT --reject-with tcp-reset",
            "-j LOG --log-prefix",
            "-i eth0",
            "-o eth0",
        ),
        *("-m set --match-set", "s src", "-m mark --mark 1", "--tcp-flags SYN", "SYN", "-4", "-6", "-f", "-c 1 2", ""),
    ]
)


@given(st.lists(words, min_size=1, max_size=7), st.sampled_from([" ", "  ", "\t"]))
@settings(max_examples=300, deadline=None)
def test_reading_by_parts_is_reading_whatever_the_words(said: list[str], blank: str) -> None:
    text = text_of([f"-A CHAIN {blank.join(said)}"])
    whole, by_parts = Loader(V4, "x", _NoParts(V4)), Loader(V4, "x", PartReader(V4))
    for loader in (whole, by_parts):
        loader.load(text)
    assert [str(error) for error in by_parts.errors] == [str(error) for error in whole.errors]
    assert by_parts.tables["filter"].done() == whole.tables["filter"].done()


class _NoParts(PartReader):
    """Reads every line as a whole."""

    def read(self, specification: str) -> None:
        return None


@given(st.lists(texts, max_size=5))
def test_quoting_is_undone_by_splitting(written: list[str]) -> None:
    assert split(" ".join(quote(word) for word in written)) == written


@given(
    st.text(st.sampled_from('ab "\\\t'), max_size=15).filter(lambda text: text.count('"') % 2 == 0 and "\\" not in text)
)
def test_the_fast_way_to_split_is_the_slow_one(line: str) -> None:
    assert split(line) == [word.text for word in split_with_columns(line)]


@given(st.integers(0, 1 << 31))
def test_a_probability_survives_its_eleven_digits(limit: int) -> None:
    assert threshold(float(f"{limit / (1 << 31):.11f}")) == limit
