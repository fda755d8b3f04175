"""The table of agreement: runs add up, and a mode that ran takes the place of its old columns alone."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "bench" / "agreement_table.py"
PAGE = """\
# A page

<!-- agreement: begin -->
| feature | iptables (nft), IPv4 | nftables, IPv4 | ipvs, in a guest, IPv6 |
| --- | ---: | ---: | ---: |
| all flows | 3 / 3 | 5 / 6 | 1 / 1 |
| old | 1 / 1 |  |  |
| shared | 2 / 2 | 4 / 4 |  |

Agreed / cases.

| mode | seeds | commit | kernel | not compared: not modelled | drawn, but not to be built |
| --- | --- | --- | --- | --- | --- |
| nftables | 7 | abc | 6.18 | 0 | 2 |
<!-- agreement: end -->

After it.
"""
WRITTEN = """\
# A page

<!-- agreement: begin -->
| feature | iptables (nft), IPv4 | iptables (nft), IPv6 | nftables, IPv4 | ipvs, in a guest, IPv6 |
| --- | ---: | ---: | ---: | ---: |
| all flows | 9 / 10 | 4 / 4 | 5 / 6 | 1 / 1 |
| new | 9 / 10 | 4 / 4 |  |  |
| shared |  |  | 4 / 4 |  |

Agreed / cases.

| mode | seeds | commit | kernel | not compared: not modelled | drawn, but not to be built |
| --- | --- | --- | --- | --- | --- |
| iptables (nft) | 1, 2 | aaa, bbb | 6.18 | 3 | 1 |
| nftables | 7 | abc | 6.18 | 0 | 2 |
<!-- agreement: end -->

After it.
"""


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("agreement_table", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def ran(table, seed: str, commit: str, cells: dict[int, tuple[int, int]], left_out: int = 0, refused: int = 0):
    tally = table.Tally(ran={"iptables": table.Ran((seed,), (commit,), ("6.18",), left_out, refused)})
    for version, (agreed, cases) in cells.items():
        for name in (table.ALL, "new"):
            tally.cases["iptables", version, name], tally.agreed["iptables", version, name] = cases, agreed
    return tally


def test_pieces_add_up_and_other_modes_stay(table, tmp_path):
    page, saved = tmp_path / "page.md", tmp_path / "tally.json"
    page.write_text(PAGE, encoding="utf-8")
    ran(table, "1", "aaa", {4: (7, 7)}, left_out=3).save(saved)
    both = table.Tally.load(saved) + ran(table, "2", "bbb", {4: (2, 3), 6: (4, 4)}, refused=1)
    table.write(both, page)
    assert page.read_text(encoding="utf-8") == WRITTEN


def test_what_is_saved_is_loaded(table, tmp_path):
    tally = ran(table, "1", "aaa", {4: (0, 2)}, refused=2)
    tally.differences.append("one")
    tally.save(tmp_path / "tally.json")
    assert table.Tally.load(tmp_path / "tally.json") == tally
    assert table.Tally.load(tmp_path / "nothing") == table.Tally()
