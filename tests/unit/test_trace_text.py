"""What a person reads: the answer first, then why, what to do and the evidence, at four levels of detail."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import ICMPHeader, IPHeader, Packet, Protocol
from netsim.render.form import Detail, Format, filled
from netsim.render.steps import rewrite_of, step_lines, telling
from netsim.render.style import COLOUR, PLAIN
from netsim.render.text import headline, place_text, render_text
from netsim.rules.source import Origin
from netsim.rules.xtables.ast import Jump, MarkTarget, Rule
from netsim.rules.xtables.ast import Verdict as Target
from netsim.stack.reasons import DropReason
from netsim.stack.steps import (
    BridgeDecision,
    ConntrackStep,
    Drop,
    Hook,
    NATStep,
    NeighbourResolution,
    NotModelled,
    RoutingDecision,
    RuleEvaluation,
    SocketLookup,
    Transmit,
    TTLStep,
)
from netsim.trace.model import Place
from netsim.trace.selection import Selection
from tests.unit.trace_world import (
    BACKENDS,
    CLIENT,
    GOOD_TCP,
    M1,
    M2,
    TCP_FLOW,
    VIP,
    chain_pass,
    circling,
    dying,
    home,
    lost,
    ref,
    reject_rule,
    to_web,
    tracing,
)

HALF = Fraction(1, 2)
NO_ENDPOINTS = replace(reject_rule("default/web:http has no endpoints"), origin=Origin("kube-proxy on node1", 8))


def dead_first(world, packet):
    """The first backend's node drops the packet; the other takes it."""
    if world.chooser.choose("which", (("bad", HALF), ("good", HALF))) == 0:
        world.enter("node1", packet)
        world.drop(
            "node1",
            DropReason.NETFILTER_REJECT,
            "FORWARD",
            ref=ref(NO_ENDPOINTS),
            table="filter",
            detail="icmp-port-unreachable",
        )
    else:
        to_web(world, packet)


def test_the_first_line_is_the_answer():
    first = render_text(tracing(GOOD_TCP)).splitlines()[0]
    assert first == (
        "DELIVERED to default/web (1 of 2 branches, 1/3): 10.244.0.5:40000 → 10.96.0.10:80 arrives as "
        "10.244.0.5:40000 → 10.244.1.7:8080, and the answer comes back to default/client."
    )


@pytest.mark.parametrize(
    ("options", "beginning"),
    [
        pytest.param({"selection": Selection(pick=2)}, "DELIVERED to default/web2 (2/3): ", id="pick"),
        pytest.param({"limit": 1}, "UNKNOWN (2/3): ", id="bound"),
        pytest.param({"expected": {"node1"}}, "MISDELIVERED (1 of 2 branches, 1/3): ", id="elsewhere"),
    ],
)
def test_the_share_of_the_branches(options, beginning):
    assert headline(tracing(GOOD_TCP, **options)).startswith(beginning)


def test_one_sure_branch_has_no_share():
    answer = tracing({"SYN": dying(DropReason.IP_FORWARDING_OFF)})
    assert headline(answer) == "DROPPED: node/node1 does not forward: its ip_forward is 0."


def test_minimal_is_verdict_and_rewrites_only():
    assert render_text(tracing(GOOD_TCP), detail=Detail.MINIMAL) == (
        "DELIVERED DELIVERED 1/3 10.244.1.7:8080 default/web\n"
        "  SYN node1 DNAT 10.96.0.10:80 → 10.244.1.7:8080\n"
        "  SYN-ACK node1 un-DNAT 10.244.1.7:8080 → 10.96.0.10:80\n"
        "DELIVERED DELIVERED 2/3 10.244.1.8:8080 default/web2\n"
        "  SYN node1 DNAT 10.96.0.10:80 → 10.244.1.8:8080\n"
        "  SYN-ACK node1 un-DNAT 10.244.1.8:8080 → 10.96.0.10:80\n"
    )


def test_minimal_says_what_is_not_there():
    answer = tracing({"SYN": dying(DropReason.NO_PEER)})
    assert render_text(answer, detail=Detail.MINIMAL) == "DROPPED NO_PEER 1 - -\n"


def test_summary_is_a_line_for_each_hop():
    answer = tracing(GOOD_TCP, selection=Selection(pick=1))
    assert render_text(answer, detail=Detail.SUMMARY).splitlines()[1:] == [
        "",
        "→ SYN  10.244.0.5:40000 → 10.96.0.10:80",
        "  default/client  sends 10.244.0.5:40000 → 10.96.0.10:80",
        "  node/node1      DNAT 10.96.0.10:80 → 10.244.1.7:8080",
        "  default/web     taken by default/web/main",
        "",
        "← SYN-ACK  10.244.1.7:8080 → 10.244.0.5:40000",
        "  default/web     sends 10.244.1.7:8080 → 10.244.0.5:40000",
        "  node/node1      un-DNAT 10.244.1.7:8080 → 10.96.0.10:80",
        "  default/client  taken by client",
        "",
        "→ ACK  10.244.0.5:40000 → 10.96.0.10:80",
        "  default/client  sends 10.244.0.5:40000 → 10.96.0.10:80",
        "  default/web     taken by default/web/main",
    ]


def test_a_healthy_flow_in_full():
    answer = tracing(GOOD_TCP, selection=Selection(pick=1))
    text = render_text(answer)
    assert text.splitlines()[2:23] == [
        "→ SYN  10.244.0.5:40000 → 10.96.0.10:80",
        "  default/client  on node1",
        "    send       10.244.0.5:40000 → 10.96.0.10:80, ttl 64, by client",
        "    transmit   eth0",
        "  node/node1",
        "    receive    eth0: 10.244.0.5:40000 → 10.96.0.10:80, ttl 64",
        "    conntrack  NEW ORIGINAL, a new entry",
        "    nat        PREROUTING: ACCEPT",
        '        -A KUBE-SVC-A -m comment --comment "default/web:http" -j DNAT',
        "            --to-destination 10.244.1.7:8080  [chance 1/3]",
        "    DNAT       10.96.0.10:80 → 10.244.1.7:8080",
        "    route      10.244.1.0/24 via 192.168.0.12 dev eth0",
        "    transmit   eth0",
        "  default/web  on node2",
        "    receive    eth0: 10.244.0.5:40000 → 10.244.1.7:8080, ttl 63",
        "    socket     taken by default/web/main; answer: SYN-ACK",
        "",
        "← SYN-ACK  10.244.1.7:8080 → 10.244.0.5:40000",
        "  default/web  on node2",
        "    send       10.244.1.7:8080 → 10.244.0.5:40000, ttl 64, by tcp",
        "    transmit   eth0",
    ]
    assert text.splitlines()[-3:] == [
        "→ ACK  10.244.0.5:40000 → 10.96.0.10:80",
        "  default/client  sends 10.244.0.5:40000 → 10.96.0.10:80",
        "  default/web     taken by default/web/main",
    ]


def test_all_has_the_rules_that_did_not_match_and_every_leg_in_full():
    text = render_text(tracing(GOOD_TCP, selection=Selection(pick=1)), detail=Detail.ALL, width=120)
    assert "\n        - -A PREROUTING -j DROP\n" in text
    assert "\n        + -A KUBE-SVC-A " in text
    assert "[SYN] seq 1000 ack 0" in text
    assert "02:00:00:00:00:01 → 02:00:00:00:00:02" in text
    assert text.count("    send       ") == 3


def test_branches_stand_in_a_table_and_share_their_beginning():
    text = render_text(tracing(GOOD_TCP))
    lines = text.splitlines()
    at = lines.index("BRANCH    PROBABILITY    VERDICT    REASON     BACKEND          RECEIVER")
    assert [line.split() for line in lines[at + 1 : at + 3]] == [
        ["1", "1/3", "DELIVERED", "DELIVERED", "10.244.1.7:8080", "default/web"],
        ["2", "2/3", "DELIVERED", "DELIVERED", "10.244.1.8:8080", "default/web2"],
    ]
    assert "branch 1 (1/3): DELIVERED to default/web" in lines
    told = lines[lines.index("branch 2 (2/3): DELIVERED to default/web2") :]
    assert told[1:6] == [
        "",
        "→ SYN  10.244.0.5:40000 → 10.96.0.10:80",
        "  … 1 hop as in branch 1",
        "  node/node1      DNAT 10.96.0.10:80 → 10.244.1.8:8080",
        "  default/web2    taken by default/web2/main",
    ]


def test_a_failure_says_reason_place_rule_and_what_to_do():
    lines = render_text(tracing({**GOOD_TCP, "SYN": dead_first})).splitlines()
    assert lines[0].startswith("REJECTED (1 of 3 branches, 1/2): connection refused: default/web:http has no endpoints")
    assert lines[2:12] == [
        "reason   NO_ENDPOINTS",
        "where    node node1, netns node1, hook FORWARD, table filter, chain KUBE-SERVICES, rule 1",
        'rule     -A KUBE-SERVICES -m comment --comment "default/web:http has no endpoints" -j REJECT',
        "         --reject-with icmp-port-unreachable",
        "written  kube-proxy on node1:8:1",
        "do       Compare the Service's selector and its targetPort's name with the labels and ports of its",
        "         pods, and look whether they are Ready.",
        "see      `kubectl get endpointslices -n default -l kubernetes.io/service-name=web`",
        "",
        lines[11],
    ]
    assert lines[11].startswith("BRANCH")


def test_a_failing_branch_beside_the_decisive_one_says_why():
    def two_failures(world, packet):
        if world.chooser.choose("which", (("a", HALF), ("b", HALF))) == 0:
            dying(DropReason.IP_FORWARDING_OFF)(world, packet)
        else:
            dying(DropReason.NO_CARRIER)(world, packet)

    text = render_text(tracing({"SYN": two_failures}))
    assert "branch 2 (1/2): DROPPED\n  the peer of eth0 of node/node1 is down.\n" in text
    assert "… 1 hop as in branch 1" in text


def test_many_branches_are_told_once_for_each_outcome():
    def sevenths(world, packet):
        world.chooser.choose("which", [(str(n), Fraction(1, 7)) for n in range(7)])
        dying(DropReason.IP_FORWARDING_OFF)(world, packet)

    text = render_text(tracing({"SYN": sevenths}))
    assert [line for line in text.splitlines() if line.startswith("branch ")] == ["branch 1 (1/7): DROPPED"]
    assert "6 more branches come to one of these outcomes; --pick N tells branch N in full." in text


def test_a_long_table_keeps_a_row_of_each_outcome():
    def thirtieths(world, packet):
        index = world.chooser.choose("which", [(str(n), Fraction(1, 30)) for n in range(30)])
        dying(DropReason.NO_CARRIER if index == 25 else DropReason.IP_FORWARDING_OFF)(world, packet)

    answer = tracing({"SYN": thirtieths})
    lines = render_text(answer).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("BRANCH"))
    rows = lines[at + 1 : at + 21]
    assert [int(row.split()[0]) for row in rows] == [*range(1, 20), 26]
    assert lines[at + 21].startswith("… and 10 more with these verdicts and reasons")
    assert "… and" not in render_text(answer, detail=Detail.ALL)


def test_a_circle_is_told_once():
    answer = tracing({"SYN": circling}, replace(TCP_FLOW, ttl=63))
    assert "reason   LOOP" in render_text(answer)
    assert render_text(answer, detail=Detail.SUMMARY).splitlines()[-6:] == [
        "→ SYN  10.244.0.5:40000 → 10.96.0.10:80",
        "  default/client  sends 10.244.0.5:40000 → 10.96.0.10:80",
        "  node/node1      passes",
        "  node/node2      passes",
        "  … 2 hops as these, 30 times more",
        "  node/node1      dropped at ip_forward: the TTL reached 0",
    ]
    assert render_text(answer, detail=Detail.ALL).count("\n  node/node2\n") == 31


def test_the_end_of_a_circle_is_never_folded():
    text = render_text(tracing({"SYN": circling}), detail=Detail.SUMMARY)
    assert text.splitlines()[-3:] == [
        "  … 2 hops as these, 30 times more",
        "  node/node1      passes",
        "  node/node2      dropped at ip_forward: the TTL reached 0",
    ]


def test_assumptions_stand_at_the_end():
    text = render_text(tracing(GOOD_TCP, assumptions=("the CNI is flannel",)))
    assert text.endswith("\nassumed\n  - the CNI is flannel\n")


def test_what_follows_a_rejection_is_told_in_short():
    def meets(world, packet):
        world.enter("node1", packet)
        world.drop("node1", DropReason.NETFILTER_REJECT, "FORWARD", ref=ref(NO_ENDPOINTS))
        world.send("node1", Packet(IPHeader(VIP, CLIENT, Protocol.ICMP), ICMPHeader(3, 3, quoted=packet)), "REJECT")

    text = render_text(tracing({"SYN": meets, "ICMP port unreachable": home}))
    assert "← ICMP port unreachable  10.96.0.10 → 10.244.0.5\n  node/node1      sends 10.96.0.10 → 10.244.0.5\n" in text


def test_the_deciding_reply_is_told_in_full():
    text = render_text(tracing({**GOOD_TCP, "SYN-ACK": lost}, selection=Selection(pick=1)))
    assert (
        "    DROP       ip_route_input_slow: reverse path filter: the source is not reached through that\n"
        "                 device [IP_RPFILTER]\n"
    ) in text


# --- steps ---------------------------------------------------------------------------------------------------------

PACKET = Packet(IPHeader(CLIENT, VIP, Protocol.ICMP), ICMPHeader(8, identifier=7))
QUOTING = PACKET.with_l4(type=3, code=3, quoted=PACKET)
STEPS = [
    ("flood", BridgeDecision("cni0", "veth1", "flood", ("a", "b"), M2, learned=True, detail="unknown"),
     "bridge     cni0: flood to a, b (unknown)"),
    ("local", BridgeDecision("cni0", "veth1", "local", (), M2, learned=False), "bridge     cni0: local"),
    ("nobody", NeighbourResolution("cni0", VIP, None, cached=False), "neighbour  10.96.0.10 on cni0 nobody answers"),
    ("no route", RoutingDecision("output", VIP, "unreachable", "", "main", None, None, None), "route      unreachable for 10.96.0.10"),
    ("table", RoutingDecision("input", VIP, "unicast", "default dev a", "7", "a", None, None), "route      default dev a (table 7)"),
    ("invalid", ConntrackStep(Hook.PREROUTING, "invalid", "INVALID", None, "", "out of window"), "conntrack  INVALID (out of window)"),
    ("confirm", ConntrackStep(Hook.INPUT, "confirm", "NEW", "ORIGINAL", "tcp"), "conntrack  NEW ORIGINAL, confirmed"),
    ("ttl", TTLStep(64, 63), "ttl        64 → 63"),
    ("no socket", SocketLookup(PACKET, None, "RST"), "socket     no socket takes it; answer: RST"),
    ("nameless socket", SocketLookup(PACKET, ""), "socket     taken by a socket"),
    ("identifier", NATStep(Hook.POSTROUTING, "SNAT", PACKET, PACKET.with_l4(identifier=9)), "SNAT       identifier 7 → 9"),
    ("quoted", NATStep(Hook.INPUT, "un-DNAT", QUOTING, QUOTING.with_l4(quoted=PACKET.with_ip(dst=BACKENDS[0]))),
     "un-DNAT    quoted packet 10.244.0.5 → 10.96.0.10 → 10.244.0.5 → 10.244.1.7"),
    ("unknown", NotModelled("match bpf", "FORWARD"), "UNKNOWN    not modelled at FORWARD: match bpf"),
    ("drop", Drop(DropReason.NO_PEER, "veth_xmit"), "DROP       veth_xmit: the device has no peer [NO_PEER]"),
    ("transmit", Transmit("eth0", PACKET, M1, M2), "transmit   eth0"),
    ("policy", chain_pass(Hook.FORWARD, "filter", verdict="DROP", policy=True), "filter     FORWARD: DROP by policy"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "line"), [pytest.param(*row[1:], id=row[0]) for row in STEPS])
def test_a_step_is_a_line(step, line):
    assert list(step_lines(step, Format())) == [line]


def test_both_ends_of_a_rewrite_are_shown():
    after = PACKET.with_ip(src=BACKENDS[0], dst=BACKENDS[1])
    step = NATStep(Hook.POSTROUTING, "MASQUERADE", PACKET, after)
    assert rewrite_of(step) == "10.244.0.5 → 10.244.1.7, 10.96.0.10 → 10.244.1.8"


def jump(chain, index, to, *, matched=True):
    return RuleEvaluation(ref(Rule(target=Jump(to)), chain, index=index), matched, f"jump {to}")


def end(chain, target=Target.RETURN, *, matched=True):
    return RuleEvaluation(ref(Rule(target=target), chain), matched, target.value)


@pytest.mark.parametrize(
    ("evaluations", "told"),
    [
        pytest.param([jump("FORWARD", 0, "A"), jump("FORWARD", 1, "B"), end("B")], [1, 2], id="into an empty chain"),
        pytest.param([jump("FORWARD", 0, "A"), end("A", matched=False)], [], id="nothing matched inside"),
        pytest.param([jump("FORWARD", 0, "A"), jump("A", 0, "B"), end("B", Target.DROP)], [0, 1, 2], id="deeper"),
        pytest.param([jump("FORWARD", 0, "A"), end("FORWARD", Target.ACCEPT)], [1], id="back in the caller"),
    ],
)
def test_jumps_that_come_to_nothing_are_left_out(evaluations, told):
    assert telling(evaluations) == [evaluations[index] for index in told]


def test_a_mark_is_said_beside_the_rule():
    rule = Rule(target=MarkTarget(0x4000, 0x4000))
    evaluation = RuleEvaluation(ref(rule, "KUBE-MARK-MASQ", "nat"), matched=True, effect="mark 0x0 → 0x4000")
    lines = list(step_lines(chain_pass(Hook.PREROUTING, "nat", evaluation), Format()))
    assert lines[1] == "    -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000  [mark 0x0 → 0x4000]"


def test_options_stay_with_their_values():
    assert filled(["-A X", "-m comment", "--comment a", "-j Y"], 15) == ["-A X -m comment", "--comment a", "-j Y"]
    assert filled(["a-very-long-word"], 5) == ["a-very-long-word"]


def test_a_place_says_what_applies():
    assert place_text(Place("pod-a", None)) == "netns pod-a"
    assert place_text(Place("node1", "node1", Hook.INPUT, "filter", "KUBE-FIREWALL", None)) == (
        "node node1, netns node1, hook INPUT, table filter, chain KUBE-FIREWALL"
    )


# --- colour and width ------------------------------------------------------------------------------------------------


def test_colour_adds_nothing_but_sequences():
    answer = tracing({**GOOD_TCP, "SYN": dead_first})
    coloured = render_text(answer, style=COLOUR)
    assert coloured.startswith("\x1b[1;31mREJECTED\x1b[0m")
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_text(answer, style=PLAIN)


def test_the_evidence_keeps_to_the_width():
    lines = render_text(tracing({**GOOD_TCP, "SYN": dead_first}), width=80).splitlines()
    wide = [line for line in lines if len(line) > 80]
    assert [line.split()[0] for line in wide] == ["REJECTED"]


def test_ipv6_ends_are_bracketed():
    client, service = parse_address("fd00::5"), parse_address("fd00:96::10")
    flow = replace(tracing(GOOD_TCP).flow, destination=service)
    text = render_text(tracing({"SYN": dying(DropReason.NO_PEER)}, flow, source=client))
    assert "→ SYN  [fd00::5]:40000 → [fd00:96::10]:80" in text
