"""What the stack does beyond one packet's way: connections, peers, answers, what lies outside, circles, and what is not modelled."""

from __future__ import annotations

import pytest

from netsim.net.address import MAC, parse_address
from netsim.net.packet import IPHeader, Packet, Protocol, SCTPChunk, SCTPHeader, TCPFlags, TCPHeader, UDPHeader
from netsim.stack.namespace import ArrivalKind
from netsim.stack.reasons import DropReason
from netsim.stack.route import InputKey, Martian, ip_route_input
from netsim.stack.steps import (
    BridgeDecision,
    Drop,
    LocalSend,
    NeighbourResolution,
    RoutingDecision,
    SocketLookup,
    Transmit,
)
from netsim.topology.model import Bridge, BridgePort, Listener, Neighbour, Role
from tests.unit.stack_world import (
    CLIENT_PORT,
    Walk,
    changed,
    device,
    lo,
    netns,
    pod,
    route,
    same_node,
    topology,
    two_nodes,
    veth,
)


def tcp(
    walk: Walk, src: str, dst: str, flags: TCPFlags, *, sport: int = CLIENT_PORT, seq: int = 1001, ack: int = 500_001
):
    source, destination = parse_address(src), parse_address(dst)
    header = IPHeader(source, destination, Protocol.TCP, dont_fragment=True)
    owner = {"10.244.0.2": "a", "10.244.1.2": "c", "192.168.0.100": "x"}[src]
    walk.network.send(owner, Packet(header, TCPHeader(sport, 80, flags, seq, ack)), "client")
    walk.network.run()


def test_a_handshake_is_remembered_and_its_ack_is_taken():
    walk = Walk(two_nodes()).tcp("a", "10.244.1.2")
    answer = walk.network.arrivals[-1].packet
    assert isinstance(answer.l4, TCPHeader)
    assert (answer.l4.flags, answer.l4.ack, answer.l4.mss) == (TCPFlags.SYN | TCPFlags.ACK, 1001, 1460)
    sent = len(walk.of(LocalSend))
    tcp(walk, "10.244.0.2", "10.244.1.2", TCPFlags.ACK)
    assert walk.reached == ["c web from 10.244.0.2"] * 2
    assert len(walk.of(LocalSend)) == sent + 1, "an ACK is not answered"


def test_an_ack_out_of_nowhere_is_reset():
    walk = Walk(two_nodes())
    tcp(walk, "10.244.0.2", "10.244.1.2", TCPFlags.ACK, ack=77)
    assert walk.drops[0] == ("c", DropReason.TCP_INVALID)
    reset = walk.of(LocalSend)[-1].packet.l4
    assert isinstance(reset, TCPHeader)
    assert (reset.flags, reset.seq) == (TCPFlags.RST, 77)


def test_a_reset_is_answered_by_nothing_and_ends_the_connection():
    walk = Walk(two_nodes()).tcp("a", "10.244.1.2")
    tcp(walk, "10.244.0.2", "10.244.1.2", TCPFlags.RST)
    assert walk.drops == []
    tcp(walk, "10.244.0.2", "10.244.1.2", TCPFlags.ACK)
    assert walk.drops[0] == ("c", DropReason.TCP_INVALID)
    walk = Walk(two_nodes())
    tcp(walk, "10.244.0.2", "10.244.1.2", TCPFlags.RST)
    assert [send.by for send in walk.of(LocalSend)] == ["client"]


def test_a_segment_from_another_peer_is_reset():
    walk = Walk(changed(two_nodes(), "a", listeners=()))
    here, there = parse_address("10.244.0.2"), parse_address("10.96.0.1")
    walk.network.open_client("a", Protocol.TCP, (here, 80), (there, 443), "client")
    tcp(walk, "10.244.1.2", "10.244.0.2", TCPFlags.SYN | TCPFlags.ACK, sport=443)
    assert walk.drops == [("a", DropReason.TCP_INVALID), ("c", DropReason.TCP_INVALID)]
    assert "expects another peer" in walk.of(Drop, "a")[0].detail


def test_a_datagram_from_another_peer_gets_port_unreachable():
    walk = Walk(two_nodes())
    here, there = parse_address("10.244.0.2"), parse_address("10.96.0.1")
    walk.network.open_client("a", Protocol.UDP, (here, CLIENT_PORT), (there, 53), "client")
    packet = Packet(IPHeader(parse_address("10.244.1.2"), here, Protocol.UDP), UDPHeader(53, CLIENT_PORT))
    walk.network.send("c", packet, "dns")
    walk.network.run()
    assert walk.drops[0] == ("a", DropReason.UDP_UNEXPECTED_PEER)
    assert [send.by for send in walk.of(LocalSend)] == ["dns", "icmp"]


def test_every_answer_begins_with_its_own_local_send():
    walk = Walk(two_nodes()).udp("a", "10.244.1.2", payload=30)
    assert [(where, step.by) for where, step in walk.steps if isinstance(step, LocalSend)] == [
        ("a", "client"),
        ("c", "dns"),
    ]
    assert walk.network.arrivals[-1].packet.payload == 30
    assert walk.path == ["a", "n1", "sw", "n2", "c"]


def test_an_error_about_an_answer_goes_to_the_listener_that_made_it():
    walk = Walk(two_nodes())
    packet = Packet(
        IPHeader(parse_address("10.244.0.2"), parse_address("10.244.1.2"), Protocol.UDP), UDPHeader(41000, 53)
    )
    walk.network.send("a", packet, "gone")
    walk.network.run()
    assert walk.drops == [("a", DropReason.NO_SOCKET)]
    assert [(a.netns, a.owner, a.kind) for a in walk.network.arrivals] == [
        ("c", "dns", ArrivalKind.LISTENER),
        ("c", "dns", ArrivalKind.ERROR),
    ]


def test_a_network_on_lo_is_local_and_answered_for():
    world = two_nodes()
    n2 = world.namespaces["n2"]
    devices = tuple(lo("192.168.0.200/30") if d.name == "lo" else d for d in n2.devices)
    walk = Walk(changed(world, "n2", devices=devices)).ping("x", "192.168.0.203")
    assert walk.drops == [("x", DropReason.NEIGH_FAILED)], "nobody answers ARP for a broadcast address"
    walk = Walk(changed(world, "n2", devices=devices)).ping("x", "192.168.0.202")
    assert walk.heard == ["icmp 0 from 192.168.0.202"]


def test_echo_is_answered_by_the_kernel_and_goes_to_who_asked():
    walk = Walk(two_nodes()).ping("a", "10.244.1.2", payload=56)
    assert [(a.netns, a.kind) for a in walk.network.arrivals] == [("c", ArrivalKind.ICMP), ("a", ArrivalKind.CLIENT)]
    assert walk.network.arrivals[-1].packet.payload == 56


def test_an_sctp_association_is_set_up_and_refused():
    world = changed(two_nodes(), "c", listeners=(Listener(Protocol.SCTP, 9000, owner="diameter"),))
    walk = Walk(world).send("a", "10.244.1.2", SCTPHeader(CLIENT_PORT, 9000))
    walk.send("a", "10.244.1.2", SCTPHeader(CLIENT_PORT, 9000, SCTPChunk.COOKIE_ECHO))
    chunks = [a.packet.l4.chunk for a in walk.network.arrivals if a.owner == "client"]
    assert chunks == [SCTPChunk.INIT_ACK, SCTPChunk.COOKIE_ACK]
    walk.send("a", "10.244.1.2", SCTPHeader(CLIENT_PORT, 9001))
    assert walk.drops == [("c", DropReason.NO_SOCKET)]
    assert walk.network.arrivals[-1].packet.l4.chunk is SCTPChunk.ABORT


def test_what_no_protocol_handles_is_told():
    walk = Walk(two_nodes())
    header = IPHeader(parse_address("10.244.0.2"), parse_address("10.244.1.2"), Protocol.IPIP)
    walk.network.send("a", Packet(header, UDPHeader(CLIENT_PORT, 1)), "client")
    walk.network.run()
    assert walk.drops[0] == ("c", DropReason.PROTO_NOT_SUPPORTED)
    assert walk.of(LocalSend)[-1].packet.l4.code == 2


def test_a_packet_that_reaches_the_outside_left_the_model():
    world = two_nodes()
    outside = netns("out", (veth("out/eth0", "n1/up", "100.64.0.2/30"),), role=Role.OUTSIDE)
    n1 = world.namespaces["n1"]
    up = veth("n1/up", "out/eth0", "100.64.0.1/30")
    world = changed(world, "n1", devices=(*n1.devices, up), routes=(*n1.routes, route("default", "100.64.0.2")))
    world = topology(*world.namespaces.values(), outside)
    walk = Walk(world).tcp("a", "203.0.113.9")
    assert [(a.netns, a.kind) for a in walk.network.arrivals] == [("out", ArrivalKind.OUTSIDE)]
    assert walk.drops == []
    assert len(walk.of(LocalSend)) == 1


def test_a_neighbour_is_asked_for_once():
    walk = Walk(two_nodes()).udp("a", "10.244.1.2")
    asked = [(where, step.cached) for where, step in walk.steps if isinstance(step, NeighbourResolution)]
    assert asked == [("a", False), ("n1", False), ("n2", False), ("c", True), ("n2", True), ("n1", True)]


def test_bridges_learn_from_the_frames_of_arp():
    walk = Walk(two_nodes()).udp("a", "10.244.1.2")
    assert {step.action for step in walk.of(BridgeDecision)} == {"local", "forward"}


def test_loopback_keeps_its_route_and_leaves_by_lo():
    walk = Walk(two_nodes()).tcp("a", "10.244.0.2")
    assert {step.device for step in walk.of(Transmit)} == {"lo"}
    assert [step.stage for step in walk.of(RoutingDecision)] == ["output", "output"]
    assert walk.heard == ["SYN-ACK from 10.244.0.2"]


def test_sending_to_a_broadcast_address():
    assert Walk(two_nodes()).udp("a", "10.244.0.255").drops == [("a", DropReason.SOCKET_REFUSED)]
    assert Walk(two_nodes()).udp("a", "224.0.0.1").not_modelled == ["sending to a multicast address"]


def two_switches(*, cables: int):
    """Hosts h and g on two bridges that are joined by so many cables."""
    uplinks = tuple(f"up{i}" for i in range(cables))
    port = BridgePort("br")
    switches = [
        netns(
            name,
            (
                device(name, "br", Bridge()),
                veth(f"{name}/host", f"{host}/eth0", port=port),
                *(veth(f"{name}/{up}", f"{other}/{up}", port=port) for up in uplinks),
            ),
            role=Role.SWITCH,
        )
        for name, other, host in (("s1", "s2", "h"), ("s2", "s1", "g"))
    ]
    hosts = [pod("h", "10.0.0.1", "10.0.0.254", "s1/host"), pod("g", "10.0.0.2", "10.0.0.254", "s2/host")]
    return topology(*switches, *hosts)


@pytest.mark.parametrize(
    ("cables", "died"), [(1, []), (2, [DropReason.FORWARDING_LOOP]), (3, [DropReason.FORWARDING_LOOP])]
)
def test_a_loop_of_bridges_is_a_storm(cables, died):
    walk = Walk(two_switches(cables=cables)).udp("h", "10.0.0.2")
    assert [reason for _, reason in walk.drops] == died


@pytest.mark.parametrize("cables", [2, 3])
def test_a_frame_that_circles_is_cut_off(cables):
    """With its MACs known there is no ARP storm, but an unknown destination is flooded for ever."""
    world = two_switches(cables=cables)
    nobody = Neighbour("eth0", parse_address("10.0.0.2"), MAC.parse("02:00:00:00:00:99"))
    walk = Walk(changed(world, "h", neighbours=(nobody,))).udp("h", "10.0.0.2")
    assert DropReason.FORWARDING_LOOP in [reason for _, reason in walk.drops]


def test_two_listeners_that_answer_each_other_are_cut_off():
    world = changed(same_node(), "a", listeners=(Listener(Protocol.UDP, 53, owner="dns"),))
    packet = Packet(IPHeader(parse_address("10.244.0.2"), parse_address("10.244.0.3"), Protocol.UDP), UDPHeader(53, 53))
    walk = Walk(world)
    walk.network.send("a", packet, "dns")
    walk.network.run()
    assert walk.drops[-1][1] is DropReason.FORWARDING_LOOP


def test_a_source_that_is_not_this_hosts_is_refused():
    walk = Walk(two_nodes()).udp("a", "10.244.1.2", source="10.9.9.9")
    assert walk.drops == [("a", DropReason.IP_OUTNOROUTES)]


def test_networks_of_one_topology_do_not_share_what_they_learnt():
    world = two_nodes()
    first, second = Walk(world).udp("a", "10.244.1.2"), Walk(world).udp("a", "10.244.1.2")
    assert first.steps == second.steps
    assert first.network.wiring is second.network.wiring


def test_a_socket_that_took_the_packet_is_named():
    walk = Walk(two_nodes()).tcp("a", "10.244.1.2")
    assert [(step.owner, step.answer) for step in walk.of(SocketLookup)] == [("web", "SYN-ACK"), ("client", "")]


INPUTS = [
    # source, destination, sysctls, and what the kernel makes of such a packet on eth0 (10.0.0.1/24)
    ("10.0.0.2", "10.0.0.1", {}, "local"),
    ("10.0.0.2", "10.0.0.255", {}, "broadcast"),
    ("10.0.0.2", "255.255.255.255", {}, "broadcast"),
    ("0.0.0.0", "255.255.255.255", {}, "broadcast"),
    ("0.0.0.0", "10.0.0.1", {}, DropReason.IP_INVALID_SOURCE),
    ("0.1.2.3", "10.0.0.1", {}, "local"),
    ("255.255.255.255", "10.0.0.1", {}, DropReason.IP_INVALID_SOURCE),
    ("224.0.0.5", "10.0.0.1", {}, DropReason.IP_INVALID_SOURCE),
    ("10.0.0.2", "0.0.0.0", {}, DropReason.IP_INVALID_DEST),
    ("10.0.0.2", "127.0.0.1", {}, DropReason.IP_INVALID_DEST),
    ("127.0.0.1", "10.0.0.1", {}, DropReason.IP_INVALID_SOURCE),
    ("10.0.0.2", "127.0.0.1", {"net.ipv4.conf.all.route_localnet": "1"}, "local"),
    ("10.0.0.2", "127.0.0.1", {"net.ipv4.conf.eth0.route_localnet": "1"}, "local"),
    ("10.0.0.1", "10.0.0.1", {}, DropReason.IP_LOCAL_SOURCE),
    ("10.0.0.1", "10.0.0.255", {}, DropReason.IP_LOCAL_SOURCE),
    ("10.0.0.1", "10.0.0.1", {"net.ipv4.conf.all.accept_local": "1"}, "local"),
    ("10.0.0.1", "10.0.0.1", {"net.ipv4.conf.all.rp_filter": "1"}, DropReason.IP_LOCAL_SOURCE),
    ("10.0.0.255", "10.0.0.1", {}, "local"),
    ("10.0.0.255", "10.0.0.1", {"net.ipv4.conf.all.rp_filter": "1"}, DropReason.IP_INVALID_SOURCE),
    ("172.16.0.1", "10.0.0.1", {"net.ipv4.conf.eth0.rp_filter": "1"}, DropReason.IP_RPFILTER),
    ("172.16.0.1", "10.0.0.1", {"net.ipv4.conf.eth0.rp_filter": "2"}, DropReason.IP_RPFILTER),
    ("172.16.0.1", "10.0.0.1", {}, "local"),
    ("10.0.0.2", "8.8.8.8", {}, "unreachable"),
    ("10.0.0.2", "10.9.0.1", {"net.ipv4.ip_forward": "1"}, "unicast"),
    # a broadcast source is looked at where the packet would leave the way it came
    ("10.0.0.255", "10.0.0.7", {"net.ipv4.ip_forward": "1"}, DropReason.IP_INVALID_SOURCE),
    (
        "10.0.0.255",
        "10.0.0.7",
        {
            "net.ipv4.ip_forward": "1",
            "net.ipv4.conf.all.send_redirects": "0",
            "net.ipv4.conf.eth0.send_redirects": "0",
        },
        "unicast",
    ),
]


def two_legs(sysctls):
    legs = (veth("h/eth0", "g/eth0", "10.0.0.1/24"), veth("h/eth1", "g/eth1", "10.9.0.2/24"))
    ends = (veth("g/eth0", "h/eth0"), veth("g/eth1", "h/eth1"))
    return topology(netns("h", legs, sysctls=sysctls), netns("g", ends))


@pytest.mark.parametrize(("src", "dst", "sysctls", "result"), INPUTS)
def test_what_the_input_look_up_says_of_addresses(src, dst, sysctls, result):
    ns = Walk(two_legs(sysctls)).network.namespace("h")
    key = InputKey(parse_address(src), parse_address(dst), ns.devices["eth0"])
    found = ip_route_input(ns, key)
    assert (found.reason if isinstance(found, Martian) else found.result) == result
