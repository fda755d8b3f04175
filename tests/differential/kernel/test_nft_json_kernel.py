"""This machine's nft prints the rule sets of tests/data, and its JSON of them is the same rule set as its text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsim.rules.nft.parse import parse
from tests.differential.kernel.router import Lab, lab_of
from tests.table.test_nft_json import as_json_tells

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2] / "data"
TEXTS = sorted(
    (
        *(ROOT / "rules" / "nft-programs").glob("*.nft"),
        *(ROOT / "nft").glob("*.nft"),
        *(ROOT / "rules" / "nft").glob("*.nft"),
    )
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    for found in lab_of(f"nsim-nftj-{os.getpid()}"):
        for name in ("virbr0", "eth0", "eth1"):
            found.run("ip", "link", "add", name, "type", "bridge")
        yield found


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_json_and_text_are_the_same_rules(lab: Lab, path: Path) -> None:
    lab.run("nft", "-f", "-", text=f"flush ruleset\n{path.read_text()}")
    text, told = lab.run("nft", "list", "ruleset"), lab.run("nft", "-j", "list", "ruleset")
    lab.run("nft", "flush", "ruleset")
    listed = parse(text, "nft list ruleset")
    assert listed.tables
    if path.stem != "devices":
        assert as_json_tells(parse(told, "nft -j list ruleset")) == as_json_tells(listed)
