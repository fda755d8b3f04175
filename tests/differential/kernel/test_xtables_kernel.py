"""The real iptables-restore and iptables-save, nft and legacy, beside the model's reading and printing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from netsim.net.address import Family
from tests.table.xtables_rows import ROWS, SETS

pytestmark = pytest.mark.kernel

NETNS = "nsim-xtables"
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


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize(("family", "table", "written", "saved"), ROWS, ids=[f"{row[0].name} {row[2]}" for row in ROWS])
def test_the_real_tool_prints_the_same(backend: str, family: Family, table: str, written: str, saved: str) -> None:
    if backend == "legacy" and "-p tcp -j TCPMSS" in written:
        pytest.skip("iptables-legacy wants a match for SYN beside TCPMSS")
    tool = f"{TOOLS[family]}-{backend}"
    run(f"{tool}-restore", text=f"*{table}\n{written}\nCOMMIT\n")
    try:
        rules = [line for line in run(f"{tool}-save", "-t", table).splitlines() if line.startswith("-A")]
    finally:
        run(tool, "-t", table, "-F")
    assert rules == [saved]
