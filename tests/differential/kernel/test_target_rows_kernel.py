"""The rows of ``target_rows`` before this machine's kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.differential.kernel.router import Lab, lab_of
from tests.table.target_rows import ROWS, TargetRow
from tests.table.test_target_rows import plain

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    yield from lab_of(f"nsim-target-{os.getpid()}")


def complete(rules: str) -> str:
    return (
        "\n".join(f"COMMIT\n{line}" if line.startswith("*") and i else line for i, line in enumerate(rules.split("\n")))
        + "\nCOMMIT\n"
    )


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_kernel_and_rows_agree(lab: Lab, backend: str, row: TargetRow) -> None:
    lab.run("ipset", "restore", text=row.sets)
    try:
        lab.run(f"iptables-{backend}-restore", text=complete(row.rules))
        lab.flush()
        left = []
        for packet in row.packets:
            lab.client.send(packet)
            left.append(_described(lab.server.receive()))
        assert left == list(row.leaves)
        if row.conntrack:
            assert sorted(map(plain, lab.conntrack())) == sorted(row.conntrack)
    finally:
        for table in ("raw", "mangle", "nat", "filter"):
            lab.run(f"iptables-{backend}", "-t", table, "-F")
        _destroy_sets(lab)


def _destroy_sets(lab: Lab) -> None:
    for _ in range(100):
        if not lab.run("sh", "-c", "ipset flush; ipset destroy 2>&1 || true"):
            return
        time.sleep(0.01)
    raise AssertionError("the sets are still in use")


def _described(data: str) -> str:
    """A captured frame as ``described`` tells a packet."""
    if data == "nothing":
        return ""
    from scapy.layers.l2 import Ether

    ip = Ether(bytes.fromhex(data))["IP"]
    l4 = ip.payload
    mss = f" mss {dict(l4.options).get('MSS')}" if ip.proto == 6 else ""
    return f"{ip.src}:{l4.sport} → {ip.dst}:{l4.dport} ttl {ip.ttl} tos {ip.tos:#04x}{mss}"
