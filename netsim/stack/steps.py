"""What happened to a packet, step by step. The stack records; nobody prints here.

A step is a frozen value with everything that a renderer may want to say. Rules are named by where they stand
(family, table, chain, index from 0) and carry the rule itself, so that its text can be printed and its origin pointed at.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias
from typing import Protocol as TypingProtocol

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address
from netsim.net.packet import Packet
from netsim.rules.xtables.ast import Rule
from netsim.stack.reasons import DropReason

if TYPE_CHECKING:
    from netsim.rules.ipvs.ast import RealServer, VirtualServer
    from netsim.rules.nft.ast import Rule as NftRule


class Hook(Enum):
    """The netfilter hooks of IPv4, IPv6 and bridges, and those of devices (family netdev). Ref: include/uapi/linux/netfilter.h."""

    PREROUTING = "PREROUTING"
    INPUT = "INPUT"
    FORWARD = "FORWARD"
    OUTPUT = "OUTPUT"
    POSTROUTING = "POSTROUTING"
    INGRESS = "INGRESS"
    EGRESS = "EGRESS"


IP_HOOKS = (Hook.PREROUTING, Hook.INPUT, Hook.FORWARD, Hook.OUTPUT, Hook.POSTROUTING)


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision that chance made: ``index`` of ``options`` was taken, with its probability."""

    description: str
    options: tuple[tuple[str, Fraction], ...]
    index: int

    @property
    def probability(self) -> Fraction:
        """The chance of what was taken."""
        return self.options[self.index][1]


@dataclass(frozen=True, slots=True)
class Receive:
    """A frame came in on a device."""

    device: str
    packet: Packet
    src_mac: MAC | None
    dst_mac: MAC | None


@dataclass(frozen=True, slots=True)
class Transmit:
    """A frame went out of a device."""

    device: str
    packet: Packet
    src_mac: MAC | None
    dst_mac: MAC | None


@dataclass(frozen=True, slots=True)
class LocalSend:
    """A process or the kernel itself made the packet here. ``by`` says who: a process, ``tcp`` (an answer), ``icmp``, ``REJECT``."""

    packet: Packet
    by: str


@dataclass(frozen=True, slots=True)
class BridgeDecision:
    """What a bridge did: ``forward`` to ``ports``, ``flood`` to them, ``local`` (up to the bridge device), or ``drop``."""

    bridge: str
    ingress: str
    action: str
    ports: tuple[str, ...]
    dst_mac: MAC
    learned: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class NeighbourResolution:
    """ARP or ND for an address on a device; ``mac`` None where nobody answered. ``cached`` where no packet was needed."""

    device: str
    address: Address
    mac: MAC | None
    cached: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RoutingDecision:
    """A FIB look-up: ``result`` is ``local``, ``unicast``, ``broadcast``, ``multicast`` or a failure such as ``unreachable``.

    ``route`` is the entry as ``ip route`` prints it; ``stage`` is ``input`` or ``output``.
    """

    stage: str
    destination: Address
    result: str
    route: str
    table: str
    device: str | None
    gateway: Address | None
    source: Address | None


@dataclass(frozen=True, slots=True)
class RuleRef:
    """Where a rule stands, and the rule."""

    family: int
    table: str
    chain: str
    index: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class NftRuleRef:
    """Where an nftables rule stands, and the rule; ``family`` is the table's, by nft's name (``ip``, ``inet``)."""

    family: str
    table: str
    chain: str
    index: int
    rule: NftRule


AnyRuleRef: TypeAlias = RuleRef | NftRuleRef


@dataclass(frozen=True, slots=True)
class RuleEvaluation:
    """One rule looked at.

    ``effect`` says what a matched target did: ``ACCEPT``, ``jump KUBE-SERVICES``, ``mark 0x0 → 0x4000``, ``DNAT to …``.
    """

    ref: RuleRef
    matched: bool
    effect: str = ""
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class ChainPass:
    """One table at one hook: every rule that was evaluated, in order, and the verdict (``ACCEPT``, ``DROP``, …).

    ``policy`` is true where the chain's policy gave the verdict, ``legacy`` where the table is iptables-legacy's.
    """

    hook: Hook
    table: str
    priority: int
    evaluations: Sequence[RuleEvaluation]
    verdict: str
    policy: bool
    mark_before: int
    mark_after: int
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class NftEvaluation:
    """One nftables rule looked at. ``effect`` is what its statements did.

    ``element`` is the comment of the verdict map's element that led on.
    """

    ref: NftRuleRef
    matched: bool
    effect: str = ""
    choice: Choice | None = None
    element: str = ""


@dataclass(frozen=True, slots=True)
class NftChainPass:
    """One base chain of nftables at one hook, with what it led to: every rule that was evaluated, in order, and the verdict.

    ``type`` is ``filter``, ``nat`` or ``route``; ``policy`` is true where the chain's policy gave the verdict.
    """

    hook: Hook
    family: str
    table: str
    chain: str
    type: str
    priority: int
    evaluations: tuple[NftEvaluation, ...]
    verdict: str
    policy: bool
    mark_before: int
    mark_after: int


@dataclass(frozen=True, slots=True)
class ConntrackStep:
    """What conntrack did: ``action`` is ``new``, ``found``, ``confirm``, ``invalid``, ``untracked``, ``offload`` (by a flowtable).

    ``direction`` is ``ORIGINAL`` or ``REPLY``; ``entry`` is the entry as ``conntrack -L`` prints it.
    """

    hook: Hook
    action: str
    state: str
    direction: str | None
    entry: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class NATStep:
    """Addresses changed: ``kind`` is ``DNAT``, ``SNAT``, ``MASQUERADE``, ``REDIRECT``, ``un-DNAT``, ``un-SNAT``."""

    hook: Hook
    kind: str
    before: Packet
    after: Packet
    ref: AnyRuleRef | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """A tunnel device put the packet (a vxlan device its frame) into another one. ``kind`` is ``vxlan`` or ``ipip``.

    ``vni`` and the MACs of the inner frame are vxlan's. ``detail`` says where the remote end was found.
    """

    device: str
    kind: str
    inner: Packet
    outer: Packet
    vni: int | None = None
    src_mac: MAC | None = None
    dst_mac: MAC | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Fragmentation:
    """A packet was cut on its way out of a device, so that no part is larger than ``mtu`` bytes."""

    device: str
    mtu: int
    packet: Packet
    fragments: tuple[Packet, ...]


@dataclass(frozen=True, slots=True)
class Reassembly:
    """The last of ``count`` fragments came, and the packet is whole again. ``where`` is a hook, for conntrack, or a kernel function."""

    packet: Packet
    count: int
    where: str


@dataclass(frozen=True, slots=True)
class Decapsulation:
    """A tunnel's packet reached its end, and what it carried comes in on the tunnel device ``device``."""

    device: str
    kind: str
    outer: Packet
    inner: Packet
    vni: int | None = None


MISSED = "miss"


@dataclass(frozen=True, slots=True)
class IPVSStep:
    """What IPVS did.

    ``action`` is ``schedule`` (a new connection), ``forward`` (a known one), ``reply``, ``refuse``, ``expire``, ``drop``,
    or ``miss`` (the packet goes elsewhere, since the virtual address is not local).
    ``server`` is the virtual server, ``real`` its real server, None where there is none; ``connection`` is the entry as
    ``ipvsadm -Lnc`` prints it. ``choice`` is what chance decided for the scheduler.
    """

    hook: Hook
    action: str
    server: VirtualServer | None
    real: RealServer | None
    before: Packet
    after: Packet
    connection: str = ""
    choice: Choice | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TTLStep:
    """Forwarding decremented the TTL (hop limit)."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class SocketLookup:
    """The packet reached the transport layer. ``owner`` is whose socket took it, None where there is none."""

    packet: Packet
    owner: str | None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """The packet ended here. ``ref`` is the rule that did it, where one did; ``where`` is the hook or kernel function."""

    reason: DropReason
    where: str
    ref: AnyRuleRef | None = None
    table: str | None = None
    chain: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class NotModelled:
    """The walk met something that the model does not have; its verdict is UNKNOWN."""

    what: str
    where: str
    ref: AnyRuleRef | None = None


Step: TypeAlias = (
    Receive
    | Transmit
    | LocalSend
    | BridgeDecision
    | NeighbourResolution
    | RoutingDecision
    | ChainPass
    | NftChainPass
    | ConntrackStep
    | NATStep
    | Encapsulation
    | Decapsulation
    | Fragmentation
    | Reassembly
    | IPVSStep
    | TTLStep
    | SocketLookup
    | Drop
    | NotModelled
)


class Recorder(TypingProtocol):
    """Takes the steps of a walk as they happen."""

    def record(self, netns: str, step: Step) -> None:
        """Take one step that happened in the namespace."""


class Chooser(TypingProtocol):
    """Decides what chance decides in a kernel."""

    def choose(self, description: str, options: Sequence[tuple[str, Fraction]]) -> int:
        """The index of the option taken. Probabilities add up to 1; options of probability 0 are never taken.

        ``description`` names the place of the decision and is the same in every run that comes to it the same way.
        """

    def port(self, description: str, first: int, last: int) -> int:
        """A port, first ≤ port ≤ last, where a kernel picks one at random and no one can tell which: seeded, not forked."""


class Clock(TypingProtocol):
    """The time of the modelled world."""

    def now(self) -> float:
        """Seconds since the world began."""
