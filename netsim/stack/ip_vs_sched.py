"""Which real server a new connection gets: IPVS's schedulers, and what of them is chance to someone who looks from outside.

Theory of operation. A scheduler that goes by turns or by numbers of connections is deterministic in the kernel, but where it stands depends
on the connections before, which nobody knows. Connections that stay open go round in a cycle (`netsim.stack.ip_vs_sched_turns.cycle`): for
a new client every place in the cycle is equally likely. So the first choice of a walk is a fork whose probabilities are the
real servers' shares of the cycle: equal for rr and lc, by weight for wrr, wlc, sed and nq. Afterwards the places that fit what was
chosen remain, so later connections of the same walk follow. ``fresh`` tells that there were no connections before: then nothing
is chance. Hashes (sh, dh, mh), fo and ovf never fork; twos draws twice.

Ref: net/netfilter/ipvs/ip_vs_sched.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol, TypeAlias

from netsim.dataclass import dataclass
from netsim.net.packet import Packet
from netsim.rules.ipvs.ast import VirtualServer
from netsim.stack.ip_vs_dest import Dest
from netsim.stack.ip_vs_sched_hash import DestinationHash, Maglev, SourceHash
from netsim.stack.ip_vs_sched_locality import LocalityBased, LocalityBasedReplicated
from netsim.stack.ip_vs_sched_turns import HISTORY_COUNTS, TURNS, cycle, shares
from netsim.stack.steps import Choice, Chooser


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A scheduler's answer: ``dest`` None where no real server may have the connection; ``choice`` where chance decided."""

    dest: Dest | None
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A new connection's first packet, and who decides what chance decides. ``place`` names the decision."""

    packet: Packet
    chooser: Chooser
    place: str
    fresh: bool = False


class Scheduler(Protocol):
    """One virtual server's scheduler with what it remembers."""

    def schedule(self, asked: Asked) -> Scheduled:
        """The real server of a new connection."""


def _choose(asked: Asked, dests: Sequence[Dest], chances: Sequence[Fraction]) -> Scheduled:
    """One of those that have a chance. Where that is one alone, nothing is chosen."""
    possible = [(dest, chance) for dest, chance in zip(dests, chances, strict=True) if chance]
    if len(possible) == 1:
        return Scheduled(possible[0][0])
    options = tuple((str(dest), chance) for dest, chance in possible)
    index = asked.chooser.choose(asked.place, options)
    return Scheduled(possible[index][0], Choice(asked.place, options, index))


class _ByTurns:
    """rr, wrr, lc, wlc, sed, nq, fo, ovf."""

    def __init__(self, name: str, dests: Sequence[Dest]) -> None:
        self._name = name
        self._dests = dests
        self._turns = TURNS[name](dests)
        self._usable: tuple[bool, ...] = ()
        self._cycle: tuple[int, ...] | None = None
        self._places: list[int] = []

    def schedule(self, asked: Asked) -> Scheduled:
        if not any(dest.usable for dest in self._dests):
            return Scheduled(None)
        if asked.fresh or self._name not in HISTORY_COUNTS:
            return Scheduled(self._turns.pick(self._dests))
        usable = tuple(dest.usable for dest in self._dests)
        if usable != self._usable:
            self._usable, self._cycle = usable, cycle(self._name, self._dests)
            self._places = list(range(len(self._cycle or ())))
        if self._cycle is None:
            return self._by_share(asked)
        return self._from_cycle(asked, self._cycle)

    def _by_share(self, asked: Asked) -> Scheduled:
        parts = shares(self._name, self._dests)
        total = sum(parts)
        return _choose(asked, self._dests, [Fraction(part, total) for part in parts])

    def _from_cycle(self, asked: Asked, order: Sequence[int]) -> Scheduled:
        """Every place that is still possible is as likely as any other; those that the choice rules out are gone."""
        total = len(self._places)
        nexts = [order[place] for place in self._places]
        chances = [Fraction(nexts.count(index), total) for index in range(len(self._dests))]
        found = _choose(asked, self._dests, chances)
        self._places = [(place + 1) % len(order) for place in self._places if self._dests[order[place]] is found.dest]
        return found


class _Hashed:
    """sh, dh, mh."""

    def __init__(self, table: SourceHash | DestinationHash | Maglev) -> None:
        self._table = table

    def schedule(self, asked: Asked) -> Scheduled:
        return Scheduled(self._table.pick(asked.packet))


class _ByLocality:
    """lblc, lblcr."""

    def __init__(self, entries: LocalityBased | LocalityBasedReplicated, dests: Sequence[Dest]) -> None:
        self._entries = entries
        self._dests = dests
        self._weighted = _ByTurns("wlc", dests)

    def schedule(self, asked: Asked) -> Scheduled:
        drawn: list[Scheduled] = []

        def fresh() -> Dest | None:
            drawn.append(self._weighted.schedule(asked))
            return drawn[-1].dest

        picked = self._entries.pick(asked.packet.ip.dst, self._dests, fresh)
        return drawn[-1] if drawn else Scheduled(picked)


class _TwoChoices:
    """twos: two are drawn by weight, and the less loaded one wins. Ref: ip_vs_twos.c:ip_vs_twos_schedule()."""

    def __init__(self, dests: Sequence[Dest]) -> None:
        self._dests = dests

    def schedule(self, asked: Asked) -> Scheduled:
        dests = [dest for dest in self._dests if dest.usable]
        if not dests:
            return Scheduled(None)
        total = sum(dest.weight for dest in dests) + 1
        drawn = [Fraction(dest.weight + (index == 0), total) for index, dest in enumerate(dests)]
        chances = [Fraction(0)] * len(dests)
        for first, one in enumerate(dests):
            for second, other in enumerate(dests):
                wins = second if other.weight * one.overhead > one.weight * other.overhead else first
                chances[wins] += drawn[first] * drawn[second]
        return _choose(asked, dests, chances)


Maker: TypeAlias = Callable[[VirtualServer, Sequence[Dest]], Scheduler]


def _turns(name: str) -> Maker:
    return lambda _, dests: _ByTurns(name, dests)


SCHEDULERS: Mapping[str, Maker] = {
    # name: what it goes by. Every name of netsim.rules.ipvs.ast.SCHEDULERS is here
    **{name: _turns(name) for name in TURNS},
    "sh": lambda server, dests: _Hashed(SourceHash.of(dests, server.flags)),
    "dh": lambda _, dests: _Hashed(DestinationHash.of(dests)),
    "mh": lambda server, dests: _Hashed(Maglev.of(dests, server.flags)),
    "lblc": lambda _, dests: _ByLocality(LocalityBased(), dests),
    "lblcr": lambda _, dests: _ByLocality(LocalityBasedReplicated(), dests),
    "twos": lambda _, dests: _TwoChoices(dests),
}
