"""Tables of text."""

from __future__ import annotations

from netsim.render.tables import table


def test_columns_stand_below_their_headers() -> None:
    assert table(("NAME", "X", "Y"), [("a", "10.96.0.10", ""), ("longer than it", "-", "1/3")]) == (
        "NAME            X           Y\na               10.96.0.10\nlonger than it  -           1/3"
    )


def test_a_table_without_rows_is_its_headers() -> None:
    assert table(("NAME", "LESSON"), []) == "NAME    LESSON"
