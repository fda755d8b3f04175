"""IPVS's schedulers that go by turns and by numbers of connections: rr, wrr, lc, wlc, sed, nq, fo, ovf.

Each is the kernel's loop over the list of real servers, for the connections that the model knows of. What a new client meets depends
on connections that nobody knows: ``cycle`` gives the order in which a scheduler hands out connections that stay open, one period of it.

Ref: net/netfilter/ipvs/ip_vs_{rr,wrr,lc,wlc,sed,nq,fo,ovf}.c (v6.12); the sequences were measured on Linux 6.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import gcd
from typing import Protocol, TypeAlias

from netsim.rules.ipvs.ast import RealServer
from netsim.stack.ip_vs_dest import Dest

LONGEST_CYCLE = 4096
"""Longer cycles (large weights) are not written out; their shares are the weights'."""


class Turns(Protocol):
    """A scheduler that remembers at most where it stands."""

    def pick(self, dests: Sequence[Dest]) -> Dest | None:
        """The next connection's real server, None where none may have it."""


class RoundRobin:
    """Each in turn; weights count only as 0 or not. Ref: ip_vs_rr.c:ip_vs_rr_schedule()."""

    def __init__(self, dests: Sequence[Dest]) -> None:
        del dests
        self._last = -1

    def pick(self, dests: Sequence[Dest]) -> Dest | None:
        """The next after the last one."""
        for step in range(1, len(dests) + 1):
            index = (self._last + step) % len(dests)
            if dests[index].usable:
                self._last = index
                return dests[index]
        return None


class WeightedRoundRobin:
    """Several passes over the list, each for the real servers whose weight reaches a mark that sinks from pass to pass.

    The mark starts where adding the real servers one by one left it. Ref: ip_vs_wrr.c:ip_vs_wrr_schedule(), ip_vs_wrr_dest_changed().
    """

    def __init__(self, dests: Sequence[Dest]) -> None:
        self._step, self._highest, self._mark = 1, 0, 0
        for count in range(1, len(dests) + 1):
            self._changed([dest.weight for dest in dests[len(dests) - count :]])
        self._at = -1

    def _changed(self, weights: Sequence[int]) -> None:
        self._step = gcd(*weights) or 1
        self._highest = max(weights) - (self._step - 1)
        if self._mark > self._highest or not self._mark:
            self._mark = self._highest
        elif self._step > 1:
            self._mark = self._mark // self._step * self._step + 1

    def pick(self, dests: Sequence[Dest]) -> Dest | None:
        """The next whose weight reaches the mark."""
        if self._highest <= 0 or not any(dest.usable for dest in dests):
            return None
        while True:
            for index in range(self._at + 1, len(dests)):
                if dests[index].usable and dests[index].weight >= self._mark:
                    self._at = index
                    return dests[index]
            self._at = -1
            self._mark -= self._step
            if self._mark <= 0:
                self._mark = self._highest


Cost: TypeAlias = Callable[[Dest], tuple[int, int]]
"""What is to be least, as numerator and denominator."""


def least(dests: Sequence[Dest], cost: Cost) -> Dest | None:
    """The first of the list whose cost no other undercuts."""
    best: Dest | None = None
    for dest in dests:
        if not dest.usable:
            continue
        if best is None or cost(dest)[0] * cost(best)[1] < cost(best)[0] * cost(dest)[1]:
            best = dest
    return best


def overhead_by_weight(dest: Dest) -> tuple[int, int]:
    """Wlc. Ref: ip_vs_wlc.c:ip_vs_wlc_schedule()."""
    return dest.overhead, dest.weight


class LeastOf:
    """The least cost wins, the first of the list among equals."""

    def __init__(self, cost: Cost) -> None:
        self._cost = cost

    def pick(self, dests: Sequence[Dest]) -> Dest | None:
        """The cheapest."""
        return least(dests, self._cost)


class NeverQueue:
    """Whoever is idle, else as sed. Ref: ip_vs_nq.c:ip_vs_nq_schedule()."""

    def pick(self, dests: Sequence[Dest]) -> Dest | None:
        """The first that has no active connection."""
        idle = next((dest for dest in dests if dest.usable and dest.active == 0), None)
        return idle or least(dests, _expected_delay)


class FailOver:
    """The greatest weight gets everything. Ref: ip_vs_fo.c:ip_vs_fo_schedule()."""

    def pick(self, dests: Sequence[Dest]) -> Dest | None:
        """The first of the greatest weight."""
        return max((dest for dest in dests if dest.usable), key=lambda dest: dest.weight, default=None)


class Overflow:
    """The greatest weight until it has more active connections than its weight, then the next. Ref: ip_vs_ovf.c:ip_vs_ovf_schedule()."""

    def pick(self, dests: Sequence[Dest]) -> Dest | None:
        """The first of the greatest weight that has room."""
        room = (dest for dest in dests if dest.usable and dest.active <= dest.weight)
        return max(room, key=lambda dest: dest.weight, default=None)


def _expected_delay(dest: Dest) -> tuple[int, int]:
    return dest.active + 1, dest.weight


TURNS: Mapping[str, Callable[[Sequence[Dest]], Turns]] = {
    "rr": RoundRobin,
    "wrr": WeightedRoundRobin,
    "lc": lambda _: LeastOf(lambda dest: (dest.overhead, 1)),
    "wlc": lambda _: LeastOf(overhead_by_weight),
    "sed": lambda _: LeastOf(_expected_delay),
    "nq": lambda _: NeverQueue(),
    "fo": lambda _: FailOver(),
    "ovf": lambda _: Overflow(),
}

WEIGHT_COUNTS = frozenset({"wrr", "wlc", "sed", "nq"})
"""Schedulers that give each real server connections in proportion to its weight."""

HISTORY_COUNTS = frozenset({*WEIGHT_COUNTS, "rr", "lc"})
"""Schedulers whose next choice depends on connections that the model does not know of.

fo never looks at connections. ovf does: the model takes the connections it knows of for all there are, as the sum of the weights that
fill up before it moves on cannot be told from a share.
"""


def shares(name: str, dests: Sequence[Dest]) -> tuple[int, ...]:
    """How many of a cycle's connections each real server gets."""
    if name not in WEIGHT_COUNTS:
        return tuple(int(dest.usable) for dest in dests)
    weights = [dest.weight if dest.usable else 0 for dest in dests]
    divisor = gcd(*weights) or 1
    return tuple(weight // divisor for weight in weights)


def cycle(name: str, dests: Sequence[Dest]) -> tuple[int, ...] | None:
    """The order in which a scheduler hands out connections that all stay open, as places in the list; None where that is too long.

    The first period is left out: only there do real servers begin empty.
    """
    length = sum(shares(name, dests))
    if length > LONGEST_CYCLE:
        return None
    scratch = [Dest(RealServer(d.spec.address, d.spec.port), d.weight if d.usable else 0) for d in dests]
    turns = TURNS[name](scratch)
    order: list[int] = []
    for _ in range(2 * length):
        picked = turns.pick(scratch)
        assert picked is not None
        picked.active += 1
        order.append(next(index for index, dest in enumerate(scratch) if dest is picked))
    return tuple(order[length:])
