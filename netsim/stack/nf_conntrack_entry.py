"""One conntrack entry: ``struct nf_conn``.

Ref: include/net/netfilter/nf_conntrack.h, include/uapi/linux/netfilter/nf_conntrack_common.h (v6.12).
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum, IntFlag
from math import ceil
from typing import TYPE_CHECKING, TypeAlias

from netsim.dataclass import dataclass
from netsim.net.packet import Protocol
from netsim.stack.nf_conntrack_tcp import TCPState, Windows
from netsim.stack.nf_conntrack_tuple import DEFAULT_ZONE, ConntrackTuple, Direction, Zone
from netsim.stack.steps import AnyRuleRef

if TYPE_CHECKING:
    from netsim.stack.nf_nat_core import Manip


class CtInfo(Enum):
    """What a packet is to its entry (``enum ip_conntrack_info``): the state that rules see, and the direction."""

    NEW = ("NEW", Direction.ORIGINAL)
    ESTABLISHED = ("ESTABLISHED", Direction.ORIGINAL)
    RELATED = ("RELATED", Direction.ORIGINAL)
    ESTABLISHED_REPLY = ("ESTABLISHED", Direction.REPLY)
    RELATED_REPLY = ("RELATED", Direction.REPLY)

    @property
    def state(self) -> str:
        """The name that ``--ctstate`` uses: NEW, ESTABLISHED or RELATED."""
        return self.value[0]

    @property
    def direction(self) -> Direction:
        """``CTINFO2DIR()``."""
        return self.value[1]

    @property
    def is_related(self) -> bool:
        """True for both directions of RELATED."""
        return self.state == "RELATED"


class CtStatus(IntFlag):
    """Bits of an entry. Ref: enum ip_conntrack_status."""

    NONE = 0
    SEEN_REPLY = 1 << 1
    ASSURED = 1 << 2
    CONFIRMED = 1 << 3
    SRC_NAT = 1 << 4
    DST_NAT = 1 << 5
    SRC_NAT_DONE = 1 << 7
    DST_NAT_DONE = 1 << 8
    DYING = 1 << 9
    FIXED_TIMEOUT = 1 << 10
    NAT_CLASH = 1 << 12


NAT_MASK = CtStatus.SRC_NAT | CtStatus.DST_NAT


class SCTPState(Enum):
    """``enum sctp_conntrack``, in the kernel's order."""

    NONE = 0
    CLOSED = 1
    COOKIE_WAIT = 2
    COOKIE_ECHOED = 3
    ESTABLISHED = 4
    SHUTDOWN_SENT = 5
    SHUTDOWN_RECD = 6
    SHUTDOWN_ACK_SENT = 7
    HEARTBEAT_SENT = 8


TableKey: TypeAlias = tuple[int, ConntrackTuple]


@dataclass(frozen=True, slots=True)
class NatBinding:
    """Who set up one manipulation of an entry: ``DNAT``, ``SNAT``, ``MASQUERADE`` or ``REDIRECT``, by which rule.

    ``ref`` is None for a null binding, which changes a source port only where the port was taken.
    """

    kind: str
    ref: AnyRuleRef | None = None


@dataclass(slots=True, eq=False)
class NfConn:
    """A connection that conntrack knows.

    ``deadline`` is the time (seconds of the world's clock) at which the entry goes; it counts once the entry is confirmed.
    ``windows`` to ``challenge_expected`` are what the TCP tracker remembers; ``masquerade_device`` is ``nat->masq_index``.
    """

    original: ConntrackTuple
    reply: ConntrackTuple
    status: CtStatus = CtStatus.NONE
    mark: int = 0
    deadline: float = 0.0
    tcp: TCPState = TCPState.NONE
    sctp: SCTPState = SCTPState.NONE
    windows: Windows = field(default_factory=Windows)
    closed_by: frozenset[Direction] = frozenset()
    simultaneous_open: bool = False
    challenge_expected: bool = False
    udp_stream_since: float = 0.0
    bindings: dict[Manip, NatBinding] = field(default_factory=dict)
    masquerade_device: str | None = None
    zone: Zone = DEFAULT_ZONE
    passed: dict[Direction, tuple[int, int]] = field(default_factory=lambda: dict.fromkeys(Direction, (0, 0)))
    """Packets and bytes of each direction, as ``nf_conntrack_acct`` counts them."""

    def tuple(self, direction: Direction) -> ConntrackTuple:
        """The tuple of packets of a direction as they come in."""
        return self.original if direction is Direction.ORIGINAL else self.reply

    def has(self, bits: CtStatus) -> bool:
        """True where any of the bits is set."""
        return self.status._value_ & bits._value_ != 0

    @property
    def confirmed(self) -> bool:
        """True once the first packet left (or was delivered) and the entry is in the table."""
        return self.has(CtStatus.CONFIRMED)

    def text(self, now: float) -> str:
        """The entry as ``conntrack -L`` prints it."""
        words = [f"{_NAMES.get(self.original.protocol, 'unknown'):<8} {self.original.protocol}"]
        words.append(str(max(0, ceil(self.deadline - now))))
        if self.original.protocol == Protocol.TCP:
            words.append(self.tcp.name)
        if self.original.protocol == Protocol.SCTP:
            words.append(self.sctp.name)
        zone = str(self.zone)
        words += [str(self.original), zone if self.zone.directions == (Direction.ORIGINAL,) else ""]
        words += [] if self.has(CtStatus.SEEN_REPLY) else ["[UNREPLIED]"]
        words += [str(self.reply), zone if self.zone.directions == (Direction.REPLY,) else ""]
        words += ["[ASSURED]"] if self.has(CtStatus.ASSURED) else []
        words += [f"mark={self.mark}", zone if len(self.zone.directions) == 2 else "", "use=1"]
        return " ".join(filter(None, words))

    def key(self, direction: Direction) -> TableKey:
        """Where the tuple of a direction stands in the table: zone and tuple."""
        return self.zone.of(direction), self.tuple(direction)


_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
