"""Rules of ``xtables_rows``: read, and printed as iptables-save prints them."""

from __future__ import annotations

import pytest

from netsim.net.address import Family
from netsim.rules.xtables.dump import dump
from netsim.rules.xtables.parse import parse
from tests.table.xtables_rows import ROWS


def printed(family: Family, table: str, rule: str) -> str:
    """The only rule, as the model prints it."""
    lines = dump(parse(f"*{table}\n{rule}\nCOMMIT\n", family, "row")).splitlines()
    return next(line for line in lines if line.startswith("-A"))


@pytest.mark.parametrize(("family", "table", "written", "saved"), ROWS, ids=[f"{row[0].name} {row[2]}" for row in ROWS])
def test_a_rule_is_printed_as_iptables_save_does(family: Family, table: str, written: str, saved: str) -> None:
    assert printed(family, table, written) == saved
    assert printed(family, table, saved) == saved
