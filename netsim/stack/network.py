"""A modelled network at work: its namespaces, the frames under way between them, and the packets waiting to be made.

Theory of operation. A packet that is made (by a process, or by a kernel that answers) waits in ``made`` until everything before it has
come to its end; then it is the packet under way, and its steps are recorded in one line. Frames under way wait in ``in_flight``. Where a
bridge floods, each copy is walked to its end before the next, so a copy's steps stand together. A router's TTL bounds a walk on
layer 3; on layer 2 nothing does, so the model counts links.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import Frame, Packet, Protocol
from netsim.rules.xtables.ast import Ruleset
from netsim.stack.br_forward import br_dev_xmit
from netsim.stack.br_input import br_handle_frame
from netsim.stack.dev import packet_type, record_receive
from netsim.stack.dst import route_output
from netsim.stack.dummy import dummy_xmit
from netsim.stack.environment import HookEnvironment
from netsim.stack.hook_environment import NamespaceHooks
from netsim.stack.ip_input import ip_rcv
from netsim.stack.ip_output import ip_local_out
from netsim.stack.ipip import ipip_tunnel_xmit
from netsim.stack.loopback import loopback_xmit
from netsim.stack.macvlan import macvlan_handle_frame, macvlan_xmit
from netsim.stack.namespace import (
    Arrival,
    HookRunner,
    HookRunnerFactory,
    LocalOut,
    Namespace,
    NotModelledError,
    Transmitter,
    TunnelledFrame,
)
from netsim.stack.netfilter import Netfilter
from netsim.stack.nf_netdev import nf_netdev
from netsim.stack.reasons import DropReason
from netsim.stack.route import OutputKey
from netsim.stack.skbuff import SkBuff
from netsim.stack.sockets import Connection
from netsim.stack.steps import Chooser, Clock, Drop, NotModelled, Recorder, Step
from netsim.stack.veth import veth_xmit
from netsim.stack.vlan import vlan_of, vlan_xmit
from netsim.stack.vxlan import send_frame, vxlan_xmit
from netsim.stack.wiring import Wiring
from netsim.topology.model import IPIP, Bridge, Device, Dummy, Loopback, Macvlan, Topology, Veth, Vlan, Vxlan

MOST_LINKS = 64
"""How many links a frame may cross without passing a router; more is a loop."""

MOST_FRAMES = 4096
"""How many frames one packet may become; more is a storm."""

MOST_PACKETS = 128
"""How many packets may answer each other in one run; more is an exchange that does not end."""

DEVICE_OPS: Mapping[type, Transmitter] = {
    # ndo_start_xmit of each kind of device
    Loopback: loopback_xmit,
    Veth: veth_xmit,
    Bridge: br_dev_xmit,
    Vxlan: vxlan_xmit,
    IPIP: ipip_tunnel_xmit,
    Dummy: dummy_xmit,
    Vlan: vlan_xmit,
    Macvlan: macvlan_xmit,
}


@dataclass(frozen=True, slots=True)
class _InFlight:
    netns: str
    device: str
    skb: SkBuff
    links: int


class _Ends:
    """Keeps of a walk aside only where its packets ended."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, Step]] = []

    def record(self, netns: str, step: Step) -> None:
        """Take one step that happened in the namespace."""
        if isinstance(step, Drop | NotModelled):
            self.steps.append((netns, step))


class Network:
    """All namespaces of a topology, with what packets change in them. Made fresh for each walk.

    ``netfilter`` makes a namespace's hooks; by default ``netsim.stack.netfilter.Netfilter``.
    """

    def __init__(
        self,
        topology: Topology,
        recorder: Recorder,
        chooser: Chooser,
        clock: Clock,
        netfilter: HookRunnerFactory | None = None,
    ) -> None:
        self.recorder = recorder
        self.chooser = chooser
        self.clock = clock
        self.wiring = Wiring.of_topology(topology)
        self.device_ops = DEVICE_OPS
        self.arrivals: list[Arrival] = []
        self.tunnelled: list[TunnelledFrame] = []
        self._netfilter = netfilter if netfilter is not None else _netfilter
        self._namespaces: dict[str, Namespace] = {}
        self._made: deque[tuple[str, LocalOut]] = deque()
        self._in_flight: list[_InFlight] = []
        self._arriving: list[_InFlight] = []
        self._links = 0
        self._frames = 0

    # --- what a walk asks ------------------------------------------------------------------------------------

    def source_for(
        self, netns: str, destination: Address, mark: int = 0, protocol: int = 0, dport: int = 0
    ) -> Address | None:
        """The source that connect() would choose for a destination; None where there is no route."""
        key = OutputKey(destination, mark=mark, protocol=protocol, dport=dport)
        nexthop = route_output(self.namespace(netns), key).nexthop
        return nexthop.source if nexthop is not None else None

    def open_client(
        self, netns: str, protocol: Protocol, local: tuple[Address, int], peer: tuple[Address, int], owner: str
    ) -> None:
        """Open a connected socket, which takes what comes from its peer. For ICMP the local port is the echo identifier."""
        peer = (peer[0], 0) if protocol in (Protocol.ICMP, Protocol.ICMPV6) else peer
        self.namespace(netns).sockets.clients[Connection(protocol, local, peer)] = owner

    def send(self, netns: str, packet: Packet, owner: str, mark: int = 0) -> None:
        """Queue a packet that a process makes in a namespace."""
        self.local_out(netns, LocalOut(SkBuff(packet, mark=mark), owner, owner))

    def run(self) -> None:
        """Walk everything that is queued, and every answer to it, to the end."""
        for _ in range(MOST_PACKETS):
            if not self._made:
                return
            netns, out = self._made.popleft()
            self._walk(netns, out)
        for netns, _ in self._made:
            detail = f"more than {MOST_PACKETS} packets answer each other"
            self.recorder.record(netns, Drop(DropReason.FORWARDING_LOOP, "run", detail=detail))
        self._made.clear()

    def namespace(self, name: str) -> Namespace:
        """The namespace of that name, made on first touch; raises KeyError where the topology has none."""
        ns = self._namespaces.get(name)
        if ns is None:
            ns = self._namespaces[name] = Namespace(self, self.wiring.of(name))
            if ns.spec.xtables or ns.spec.nftables or ns.spec.ipvs.servers:
                ns.hooks = NamespaceHooks(ns)
                ns.netfilter = self._netfilter(ns.spec.xtables, ns.hooks)
                if ns.spec.ipvs.servers:
                    from netsim.stack.ip_vs_core import ip_vs_init

                    ip_vs_init(ns)
        return ns

    def race(self) -> None:
        """Let the next packet be under way at once with those so far: no namespace confirmed their connections before it came."""
        for ns in self._namespaces.values():
            if ns.netfilter is not None:
                ns.netfilter.race()

    # --- what namespaces ask ---------------------------------------------------------------------------------

    def frame_in_flight(self, netns: str, device: str, skb: SkBuff) -> None:
        """A frame is on its way to a device, where it will be received after what is under way now."""
        self._arriving.append(_InFlight(netns, device, skb, self._links + 1))

    def touched(self) -> Sequence[Namespace]:
        """The namespaces that a packet came to so far."""
        return tuple(self._namespaces.values())

    def through_tunnel(self, ns: Namespace, device: Device, frame: Frame) -> Sequence[TunnelledFrame]:
        """Send a frame that is no IP packet through a vxlan device; where it came out."""
        self.aside(lambda: send_frame(ns, device, frame))
        came_out, self.tunnelled = self.tunnelled, []
        return came_out

    def routed(self) -> None:
        """The packet under way passed a router."""
        self._links = 0

    def local_out(self, netns: str, packet: LocalOut) -> None:
        """Queue a packet that is made in a namespace, behind those that wait."""
        self._made.append((netns, packet))

    def arrived(self, arrival: Arrival) -> None:
        """A packet came to its end."""
        self.arrivals.append(arrival)

    def aside(self, work: Callable[[], None]) -> Sequence[tuple[str, Step]]:
        """Walk what ``work`` sends to its end, apart from the packet under way. Nothing is recorded; where its packets ended is told."""
        ends = _Ends()
        under_way = (self.recorder, self._made, self._in_flight, self._arriving, self._links, self._frames)
        self._listen(ends)
        self._made, self._in_flight, self._arriving, self._links, self._frames = deque(), [], [], 0, 0
        try:
            work()
            self._in_flight.extend(reversed(self._arriving))
            self._arriving.clear()
            self._follow(self._unconcerned)
        finally:
            recorder, self._made, self._in_flight, self._arriving, self._links, self._frames = under_way
            self._listen(recorder)
        return ends.steps

    def _listen(self, recorder: Recorder) -> None:
        """Let a recorder take the steps from now on."""
        self.recorder = recorder
        for ns in self._namespaces.values():
            if ns.hooks is not None:
                ns.hooks.recorder = recorder

    # --- the packet under way --------------------------------------------------------------------------------

    def _walk(self, netns: str, out: LocalOut) -> None:
        """Make one packet, and follow it and its copies to the end."""
        self._frames = self._links = 0
        self._attempt(netns, lambda ns: ip_local_out(ns, out))
        self._follow()

    def _follow(self, unconcerned: Callable[[_InFlight], bool] | None = None) -> None:
        """Walk the frames in flight to their ends, but for those that do not concern who gets them."""
        while self._in_flight:
            arriving = self._in_flight.pop()
            if (unconcerned is not None and unconcerned(arriving)) or self._circles(arriving):
                continue
            self._links = arriving.links
            self._attempt(arriving.netns, partial(_receive, arriving))

    def _unconcerned(self, arriving: _InFlight) -> bool:
        """A solicitation is flooded to every pod of a node, and one of them is meant."""
        group = arriving.skb.packet.ip.dst
        return group.is_multicast and not self.wiring.may_be_solicited(arriving.netns, group)

    def _attempt(self, netns: str, work: Callable[[Namespace], None]) -> None:
        """Do one stay's work. The frames it sent are walked next, in the order in which they were sent."""
        ns = self.namespace(netns)
        try:
            work(ns)
        except NotModelledError as error:
            ns.record(error.step)
        self._in_flight.extend(reversed(self._arriving))
        self._arriving.clear()

    def _circles(self, arriving: _InFlight) -> bool:
        """True where a frame is cut off because it goes in circles, or its copies have become too many."""
        self._frames += 1
        if self._frames > MOST_FRAMES:
            detail = f"the packet became more than {MOST_FRAMES} frames"
            self._in_flight.clear()
        elif arriving.links > MOST_LINKS:
            detail = f"the frame crossed more than {MOST_LINKS} links and met no router"
        else:
            return False
        drop = Drop(DropReason.FORWARDING_LOOP, f"{arriving.netns}/{arriving.device}", detail=detail)
        self.recorder.record(arriving.netns, drop)
        return True


def _receive(arriving: _InFlight, ns: Namespace) -> None:
    """A device takes a frame: a bridge port for its bridge, any other for IP. Ref: net/core/dev.c:__netif_receive_skb_core() (v6.12)."""
    device = ns.devices[arriving.device]
    skb = arriving.skb
    record_receive(ns, device, skb)
    if ns.spec.nftables and not nf_netdev(ns, device, skb, egress=False):
        return
    if skb.vlan is not None and (upper := vlan_of(ns.network.wiring, ns.name, device, skb.vlan)) is not None:
        assert skb.dst_mac is not None
        skb.vlan, skb.pkt_type = None, packet_type(upper, skb.dst_mac)
        ns.network.frame_in_flight(ns.name, upper.name, skb)
    elif device.port is not None:
        br_handle_frame(ns, device, skb)
    elif skb.dst_mac is not None and macvlan_handle_frame(ns, device, skb):
        return
    elif skb.vlan is not None:
        ns.drop(DropReason.OTHERHOST, "__netif_receive_skb_core", f"{device.name} has no device for VLAN {skb.vlan}")
    else:
        ip_rcv(ns, device, arriving.skb)


def _netfilter(rulesets: Sequence[Ruleset], env: HookEnvironment) -> HookRunner:
    return Netfilter(rulesets, env)
