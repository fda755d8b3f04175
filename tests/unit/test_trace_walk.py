"""The exchange as the asking process drives it, and how its recording is cut."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from netsim.net.packet import ICMPHeader, IPHeader, Packet, Protocol, SCTPChunk, SCTPHeader, TCPFlags, UDPHeader
from netsim.stack.reasons import DropReason
from netsim.stack.steps import LocalSend
from netsim.trace.model import Verdict
from netsim.trace.selection import Selection, SelectionError
from tests.unit.trace_world import (
    BACKENDS,
    CLIENT,
    GOOD_TCP,
    NODE1,
    PING,
    TCP_FLOW,
    UDP_FLOW,
    VIP,
    back_home,
    connection_to_web,
    dying,
    to_web,
    tracing,
)


def names(branch):
    return [(leg.name, leg.reply) for leg in branch.legs]


def test_a_tcp_exchange_is_syn_synack_ack():
    answer = tracing(GOOD_TCP)
    assert [branch.verdict for branch in answer.branches] == [Verdict.DELIVERED] * 2
    assert names(answer.branches[0]) == [("SYN", False), ("SYN-ACK", True), ("ACK", False)]
    assert [hop.netns for hop in answer.branches[0].forward] == ["pod-client", "node1", "pod-web"]
    assert [hop.netns for hop in answer.branches[0].reply] == ["pod-web", "node1", "pod-client"]


def test_the_ack_acknowledges_the_syn_ack():
    ack = tracing(GOOD_TCP).branches[0].legs[2].sent
    assert (ack.l4.seq, ack.l4.ack, ack.l4.flags) == (1001, 5001, TCPFlags.ACK)


def test_branches_are_numbered_and_their_probabilities_exact():
    answer = tracing(GOOD_TCP)
    assert [(b.number, b.probability, b.backend) for b in answer.branches] == [
        (1, Fraction(1, 3), (BACKENDS[0], 8080)),
        (2, Fraction(2, 3), (BACKENDS[1], 8080)),
    ]
    assert answer.total == 2


def test_what_the_receiver_saw():
    branch = tracing(GOOD_TCP).branches[0]
    assert branch.delivered_to == "default/web"
    assert branch.seen_source == (CLIENT, 40000)
    assert branch.legs[0].sent.ip.dst == VIP
    assert branch.legs[0].received.ip.dst == BACKENDS[0]


def test_one_way_leaves_the_reply_out_and_does_not_fork_on_it():
    def forking_back(world, packet):
        world.chooser.choose("on the way back", [("a", Fraction(1, 2)), ("b", Fraction(1, 2))])
        back_home(world, packet)

    meets = {**GOOD_TCP, "SYN-ACK": forking_back}
    assert len(tracing(meets).branches) == 4
    answer = tracing(meets, one_way=True)
    assert [b.probability for b in answer.branches] == [Fraction(1, 3), Fraction(2, 3)]
    assert {b.reason for b in answer.branches} == {"DELIVERED_ONE_WAY"}
    assert names(answer.branches[0]) == [("SYN", False)]


def test_a_payload_follows_the_handshake_in_one_segment():
    answer = tracing(GOOD_TCP, replace(TCP_FLOW, payload=4000))
    data = answer.branches[0].legs[3]
    assert (data.name, data.sent.payload) == ("data", 1460)
    assert answer.assumptions == ("only the first data segment of 1460 of 4000 bytes is walked",)


def too_big_for_the_tunnel(world, packet):
    if packet.payload > 1410:
        world.enter("node1", packet)
        world.drop("node1", DropReason.PKT_TOO_BIG, "ip_forward", detail="1500 bytes, MTU 1450")
        header = ICMPHeader(3, 4, mtu=1450, quoted=packet)
        world.send("node1", Packet(IPHeader(NODE1, CLIENT, Protocol.ICMP), header), "icmp")
    else:
        connection_to_web(world, packet)


def icmp_home(world, packet):
    world.enter("pod-client", packet)
    world.take("pod-client", packet, "client")


def test_path_mtu_discovery_sends_the_segment_again():
    meets = {**GOOD_TCP, "data": too_big_for_the_tunnel, "ICMP fragmentation needed": icmp_home}
    branch = tracing(meets, replace(TCP_FLOW, payload=2000)).branches[0]
    assert branch.verdict is Verdict.DELIVERED
    assert [leg.sent.payload for leg in branch.legs if leg.name == "data"] == [1460, 1410]


def test_a_lost_icmp_error_leaves_the_connection_hanging():
    meets = {**GOOD_TCP, "data": too_big_for_the_tunnel, "ICMP fragmentation needed": dying(DropReason.NETFILTER_DROP)}
    branch = tracing(meets, replace(TCP_FLOW, payload=2000)).branches[0]
    assert (branch.verdict, branch.reason) == (Verdict.DROPPED, "PACKET_TOO_BIG")


def test_other_flags_are_sent_as_they_are():
    flags = TCPFlags.FIN | TCPFlags.ACK

    def takes(world, packet):
        world.enter("pod-web", packet)
        world.take("pod-web", packet, "default/web")

    answer = tracing({"FIN-ACK": takes}, replace(TCP_FLOW, flags=flags))
    assert answer.branches[0].legs[0].sent.l4.flags == flags
    assert (answer.verdict, len(answer.branches[0].legs)) == (Verdict.DELIVERED, 1)


def test_udp_is_a_query_and_its_answer():
    branch = tracing({"query": to_web, "answer": back_home}, replace(UDP_FLOW, payload=30)).branches[0]
    assert names(branch) == [("query", False), ("answer", True)]
    assert (branch.verdict, branch.legs[0].sent.payload) == (Verdict.DELIVERED, 30)


def test_icmp_is_an_echo_request_and_its_reply():
    def echo(world, packet):
        world.enter("pod-web", packet)
        world.take("pod-web", packet, "kernel", "echo reply")
        header = replace(packet.l4, type=0)
        world.send("pod-web", Packet(replace(packet.ip, src=packet.ip.dst, dst=packet.ip.src), header), "icmp")

    def echo_home(world, packet):
        world.enter("pod-client", packet)
        world.take("pod-client", packet, "client")

    branch = tracing({"echo request": echo, "echo reply": echo_home}, PING).branches[0]
    assert names(branch) == [("echo request", False), ("echo reply", True)]
    assert (branch.verdict, branch.legs[0].sent.l4.identifier) == (Verdict.DELIVERED, 40000)


def test_sctp_is_four_chunks():
    def init(world, packet):
        world.enter("pod-web", packet)
        world.take("pod-web", packet, "default/web")
        turned = SCTPHeader(packet.dport, packet.sport, SCTPChunk.INIT_ACK)
        world.send("pod-web", Packet(replace(packet.ip, src=VIP, dst=CLIENT), turned), "sctp")

    def home(world, packet):
        world.enter("pod-client", packet)
        world.take("pod-client", packet, "client")

    def cookie(world, packet):
        world.enter("pod-web", packet)
        world.take("pod-web", packet, "default/web")
        turned = SCTPHeader(packet.dport, packet.sport, SCTPChunk.COOKIE_ACK)
        world.send("pod-web", Packet(replace(packet.ip, src=VIP, dst=CLIENT), turned), "sctp")

    meets = {"INIT": init, "INIT-ACK": home, "COOKIE-ECHO": cookie, "COOKIE-ACK": home}
    branch = tracing(meets, replace(TCP_FLOW, protocol=Protocol.SCTP)).branches[0]
    assert [leg.name for leg in branch.legs] == ["INIT", "INIT-ACK", "COOKIE-ECHO", "COOKIE-ACK"]
    assert branch.verdict is Verdict.DELIVERED


def test_without_a_route_there_is_no_packet():
    branch = tracing({"SYN": dying(DropReason.NO_PEER)}, source=None).branches[0]
    assert (branch.verdict, branch.reason) == (Verdict.NO_ROUTE, "NO_ROUTE")
    assert (branch.legs[0].name, branch.legs[0].sent) == ("no packet", None)
    assert not any(isinstance(step, LocalSend) for hop in branch.forward for step in hop.steps)
    assert branch.sentence == "default/client has no route to 10.96.0.10"


def test_a_given_source_address_is_used():
    branch = tracing(GOOD_TCP, replace(TCP_FLOW, source=NODE1), source=None).branches[0]
    assert branch.legs[0].sent.ip.src == NODE1


def test_what_was_prepared_is_not_part_of_the_recording():
    def earlier(world):
        world.send("pod-client", Packet(IPHeader(CLIENT, VIP, Protocol.UDP), UDPHeader(1, 53)), "somebody")
        world.run()

    meets = {**GOOD_TCP, "query": to_web, "answer": back_home}
    branch = tracing(meets, prepare=earlier).branches[0]
    assert [leg.name for leg in branch.legs][:1] == ["SYN"]


# --- which branches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "backend"),
    [
        pytest.param(Selection(pick=1), BACKENDS[0], id="pick-1"),
        pytest.param(Selection(pick=2), BACKENDS[1], id="pick-2"),
        pytest.param(Selection(backend=(BACKENDS[1], 8080)), BACKENDS[1], id="backend"),
    ],
)
def test_a_selected_branch_keeps_its_probability(selection, backend):
    answer = tracing(GOOD_TCP, selection=selection)
    assert [branch.backend for branch in answer.branches] == [(backend, 8080)]
    assert answer.branches[0].probability == (Fraction(1, 3) if backend is BACKENDS[0] else Fraction(2, 3))


def test_a_seed_follows_one_branch_and_always_the_same():
    drawn = [tracing(GOOD_TCP, selection=Selection(seed=seed)) for seed in (1, 1, 2, 3, 4, 5)]
    assert drawn[0] == drawn[1]
    assert all(len(answer.branches) == 1 for answer in drawn)
    assert {answer.branches[0].backend[0] for answer in drawn} == set(BACKENDS)


@pytest.mark.parametrize(
    ("selection", "message", "help_line"),
    [
        pytest.param(Selection(pick=3), "there is no branch 3", "the flow has 2 branches", id="pick"),
        pytest.param(
            Selection(backend=(VIP, 1)),
            "no branch goes to 10.96.0.10:1",
            "the branches go to: 10.244.1.7:8080, 10.244.1.8:8080",
            id="backend",
        ),
    ],
)
def test_a_branch_that_does_not_exist_is_an_error_that_says_which_do(selection, message, help_line):
    with pytest.raises(SelectionError) as raised:
        tracing(GOOD_TCP, selection=selection)
    assert (raised.value.message, raised.value.help) == (message, help_line)


@pytest.mark.parametrize("given", [{"pick": 0}, {"pick": 1, "seed": 1}])
def test_a_selection_that_says_nothing_is_refused(given):
    with pytest.raises(SelectionError):
        Selection(**given)


def test_more_branches_than_the_bound_are_summed_up():
    answer = tracing(GOOD_TCP, limit=1)
    rest = answer.branches[1]
    assert (rest.verdict, rest.reason, rest.probability) == (Verdict.UNKNOWN, "NOT_EXPLORED", Fraction(2, 3))
    assert sum(branch.probability for branch in answer.branches) == 1
    assert answer.total is None
    assert answer.assumptions == ("only the first 1 branches were walked; the others have probability 2/3 together",)


def test_a_random_port_is_an_assumption():
    def masquerading(world, packet):
        world.chooser.port("source port of MASQUERADE on node1", 1024, 65535)
        to_web(world, packet)

    answer = tracing({**GOOD_TCP, "SYN": masquerading}, assumptions=("the CNI is flannel",))
    assert len(answer.assumptions) == 2
    assert answer.assumptions[0] == "the CNI is flannel"
    assert "picked at random by the kernel from 1024-65535; shown: " in answer.assumptions[1]
