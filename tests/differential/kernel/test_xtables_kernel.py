"""The real iptables-restore and iptables-save, nft and legacy, beside the model's reading and printing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from netsim.net.address import Family
from tests.table.xtables_rows import ROWS, SETS

pytestmark = pytest.mark.kernel

NETNS = f"nsim-xtables-{os.getpid()}"
TOOLS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}


def run(*words: str, text: str = "") -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", NETNS, *words], input=text, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}\n{text}"
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _netns() -> Iterator[None]:
    subprocess.run(["ip", "netns", "del", NETNS], check=False, capture_output=True)
    subprocess.run(["ip", "netns", "add", NETNS], check=True)
    run("ipset", "restore", text=SETS)
    yield
    subprocess.run(["ip", "netns", "del", NETNS], check=True)


CASES = [
    (backend, *row)
    for row in ROWS
    for backend in ("nft", "legacy")
    if not (backend == "legacy" and "-p tcp -j TCPMSS" in row[2])  # which wants a match for SYN beside TCPMSS
]


@pytest.mark.parametrize(
    ("backend", "family", "table", "written", "saved"), CASES, ids=[f"{c[0]} {c[1].name} {c[3]}" for c in CASES]
)
def test_the_real_tool_prints_the_same(backend: str, family: Family, table: str, written: str, saved: str) -> None:
    tool = f"{TOOLS[family]}-{backend}"
    run(f"{tool}-restore", text=f"*{table}\n{written}\nCOMMIT\n")
    try:
        rules = [line for line in run(f"{tool}-save", "-t", table).splitlines() if line.startswith("-A")]
    finally:
        run(tool, "-t", table, "-F")
    assert rules == [saved]
