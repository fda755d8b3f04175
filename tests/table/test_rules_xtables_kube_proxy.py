"""What kube-proxy 1.37.2 writes and what iptables-save prints of it mean the same; so do its partial syncs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from netsim.net.address import Family
from netsim.rules.xtables.ast import (
    CommentMatch,
    Jump,
    MarkTarget,
    RecentMatch,
    Rule,
    Ruleset,
    StatisticRandomMatch,
)
from netsim.rules.xtables.dump import dump
from netsim.rules.xtables.parse import parse
from netsim.rules.xtables.restore import Payload, restore, without_empty_tables

DATA = Path(__file__).parents[1] / "data" / "rules" / "xtables"
SAVED = sorted(DATA.glob("*.iptables-save"))
WRITTEN = sorted(path for path in DATA.glob("*.rules") if path.with_suffix(".iptables-save").exists())
ALL = sorted([*DATA.glob("*.rules"), *SAVED])


def family_of(path: Path) -> Family:
    return Family.IPV6 if ".ipv6." in path.name else Family.IPV4


def load(path: Path) -> Ruleset:
    return parse(path.read_text(), family_of(path), path.name)


def sorted_lines(text: str) -> list[str]:
    return sorted(line for line in text.split("\n") if line and not line.startswith("#"))


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_both_spellings_are_equal(path: Path) -> None:
    assert without_empty_tables(load(path)) == without_empty_tables(load(path.with_suffix(".iptables-save")))


@pytest.mark.parametrize("path", [path for path in SAVED if "kubeskoop" not in path.name], ids=lambda path: path.name)
def test_the_dump_of_what_was_saved_is_the_saved_text(path: Path) -> None:
    assert sorted_lines(dump(load(path))) == sorted_lines(path.read_text())


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_parse_is_the_inverse_of_dump(path: Path) -> None:
    ruleset = load(path)
    again = parse(dump(ruleset), family_of(path), "dump")
    assert again == ruleset
    assert dump(again) == dump(ruleset)


def test_the_values_of_a_session_affinity_service() -> None:
    nat = load(DATA / "session-affinity.ipv4.rules").tables["nat"].chains
    masquerade, service = nat["KUBE-POSTROUTING"].rules[1], nat["KUBE-SVC-LOLE4ISW44XBNF3G"].rules
    assert masquerade == Rule(target=MarkTarget(value=0x4000, mask=0))
    assert service[1].matches == (
        CommentMatch("default/web -> 10.244.1.2:8080"),
        RecentMatch("rcheck", "KUBE-SEP-PXJ2U7QYT2QW5545", seconds=10800, reap=True),
    )
    assert service[3].matches[1] == StatisticRandomMatch(threshold=1 << 30)
    assert service[3].target == Jump("KUBE-SEP-PXJ2U7QYT2QW5545")
    assert service[3].comment == "default/web -> 10.244.1.2:8080"
    origin = service[3].origin
    assert origin is not None
    assert origin.file == "session-affinity.ipv4.rules"
    assert origin.text == (DATA / "session-affinity.ipv4.rules").read_text().split("\n")[origin.line - 1]


def rules_named(ruleset: Ruleset, table: str, pattern: str) -> dict[str, tuple[Rule, ...]]:
    chains = ruleset.tables[table].chains
    return {name: chain.rules for name, chain in chains.items() if re.fullmatch(pattern, name)}


@pytest.mark.parametrize("step", sorted(DATA.glob("*.restore")), ids=lambda path: path.name)
def test_a_partial_sync_leads_to_the_state_after_it(step: Path) -> None:
    """The state files have lost the ``-s`` of KUBE-SEP chains (it stands inside their comments), so those chains are left out."""
    number = int(step.name.split(".")[0][-2:])
    before = step.with_name(step.name.replace(f"-{number:02d}.", f"-{number - 1:02d}.")).with_suffix(".rules")
    payload = Payload(step.read_text(), family_of(step), step.name)
    found, wanted = restore(load(before), payload, noflush=True), load(step.with_suffix(".rules"))
    for table in wanted.tables:
        assert found.tables[table].chains.keys() == wanted.tables[table].chains.keys()
        pattern = "(?!KUBE-SEP-).*"
        assert rules_named(found, table, pattern) == rules_named(wanted, table, pattern)


@pytest.mark.kernel
@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_the_kernel_takes_the_dump_and_gives_it_back(path: Path, backend: str) -> None:
    family = family_of(path)
    tool = f"{'iptables' if family is Family.IPV4 else 'ip6tables'}-{backend}"
    ruleset = load(path)
    netns = f"nsim-rules-dump-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", netns], check=True)
    try:
        for name in sorted(set(re.findall(r"--match-set (\S+)", path.read_text()))):
            create = f"ipset create {name} hash:ip,port family inet{'6' if family is Family.IPV6 else ''}"
            subprocess.run(["ip", "netns", "exec", netns, *create.split()], check=True)
        command = ["ip", "netns", "exec", netns]
        subprocess.run([*command, f"{tool}-restore"], input=dump(ruleset), text=True, check=True)
        saved = subprocess.run([*command, f"{tool}-save"], capture_output=True, text=True, check=True).stdout
    finally:
        subprocess.run(["ip", "netns", "delete", netns], check=True)
    assert without_empty_tables(parse(saved, family, "saved")) == without_empty_tables(ruleset)
