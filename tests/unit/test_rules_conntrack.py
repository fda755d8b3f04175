"""``conntrack -L``, forth and back, what is refused, and the words that make an entry."""

from __future__ import annotations

import os
import subprocess

import pytest

from netsim.rules.conntrack.dump import dump, dump_entry, insert_words
from netsim.rules.conntrack.parse import parse
from netsim.rules.source import RuleSyntaxErrors
from netsim.stack.nf_conntrack_core import Conntrack
from tests.unit.netfilter_world import World

LINES = [
    # as conntrack 1.4.7 prints them
    "icmp     1 99 src=1.1.1.3 dst=2.2.2.2 type=8 code=0 id=7 [UNREPLIED] src=2.2.2.2 dst=1.1.1.3 type=0 code=0 id=7 mark=0 use=1",
    "udp      17 99 src=1.1.1.3 dst=2.2.2.2 sport=1 dport=2 [UNREPLIED] src=2.2.2.2 dst=1.1.1.3 sport=2 dport=1 zone-reply=4 mark=0 use=1",
    "udp      17 99 src=10.1.0.2 dst=10.96.0.10 sport=5 dport=53 src=10.2.0.2 dst=10.1.0.2 sport=5353 dport=5 [ASSURED] mark=3 use=1",
    "tcp      6 9 CLOSE src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 [ASSURED] mark=0 zone=3 use=1",
    "udp      17 99 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 zone-orig=4 [UNREPLIED] src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 mark=0 use=1",
    "tcp      6 55 TIME_WAIT src=10.1.0.2 dst=8.8.8.8 sport=9 dport=53 src=8.8.8.8 dst=10.2.0.1 sport=53 dport=1024 [ASSURED] mark=0 use=1",
    "sctp     132 20 COOKIE_WAIT src=1.1.1.3 dst=2.2.2.2 sport=1 dport=2 [UNREPLIED] src=2.2.2.2 dst=1.1.1.3 sport=2 dport=1 mark=0 use=1",
    "icmpv6   58 29 src=fd00::1 dst=fd00::2 type=128 code=0 id=9 src=fd00::2 dst=fd00::1 type=129 code=0 id=9 mark=0 use=1",
    "unknown  99 599 src=1.1.1.3 dst=2.2.2.2 [UNREPLIED] src=2.2.2.2 dst=1.1.1.3 mark=0 use=1",
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_an_entry_is_printed_as_it_was_read(line: str) -> None:
    (entry,) = parse(line, "x")
    assert dump_entry(entry) == line


@pytest.mark.parametrize("line", LINES)
def test_the_stack_prints_an_adopted_entry_as_it_was_read(line: str) -> None:
    world = World()
    table = Conntrack(world)
    (entry,) = parse(line, "x")
    assert table.adopt(entry).text(world.now()) == line


def test_extended_lines_and_counters_are_read() -> None:
    way, back = "src=1.1.1.3 dst=2.2.2.2 sport=1 dport=2", "src=2.2.2.2 dst=1.1.1.3 sport=2 dport=1"
    line = f"ipv4     2 udp      17 9 {way} packets=4 bytes=99 {back} packets=3 bytes=9 mark=0 secctx=null use=2 id=77"
    (entry,) = parse(f"conntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown.\n# a comment\n\n{line}", "x")
    assert (entry.protocol, entry.seconds, entry.origin.line if entry.origin else 0) == (17, 9, 4)
    assert parse(dump([entry]), "y") == (entry,)


REFUSED = [
    # line | message | column
    ("udp 17", "no conntrack entry", 1),
    ("tcp 17 9 src=1.1.1.1", "protocol 17 is udp, not tcp", 1),
    ("udp 17 soon src=1.1.1.1", "'soon' is not the seconds", 8),
    ("tcp 6 9 OPEN src=1.1.1.1 dst=2.2.2.2", "'OPEN' is no state", 9),
    ("udp 17 9 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2", "an entry has two tuples", 42),
    ("udp 17 9 src=1.1.1.1 dst=2.2.2.2 sport=1 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1", "a tuple has no dport=", 1),
    ("udp 17 9 src=1.1.1.1 dst=2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1", "'2.2.2' is no address", 1),
    ("udp 17 9 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=70000 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1", "out of range", 1),
    ("udp 17 9 src=1.1.1.1 dst=fd00::2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1", "both families", 1),
    ("icmpv6 58 9 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=1 src=2.2.2.2 dst=1.1.1.1 type=0 code=0 id=1", "other family", 1),
    ("udp 17 9 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 [SURE] src=2.2.2.2", "'[SURE]' is no field", 50),
    ("udp 17 9 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 color=1", "'color' is no field", 50),
    ("tcp 6 9 ESTABLISHED src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1 [OFFLOAD]", "offloaded", 101),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message", "column"), REFUSED)
def test_what_is_no_entry_is_refused_at_its_place(line: str, message: str, column: int) -> None:
    with pytest.raises(RuleSyntaxErrors) as raised:
        parse(f"\n{line}", "file")
    (error,) = raised.value.errors
    assert message in error.message
    assert (error.origin.file, error.origin.line, error.origin.column) == ("file", 2, column)


@pytest.mark.kernel
def test_the_kernel_makes_and_prints_the_entries() -> None:
    netns = f"nsim-conntrack-{os.getpid()}"
    subprocess.run(["ip", "netns", "del", netns], check=False, capture_output=True)
    subprocess.run(["ip", "netns", "add", netns], check=True)
    try:
        for line in LINES[:-1]:  # the tool does not make entries of unknown protocols
            (entry,) = parse(line, "x")
            words = ["ip", "netns", "exec", netns, "conntrack"]
            done = subprocess.run([*words, *insert_words(entry)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, (line, done.stderr)
            family = "ipv6" if "::" in line else "ipv4"
            listed = subprocess.run([*words, "-L", "-f", family], capture_output=True, text=True, check=True).stdout
            found = [each for each in parse(listed, "kernel") if each.original == entry.original]
            assert [(each.reply, each.assured, each.mark, each.zone, each.zone_direction) for each in found] == [
                (entry.reply, entry.assured, entry.mark, entry.zone, entry.zone_direction)
            ]
            subprocess.run([*words, "-F"], capture_output=True, check=True)
    finally:
        subprocess.run(["ip", "netns", "del", netns], check=True)
