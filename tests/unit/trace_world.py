"""A made-up network for the tracer's tests: what each packet meets is written down by the test, step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from netsim.net.address import MAC, parse_address, parse_interface
from netsim.net.packet import (
    VXLAN,
    Frame,
    ICMPHeader,
    IPHeader,
    IPIPHeader,
    Packet,
    Protocol,
    SCTPChunk,
    SCTPHeader,
    TCPFlags,
    TCPHeader,
    UDPHeader,
)
from netsim.rules.ipvs.ast import Forwarding, RealServer, TransportService, VirtualServer
from netsim.rules.nft.parse import parse as parse_nft
from netsim.rules.source import Origin
from netsim.rules.xtables.ast import CommentMatch, DNATTarget, NATRange, RejectTarget, Rule, Verdict
from netsim.stack.reasons import DropReason
from netsim.stack.steps import (
    BridgeDecision,
    ChainPass,
    Choice,
    ConntrackStep,
    Decapsulation,
    Drop,
    Encapsulation,
    Fragmentation,
    Hook,
    IPVSStep,
    LocalSend,
    NATStep,
    NeighbourResolution,
    NftChainPass,
    NftEvaluation,
    NftRuleRef,
    NotModelled,
    Reassembly,
    Receive,
    RoutingDecision,
    RuleEvaluation,
    RuleRef,
    SocketLookup,
    Step,
    Transmit,
    TTLStep,
)
from netsim.topology.model import Device, Endpoint, Netns, Role, Topology, Veth
from netsim.trace.explore import WalkChooser
from netsim.trace.model import Flow
from netsim.trace.recording import leg_name
from netsim.trace.trace import trace

CLIENT, VIP = parse_address("10.244.0.5"), parse_address("10.96.0.10")
BACKENDS = (parse_address("10.244.1.7"), parse_address("10.244.1.8"))
NODE1 = parse_address("192.168.0.11")
M1, M2 = MAC.parse("02:00:00:00:00:01"), MAC.parse("02:00:00:00:00:02")


def _netns(name: str, role: Role, label: str, node: str | None, address: str) -> Netns:
    device = Device("eth0", Veth(Endpoint("switch", name)), M1, addresses=(parse_interface(address),))
    return Netns(name, role, label, node, devices=(device,))


TOPOLOGY = Topology(
    "made-up",
    {
        netns.name: netns
        for netns in (
            _netns("pod-client", Role.POD, "pod/default/client", "node1", "10.244.0.5/24"),
            _netns("pod-web", Role.POD, "pod/default/web", "node2", "10.244.1.7/24"),
            _netns("pod-web2", Role.POD, "pod/default/web2", "node2", "10.244.1.8/24"),
            _netns("node1", Role.NODE, "node/node1", "node1", "192.168.0.11/24"),
            _netns("node2", Role.NODE, "node/node2", "node2", "192.168.0.12/24"),
            _netns("outside", Role.OUTSIDE, "outside", None, "203.0.113.1/24"),
        )
    },
)

OWNERS = {"pod-web": "default/web/main", "pod-web2": "default/web2/main"}
TCP_FLOW = Flow("pod-client", VIP, Protocol.TCP, dport=80)
UDP_FLOW = Flow("pod-client", VIP, Protocol.UDP, dport=53)
PING = Flow("pod-client", VIP, Protocol.ICMP)


@dataclass
class Arrived:
    netns: str
    packet: Packet
    owner: str


@dataclass
class World:
    """A network whose packets do what ``meets`` says for their leg's name; a packet without a line is lost."""

    recorder: object
    chooser: WalkChooser
    meets: dict[str, Callable[[World, Packet], None]]
    source: object = CLIENT
    arrivals: list[Arrived] = field(default_factory=list)
    queue: deque = field(default_factory=deque)
    clients: list = field(default_factory=list)

    def source_for(self, netns, destination, mark=0, protocol=0, dport=0):
        return self.source

    def open_client(self, netns, protocol, local, peer, owner):
        self.clients.append((netns, protocol, local, peer, owner))

    def send(self, netns, packet, owner, mark=0):
        self.queue.append((netns, packet, owner))

    def run(self):
        while self.queue:
            netns, packet, owner = self.queue.popleft()
            self.step(netns, LocalSend(packet, owner))
            name = leg_name(packet, reply=netns != "pod-client")
            self.meets[name](self, packet)

    # what a packet may meet

    def step(self, netns, *steps):
        for step in steps:
            self.recorder.record(netns, step)

    def enter(self, netns, packet):
        self.step(netns, Receive("eth0", packet, M1, M2))

    def leave(self, netns, packet):
        self.step(netns, Transmit("eth0", packet, M1, M2))

    def take(self, netns, packet, owner, answer=""):
        self.step(netns, SocketLookup(packet, owner, answer))
        self.arrivals.append(Arrived(netns, packet, owner))

    def translate(self, netns, packet, hook, kind, **changes):
        after = changed(packet, **changes)
        ref = RuleRef(4, "nat", "KUBE-SEP-A", 1, dnat_rule()) if kind == "DNAT" else None
        self.step(netns, NATStep(hook, kind, packet, after, ref))
        return after

    def forward(self, netns, packet):
        """Take a packet from the wire, decrement its TTL and send it on."""
        self.enter(netns, packet)
        self.step(netns, TTLStep(packet.ip.ttl, packet.ip.ttl - 1))
        packet = packet.with_ip(ttl=packet.ip.ttl - 1)
        self.leave(netns, packet)
        return packet

    def drop(self, netns, reason, where="ip_rcv_finish", **more):
        self.step(netns, Drop(reason, where, **more))


def changed(packet, *, src=None, dst=None, sport=None, dport=None):
    ip = {name: value for name, value in (("src", src), ("dst", dst)) if value is not None}
    l4 = {name: value for name, value in (("sport", sport), ("dport", dport)) if value is not None}
    packet = packet.with_ip(**ip)
    return packet.with_l4(**l4) if l4 else packet


def answer_to(packet, **l4):
    """The packet that goes back: ends turned round, TTL new."""
    turned = replace(packet.l4, sport=packet.l4.dport, dport=packet.l4.sport, **l4)
    return Packet(replace(packet.ip, src=packet.ip.dst, dst=packet.ip.src, ttl=64), turned)


def syn_ack(packet):
    return answer_to(packet, flags=TCPFlags.SYN | TCPFlags.ACK, seq=5000, ack=packet.l4.seq + 1, mss=1460)


def dnat_rule():
    return Rule(
        matches=(CommentMatch("default/web:http"),),
        target=DNATTarget(NATRange(BACKENDS[0], BACKENDS[0], 8080, 8080)),
    )


def reject_rule(comment):
    return Rule(matches=(CommentMatch(comment),), target=RejectTarget("icmp-port-unreachable"))


def drop_rule(comment=None):
    return Rule(matches=(CommentMatch(comment),) if comment else (), target=Verdict.DROP)


def ref(rule, chain="KUBE-SERVICES", table="filter", index=0):
    return RuleRef(4, table, chain, index, rule)


def chain_pass(hook, table, *evaluations, verdict="ACCEPT", policy=False, mark_after=0):
    return ChainPass(hook, table, -100, tuple(evaluations), verdict, policy, 0, mark_after)


COIN = (("10.244.1.7:8080", Fraction(1, 3)), ("10.244.1.8:8080", Fraction(2, 3)))


def out_by_service(world, packet):
    """The client's packet up to a backend: chance on node1 takes one of two."""
    world.leave("pod-client", packet)
    world.enter("node1", packet)
    index = world.chooser.choose("KUBE-SVC-A rule 1 on node1", COIN)
    rule = ref(dnat_rule(), "KUBE-SVC-A", "nat")
    taken = RuleEvaluation(
        rule, matched=True, effect="jump KUBE-SEP-A", choice=Choice("KUBE-SVC-A rule 1", COIN, index)
    )
    other = RuleEvaluation(ref(drop_rule(), "PREROUTING", "nat", 3), matched=False)
    world.step("node1", ConntrackStep(Hook.PREROUTING, "new", "NEW", "ORIGINAL", "tcp 6 120 SYN_SENT"))
    world.step("node1", chain_pass(Hook.PREROUTING, "nat", other, taken))
    packet = world.translate("node1", packet, Hook.PREROUTING, "DNAT", dst=BACKENDS[index], dport=8080)
    world.step(
        "node1",
        RoutingDecision(
            "input", packet.ip.dst, "unicast", "10.244.1.0/24 via 192.168.0.12 dev eth0", "main", "eth0", None, None
        ),
    )
    packet = packet.with_ip(ttl=63)
    world.leave("node1", packet)
    return packet, ("pod-web", "pod-web2")[index]


def to_web(world, packet):
    packet, pod = out_by_service(world, packet)
    world.enter(pod, packet)
    match packet.l4:
        case TCPHeader(flags=TCPFlags.SYN):
            world.take(pod, packet, OWNERS[pod], "SYN-ACK")
            world.send(pod, syn_ack(packet), "tcp")
        case UDPHeader():
            world.take(pod, packet, OWNERS[pod], "answer")
            world.send(pod, answer_to(packet), "udp")
        case _:
            world.take(pod, packet, OWNERS[pod])


def connection_to_web(world, packet):
    """Packets of the connection after its first: conntrack sends them where the first went, without a choice."""
    first = next(arrival for arrival in world.arrivals if arrival.netns != "pod-client")
    packet = changed(packet, dst=first.packet.ip.dst, dport=first.packet.dport)
    world.leave("pod-client", packet)
    world.enter(first.netns, packet)
    world.take(first.netns, packet, OWNERS[first.netns])


def back_home(world, packet, source=VIP, sport=None):
    """The answer by way of node1, which un-NATs it."""
    asked = 53 if isinstance(packet.l4, UDPHeader) else 80
    world.leave(("pod-web", "pod-web2")[BACKENDS.index(packet.ip.src)], packet)
    world.enter("node1", packet)
    packet = world.translate("node1", packet, Hook.PREROUTING, "un-DNAT", src=source, sport=sport or asked)
    world.leave("node1", packet)
    world.enter("pod-client", packet)
    world.take("pod-client", packet, "client")


GOOD_TCP = {"SYN": to_web, "SYN-ACK": back_home, "ACK": connection_to_web, "data": connection_to_web}


def tracing(meets, flow=TCP_FLOW, *, source=CLIENT, **options):
    """The trace of a flow over a world."""

    def network(topology, recorder, chooser, clock):
        assert topology is TOPOLOGY
        return World(recorder, chooser, meets, source)

    return trace(TOPOLOGY, flow, source="client", target="svc/web", network=network, **options)


def dying(reason, where="ip_forward", netns="node1", **more):
    """A packet that gets as far as ``netns`` and ends there."""

    def meets(world, packet):
        world.leave("pod-client", packet)
        world.enter(netns, packet)
        world.drop(netns, reason, where, **more)

    return meets


def refused(netns="pod-web", reason=DropReason.NO_SOCKET):
    """A packet that reaches a host without a socket, which answers with RST."""

    def meets(world, packet):
        world.enter(netns, packet)
        world.step(netns, SocketLookup(packet, None, "RST"))
        world.drop(netns, reason, "tcp_v4_rcv")
        world.send(netns, answer_to(packet, flags=TCPFlags.RST | TCPFlags.ACK), "tcp")

    return meets


def circling(world, packet):
    """Two nodes send a packet to each other until its TTL is used up."""
    here, there = "node1", "node2"
    while packet.ip.ttl > 1:
        packet = world.forward(here, packet)
        here, there = there, here
    world.enter(here, packet)
    world.drop(here, DropReason.TTL_EXCEEDED, "ip_forward")


def lost(world, packet):
    world.leave("node1", packet)
    world.enter("node2", packet)
    world.drop("node2", DropReason.IP_RPFILTER, "ip_route_input_slow")


def home(world, packet):
    world.enter("pod-client", packet)
    world.take("pod-client", packet, "client")


NFT_TEXT = (
    'table inet t { chain c { ip daddr 10.0.0.1 tcp dport vmap { 80 : accept, 81 : drop } comment "two ports"; } }'
)

# --- one step of every kind -----------------------------------------------------------------------------------------

PACKET = Packet(IPHeader(CLIENT, VIP, Protocol.UDP), UDPHeader(1, 53), payload=30)
ERROR = Packet(IPHeader(VIP, CLIENT, Protocol.ICMP), ICMPHeader(3, 4, mtu=1450, quoted=PACKET))
SCTP = Packet(IPHeader(CLIENT, VIP, Protocol.SCTP), SCTPHeader(1, 2, SCTPChunk.COOKIE_ECHO, 7))
RULE = ref(replace(dnat_rule(), origin=Origin("x.rules", 3, 5)), "KUBE-SEP-A", "nat")
NFT_TABLE = next(iter(parse_nft(NFT_TEXT, "x.nft").tables.values()))
NFT_RULE = NftRuleRef("inet", "kube-proxy", "services", 2, NFT_TABLE.chains["c"].rules[0])
CHOICE = Choice("KUBE-SVC-A rule 1", (("match", Fraction(1, 3)), ("no match", Fraction(2, 3))), 1)

VXLAN_PACKET = Packet(
    IPHeader(CLIENT, VIP, Protocol.UDP), UDPHeader(40000, 8472), 8 + 14 + 58, VXLAN(1, Frame(M1, M2, PACKET))
)
IPIP_PACKET = Packet(IPHeader(CLIENT, VIP, Protocol.IPIP, dont_fragment=True), IPIPHeader(), 58, PACKET)
VIRTUAL_SERVER = VirtualServer(
    TransportService(6, VIP, 80), "rr", real_servers=(RealServer(BACKENDS[0], 8080, Forwarding.MASQUERADE),)
)

EVERY_STEP: list[Step] = [
    LocalSend(PACKET, "client"),
    Receive("eth0", ERROR, M1, M2),
    Transmit("lo", SCTP, None, None),
    BridgeDecision("cni0", "veth1", "flood", ("a", "b"), M2, learned=True, detail="unknown"),
    NeighbourResolution("eth0", VIP, None, cached=False),
    NeighbourResolution("eth0", VIP, M1, cached=True),
    RoutingDecision("output", VIP, "unicast", "default via 10.0.0.1 dev eth0", "main", "eth0", CLIENT, CLIENT),
    RoutingDecision("input", VIP, "unreachable", "", "main", None, None, None),
    chain_pass(Hook.PREROUTING, "nat", RuleEvaluation(RULE, matched=False, choice=CHOICE), RuleEvaluation(RULE, matched=True, effect="x")),
    NftChainPass(
        Hook.FORWARD, "inet", "kube-proxy", "filter-forward", "filter", 0,
        (
            NftEvaluation(NFT_RULE, matched=False, choice=CHOICE),
            NftEvaluation(NFT_RULE, matched=True, effect="goto reject-chain", element="a/b:c"),
        ),
        "DROP", False, 0, 1,
    ),
    ConntrackStep(Hook.INPUT, "confirm", "NEW", "ORIGINAL", "tcp 6"),
    ConntrackStep(Hook.INPUT, "invalid", "INVALID", None, ""),
    NATStep(Hook.PREROUTING, "DNAT", PACKET, PACKET, RULE),
    NATStep(Hook.PREROUTING, "DNAT", PACKET, PACKET, NFT_RULE),
    NATStep(Hook.PREROUTING, "un-SNAT", PACKET, PACKET),
    Encapsulation("flannel.1", "vxlan", PACKET, VXLAN_PACKET, 1, M1, M2, "the FDB has 192.168.0.12"),
    Encapsulation("tunl0", "ipip", PACKET, IPIP_PACKET),
    Decapsulation("flannel.1", "vxlan", VXLAN_PACKET, PACKET, 1),
    Decapsulation("tunl0", "ipip", IPIP_PACKET, PACKET),
    Fragmentation("eth0", 1400, PACKET, (PACKET.with_ip(more_fragments=True), PACKET.with_ip(fragment_offset=1376))),
    Reassembly(PACKET, 2, "ip_local_deliver"),
    IPVSStep(Hook.INPUT, "schedule", VIRTUAL_SERVER, VIRTUAL_SERVER.real_servers[0], PACKET, ERROR, "TCP 00:03", CHOICE, "in turn"),
    IPVSStep(Hook.FORWARD, "reply", VIRTUAL_SERVER, VIRTUAL_SERVER.real_servers[0], PACKET, ERROR),
    IPVSStep(Hook.INPUT, "refuse", VIRTUAL_SERVER, None, PACKET, PACKET),
    IPVSStep(Hook.INPUT, "drop", None, None, PACKET, PACKET, detail="gone"),
    TTLStep(64, 63),
    SocketLookup(PACKET, None, "RST"),
    Drop(DropReason.NETFILTER_DROP, "FORWARD", RULE, "nat", "KUBE-SEP-A"),
    Drop(DropReason.NETFILTER_DROP, "FORWARD", NFT_RULE, "kube-proxy", "firewall-check"),
    Drop(DropReason.NO_PEER, "veth_xmit"),
    NotModelled("match bpf", "FORWARD", RULE),
    NotModelled("tproxy", "FORWARD", NFT_RULE),
]  # fmt: skip
