"""ipset: what is read, what is printed, what is refused; kube-proxy's members. The kernel marked test asks ipset the same."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from netsim.net.address import MAC, Family, parse_address, parse_prefix
from netsim.rules.ipset.ast import Entry, Interface, IPSets, Key, ProtocolPort
from netsim.rules.ipset.dump import dump, dump_entries
from netsim.rules.ipset.kube_proxy import kube_proxy_sets
from netsim.rules.ipset.parse import parse
from netsim.rules.source import RuleSyntaxErrors

DATA = sorted((Path(__file__).parents[1] / "data" / "rules" / "ipset").glob("*.ipset"))
ONE = parse_address("1.2.3.4")

# type and options, entry, members
MEMBERS: tuple[tuple[str, str, list[Key]], ...] = (
    ("hash:ip", "1.2.3.4", [(ONE,)]),
    ("hash:ip", "1.2.3.4/31", [(ONE,), (parse_address("1.2.3.5"),)]),
    ("hash:ip", "1.2.3.3-1.2.3.4", [(parse_address("1.2.3.3"),), (ONE,)]),
    ("hash:ip netmask 24", "1.2.3.4", [(parse_address("1.2.3.0"),)]),
    ("hash:ip family inet6", "fd00::1", [(parse_address("fd00::1"),)]),
    ("hash:ip,port", "1.2.3.4,tcp:80", [(ONE, ProtocolPort(6, 80))]),
    ("hash:ip,port", "1.2.3.4,80", [(ONE, ProtocolPort(6, 80))]),
    ("hash:ip,port", "1.2.3.4,udp:53-54", [(ONE, ProtocolPort(17, 53)), (ONE, ProtocolPort(17, 54))]),
    ("hash:ip,port", "1.2.3.4,sctp:8", [(ONE, ProtocolPort(132, 8))]),
    ("hash:ip,port", "1.2.3.4,icmp:8/0", [(ONE, ProtocolPort(1, 2048))]),
    ("hash:ip,port", "1.2.3.4,icmp:echo-request", [(ONE, ProtocolPort(1, 2048))]),
    ("hash:ip,port", "1.2.3.4,47:0", [(ONE, ProtocolPort(47, 0))]),
    ("hash:ip,port,ip", "1.2.3.4,tcp:80,1.2.3.4", [(ONE, ProtocolPort(6, 80), ONE)]),
    ("hash:ip,port,net", "1.2.3.4,tcp:80,10.0.0.1/8", [(ONE, ProtocolPort(6, 80), parse_prefix("10.0.0.0/8"))]),
    ("hash:net,iface", "10.0.0.0/8,physdev:eth1", [(parse_prefix("10.0.0.0/8"), Interface("eth1", physdev=True))]),
    ("hash:net", "1.2.3.4", [(parse_prefix("1.2.3.4/32"),)]),
    ("hash:ip,mark", "1.2.3.4,0x5", [(ONE, 5)]),
    ("hash:mac", "aa:bb:cc:dd:ee:ff", [(MAC.parse("aa:bb:cc:dd:ee:ff"),)]),
    ("bitmap:port range 0-65535", "80", [(80,)]),
    ("bitmap:port range 0-65535", "100-102", [(100,), (101,), (102,)]),
    ("bitmap:port range 0-65535", "tcp:5", [(5,)]),
    ("bitmap:ip range 1.2.3.0/24", "1.2.3.4", [(ONE,)]),
)


@pytest.mark.parametrize(("kind", "entry", "members"), MEMBERS, ids=[f"{kind} {entry}" for kind, entry, _ in MEMBERS])
def test_an_entry_stands_for_its_members(kind: str, entry: str, members: list[Key]) -> None:
    sets = parse(f"create S {kind}\nadd S {entry}\n", "x")
    assert list(sets.sets["S"].entries) == members
    assert parse(dump(sets), "dump") == sets


SAVED = """\
create C hash:ip,port,net family inet hashsize 1024 maxelem 65536 timeout 30 counters comment bucketsize 12 initval 0x7db70db3
add C 1.1.1.1,tcp:80,10.0.1.0/24 timeout 29 nomatch packets 0 bytes 0
add C 1.1.1.1,tcp:80,10.0.0.0/24 timeout 4 packets 7 bytes 9 comment "a b"
create B bitmap:port range 0-65535
add B 80
create E list:set size 8
add E B
"""


def test_what_ipset_saves_is_read() -> None:
    sets = parse(SAVED, "saved")
    entries = list(sets.sets["C"].entries.values())
    assert entries == [Entry(nomatch=True, timeout=29), Entry(timeout=4, comment="a b")]
    assert (entries[1].packets, entries[1].bytes) == (7, 9)
    assert list(sets.sets["E"].entries) == [("B",)]
    without_seed = [line.partition(" initval")[0] for line in SAVED.strip().split("\n")]
    assert sorted(dump(sets).strip().split("\n")) == sorted(without_seed)


def test_commands_change_sets() -> None:
    text = "create A hash:ip\ncreate B hash:ip\nadd A 1.1.1.1\nadd -exist A 1.1.1.1\nadd B 2.2.2.2\nswap A B\nrename B C\ndel A 2.2.2.2\n"
    sets = parse(text, "x")
    assert {name: list(each.entries) for name, each in sets.sets.items()} == {
        "A": [],
        "C": [(parse_address("1.1.1.1"),)],
    }
    assert parse("flush C\ndestroy A\n", "x", base=sets).sets["C"].entries == {}
    assert parse("destroy\n", "x", base=sets) == IPSets()


# text behind "create A hash:ip,port", message, column of the last line
REFUSED: tuple[tuple[str, str, int], ...] = (
    ("add NOPE 1.1.1.1", "The set with the given name does not exist", 5),
    ("add A 1.1.1.1", "Second element is missing from 1.1.1.1", 7),
    ("add A 1.1.1.1,tcp:80,2.2.2.2", "too many elements in", 7),
    ("add A 1.1.1.256,tcp:80", "is not an IPv4 address", 7),
    ("add A fd00::1,tcp:80", "is not an IPv4 address", 7),
    ("add A 1.1.1.1,tcp:99999", "out of range", 7),
    ("add A 1.1.1.1,80 timeout 5", "created without support", 18),
    ("add A 1.1.1.1,80 comment x", "created without support", 18),
    ("add A 1.1.1.1,80\nadd A 1.1.1.1,tcp:80", "already added", 7),
    ("del A 1.1.1.1,80", "it's not added", 7),
    ("create A hash:ip", "set with the same name already exists", 8),
    ("create Z hash:foo", "typename 'hash:foo' is unknown", 10),
    ("create Z bitmap:port", "needs a range", 10),
    ("create ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF hash:ip", "longer than 31 characters", 8),
    ("create Z hash:ip family inet7", "neither inet nor inet6", 25),
    ("create Z hash:ip maxelem many", "is not a number", 26),
    ("destroy NOPE", "does not exist", 9),
    ("frobnicate A", "No command specified", 1),
)


@pytest.mark.parametrize(("text", "message", "column"), REFUSED, ids=[row[0].replace("\n", " / ") for row in REFUSED])
def test_what_ipset_refuses_is_refused(text: str, message: str, column: int) -> None:
    with pytest.raises(RuleSyntaxErrors) as caught:
        parse(f"create A hash:ip,port\n{text}\n", "x")
    error = caught.value.errors[0]
    assert message in error.message
    assert (error.origin.line, error.origin.column) == (2 + text.count("\n"), column)


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.name)
def test_kube_proxy_members_are_read_and_printed(path: Path) -> None:
    family = Family.IPV6 if ".ipv6." in path.name else Family.IPV4
    sets = parse(path.read_text(), path.name, base=kube_proxy_sets(family))
    assert parse(dump(sets), "dump") == sets
    written = re.sub(r"(,\d+\.\d+\.\d+\.\d+)/32", r"\1", path.read_text())
    assert dump_entries(sets).split("\n") == [*sorted(written.strip().split("\n")), ""]


@pytest.mark.kernel
def test_ipset_takes_and_refuses_the_same() -> None:
    netns = f"nsim-rules-ipset-{os.getpid()}"
    command = ["ip", "netns", "exec", netns, "ipset"]
    subprocess.run(["ip", "netns", "add", netns], check=True)
    try:
        for kind, entry, _ in MEMBERS:
            if kind.startswith(("hash:ip,mark", "hash:mac", "hash:ip,port,ip")):
                continue  # this kernel has no such set type
            sets = parse(f"create S {kind}\nadd S {entry}\n", "x")
            subprocess.run([*command, "restore"], input=dump(sets), text=True, check=True)
            saved = subprocess.run([*command, "save"], capture_output=True, text=True, check=True).stdout
            assert parse(saved, "saved") == sets, (kind, entry)
            subprocess.run([*command, "destroy"], check=True)
        taken = []
        for text, *_ in REFUSED:
            line = f"create A hash:ip,port\n{text}\n"
            done = subprocess.run([*command, "restore"], input=line, capture_output=True, text=True, check=False)
            taken += [text] if done.returncode == 0 else []
            subprocess.run([*command, "destroy"], check=True)
        assert taken == []
    finally:
        subprocess.run(["ip", "netns", "delete", netns], check=True)
