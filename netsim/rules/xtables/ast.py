"""The typed form of an iptables rule set.

Two texts that mean the same to the kernel parse to equal values: ``-m tcp -p tcp -d 10.96.0.10 --dport 80`` (as
kube-proxy writes it) and ``-d 10.96.0.10/32 -p tcp -m tcp --dport 80`` (as ``iptables-save`` prints it). So a rule is its IP
header part (``struct ipt_ip``: source, destination, interfaces, protocol) and then its extension matches in the order
in which they stand, which is the order in which the kernel evaluates them (``net/ipv4/netfilter/ip_tables.c:ipt_do_table()``).

Where a rule was written (``origin``) and its counters take no part in equality.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import TypeAlias

from netsim.net.address import Address, Family, Prefix
from netsim.rules.source import Origin
from netsim.rules.xtables.matches import (
    AbsentMatch,
    ConnBytesMatch,
    ConnLimitMatch,
    HashLimitMatch,
    IPRangeMatch,
    IPVSMatch,
    LengthMatch,
    LimitMatch,
    NumberRange,
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

BUILTIN_CHAINS: dict[str, tuple[str, ...]] = {
    # table: chains, in the order in which iptables-save prints them (the order of hook numbers)
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}


# --- the IP header part ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """``-s`` or ``-d``: the address lies in the prefix, or not (``!``)."""

    prefix: Prefix
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class InterfaceMatch:
    """``-i`` or ``-o``: the device's name, or its beginning where the name ends in ``+``."""

    name: str
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class ProtocolMatch:
    """``-p``: an IP protocol number (6 for tcp); 0 ("all") is written as no match at all."""

    number: int
    inverted: bool = False


# --- extension matches ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PortRange:
    """First and last port, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class PortMatch:
    """``--sport`` or ``--dport`` of ``-m tcp``, ``-m udp`` and ``-m sctp``."""

    ports: PortRange
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class TCPFlagsMatch:
    """``--tcp-flags MASK COMPARE`` (``--syn`` is ``SYN,RST,ACK,FIN SYN``)."""

    mask: int
    compare: int
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class TCPMatch:
    """``-m tcp``. Ref: net/netfilter/xt_tcpudp.c:tcp_mt() (v6.12)."""

    source: PortMatch | None = None
    destination: PortMatch | None = None
    flags: TCPFlagsMatch | None = None
    option: int | None = None
    option_inverted: bool = False


@dataclass(frozen=True, slots=True)
class UDPMatch:
    """``-m udp``. Ref: net/netfilter/xt_tcpudp.c:udp_mt() (v6.12)."""

    source: PortMatch | None = None
    destination: PortMatch | None = None


@dataclass(frozen=True, slots=True)
class SCTPMatch:
    """``-m sctp`` with ports. Ref: net/netfilter/xt_sctp.c:sctp_mt() (v6.12)."""

    source: PortMatch | None = None
    destination: PortMatch | None = None


@dataclass(frozen=True, slots=True)
class ICMPMatch:
    """``-m icmp --icmp-type`` or ``-m icmp6 --icmpv6-type``; codes are a range, 0–255 for any; type 255 is "any"."""

    type: int
    code_first: int = 0
    code_last: int = 255
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class MultiportMatch:
    """``-m multiport``; ``which`` is ``source``, ``destination`` or ``either``."""

    which: str
    ports: tuple[PortRange, ...]
    inverted: bool = False


class AddressType(Enum):
    """Types of ``-m addrtype``, by the names that iptables uses. Ref: include/uapi/linux/rtnetlink.h RTN_*."""

    UNSPEC = "UNSPEC"
    UNICAST = "UNICAST"
    LOCAL = "LOCAL"
    BROADCAST = "BROADCAST"
    ANYCAST = "ANYCAST"
    MULTICAST = "MULTICAST"
    BLACKHOLE = "BLACKHOLE"
    UNREACHABLE = "UNREACHABLE"
    PROHIBIT = "PROHIBIT"


@dataclass(frozen=True, slots=True)
class AddrTypeMatch:
    """``-m addrtype``. Ref: net/netfilter/xt_addrtype.c (v6.12)."""

    source: frozenset[AddressType] | None = None
    source_inverted: bool = False
    destination: frozenset[AddressType] | None = None
    destination_inverted: bool = False
    limit_iface_in: bool = False
    limit_iface_out: bool = False


class CtState(Enum):
    """States and pseudo-states of ``--ctstate``; SNAT and DNAT look at the entry's status."""

    INVALID = "INVALID"
    NEW = "NEW"
    ESTABLISHED = "ESTABLISHED"
    RELATED = "RELATED"
    UNTRACKED = "UNTRACKED"
    SNAT = "SNAT"
    DNAT = "DNAT"


class CtStatusName(Enum):
    """Bits of ``--ctstatus``, in the order in which iptables prints them. NONE is no bit: it never matches."""

    NONE = "NONE"
    EXPECTED = "EXPECTED"
    SEEN_REPLY = "SEEN_REPLY"
    ASSURED = "ASSURED"
    CONFIRMED = "CONFIRMED"


@dataclass(frozen=True, slots=True)
class ConntrackMatch:
    """``-m conntrack`` (and ``-m state``, of which ``as_state`` keeps the spelling); ``expire`` in seconds.

    Ref: net/netfilter/xt_conntrack.c (v6.12).
    """

    states: frozenset[CtState] | None = None
    states_inverted: bool = False
    direction: str | None = None
    original_source: PrefixMatch | None = None
    original_destination: PrefixMatch | None = None
    reply_source: PrefixMatch | None = None
    reply_destination: PrefixMatch | None = None
    original_source_port: PortMatch | None = None
    original_destination_port: PortMatch | None = None
    reply_source_port: PortMatch | None = None
    reply_destination_port: PortMatch | None = None
    protocol: ProtocolMatch | None = None
    as_state: bool = False
    status: frozenset[CtStatusName] | None = None
    status_inverted: bool = False
    expire: NumberRange | None = None
    expire_inverted: bool = False


@dataclass(frozen=True, slots=True)
class MarkMatch:
    """``-m mark --mark value/mask``; 32 bits. Ref: net/netfilter/xt_mark.c:mark_mt()."""

    value: int
    mask: int = 0xFFFFFFFF
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class ConnmarkMatch:
    """``-m connmark --mark value/mask``."""

    value: int
    mask: int = 0xFFFFFFFF
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class CommentMatch:
    """``-m comment --comment``: always true; at most 255 bytes."""

    text: str


@dataclass(frozen=True, slots=True)
class StatisticRandomMatch:
    """``-m statistic --mode random --probability P``.

    ``threshold`` is P × 2³¹ rounded, which is all that the kernel keeps (``xt_statistic_info.u.random.probability``).
    """

    threshold: int
    inverted: bool = False

    @property
    def probability(self) -> Fraction:
        """The chance of a match, as the writer meant it: 1/n where the threshold is that of some n, else exact."""
        if self.threshold <= 0:
            chance = Fraction(0)
        else:
            n = round(Fraction(1 << 31, self.threshold))
            meant = abs(Fraction(1 << 31, n) - self.threshold) <= 1
            chance = Fraction(1, n) if meant else Fraction(self.threshold, 1 << 31)
        return 1 - chance if self.inverted else chance


@dataclass(frozen=True, slots=True)
class StatisticNthMatch:
    """``-m statistic --mode nth --every N --packet P``."""

    every: int
    packet: int = 0
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class RecentMatch:
    """``-m recent``. ``operation`` is ``set``, ``rcheck``, ``update`` or ``remove``; ``seconds`` and ``hitcount`` are 0 where absent."""

    operation: str
    name: str = "DEFAULT"
    seconds: int = 0
    reap: bool = False
    hitcount: int = 0
    rttl: bool = False
    mask: Address | None = None
    destination: bool = False
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class SetMatch:
    """``-m set --match-set NAME dst,dst``; ``directions`` holds ``src`` or ``dst`` for each dimension."""

    name: str
    directions: tuple[str, ...]
    inverted: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PhysdevMatch:
    """``-m physdev``: the bridge ports of a bridged packet. Ref: net/netfilter/xt_physdev.c."""

    physdev_in: InterfaceMatch | None = None
    physdev_out: InterfaceMatch | None = None
    is_in: bool | None = None
    is_out: bool | None = None
    is_bridged: bool | None = None


@dataclass(frozen=True, slots=True)
class MACMatch:
    """``-m mac --mac-source``; ``mac`` in lower case with colons."""

    mac: str
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class NotModelledMatch:
    """A match that the real tool knows and the model does not: its words are kept, a walk that meets it ends UNKNOWN."""

    module: str
    words: tuple[str, ...]


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


# --- targets ----------------------------------------------------------------------------------------------------


class Verdict(Enum):
    """Built-in targets that end or leave a chain."""

    ACCEPT = "ACCEPT"
    DROP = "DROP"
    RETURN = "RETURN"
    QUEUE = "QUEUE"


@dataclass(frozen=True, slots=True)
class Jump:
    """``-j CHAIN``, or ``-g CHAIN`` where ``goto`` is true."""

    chain: str
    goto: bool = False


@dataclass(frozen=True, slots=True)
class RejectTarget:
    """``-j REJECT --reject-with``; ``kind`` by its full name (``icmp-port-unreachable``, ``icmp6-port-unreachable``, ``tcp-reset``)."""

    kind: str


@dataclass(frozen=True, slots=True)
class NATRange:
    """Addresses and ports that NAT may use, both ends included; None keeps the packet's own."""

    first: Address | None = None
    last: Address | None = None
    port_first: int | None = None
    port_last: int | None = None


@dataclass(frozen=True, slots=True)
class DNATTarget:
    """``-j DNAT --to-destination``."""

    to: NATRange
    random: bool = False
    persistent: bool = False


@dataclass(frozen=True, slots=True)
class SNATTarget:
    """``-j SNAT --to-source``."""

    to: NATRange
    random: bool = False
    random_fully: bool = False
    persistent: bool = False


@dataclass(frozen=True, slots=True)
class MasqueradeTarget:
    """``-j MASQUERADE``."""

    port_first: int | None = None
    port_last: int | None = None
    random: bool = False
    random_fully: bool = False


@dataclass(frozen=True, slots=True)
class RedirectTarget:
    """``-j REDIRECT``."""

    port_first: int | None = None
    port_last: int | None = None
    random: bool = False


@dataclass(frozen=True, slots=True)
class MarkTarget:
    """``-j MARK``: the mark becomes ``(mark & ~mask) ^ value``.

    ``--or-mark B`` is value=B mask=B; ``--xor-mark B`` is value=B mask=0; ``--set-xmark V/M`` is itself.
    Ref: net/netfilter/xt_mark.c:mark_tg().
    """

    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class ConnmarkTarget:
    """``-j CONNMARK``; ``operation`` is ``set``, ``save`` or ``restore``. Ref: net/netfilter/xt_connmark.c.

    ``shift`` moves the bits that are written, to the left where it is positive.
    """

    operation: str
    value: int = 0
    ct_mask: int = 0xFFFFFFFF
    nf_mask: int = 0xFFFFFFFF
    shift: int = 0


@dataclass(frozen=True, slots=True)
class NoTrackTarget:
    """``-j NOTRACK``, the same as ``-j CT --notrack`` (``as_ct`` keeps the spelling)."""

    as_ct: bool = False


@dataclass(frozen=True, slots=True)
class LogTarget:
    """``-j LOG`` and ``-j NFLOG``: changes nothing; ``words`` are its options."""

    name: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotModelledTarget:
    """A target that the real tool knows and the model does not."""

    name: str
    words: tuple[str, ...]


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


# --- rules, chains, tables --------------------------------------------------------------------------------------


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
