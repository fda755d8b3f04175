"""IPVS's schedulers that keep a destination on its real servers: lblc and lblcr.

Both look up the packet's destination, which is the virtual address: so all of a Service's clients share one real server (lblc) or a set
that grows while they are overloaded (lblcr). What has no entry yet is scheduled as wlc does. Entries do not run out during a walk.

Ref: net/netfilter/ipvs/ip_vs_lblc.c:ip_vs_lblc_schedule(), ip_vs_lblcr.c:ip_vs_lblcr_schedule() (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from netsim.net.address import Address
from netsim.stack.ip_vs_dest import Dest
from netsim.stack.ip_vs_sched_turns import least, overhead_by_weight

Fresh: TypeAlias = Callable[[], Dest | None]
"""Schedules a destination that has no entry."""


def overloaded(dest: Dest, dests: Sequence[Dest]) -> bool:
    """More active connections than its weight, while another has less than half. Ref: is_overloaded()."""
    return dest.active > dest.weight and any(other.active * 2 < other.weight for other in dests)


class LocalityBased:
    """lblc: one real server for each destination."""

    def __init__(self) -> None:
        self._entries: dict[Address, Dest] = {}

    def pick(self, destination: Address, dests: Sequence[Dest], fresh: Fresh) -> Dest | None:
        """The destination's real server, as long as it is usable and not overloaded."""
        known = self._entries.get(destination)
        if known is not None and known.available and known.weight > 0 and not overloaded(known, dests):
            return known
        picked = fresh()
        if picked is not None:
            self._entries[destination] = picked
        return picked


class LocalityBasedReplicated:
    """lblcr: a set of real servers for each destination, the latest first."""

    def __init__(self) -> None:
        self._entries: dict[Address, list[Dest]] = {}

    def pick(self, destination: Address, dests: Sequence[Dest], fresh: Fresh) -> Dest | None:
        """The least loaded of the destination's set; where that is overloaded, one more joins."""
        members = self._entries.get(destination, [])
        known = least([dest for dest in members if dest.available], overhead_by_weight)
        if known is not None and not overloaded(known, dests):
            return known
        picked = fresh() if not members else least(dests, overhead_by_weight)
        if picked is not None and picked not in members:
            self._entries[destination] = [picked, *members]
        return picked
