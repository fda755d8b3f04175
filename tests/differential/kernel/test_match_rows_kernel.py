"""The rows of ``match_rows`` before this machine's kernel: packets are injected, and the rule's counter tells which it matched."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import pytest

from tests.differential.kernel.router import Lab, lab_of
from tests.table.match_rows import ROWS, MatchRow

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    yield from lab_of(f"nsim-match-{os.getpid()}")


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_kernel_and_rows_agree(lab: Lab, backend: str, row: MatchRow) -> None:
    table, chain = row.where.split()
    lab.run("ipset", "restore", text=row.sets + "\n" if row.sets else "")
    lab.run("conntrack", "-F")
    try:
        lab.run(f"iptables-{backend}-restore", text=f"*{table}\n-A {chain} {row.rule}\nCOMMIT\n")
        assert _matched(lab, backend, table, row) == row.matched
    finally:
        lab.run(f"iptables-{backend}", "-t", table, "-F")
        _destroy_sets(lab)


def _matched(lab: Lab, backend: str, table: str, row: MatchRow) -> str:
    letters = ""
    before, seen = 0, _received(lab)
    for packet in row.packets:
        lab.client.send(packet)
        seen += 1
        _await(lab, seen)
        count = _count(lab, backend, table)
        letters += {0: "n", 1: "y"}[count - before]
        before = count
    return letters


def _destroy_sets(lab: Lab) -> None:
    """Rules of iptables-nft let go of their sets a moment after they went."""
    for _ in range(100):
        if not lab.run("sh", "-c", "ipset flush; ipset destroy 2>&1 || true"):
            return
        time.sleep(0.01)
    raise AssertionError("the sets are still in use")


def _count(lab: Lab, backend: str, table: str) -> int:
    saved = lab.run(f"iptables-{backend}-save", "-c", "-t", table)
    found = re.search(r"^\[(\d+):\d+\] -A", saved, re.MULTILINE)
    assert found is not None, saved
    return int(found[1])


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
