"""What each end of each packet means: one row for each verdict's reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import ICMPHeader, IPHeader, Packet, Protocol
from netsim.rules.xtables.ast import ConntrackMatch, CtState, Rule
from netsim.rules.xtables.ast import Verdict as Target
from netsim.stack.reasons import DropReason
from netsim.stack.steps import BridgeDecision, Hook, NeighbourResolution, NotModelled
from netsim.trace.model import Verdict
from netsim.trace.reasons import PLACEHOLDERS, REPLY_PREFIX, reasons
from netsim.trace.verdict import DROPS, RULES
from tests.unit.trace_world import (
    BACKENDS,
    CLIENT,
    GOOD_TCP,
    M2,
    NODE1,
    TCP_FLOW,
    UDP_FLOW,
    VIP,
    back_home,
    chain_pass,
    circling,
    drop_rule,
    dying,
    home,
    lost,
    out_by_service,
    ref,
    refused,
    reject_rule,
    syn_ack,
    to_web,
    tracing,
)

REJECT, DROP = DropReason.NETFILTER_REJECT, DropReason.NETFILTER_DROP
INVALID_RULE = Rule(matches=(ConntrackMatch(states=frozenset({CtState.INVALID})),), target=Target.DROP)


def judged(meets, **more):
    branch = tracing({**GOOD_TCP, "RST": home, **meets}, **more).branches[0]
    return branch.verdict.value, branch.reason


# --- on the way out -------------------------------------------------------------------------------------------------

BY_RULE = [
    # id, drop, rule, chain, verdict, reason
    ("no endpoints", REJECT, reject_rule("default/web:http has no endpoints"), "KUBE-SERVICES", "REJECTED", "NO_ENDPOINTS"),
    ("no local endpoints", DROP, drop_rule("default/web has no local endpoints"), "KUBE-SERVICES", "DROPPED", "NO_LOCAL_ENDPOINTS"),
    ("no comment: REJECT", REJECT, Rule(target=reject_rule("").target), "KUBE-SERVICES", "REJECTED", "NO_ENDPOINTS"),
    ("no comment: DROP", DROP, drop_rule(), "KUBE-SERVICES", "DROPPED", "NO_LOCAL_ENDPOINTS"),
    ("source ranges", DROP, drop_rule("a/b traffic not accepted by KUBE-FW-X"), "KUBE-PROXY-FIREWALL", "DROPPED", "SOURCE_RANGE_DENIED"),
    ("source ranges, ipvs", DROP, drop_rule(), "KUBE-SOURCE-RANGES-FIREWALL", "DROPPED", "SOURCE_RANGE_DENIED"),
    ("localnet", DROP, drop_rule("block incoming localnet connections"), "KUBE-FIREWALL", "DROPPED", "LOCALNET_BLOCKED"),
    ("vip port", REJECT, reject_rule(""), "KUBE-IPVS-FILTER", "REJECTED", "VIP_PORT_NOT_SERVED"),
    ("invalid", DROP, INVALID_RULE, "KUBE-FORWARD", "DROPPED", "INVALID_STATE_DROP"),
    ("some drop", DROP, drop_rule("has no endpoints in mind"), "FORWARD", "DROPPED", "RULE_DROP"),
    ("some reject", REJECT, reject_rule("go away"), "FORWARD", "REJECTED", "RULE_REJECT"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("drop", "rule", "chain", "verdict", "code"), [pytest.param(*row[1:], id=row[0]) for row in BY_RULE]
)
def test_a_rule_says_why(drop, rule, chain, verdict, code):
    assert judged({"SYN": dying(drop, "FORWARD", ref=ref(rule, chain))}) == (verdict, code)


def test_a_drop_without_a_rule_is_the_policy():
    def meets(world, packet):
        world.enter("node1", packet)
        world.step("node1", chain_pass(Hook.FORWARD, "filter", verdict="DROP", policy=True))
        world.drop("node1", DROP, "nf_hook_slow", table="filter", chain="FORWARD")

    branch = tracing({"SYN": meets}).branches[0]
    assert (branch.verdict, branch.reason) == (Verdict.DROPPED, "POLICY_DROP")
    assert (branch.where.hook, branch.where.table, branch.where.chain) == (Hook.FORWARD, "filter", "FORWARD")
    assert (
        branch.sentence
        == "no rule of node/node1 accepts the packet, and the policy of chain FORWARD in table filter is DROP"
    )


SPECIAL = {DROP, DropReason.NO_SOCKET, DropReason.TCP_INVALID}


@pytest.mark.parametrize(
    "drop", [reason for reason in DropReason if reason not in SPECIAL], ids=lambda reason: reason.name
)
def test_every_drop_on_the_way_out_has_its_reason(drop):
    verdict, code = judged({"SYN": dying(drop)})
    assert code == DROPS[drop]
    assert verdict == reasons()[code].verdict.value


@pytest.mark.parametrize("drop", list(DropReason), ids=lambda reason: reason.name)
def test_every_drop_on_the_way_back_has_its_reason(drop):
    def meets(world, packet):
        world.enter("node2", packet)
        world.drop("node2", drop, "there")

    _, code = judged({"SYN-ACK": meets, "RST": home})
    assert code in reasons()
    assert code.startswith(REPLY_PREFIX)


def test_the_table_of_drops_is_total_and_names_existing_reasons():
    assert set(DROPS) == set(DropReason)
    assert set(DROPS.values()) <= set(reasons())
    assert {row.code for row in RULES} <= set(reasons())


def outside(world, packet):
    world.enter("node1", packet)
    world.leave("node1", packet)
    world.enter("outside", packet)


def not_modelled(world, packet):
    world.enter("node1", packet)
    world.step("node1", NotModelled("match bpf", "FORWARD", ref(drop_rule(), "FORWARD")))


def hairpin_off(world, packet):
    packet, _ = out_by_service(world, packet)
    world.step("node1", BridgeDecision("cni0", "veth7", "drop", (), M2, learned=True))
    world.drop("node1", DropReason.BRIDGE_INGRESS_EGRESS, "br_forward")


def dead_pod(world, packet):
    packet, _ = out_by_service(world, packet)
    world.enter("node2", packet)
    world.step("node2", NeighbourResolution("cni0", packet.ip.dst, None, cached=False))
    world.drop("node2", DropReason.NEIGH_FAILED, "ip_finish_output2")


def closed_after_dnat(world, packet):
    packet, _ = out_by_service(world, packet)
    refused("node2")(world, packet)


OUT = [
    ("ttl in a circle", circling, "LOOP", "LOOP"),
    ("left", outside, "LEFT", "LEFT_MODEL"),
    ("not modelled", not_modelled, "UNKNOWN", "NOT_MODELLED"),
    ("hairpin", hairpin_off, "DROPPED", "HAIRPIN_OFF"),
    ("dead pod", dead_pod, "DROPPED", "NEIGHBOUR_FAILED"),
    ("pod's port closed", refused("pod-web"), "REJECTED", "PORT_CLOSED"),
    ("node's port closed", refused("node2"), "REJECTED", "NODE_PORT_CLOSED"),
    ("host network pod's port closed", closed_after_dnat, "REJECTED", "PORT_CLOSED"),
    ("no connection", refused("pod-web", DropReason.TCP_INVALID), "REJECTED", "NO_CONNECTION"),
    ("silence", dying(DropReason.NO_SOCKET, netns="pod-web"), "DROPPED", "NOT_ANSWERED"),
    ("silence to a reset", dying(DropReason.TCP_INVALID, netns="pod-web"), "DROPPED", "NOT_ANSWERED"),
    ("no end", lambda world, packet: world.enter("node1", packet), "UNKNOWN", "NO_ENDING"),
]


@pytest.mark.parametrize(("meets", "verdict", "code"), [pytest.param(*row[1:], id=row[0]) for row in OUT])
def test_on_the_way_out(meets, verdict, code):
    assert judged({"SYN": meets}) == (verdict, code)


def test_a_small_ttl_is_no_circle():
    assert judged({"SYN": circling}, flow=replace(TCP_FLOW, ttl=3)) == ("DROPPED", "TTL_EXCEEDED")


def test_a_hairpin_through_one_host_is_no_circle():
    def meets(world, packet):
        packet = world.forward("node1", packet)
        packet = world.translate("node1", packet, Hook.PREROUTING, "DNAT", dst=BACKENDS[0], dport=8080)
        packet = world.forward("node1", packet)
        world.enter("node2", packet)
        world.drop("node2", DropReason.TTL_EXCEEDED, "ip_forward")

    assert judged({"SYN": meets}) == ("DROPPED", "TTL_EXCEEDED")


def test_the_backend_of_a_packet_that_did_not_arrive_is_where_it_was_sent():
    branch = tracing({"SYN": dead_pod}).branches[0]
    assert branch.backend == (BACKENDS[0], 8080)
    assert branch.sentence == "nobody on cni0 of node/node2 answers for 10.244.1.7 (no route to host)"


def test_what_left_was_sent_out_by_the_last_machine():
    branch = tracing({"SYN": outside}).branches[0]
    assert branch.where.netns == "node1"
    assert "no rule on node/node1 translated it" in branch.advice


def test_a_hairpin_names_the_port():
    branch = tracing({"SYN": hairpin_off}).branches[0]
    assert "does not send the frame back out of veth7" in branch.sentence


def test_a_refusal_says_what_to_do():
    branch = tracing({"SYN": closed_after_dnat, "RST": home}).branches[0]
    assert (
        branch.sentence
        == "connection refused: nothing listens on 10.244.1.7:8080 in node/node2, which answers with RST"
    )
    assert "targetPort" in branch.advice
    assert branch.where.function == "tcp_v4_rcv"


def test_a_rejection_that_does_not_come_back_says_so():
    branch = tracing({"SYN": closed_after_dnat, "RST": lost}).branches[0]
    assert (branch.verdict, branch.reason) == (Verdict.REJECTED, "PORT_CLOSED")
    assert branch.sentence.endswith("; but the RST does not come back to the client, which waits in vain")


def unreachable(world, packet):
    dead_pod(world, packet)
    header = ICMPHeader(3, 1, quoted=packet)
    world.send("node2", Packet(IPHeader(NODE1, CLIENT, Protocol.ICMP), header), "icmp")


@pytest.mark.parametrize(
    ("back", "said"),
    [
        pytest.param(home, "; the client is told by ICMP host unreachable", id="told"),
        pytest.param(
            lost, "; but the ICMP host unreachable does not come back to the client, which waits in vain", id="lost"
        ),
    ],
)
def test_what_the_client_hears_of_a_drop(back, said):
    branch = tracing({"SYN": unreachable, "ICMP host unreachable": back}).branches[0]
    assert (branch.verdict, branch.reason) == (Verdict.DROPPED, "NEIGHBOUR_FAILED")
    assert branch.sentence.endswith(said)


def test_no_endpoints_names_the_service_and_the_answer():
    rule = reject_rule("default/web:http has no endpoints")

    def meets(world, packet):
        world.enter("node1", packet)
        world.drop("node1", REJECT, "FORWARD", ref=ref(rule))
        header = ICMPHeader(3, 3, quoted=packet)
        world.send("node1", Packet(IPHeader(NODE1, CLIENT, Protocol.ICMP), header), "REJECT")

    branch = tracing({"SYN": meets, "ICMP port unreachable": home}).branches[0]
    assert branch.sentence == (
        "connection refused: default/web:http has no endpoints, and node/node1 answers with ICMP port unreachable"
    )
    assert "kubectl get endpointslices -n default -l kubernetes.io/service-name=web" in branch.advice
    assert (branch.where.hook, branch.where.chain) == (Hook.FORWARD, "KUBE-SERVICES")
    assert [leg.name for leg in branch.legs] == ["SYN", "ICMP port unreachable"]


def test_delivery_where_it_was_not_meant():
    assert judged({}, expected={"node2"}) == ("MISDELIVERED", "ARRIVED_ELSEWHERE")
    assert judged({}, expected={"pod-web", "pod-web2"}) == ("DELIVERED", "DELIVERED")


# --- floods --------------------------------------------------------------------------------------------------------


def flooded(deciding):
    """A bridge sends a copy to another host, before and after the one that matters."""

    def meets(world, packet):
        packet, pod = out_by_service(world, packet)
        world.enter("pod-web2", packet)
        world.drop("pod-web2", DropReason.OTHERHOST, "ip_rcv_core")
        deciding(world, packet, pod)
        world.enter("node1", packet)
        world.drop("node1", DropReason.OTHERHOST, "ip_rcv_core")

    return meets


def test_copies_for_other_hosts_do_not_decide():
    def arrives(world, packet, pod):
        world.enter(pod, packet)
        world.take(pod, packet, "default/web", "SYN-ACK")
        world.send(pod, syn_ack(packet), "tcp")

    branch = tracing({**GOOD_TCP, "SYN": flooded(arrives)}, one_way=True).branches[0]
    assert branch.reason == "DELIVERED_ONE_WAY"
    assert [hop.netns for hop in branch.forward] == ["pod-client", "node1", "pod-web2", "pod-web", "node1"]


def test_the_copy_that_got_furthest_decides():
    def dies(world, packet, pod):
        world.enter(pod, packet)
        world.drop(pod, DropReason.IP_RPFILTER, "ip_route_input_slow")

    assert judged({"SYN": flooded(dies)}) == ("DROPPED", "RP_FILTER")
    assert judged({"SYN": flooded(lambda *_: None)}) == ("DROPPED", "WRONG_MAC")


# --- the way back --------------------------------------------------------------------------------------------------


def untranslated(world, packet):
    """The bridge switches the answer: nobody un-NATs it, and the client knows no such peer."""
    world.leave("pod-web", packet)
    refused("pod-client", DropReason.TCP_INVALID)(world, packet)


def taken_from_wrong_peer(world, packet):
    world.enter("pod-client", packet)
    world.take("pod-client", packet, "client")


def wrong_port(world, packet):
    refused("pod-client")(world, packet.with_ip(src=VIP).with_l4(sport=80, dport=1))


BACK = [
    ("switched", untranslated, "MISDELIVERED", "REPLY_FROM_OTHER_PEER"),
    ("socket that takes all", taken_from_wrong_peer, "MISDELIVERED", "REPLY_FROM_OTHER_PEER"),
    ("another port of the peer", lambda w, p: back_home(w, p, sport=81), "MISDELIVERED", "REPLY_FROM_OTHER_PEER"),
    ("no such socket", wrong_port, "MISDELIVERED", "REPLY_UNEXPECTED"),
    ("refused elsewhere", refused("node2"), "MISDELIVERED", "REPLY_TO_OTHER_HOST"),
    ("taken elsewhere", lambda w, p: w.take("node2", p, "sshd"), "MISDELIVERED", "REPLY_TO_OTHER_HOST"),
    ("taken by another process", lambda w, p: w.take("pod-client", p, "other"), "MISDELIVERED", "REPLY_TO_OTHER_HOST"),
    ("left", outside, "MISDELIVERED", "REPLY_LEFT_MODEL"),
    ("rp_filter", lost, "DROPPED", "REPLY_RP_FILTER"),
    (
        "policy",
        lambda w, p: w.drop("node1", DROP, "FORWARD", table="filter", chain="FORWARD"),
        "DROPPED",
        "REPLY_POLICY_DROP",
    ),
    ("no route", lambda w, p: w.drop("node2", DropReason.IP_INNOROUTES), "NO_ROUTE", "REPLY_NO_ROUTE"),
    ("not modelled", lambda w, p: w.step("node2", NotModelled("seg6", "ip_rcv")), "UNKNOWN", "NOT_MODELLED"),
]


@pytest.mark.parametrize(("meets", "verdict", "code"), [pytest.param(*row[1:], id=row[0]) for row in BACK])
def test_on_the_way_back(meets, verdict, code):
    assert judged({"SYN-ACK": meets}) == (verdict, code)


def test_a_wrong_peer_is_named():
    branch = tracing({**GOOD_TCP, "SYN-ACK": untranslated, "RST": home}).branches[0]
    assert branch.sentence == (
        "the SYN-ACK comes from 10.244.1.7:8080, but default/client had asked 10.96.0.10:80: it ignores or resets what it does not know"
    )
    assert [(leg.name, leg.reply) for leg in branch.legs] == [("SYN", False), ("SYN-ACK", True), ("RST", False)]


def test_a_lost_reply_has_its_place():
    branch = tracing({**GOOD_TCP, "SYN-ACK": lost}).branches[0]
    assert (branch.where.netns, branch.where.function) == ("node2", "ip_route_input_slow")
    assert branch.sentence.startswith(
        "the SYN-ACK 10.244.1.7:8080 → 10.244.0.5:40000 does not come back: the route of node/node2"
    )


def test_a_lost_ack_counts():
    assert judged({"ACK": dying(DROP, "FORWARD", ref=ref(INVALID_RULE, "KUBE-FORWARD"))}) == (
        "DROPPED",
        "INVALID_STATE_DROP",
    )


def test_silence_is_not_delivery():
    def mute(world, packet):
        packet, pod = out_by_service(world, packet)
        world.take(pod, packet, "default/web")

    assert judged({"SYN": mute}) == ("UNKNOWN", "NO_ANSWER")
    assert judged({"query": mute}, flow=UDP_FLOW) == ("UNKNOWN", "NO_ANSWER")


def test_an_unwanted_udp_answer():
    def elsewhere(world, packet):
        world.enter("pod-client", packet)
        world.drop("pod-client", DropReason.UDP_UNEXPECTED_PEER, "udp_queue_rcv_skb")

    assert judged({"query": to_web, "answer": elsewhere}, flow=UDP_FLOW) == ("MISDELIVERED", "REPLY_FROM_OTHER_PEER")


def test_the_worst_branch_is_the_traces_verdict():
    def one_of_two(world, packet):
        packet, pod = out_by_service(world, packet)
        if pod == "pod-web":
            world.drop("node2", DropReason.NEIGH_FAILED)
        else:
            to_web_again(world, packet, pod)

    def to_web_again(world, packet, pod):
        world.take(pod, packet, "default/web", "SYN-ACK")
        world.send(pod, syn_ack(packet), "tcp")

    answer = tracing({**GOOD_TCP, "SYN": one_of_two}, one_way=True)
    assert [branch.verdict for branch in answer.branches] == [Verdict.DROPPED, Verdict.DELIVERED]
    assert answer.verdict is Verdict.DROPPED
    assert answer.decisive is answer.branches[0]


# --- the texts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", reasons().values(), ids=lambda row: row.code)
def test_every_text_can_be_printed(row):
    assert row.say(PLACEHOLDERS)
    assert not row.say(PLACEHOLDERS).endswith(".")
    assert row.meaning.endswith(".")
    assert "`" in row.see
    assert bool(row.advise(PLACEHOLDERS)) == (row.verdict is not Verdict.DELIVERED)


def test_an_ipv6_packet_is_shown_with_ip6tables():
    client, service = parse_address("fd00::5"), parse_address("fd00:96::10")
    flow = replace(UDP_FLOW, destination=service)
    drop = dying(DROP, "FORWARD", ref=ref(drop_rule("x"), "FORWARD"))
    branch = tracing({"query": drop}, flow, source=client).branches[0]
    assert "ip6tables -t filter -vnL FORWARD" in branch.advice


def test_the_documented_table_is_the_table():
    from netsim.render.reference import markdown

    assert Path(__file__).parents[2].joinpath("docs/verdicts.md").read_text() == markdown()
