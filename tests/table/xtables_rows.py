"""Rules as people write them, and as iptables-save 1.8.9 prints them: ``tests/data/rules/xtables/extensions.rows``.

``tests/differential/kernel/test_xtables_kernel.py`` asks the real tools about every row.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from netsim.net.address import Family

FILE = Path(__file__).parent.parent / "data" / "rules" / "xtables" / "extensions.rows"
SETS = "create s1 hash:ip\ncreate s2 hash:ip,port timeout 10\n"

# family, table, the rule as it is written, the rule as it is printed
Row = tuple[Family, str, str, str]


def _rows() -> Iterator[Row]:
    row: Row | None = None
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if line.startswith(" "):
            assert row is not None
            row = (*row[:3], line.strip())
            continue
        if row is not None:
            yield row
        where, _, rule = line.partition(": ")
        family, table = where.split()
        row = (Family[family.upper()], table, rule, rule)
    assert row is not None
    yield row


ROWS = tuple(_rows())
