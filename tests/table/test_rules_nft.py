"""nftables: what is written and what ``nft list`` prints of it are equal; kube-proxy's tables, transactions; what is refused."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netsim.net.address import parse_address
from netsim.rules.nft.ast import (
    NAT,
    AnonymousMap,
    Lookup,
    Match,
    Meta,
    NotModelled,
    Numgen,
    Rule,
    Ruleset,
    TableFamily,
    Value,
    Verdict,
    VerdictStatement,
)
from netsim.rules.nft.dump import dump, dump_rule
from netsim.rules.nft.parse import parse
from netsim.rules.source import RuleSyntaxErrors

DATA = Path(__file__).parents[1] / "data" / "rules" / "nft"
WRITTEN = sorted(DATA.glob("*.nft"))
LISTED = [path for path in WRITTEN if path.with_suffix(".nft-list").exists()]

HEAD = """\
add table inet t
add chain inet t c
add chain inet t other
add set inet t s { type inet_service; flags interval; elements = { 80, 443, 1000-2000 } }
add set inet t m2 { type ipv4_addr . inet_service; }
add map inet t m { type ipv4_addr . inet_service : verdict; }
add set inet t seen { type ipv4_addr; flags dynamic,timeout; timeout 1m; }
"""

# rule, what nft 1.0.6 lists (None: the same)
ROWS: tuple[tuple[str, str | None], ...] = (
    ("tcp dport 80 accept", None),
    ("tcp dport { 443, 80, 22 } accept", "tcp dport { 22, 80, 443 } accept"),
    ("tcp dport { 80 } accept", "tcp dport 80 accept"),
    ("udp dport domain accept", "udp dport 53 accept"),
    ("meta l4proto { tcp, udp } th dport 53 accept", None),
    ("ip saddr 10.0.0.0/8 tcp dport 1000-2000 drop", None),
    ("ip saddr { 10.0.0.0/8 } drop", "ip saddr 10.0.0.0/8 drop"),
    ("ip saddr != { 10.0.0.2, 10.0.0.1 } drop", "ip saddr != { 10.0.0.1, 10.0.0.2 } drop"),
    ("ip saddr 10.0.0.1-10.0.0.9 drop", None),
    ("ip6 saddr fd00::/64 ip6 daddr fd00::1 drop", None),
    ("tcp flags & (fin|syn|rst|ack) == syn accept", "tcp flags syn / fin,syn,rst,ack accept"),
    ("tcp flags syn,ack accept", None),
    ("ct state established,related accept", None),
    ("ct state { new, established } accept", "ct state { established, new } accept"),
    (
        "ct state vmap { established : accept, related : accept, invalid : drop }",
        "ct state vmap { invalid : drop, established : accept, related : accept }",
    ),
    ("ct mark set mark", "ct mark set meta mark"),
    ("mark set ct mark", "meta mark set ct mark"),
    ("mark set 0x10", "meta mark set 0x00000010"),
    ("mark set mark or 0x4000", "meta mark set meta mark | 0x00004000"),
    ("meta mark set meta mark and 0xff or 0x100", "meta mark set meta mark & 0x000001ff | 0x00000100"),
    ("mark and 0x4000 != 0 accept", "meta mark & 0x00004000 != 0x00000000 accept"),
    (
        "mark set mark xor 0x4000 masquerade fully-random",
        "meta mark set meta mark ^ 0x00004000 masquerade fully-random",
    ),
    ("ct mark 0x1 accept", "ct mark 0x00000001 accept"),
    ("limit rate 5/minute accept", None),
    ("limit rate over 10 mbytes/second burst 20 kbytes drop", None),
    ("limit rate 5/second burst 10 packets accept", None),
    ('log prefix "hi there " level debug', None),
    ("log group 5", None),
    ("reject with icmpx type admin-prohibited", "reject with icmpx admin-prohibited"),
    ("reject with tcp reset", "meta l4proto tcp reject with tcp reset"),
    ("reject", None),
    ("ip protocol icmp reject with icmp type host-unreachable", "ip protocol icmp reject with icmp host-unreachable"),
    ('iifname "eth*" drop', None),
    ("iifname eth0 drop", 'iifname "eth0" drop'),
    ('iifname { "eth0", "lo" } accept', 'iifname { "lo", "eth0" } accept'),
    ('oif "lo" accept', None),
    ("fib daddr . iif type local accept", None),
    ("fib saddr . iif oif missing drop", None),
    ("jhash ip saddr mod 2 seed 0xdeadbeef vmap { 0 : accept, 1 : drop }", None),
    ("symhash mod 2 1 accept", None),
    (
        "numgen random mod 2 vmap { 0 : goto other , 1 : jump other }",
        "numgen random mod 2 vmap { 0 : goto other, 1 : jump other }",
    ),
    ("numgen inc mod 3 offset 1 vmap { 1 : accept }", None),
    ("ip daddr . tcp dport @m2", None),
    (
        "ip daddr . meta l4proto . th dport . iifname { 10.0.0.1 . tcp . 80 . eth0, 10.0.0.2 . udp . 53 . lo } drop",
        'ip daddr . meta l4proto . th dport . iifname { 10.0.0.1 . tcp . 80 . "eth0", 10.0.0.2 . udp . 53 . "lo" } drop',
    ),
    ("ip daddr . tcp dport vmap @m", None),
    ("update @seen { ip saddr timeout 30s }", None),
    ("icmp type echo-request accept", None),
    (
        "icmpv6 type { nd-neighbor-solicit, echo-request } accept",
        "icmpv6 type { echo-request, nd-neighbor-solicit } accept",
    ),
    ("meta nfproto ipv4 accept", None),
    ("meta pkttype broadcast drop", None),
    ("ip ttl lt 5 drop", "ip ttl < 5 drop"),
    ("meta l4proto 47 accept", "meta l4proto gre accept"),
    ("notrack", None),
    ("ct original ip saddr 10.0.0.1 accept", None),
    ("ct direction original accept", None),
    ("ct status snat,dnat accept", None),
    ("meta skuid 1000 accept", None),
    ("skuid 1000 accept", "meta skuid 1000 accept"),
    ('tcp dport @s accept comment "a web server"', None),
    ("continue", None),
    ("return", None),
    ("meta nftrace set 1", None),
    ("tcp option maxseg size set 1400", None),
    ("meta mark & 0x80000000 != 0 accept", "meta mark != 0x00000000/1 accept"),
    ("meta mark & 0xff000000 == 0x12000000 accept", "meta mark 0x12000000/8 accept"),
    ("ct mark & 0xffff0000 != 0x12000000 accept", "ct mark != 0x12000000/16 accept"),
    ("meta mark & 0x0000ffff == 5 accept", "meta mark & 0x0000ffff == 0x00000005 accept"),
    ("meta mark & 0x80000000 > 5 accept", "meta mark & 0x80000000 > 0x00000005 accept"),
    ("meta mark 0x10-0x1f accept", "meta mark 0x00000010-0x0000001f accept"),
    ("meta mark { 0x10-0x1f, 0x100 } accept", "meta mark { 0x00000010/28, 0x00000100 } accept"),
    ("ct mark { 0, 0x80000000-0xffffffff } accept", "ct mark { 0x00000000, 0x80000000/1 } accept"),
    ("ip saddr 10.0.0.0-10.0.0.255 accept", None),
    ("ip saddr { 10.0.0.0-10.0.0.255, 11.0.0.1 } accept", "ip saddr { 10.0.0.0/24, 11.0.0.1 } accept"),
    (
        "ip saddr { 10.0.0.0/25, 10.0.0.128/25, 10.1.0.0/16, 10.1.2.0/24, 1.1.1.1, 1.1.1.2 } drop",
        "ip saddr { 1.1.1.1-1.1.1.2, 10.0.0.0/24, 10.1.0.0/16 } drop",
    ),
    (
        "ip6 saddr != { 2001:db8::/32, 2001:db8:9::/48, fd00::/8 } drop",
        "ip6 saddr != { 2001:db8::/32, fd00::/8 } drop",
    ),
    ("ip saddr { 10.0.0.2, 10.0.0.1 } drop", "ip saddr { 10.0.0.1, 10.0.0.2 } drop"),
    ("tcp dport { 1-5, 3-9, 11 } accept", "tcp dport { 1-9, 11 } accept"),
    ("meta l4proto { 1-5, 17 } accept", "meta l4proto { 1-5, udp } accept"),
    ("ip dscp { 1-5, ef } accept", "ip dscp { 0x01-0x05, ef } accept"),
    ("icmp type { 3-5, echo-request } accept", None),
)

ONE_LEFT = (
    ("ip saddr { 10.0.0.0/8, 10.0.0.1-10.0.0.5 } accept", "ip saddr { 10.0.0.0/8 } accept"),
    ("ip daddr { 10.0.0.0/24, 10.0.1.0/24, 10.0.2.0/23 } accept", "ip daddr { 10.0.0.0/22 } accept"),
    ("ip saddr { 10.0.0.0/24, 10.0.1.0 } accept", "ip saddr { 10.0.0.0-10.0.1.0 } accept"),
    ("tcp dport { 1-5, 6 } accept", "tcp dport { 1-6 } accept"),
    ("meta mark { 1-5, 4-9 } accept", "meta mark { 0x00000001-0x00000009 } accept"),
    ("ip saddr != { 0.0.0.0/0 } accept", "ip saddr != 0.0.0.0/0 accept"),
)
"""Sets of which one element is left when its intervals are joined: nft keeps the braces, but takes them away where it reads them."""


def first_rule(text: str) -> Rule:
    return parse(f"{HEAD}add rule inet t c {text}\n", "row").tables[TableFamily.INET, "t"].chains["c"].rules[0]


@pytest.mark.parametrize(("written", "listed"), ROWS, ids=[row for row, _ in ROWS])
def test_a_rule_means_what_nft_lists(written: str, listed: str | None) -> None:
    rule = first_rule(written)
    assert rule == first_rule(listed or written)
    assert first_rule(dump_rule(rule)) == rule


@pytest.mark.parametrize(("written", "listed"), ONE_LEFT, ids=[row for row, _ in ONE_LEFT])
def test_intervals_of_a_set_without_name_are_joined(written: str, listed: str) -> None:
    assert dump_rule(first_rule(written)) == listed


@pytest.mark.parametrize("path", LISTED, ids=lambda path: path.name)
def test_commands_and_listing_are_equal(path: Path) -> None:
    listed = path.with_suffix(".nft-list")
    assert parse(path.read_text(), path.name) == parse(listed.read_text(), listed.name)


@pytest.mark.parametrize("path", LISTED, ids=lambda path: path.name)
def test_a_dump_is_worded_as_the_listing(path: Path) -> None:
    """Elements aside, which the kernel lists in the order of a hash."""
    listed = path.with_suffix(".nft-list").read_text()
    assert without_elements(dump(parse(path.read_text(), path.name))) == without_elements(listed)


def without_elements(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and "elements = {" not in line and not line.startswith("\t\t\t")]


REJECTED = (
    # table, rule, what nft 1.0.6 lists: the family's own default has no words
    ("ip", "reject with icmp port-unreachable", "reject"),
    ("ip", "reject with icmp host-unreachable", "reject with icmp host-unreachable"),
    ("ip6", "reject with icmpv6 port-unreachable", "reject"),
    ("inet", "reject with icmpx type port-unreachable", "reject"),
    ("inet", "reject with icmp port-unreachable", "reject with icmp port-unreachable"),
)


@pytest.mark.parametrize(("family", "written", "listed"), REJECTED)
def test_the_familys_own_reject_has_no_words(family: str, written: str, listed: str) -> None:
    head = f"add table {family} t\nadd chain {family} t c\nadd rule {family} t c "
    table = parse(f"{head}{written}\n", "row").tables[TableFamily(family), "t"]
    assert dump_rule(table.chains["c"].rules[0]) == listed
    assert parse(f"{head}{listed}\n", "row").tables[TableFamily(family), "t"] == table


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_parse_is_the_inverse_of_dump(path: Path) -> None:
    ruleset = parse(path.read_text(), path.name)
    assert parse(dump(ruleset), "dump") == ruleset
    assert not [rule for rule in rules_of(ruleset) if any(isinstance(each, NotModelled) for each in rule.statements)]


def rules_of(ruleset: Ruleset) -> list[Rule]:
    return [rule for table in ruleset.tables.values() for chain in table.chains.values() for rule in chain.rules]


@pytest.mark.parametrize("path", sorted(DATA.glob("*.transaction")), ids=lambda path: path.name)
def test_a_transaction_leads_to_the_next_state(path: Path) -> None:
    number = int(path.name.split(".")[0][-2:])
    before = path.with_name(path.name.replace(f"-{number:02d}.", f"-{number - 1:02d}.")).with_suffix(".nft")
    base = parse(before.read_text(), before.name)
    after = path.with_suffix(".nft")
    assert parse(path.read_text(), path.name, base=base) == parse(after.read_text(), after.name)


def test_the_values_of_a_service_chain() -> None:
    path = DATA / "loadbalancer-source-ranges.ipv4.nft"
    table = parse(path.read_text(), path.name).tables[TableFamily.IP, "kube-proxy"]
    rule = table.chains["service-SUSTUHLJ-default/web/tcp/http"].rules[0]
    backends = (
        ((0,), (parse_address("10.244.1.2"), 8080)),
        ((1,), (parse_address("10.244.2.2"), 8080)),
    )
    assert rule.statements == (
        Match(Meta("l4proto"), "==", Value(6)),
        NAT("dnat", "ip", Lookup(Numgen("random", 2), AnonymousMap(backends))),
    )
    assert table.chains["filter-prerouting-pre-dnat"].base is not None
    assert table.chains["filter-prerouting-pre-dnat"].base.priority == -110
    assert list(table.sets["cluster-ips"].elements) == [(parse_address("10.96.0.10"),)]


def test_variables_comments_and_lists_in_braces() -> None:
    text = """
    # a comment
    define WEB = { 80, 443 }
    table inet t {
        counter hits { packets 0 bytes 0 }
        chain c {
            type filter hook input priority filter - 5; policy drop
            tcp dport $WEB accept # another
            drop
        }
    }
    """
    chain = parse(text, "x").tables[TableFamily.INET, "t"].chains["c"]
    assert chain.base is not None
    assert (chain.base.priority, chain.base.policy) == (-5, Verdict.DROP)
    assert chain.rules[1] == Rule((VerdictStatement(Verdict.DROP),))
    assert dump_rule(chain.rules[0]) == "tcp dport { 80, 443 } accept"
    assert parse(text, "x").tables[TableFamily.INET, "t"].others["counter hits"].kind == "counter"


def test_commands_change_what_is_there() -> None:
    text = """\
add rule inet t c accept
insert rule inet t c drop
insert rule inet t c index 1 return
add rule inet t c index 0 continue
delete element inet t s { 80 }
add element inet t s { 22 }
destroy chain inet t nothing
delete set inet t m2
flush set inet t seen
"""
    table = parse(HEAD + text, "x").tables[TableFamily.INET, "t"]
    assert [dump_rule(rule) for rule in table.chains["c"].rules] == ["drop", "continue", "return", "accept"]
    assert (22,) in table.sets["s"].elements
    assert (80,) not in table.sets["s"].elements
    assert "m2" not in table.sets
    assert parse(HEAD + "flush ruleset\n", "x").tables == {}
    assert parse(HEAD + "delete table inet t\n", "x").tables == {}
    again = parse(HEAD + "add set inet t seen { type ipv4_addr; flags dynamic,timeout; timeout 2m; }\n", "x")
    assert again.tables[TableFamily.INET, "t"].sets["seen"].timeout_ms == 120_000


_CIRCLE = """\
add rule inet t c jump other
add rule inet t other jump c
add chain inet t b { type filter hook input priority 0; }
add rule inet t b jump c"""

# command, message, line behind HEAD, column; nft 1.0.6 or the kernel refuses each
REFUSED: tuple[tuple[str, str, int, int], ...] = (
    ("add rule inet t nope accept", "there is no chain nope", 1, 17),
    ("add rule inet x c accept", "there is no table inet x", 1, 15),
    ("add rule inet t c jump nope", "there is no chain nope", 1, 19),
    ("add rule inet t c ip daddr @nope drop", "there is no set nope", 1, 19),
    ("add rule inet t c tcp dport 70000 accept", "out of range", 1, 29),
    ("add rule inet t c ip saddr 10.0.0.300 drop", "not an IPv4 address", 1, 28),
    ("add rule inet t c tcp dprt 80 accept", "expecting a field of tcp", 1, 23),
    ("add rule inet t c ct state nwe accept", "is no ct_state", 1, 28),
    ("add rule inet t c foo", "expecting a statement", 1, 19),
    ("add rule inet t c reject with icmp nothing", "is no code of icmp", 1, 36),
    ("add rule inet t c limit rate 5/fortnight", "wrong rate format", 1, 30),
    ("add rule inet t c", "at least one statement", 1, 18),
    ("add rule inet t c dnat", "dnat needs to", 1, 23),
    ("add chain inet t b { type filter hook nowhere priority 0; }", "no hook 'nowhere'", 1, 39),
    ("add chain inet t b { type nat hook forward priority 0; }", "nat chains have no hook 'forward'", 1, 36),
    ("add chain inet t b { type filter hook output priority dstnat; }", "invalid priority", 1, 55),
    ("add set inet t x { type nothing; }", "unknown datatype", 1, 25),
    ("add set inet t x { flags interval; }", "does not specify key", 1, 16),
    ("create table inet t", "File exists", 1, 19),
    ("create chain inet t c", "File exists", 1, 21),
    ("add set inet t s { type ipv4_addr; }", "File exists", 1, 16),
    ("delete chain inet t nope", "there is no chain nope", 1, 21),
    ("delete element inet t s { 81 }", "there is no such element", 1, 23),
    ("add element inet t m { 10.0.0.1 . 80 }", "needs data", 1, 38),
    ("add element inet t m { 10.0.0.1 . 80 : goto nope }", "there is no chain nope", 1, 24),
    ("bogus table inet t", "expecting a command", 1, 1),
    ('add rule inet t c log prefix "open', "expecting a string", 1, 30),
    (_CIRCLE, "Too many links", 2, 23),
    (
        "delete chain inet t other\nadd rule inet t c accept\nadd rule inet t c goto other",
        "there is no chain other",
        3,
        19,
    ),
)


@pytest.mark.parametrize(
    ("command", "message", "line", "column"), REFUSED, ids=[row[0].replace("\n", " / ") for row in REFUSED]
)
def test_what_nft_refuses_is_refused(command: str, message: str, line: int, column: int) -> None:
    with pytest.raises(RuleSyntaxErrors) as caught:
        parse(f"{HEAD}{command}\n", "refused.nft")
    error = caught.value.errors[0]
    assert message in error.message
    assert (error.origin.line - HEAD.count("\n"), error.origin.column) == (line, column)


def test_all_errors_are_told_at_once() -> None:
    text = "table ip t {\n\tchain c {\n\t\ttcp dprt 80\n\t\taccept\n\t\tct state nwe\n\t}\n}\nadd rule ip t c foo\n"
    with pytest.raises(RuleSyntaxErrors) as caught:
        parse(text, "x")
    assert [error.origin.line for error in caught.value.errors] == [3, 5, 8]


# --- the same against nft and the kernel --------------------------------------------------------------------------


@contextmanager
def namespace() -> Iterator[list[str]]:
    name = f"nsim-rules-nft-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield ["ip", "netns", "exec", name, "nft"]
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.kernel
def test_nft_lists_what_the_rows_say() -> None:
    with namespace() as nft:
        for written, listed in (*ROWS, *ONE_LEFT):
            subprocess.run(
                [*nft, "-f", "-"], input=f"flush ruleset\n{HEAD}add rule inet t c {written}\n", text=True, check=True
            )
            shown = subprocess.run(
                [*nft, "list", "chain", "inet", "t", "c"], capture_output=True, text=True, check=True
            ).stdout
            found = shown.split("\n")[2].strip()
            assert (written, listed) in ONE_LEFT or first_rule(found) == first_rule(written)
            if (
                "{" not in written or "-" in written or "/" in written
            ):  # else the order inside of braces is the kernel's
                assert found == (listed or written)


@pytest.mark.kernel
def test_nft_refuses_what_is_refused() -> None:
    with namespace() as nft:
        taken = [
            command
            for command, *_ in REFUSED
            if subprocess.run(
                [*nft, "-f", "-"],
                input=f"flush ruleset\n{HEAD}{command}\n",
                text=True,
                capture_output=True,
                check=False,
            ).returncode
            == 0
        ]
    assert taken == []


@pytest.mark.kernel
@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_the_kernel_takes_the_dump_and_gives_it_back(path: Path) -> None:
    ruleset = parse(path.read_text(), path.name)
    with namespace() as nft:
        subprocess.run([*nft, "-f", "-"], input=dump(ruleset), text=True, check=True)
        listed = subprocess.run([*nft, "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert parse(listed, "listed") == ruleset


@pytest.mark.parametrize("told", ['xt match "recent"', "xt target TCPMSS", "# xt_recent rcheck", '# match "recent" '])
def test_what_nft_cannot_translate_of_iptables_is_no_comment(told: str) -> None:
    """An old nft prints such a part of a rule behind ``#``: it must not be lost, for the rule would match too much."""
    ruleset = parse(f"table ip t {{ chain c {{\n tcp dport 80 {told}\n accept\n}} }}", "t")
    rule, accept = ruleset.tables[TableFamily.IP, "t"].chains["c"].rules
    assert isinstance(rule.statements[1], NotModelled)
    assert accept.statements == (VerdictStatement(Verdict.ACCEPT),)


def test_a_comment_is_a_comment() -> None:
    ruleset = parse("table ip t { chain c {\n tcp dport 80 accept # handle 4\n}\n} # matches nothing", "t")
    (rule,) = ruleset.tables[TableFamily.IP, "t"].chains["c"].rules
    assert len(rule.statements) == 2
