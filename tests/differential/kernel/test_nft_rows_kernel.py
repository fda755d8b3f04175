"""The rows of ``nft_rows`` before this machine's kernel: packets are injected, and the rule's counter tells which it matched."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsim.rules.nft.dump import dump_as_loaded
from netsim.rules.nft.parse import parse
from tests.differential.kernel.router import Lab, lab_of
from tests.table.nft_further_rows import FURTHER_ROWS
from tests.table.nft_rows import ROWS, NftRow

pytestmark = pytest.mark.kernel

PROGRAMS = sorted((Path(__file__).parents[2] / "data" / "rules" / "nft-programs").glob("*.nft"))
DEVICES = ("virbr0",)
"""Devices that a program names by ``iif``, which nft asks for when it loads the rule."""
NOTHING = "add table {0}\ndelete table {0}\n"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    yield from lab_of(f"nsim-nft-{os.getpid()}")


@pytest.mark.parametrize("row", [*ROWS, *FURTHER_ROWS], ids=lambda row: row.id)
def test_kernel_and_rows_agree(lab: Lab, row: NftRow) -> None:
    name = f"{row.family} t"
    lab.flush()
    try:
        lab.run("nft", "-f", "-", text=NOTHING.format(name) + row.text())
        assert _matched(lab, name, row) == row.matched
    finally:
        lab.run("nft", "-f", "-", text=NOTHING.format(name))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_nft_takes_what_programs_write(lab: Lab, path: Path) -> None:
    for device in (each for each in DEVICES if f'if "{each}"' in path.read_text()):
        lab.run("ip", "link", "add", device, "type", "bridge")
    lab.run("nft", "-f", "-", text=f"flush ruleset\n{path.read_text()}")
    lab.run("nft", "-f", "-", text=f"flush ruleset\n{dump_as_loaded(parse(path.read_text(), path.name))}")
    lab.run("nft", "flush", "ruleset")


def _matched(lab: Lab, table: str, row: NftRow) -> str:
    letters = ""
    before, seen = 0, _received(lab)
    for packet in row.packets:
        lab.client.send(packet)
        seen += 1
        _await(lab, seen)
        count = _count(lab, table)
        letters += {0: "n", 1: "y"}[count - before]
        before = count
    return letters


def _count(lab: Lab, table: str) -> int:
    listed = lab.run("nft", "list", "chain", *table.split(), "c")
    found = re.findall(r"counter packets (\d+)", listed)
    assert found, listed
    return int(found[-1])


def _received(lab: Lab) -> int:
    return int(lab.run("cat", "/sys/class/net/in0/statistics/rx_packets"))


def _await(lab: Lab, packets: int) -> None:
    """Wait until the router took so many packets in (a packet socket returns before the peer's softirq ran)."""
    for _ in range(200):
        if _received(lab) >= packets:
            time.sleep(0.005)
            return
        time.sleep(0.002)
    raise AssertionError("the packet did not arrive")
