"""The typed form of an iptables rule set.

Two texts that mean the same to the kernel parse to equal values: ``-m tcp -p tcp -d 10.96.0.10 --dport 80`` (as
kube-proxy writes it) and ``-d 10.96.0.10/32 -p tcp -m tcp --dport 80`` (as ``iptables-save`` prints it). So a rule is its IP
header part (``struct ipt_ip``: source, destination, interfaces, protocol) and then its extension matches in the order
in which they stand, which is the order in which the kernel evaluates them (``net/ipv4/netfilter/ip_tables.c:ipt_do_table()``).

Where a rule was written (``origin``) and its counters take no part in equality.
"""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.rules.source import Origin
from netsim.rules.xtables.common_matches import (
    AddressType,
    AddrTypeMatch,
    CommentMatch,
    ConnmarkMatch,
    ConntrackMatch,
    CtState,
    CtStatusName,
    MACMatch,
    MarkMatch,
    NotModelledMatch,
    PhysdevMatch,
    RecentMatch,
    SetMatch,
    StatisticNthMatch,
    StatisticRandomMatch,
)
from netsim.rules.xtables.common_targets import (
    ConnmarkTarget,
    DNATTarget,
    Jump,
    LogTarget,
    MarkTarget,
    MasqueradeTarget,
    NATRange,
    NotModelledTarget,
    NoTrackTarget,
    RedirectTarget,
    RejectTarget,
    SNATTarget,
    Verdict,
)
from netsim.rules.xtables.header_matches import (
    ICMPMatch,
    InterfaceMatch,
    MultiportMatch,
    PortMatch,
    PortRange,
    PrefixMatch,
    ProtocolMatch,
    SCTPMatch,
    TCPFlagsMatch,
    TCPMatch,
    UDPMatch,
)
from netsim.rules.xtables.matches import (
    AbsentMatch,
    ConnBytesMatch,
    ConnLimitMatch,
    HashLimitMatch,
    IPRangeMatch,
    IPVSMatch,
    LengthMatch,
    LimitMatch,
    OwnerMatch,
    PacketTypeMatch,
    QuotaMatch,
    RPFilterMatch,
    SocketMatch,
    TCPMSSMatch,
    TOSMatch,
    TTLMatch,
)
from netsim.rules.xtables.targets import (
    CTTarget,
    NetmapTarget,
    PassiveTarget,
    QueueTarget,
    SetTarget,
    TCPMSSTarget,
    TOSTarget,
    TProxyTarget,
    TTLTarget,
)

__all__ = [
    "BUILTIN_CHAINS",
    "AddrTypeMatch",
    "AddressType",
    "Chain",
    "CommentMatch",
    "ConnmarkMatch",
    "ConnmarkTarget",
    "ConntrackMatch",
    "Counters",
    "CtState",
    "CtStatusName",
    "DNATTarget",
    "ICMPMatch",
    "InterfaceMatch",
    "Jump",
    "LogTarget",
    "MACMatch",
    "MarkMatch",
    "MarkTarget",
    "MasqueradeTarget",
    "Match",
    "MultiportMatch",
    "NATRange",
    "NoTrackTarget",
    "NotModelledMatch",
    "NotModelledTarget",
    "PhysdevMatch",
    "PortMatch",
    "PortRange",
    "PrefixMatch",
    "ProtocolMatch",
    "RecentMatch",
    "RedirectTarget",
    "RejectTarget",
    "Rule",
    "Ruleset",
    "SCTPMatch",
    "SNATTarget",
    "SetMatch",
    "StatisticNthMatch",
    "StatisticRandomMatch",
    "TCPFlagsMatch",
    "TCPMatch",
    "Table",
    "Target",
    "UDPMatch",
    "Verdict",
]

BUILTIN_CHAINS: dict[str, tuple[str, ...]] = {
    # table: chains, in the order in which iptables-save prints them (the order of hook numbers)
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}

Match: TypeAlias = (
    TCPMatch
    | UDPMatch
    | SCTPMatch
    | ICMPMatch
    | MultiportMatch
    | AddrTypeMatch
    | ConntrackMatch
    | MarkMatch
    | ConnmarkMatch
    | CommentMatch
    | StatisticRandomMatch
    | StatisticNthMatch
    | RecentMatch
    | SetMatch
    | PhysdevMatch
    | MACMatch
    | IPRangeMatch
    | LimitMatch
    | HashLimitMatch
    | ConnLimitMatch
    | LengthMatch
    | TTLMatch
    | OwnerMatch
    | RPFilterMatch
    | IPVSMatch
    | SocketMatch
    | TOSMatch
    | PacketTypeMatch
    | TCPMSSMatch
    | QuotaMatch
    | ConnBytesMatch
    | AbsentMatch
    | NotModelledMatch
)

Target: TypeAlias = (
    Verdict
    | Jump
    | RejectTarget
    | DNATTarget
    | SNATTarget
    | MasqueradeTarget
    | RedirectTarget
    | MarkTarget
    | ConnmarkTarget
    | NoTrackTarget
    | LogTarget
    | QueueTarget
    | NetmapTarget
    | TProxyTarget
    | TCPMSSTarget
    | TOSTarget
    | TTLTarget
    | CTTarget
    | SetTarget
    | PassiveTarget
    | NotModelledTarget
)


@dataclass(frozen=True, slots=True)
class Counters:
    """Packets and bytes."""

    packets: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. A rule without a target only counts."""

    source: PrefixMatch | None = None
    destination: PrefixMatch | None = None
    in_interface: InterfaceMatch | None = None
    out_interface: InterfaceMatch | None = None
    protocol: ProtocolMatch | None = None
    fragment: bool | None = None
    matches: tuple[Match, ...] = ()
    target: Target | None = None
    counters: Counters | None = field(default=None, compare=False)
    origin: Origin | None = field(default=None, compare=False)

    @property
    def comment(self) -> str | None:
        """The first comment of the rule, None where it has none."""
        return next((match.text for match in self.matches if isinstance(match, CommentMatch)), None)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain. ``policy`` is set for built-in chains only."""

    name: str
    rules: tuple[Rule, ...] = ()
    policy: Verdict | None = None
    counters: Counters = field(default=Counters(), compare=False)


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its chains by name, in the order in which they were declared (the order takes no part in equality)."""

    name: str
    chains: dict[str, Chain]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All tables of one family, by name. Never changed in place: edits make a new value.

    ``legacy`` where they are iptables-legacy's, which the kernel keeps beside those of iptables-nft.
    """

    family: Family
    tables: dict[str, Table]
    legacy: bool = False
