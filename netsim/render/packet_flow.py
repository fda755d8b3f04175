"""``docs/packet-flow.md``, drawn from the hook table: run ``python -m netsim.render.packet_flow > docs/packet-flow.md`` after a change."""

from __future__ import annotations

import sys

from netsim.render.markdown_text import table_lines
from netsim.stack.netfilter import HOOKS, HookRow
from netsim.stack.steps import IP_HOOKS, Hook

PATH = """\
                       a process of this host
                         ▲                │
                    ┌────┴────┐      ┌────▼────┐
                    │  INPUT  │      │ routing │
                    └────▲────┘      └────┬────┘
                         │                │
   device   ┌────────────┴┐          ┌────▼────┐          ┌─────────────┐   device
  ─────────▶│ PREROUTING  │          │ OUTPUT  ├─────────▶│ POSTROUTING ├─────────▶
            │ then routing│          └─────────┘     ┌───▶│             │
            └────────────┬┘          ┌─────────┐     │    └─────────────┘
                         └──────────▶│ FORWARD ├─────┘
                                     └─────────┘
"""
"""One namespace, as ``ip_rcv()``, ``ip_forward()`` and ``ip_output()`` send a packet through it."""

_HEAD = """\
# A packet's way through one network namespace

This file is drawn from `netsim/stack/netfilter.py:HOOKS` by `python -m netsim.render.packet_flow`, and a test compares them.

A packet that comes in passes PREROUTING, is routed, and goes up through INPUT or on through FORWARD; one that is made here is
routed, passes OUTPUT, and
both leave by POSTROUTING. At each hook the parts below are asked in the order of their priority; the first that drops the packet
ends its way.

"""

_TAIL = """
What follows from the order, and explains half of all riddles:

- The destination changes (nat, -100) *before* routing and filter: filter rules, routes and the ARP request see the pod, never the
  Service.
- The source changes last (nat, 100): filter rules see the client, the next host sees the masqueraded address.
- nat chains are asked for the first packet of a connection only. Every later packet, and every reply, is translated by conntrack
  without a rule.
- A connection enters the table at the very end (confirm). A packet that is dropped on the way leaves no entry.
- Replies are un-NATed at the mirror image of the hook at which the request was changed: what DNAT did in PREROUTING is undone in
  POSTROUTING.

## The same for a bridge

With `net.bridge.bridge-nf-call-iptables=1` an IPv4 frame that a bridge switches from port to port passes PREROUTING, FORWARD and
POSTROUTING of the *IP* hooks on
its way (br_netfilter), which is how a reply between two pods of one node finds its way back to the Service's address. With 0 it
does not, and the
client hears from an address that it never called (topology `bridge-nf-off`).
"""


def packet_flow() -> str:
    """The whole page."""
    return f"{_HEAD}```text\n{PATH}```\n\n{_hooks()}\n{_TAIL}"


def _hooks() -> str:
    rows = [(str(row.priority), row.part, *(_mark(row, hook) for hook in IP_HOOKS), row.reason) for row in HOOKS]
    headers = ("priority", "part", *(hook.value for hook in IP_HOOKS), "why there")
    return "\n".join(table_lines(headers, rows))


def _mark(row: HookRow, hook: Hook) -> str:
    return "●" if hook in row.hooks else ""


if __name__ == "__main__":
    sys.stdout.write(packet_flow())
