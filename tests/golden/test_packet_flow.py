"""The hook diagram of the documentation is drawn from the hooks of the code."""

from __future__ import annotations

from netsim.render.packet_flow import packet_flow
from netsim.stack.netfilter import HOOKS
from tests.cli.console import ROOT


def test_the_page_is_drawn_from_the_table() -> None:
    assert (ROOT / "docs" / "packet-flow.md").read_text(encoding="utf-8") == packet_flow()


def test_every_hook_stands_in_the_order_of_its_priority() -> None:
    assert [row.priority for row in HOOKS] == sorted(row.priority for row in HOOKS)
    assert all(row.reason for row in HOOKS)
