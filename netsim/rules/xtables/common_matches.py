"""Matches that the rules of every node use, those on headers aside: state, marks, chance, lists and devices."""

from __future__ import annotations

from enum import Enum
from fractions import Fraction

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.rules.xtables.header_matches import InterfaceMatch, PortMatch, PrefixMatch, ProtocolMatch
from netsim.rules.xtables.matches import NumberRange


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
