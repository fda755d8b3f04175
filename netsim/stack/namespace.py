"""One network namespace while it is walked: its wiring, and the state that packets change.

Ref: include/net/net_namespace.h struct net (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias
from typing import Protocol as TypingProtocol

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address
from netsim.net.packet import Frame, Packet
from netsim.rules.xtables.ast import Ruleset
from netsim.stack.bridge import BridgeState
from netsim.stack.environment import HookEnvironment, HookVerdict
from netsim.stack.fib import Fib
from netsim.stack.fnhe import NexthopExceptions
from netsim.stack.inetpeer import InetPeers
from netsim.stack.ip6_fib import Fib6
from netsim.stack.ip_fragment import FragmentQueues
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.sockets import Sockets
from netsim.stack.steps import Chooser, Clock, Drop, Hook, NotModelled, Reassembly, Recorder, Step
from netsim.stack.vxlan_fdb import VxlanState
from netsim.stack.wiring import NetnsWiring, Wiring
from netsim.topology.model import Device

if TYPE_CHECKING:
    from netsim.stack.ip_vs_ctl import IPVS


class ArrivalKind(Enum):
    """What took a packet: a listener, a connected client, the kernel (echo), an error for a client, or the world outside."""

    LISTENER = "listener"
    CLIENT = "client"
    ICMP = "icmp"
    ERROR = "error"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet that came to its end. ``owner`` is whose socket took it, empty for the kernel and the world outside."""

    netns: str
    packet: Packet
    owner: str
    kind: ArrivalKind


class HookRunner(TypingProtocol):
    """Netfilter, as far as the stack calls it."""

    def run(self, hook: Hook, skb: SkBuff) -> HookVerdict:
        """Show a packet to everything that is registered at a hook."""

    def race(self) -> None:
        """Let the next packet be under way at once with those so far."""


class HookRunnerFactory(TypingProtocol):
    """Makes a namespace's netfilter from its rule sets."""

    def __call__(self, rulesets: Sequence[Ruleset], env: HookEnvironment) -> HookRunner:
        """A fresh netfilter without state."""


class NotModelledError(Exception):
    """The walk of one packet met something that the model does not have; the network records it as a step."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(what)
        self.step = NotModelled(what, where)


@dataclass(frozen=True, slots=True)
class LocalOut:
    """A packet that is about to be made in a namespace. ``by`` is the step's word for who makes it.

    ``prepared`` holds what the maker set beforehand (mark, the conntrack entry of a REJECT's answer). ``route`` False lets a
    bridged answer leave through the port it was asked on, unrouted. ``any_source`` allows a source that is not this host's.
    """

    prepared: SkBuff
    by: str
    owner: str
    any_source: bool = False
    through_port: str | None = None


@dataclass(frozen=True, slots=True)
class TunnelledFrame:
    """A frame that is no IP packet (ARP) and that a vxlan device took from its tunnel."""

    netns: str
    device: Device
    frame: Frame


class Medium(TypingProtocol):
    """What a namespace asks of the network around it. ``tunnelled`` are the frames that came out of a tunnel and are no IP packets."""

    recorder: Recorder
    chooser: Chooser
    clock: Clock
    wiring: Wiring
    device_ops: Mapping[type, Transmitter]
    tunnelled: list[TunnelledFrame]

    def namespace(self, name: str) -> Namespace:
        """The namespace of that name."""

    def frame_in_flight(self, netns: str, device: str, skb: SkBuff) -> None:
        """A frame is on its way to a device."""

    def touched(self) -> Sequence[Namespace]:
        """The namespaces that a packet came to so far."""

    def through_tunnel(self, ns: Namespace, device: Device, frame: Frame) -> Sequence[TunnelledFrame]:
        """Send a frame that is no IP packet through a vxlan device; where it came out."""

    def routed(self) -> None:
        """The packet under way left its link: it passed a router, whose TTL bounds it from now on."""

    def local_out(self, netns: str, packet: LocalOut) -> None:
        """Queue a packet that is made in a namespace."""

    def arrived(self, arrival: Arrival) -> None:
        """A packet came to its end."""

    def aside(self, work: Callable[[], None]) -> Sequence[tuple[str, Step]]:
        """Walk what ``work`` sends to its end, apart from the packet under way. Nothing is recorded; where its packets ended is told."""


class Namespace:
    """One network namespace. ``neighbours`` maps (device, address) to the MAC that is known."""

    def __init__(self, network: Medium, wiring: NetnsWiring) -> None:
        self.network = network
        self.wiring = wiring
        self.spec = wiring.spec
        self.name = wiring.spec.name
        self.devices = wiring.devices
        self.fib = wiring.fib
        self.sysctls = wiring.sysctls
        self.sockets = Sockets(wiring.spec.listeners)
        self.neighbours: dict[tuple[str, Address], MAC] = {
            (n.device, n.address): n.mac for n in wiring.spec.neighbours if n.mac is not None and n.state.valid
        }
        self.netfilter: HookRunner | None = None
        self.hooks: HookEnvironment | None = None
        self.fragments = FragmentQueues()
        self._identification = 0
        self.ipvs: IPVS | None = None
        self.multipath: dict[tuple[tuple[int, ...], tuple[object, ...]], int] = {}
        """The nexthop that chance gave a flow, by the weights of the route and what of the flow is hashed."""
        self.unanswered: set[tuple[str, Address]] = set()
        """Neighbours that were asked for and did not answer (``NUD_FAILED``)."""
        self.exceptions = NexthopExceptions()
        self.peers = InetPeers()
        self.tunnel_ports: dict[tuple[object, ...], int] = {}
        """The source port that a tunnel gave a flow."""
        self._vxlans: dict[str, VxlanState] = {}
        self._bridges: dict[str, BridgeState] = {}

    def bridge(self, name: str) -> BridgeState:
        """The state of a bridge device; raises KeyError where the name is no bridge's."""
        state = self._bridges.get(name)
        if state is None:
            forwarding = self.network.wiring.forwarding_ports(self.name, name)
            ports = self.wiring.ports[name]
            behind = {port.name for port in ports}
            given = {entry.mac: entry.device for entry in self.spec.fdb if entry.device in behind and entry.dst is None}
            state = self._bridges[name] = BridgeState(self.devices[name], ports, forwarding, given)
        return state

    def vxlan(self, name: str) -> VxlanState:
        """The forwarding database of a vxlan device."""
        state = self._vxlans.get(name)
        if state is None:
            given = tuple(entry for entry in self.spec.fdb if entry.device == name)
            state = self._vxlans[name] = VxlanState(given)
        return state

    @property
    def fib6(self) -> Fib6:
        """The IPv6 tables, made on first touch."""
        return self.wiring.fib6

    def fib_of(self, address: Address) -> Fib | Fib6:
        """The tables of an address's family."""
        return self.fib if address.version == 4 else self.wiring.fib6

    def identification(self) -> int:
        """What tells the fragments of one more packet from those of others (``ip_select_ident()``, counted)."""
        self._identification += 1
        return self._identification

    def record(self, step: Step) -> None:
        """Tell the recorder of a step that happened here."""
        self.network.recorder.record(self.name, step)

    def drop(self, reason: DropReason, where: str, detail: str = "") -> None:
        """Record the end of a packet."""
        self.record(Drop(reason, where, detail=detail))

    def now(self) -> float:
        """Seconds of the world's clock."""
        return self.network.clock.now()

    def nf_hook(self, hook: Hook, skb: SkBuff) -> bool:
        """``NF_HOOK``: False where the packet ends at the hook, which has recorded why."""
        return self.netfilter is None or self.netfilter.run(hook, skb) is HookVerdict.ACCEPT

    def oif(self, nexthop: Nexthop) -> Device:
        """The device that a routing decision names."""
        return self.devices[nexthop.device]


def reassembled(ns: Namespace, skb: SkBuff, where: str) -> bool:
    """Take a fragment that is for this host; True where it was the last one missing, and the packet is whole."""
    whole = ns.fragments.add(skb.packet)
    if whole is None:
        return False
    skb.packet = whole.packet
    ns.record(Reassembly(whole.packet, len(whole.lengths), where))
    return True


Transmitter: TypeAlias = Callable[[Namespace, Device, SkBuff], None]
