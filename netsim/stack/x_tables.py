"""What matches and targets are given, and what they answer.

Ref: include/linux/netfilter/x_tables.h:struct xt_action_param, net/netfilter/x_tables.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Protocol, TypeAlias

from netsim.dataclass import dataclass
from netsim.stack.environment import HookEnvironment, HookVerdict
from netsim.stack.nf_conntrack_core import Conntrack, ConntrackTuple
from netsim.stack.nft_state import NftState
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Choice, Hook

_MARGIN = 1e-9  # sums of fractions of a second are not exact


class RuleNotModelledError(Exception):
    """A rule needs something that the model does not have; the walk's verdict becomes UNKNOWN."""


class AddressSet(Protocol):
    """An ipset, as ``-m set`` asks it. Ref: net/netfilter/ipset/ip_set_core.c:ip_set_test()."""

    def test(self, skb: SkBuff, directions: Sequence[str], *, iif: str, oif: str, return_nomatch: bool = False) -> bool:
        """True where the packet's addresses and ports (``src`` or ``dst`` for each dimension) are a member.

        ``return_nomatch`` asks for members that are exceptions instead.
        """

    def add(
        self, skb: SkBuff, directions: Sequence[str], *, iif: str, oif: str, timeout: int | None, exist: bool
    ) -> str | None:
        """Add what the packet is; its text, None where nothing changed. ``timeout`` in seconds, None for the set's own."""

    def delete(self, skb: SkBuff, directions: Sequence[str], *, iif: str, oif: str) -> str | None:
        """Take out what the packet is; its text, None where it was no member."""


@dataclass(slots=True)
class RecentEntry:
    """One address of a ``recent`` list: when it was seen (seconds, oldest first) and the TTL it came with last."""

    stamps: list[float]
    ttl: int


@dataclass(slots=True)
class TokenBucket:
    """Credit in seconds: a packet costs ``cost``, and no more than ``cap`` is saved. ``expires`` is when an idle one is forgotten."""

    cost: float
    cap: float
    credit: float
    since: float
    expires: float = float("inf")

    def take(self, now: float) -> bool:
        """True where there is credit for one packet, which is spent."""
        self.credit = min(self.cap, self.credit + now - self.since)
        self.since = now
        if self.credit + _MARGIN < self.cost:
            return False
        self.credit -= self.cost
        return True


@dataclass(slots=True)
class CountedConnections:
    """The connections that one ``connlimit`` rule has seen, by network and zone."""

    by_network: dict[object, dict[ConntrackTuple, None]] = field(default_factory=dict)


@dataclass(slots=True)
class TablesState:
    """What matches and targets remember in one namespace, from packet to packet.

    ``recent``: list name, then address, in the order of last use. ``nth``: counters of ``-m statistic --mode nth``, by rule.
    ``buckets``: those of ``limit`` by rule, those of ``hashlimit`` by name and packet. ``counted``: connections of ``connlimit``, by rule;
    ``quotas``: the bytes that are left to ``quota``, by rule.
    ``nft``: what nftables remembers.
    """

    conntrack: Conntrack
    sets: Mapping[str, AddressSet] = field(default_factory=dict)
    recent: dict[str, dict[object, RecentEntry]] = field(default_factory=dict)
    nth: dict[object, int] = field(default_factory=dict)
    buckets: dict[object, TokenBucket] = field(default_factory=dict)
    nft: NftState = field(default_factory=NftState)
    counted: dict[object, CountedConnections] = field(default_factory=dict)
    quotas: dict[object, int] = field(default_factory=dict)


@dataclass(slots=True)
class XtContext:
    """A packet at a hook. ``iif`` and ``oif`` are the devices' names, empty where the hook has none.

    ``choice`` is what chance decided while the present rule was evaluated.
    """

    hook: Hook
    skb: SkBuff
    iif: str
    oif: str
    env: HookEnvironment
    state: TablesState
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a target did. ``verdict`` None goes on with the next rule (``XT_CONTINUE``); ``effect`` is the step's text."""

    verdict: HookVerdict | None
    effect: str
    name: str = ""
    reason: DropReason = DropReason.NETFILTER_DROP
    detail: str = ""


Check: TypeAlias = Callable[[XtContext], bool]
Apply: TypeAlias = Callable[[XtContext], Outcome]
