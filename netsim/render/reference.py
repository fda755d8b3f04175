"""``docs/verdicts.md``, made from the tables: run ``python -m netsim.render.reference > docs/verdicts.md`` after a change to them."""

from __future__ import annotations

import sys

from netsim.stack.kernel_reasons import KERNEL_NAMES
from netsim.stack.reasons import DropReason
from netsim.trace.model import Verdict
from netsim.trace.reason_table import FORWARD_REASONS, TRIP_REASONS
from netsim.trace.reasons import PLACEHOLDERS, REPLY_PREFIX, Reason
from netsim.trace.verdict import DROPS

VERDICTS: dict[Verdict, str] = {
    Verdict.DELIVERED: "a socket took the first packet, and what it answered came back to the client",
    Verdict.REJECTED: "a host or a rule refused it, and said so by RST or ICMP: the client sees at once that it failed",
    Verdict.DROPPED: "a packet of the exchange was lost on its way: the client waits in vain, or an ICMP error tells it",
    Verdict.NO_ROUTE: "a host on the way has no route",
    Verdict.LOOP: "the packet goes in circles",
    Verdict.LEFT: "the packet left the modelled network; nothing is known of what follows",
    Verdict.MISDELIVERED: "a packet arrived where it should not, or the reply does not come back as the client expects it",
    Verdict.UNKNOWN: "the walk met something that is not modelled, or was not finished",
}

_HEAD = """# Verdicts and reasons

A verdict is that of the round trip: SYN, SYN-ACK and ACK (and the first data segment, with `--size`) for TCP, a query and its
answer for UDP, echo request and reply for ICMP, INIT to COOKIE-ACK for SCTP. The legs are read in the order in which they were
walked; the first that does not end as it should decides. Resets and ICMP errors do not decide: what they tell was decided where
they were made. A trace with several branches has the worst verdict of its branches.

This file is made from `netsim/trace/reason_table.py` by `python -m netsim.render.reference`, and a test compares them.

| verdict | meaning |
| --- | --- |
"""

_REASONS = """
## Reasons

Words in capitals stand for what the trace fills in.
"""

_REPLIES = f"""
## On the way out, and on the way back

Any packet towards the server may end so. Where an answer does, the reason is called `{REPLY_PREFIX}…` (`{REPLY_PREFIX}RP_FILTER`), with the
same verdict. Answers that a host refuses for want of a socket are the exception: they are `REPLY_FROM_OTHER_PEER`,
`REPLY_TO_OTHER_HOST` or `REPLY_UNEXPECTED`.
"""


_KERNEL = """
## What the kernel calls them

The names of `skb_drop_reason`, as dropwatch, `perf trace -e skb:kfree_skb` and bpftrace print them. Where the kernel may say several
things, each is named; `NOT_SPECIFIED` is a drop without a name. `netsim verify` compares them.

| reason | the model's own name | the kernel's |
| --- | --- | --- |
"""


def markdown() -> str:
    """The whole document."""
    verdicts = "".join(f"| `{verdict.value}` | {meaning} |\n" for verdict, meaning in VERDICTS.items())
    trip = "".join(map(_section, TRIP_REASONS))
    forward = "".join(map(_section, FORWARD_REASONS))
    kernel = "".join(_kernel_row(reason, code) for reason, code in DROPS.items())
    return _HEAD + verdicts + _REASONS + trip + _REPLIES + forward + _KERNEL + kernel


def _kernel_row(reason: DropReason, code: str) -> str:
    names = (
        ", ".join(f"`{name}`" for name in KERNEL_NAMES.get(reason, ()))
        or "none: it drops no packet there, or without a word"
    )
    return f"| `{code}` | {reason.name} | {names} |\n"


def _section(row: Reason) -> str:
    lines = [f"\n### {row.code}\n", f"`{row.verdict.value}`. {row.meaning}\n", f"- reads: {row.say(PLACEHOLDERS)}"]
    lines.append(f"- see it: {row.shown(PLACEHOLDERS)}")
    if row.mend:
        lines.append(f"- mend it: {row.mended(PLACEHOLDERS)}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
