"""Two pods on one bridge, with and without br_netfilter.

``tests/differential/kernel/test_stack_kernel.py`` puts the same rows to the real kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from netsim.stack.reasons import DropReason
from netsim.stack.steps import BridgeDecision, ChainPass, Hook, TTLStep
from netsim.topology.model import Topology
from tests.unit.stack_world import Walk, same_node, with_device

OTHER, SELF = "10.244.0.3", "10.244.0.2"


def rules(backend: str, *, masquerade: bool) -> str:
    post = "-A POSTROUTING -p tcp -m tcp --dport 80 -j MASQUERADE\n" if masquerade else ""
    return (
        "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A FORWARD -m physdev --physdev-is-bridged\nCOMMIT\n"
        "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n"
        f"-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination {backend}:80\n{post}COMMIT\n"
    )


@dataclass(frozen=True)
class Row:
    nf: int
    hairpin: bool
    backend: str
    forward: int = 1
    masquerade: bool = False
    rp_filter: int = 0

    @property
    def id(self) -> str:
        who = "self" if self.backend == SELF else "other"
        extra = ("-masq" if self.masquerade else "") + (f"-rp{self.rp_filter}" if self.rp_filter else "")
        return f"nf{self.nf}-hairpin{self.hairpin:d}-{who}-fwd{self.forward}{extra}"


ROWS: list[tuple[Row, list[str], tuple[str, DropReason] | None]] = [
    # the row; what the client hears after its SYN; where and why something died
    (Row(1, True, OTHER), ["SYN-ACK from 10.96.0.10"], None),
    (Row(1, False, OTHER), ["SYN-ACK from 10.96.0.10"], None),
    (Row(1, False, OTHER, rp_filter=1), ["SYN-ACK from 10.96.0.10"], None),
    # the reply is switched and never un-NATed: the client resets it (k/k#87426)
    (Row(0, True, OTHER), [], ("a", DropReason.TCP_INVALID)),
    # bridged DNAT is routed after all: without ip_forward it dies
    (Row(1, True, OTHER, forward=0), [], ("n", DropReason.IP_FORWARDING_OFF)),
    (Row(0, True, OTHER, forward=0), [], ("n", DropReason.IP_FORWARDING_OFF)),
    (Row(1, True, OTHER, masquerade=True), ["SYN-ACK from 10.96.0.10"], None),
    (Row(0, True, OTHER, masquerade=True), ["SYN-ACK from 10.96.0.10"], None),
    # to itself: its own address as the source is a martian
    (Row(1, True, SELF), [], ("a", DropReason.IP_LOCAL_SOURCE)),
    (Row(1, True, SELF, masquerade=True), ["SYN-ACK from 10.96.0.10"], None),
    (Row(1, False, SELF, masquerade=True), [], ("n", DropReason.BRIDGE_INGRESS_EGRESS)),
    # routed out of the bridge device, a frame has no ingress port: hairpin_mode does not matter
    (Row(0, False, SELF, masquerade=True), ["SYN-ACK from 10.96.0.10"], None),
    (Row(0, False, SELF), [], ("a", DropReason.IP_LOCAL_SOURCE)),
]


def world(row: Row) -> Topology:
    sysctls = {
        "net.bridge.bridge-nf-call-iptables": str(row.nf),
        "net.ipv4.ip_forward": str(row.forward),
        "net.ipv4.conf.all.rp_filter": str(row.rp_filter),
    }
    return same_node(hairpin=row.hairpin, sysctls=sysctls, rules=rules(row.backend, masquerade=row.masquerade))


def walk(row: Row) -> Walk:
    return Walk(world(row)).tcp("a", "10.96.0.10")


@pytest.mark.parametrize(("row", "heard", "died"), ROWS, ids=[row.id for row, _, _ in ROWS])
def test_a_service_of_the_same_bridge(row, heard, died):
    seen = walk(row)
    assert seen.heard == heard
    assert seen.drops[:1] == ([died] if died else [])


def test_bridged_frames_pass_each_hook_once_and_keep_their_ttl():
    seen = walk(Row(1, False, OTHER))
    syn = [step.hook for step in seen.of(ChainPass, "n") if step.table == "nat"]
    assert syn == [Hook.PREROUTING, Hook.POSTROUTING]
    filtered = [step for step in seen.of(ChainPass, "n") if step.table == "filter"]
    assert [step.hook for step in filtered] == [Hook.FORWARD, Hook.FORWARD]
    assert all(step.evaluations[0].matched for step in filtered), "--physdev-is-bridged"
    assert not seen.of(TTLStep)


def test_a_packet_that_the_bridge_passed_up_does_not_pass_prerouting_twice():
    text = "*mangle\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n"
    for nf in ("0", "1"):
        net = same_node(sysctls={"net.bridge.bridge-nf-call-iptables": nf}, rules=text)
        hooks = [step.hook for step in Walk(net).ping("a", "10.244.0.1").of(ChainPass, "n")]
        assert hooks == [Hook.PREROUTING, Hook.INPUT, Hook.OUTPUT, Hook.POSTROUTING]


@pytest.mark.parametrize(("nf", "hooks"), [("0", []), ("1", [Hook.PREROUTING, Hook.FORWARD, Hook.POSTROUTING])])
def test_switched_frames_are_shown_to_the_ip_hooks_only_with_br_netfilter(nf, hooks):
    text = "*mangle\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n"
    net = same_node(sysctls={"net.bridge.bridge-nf-call-iptables": nf}, rules=text)
    seen = Walk(net).udp("a", OTHER)
    assert [step.hook for step in seen.of(ChainPass, "n")] == hooks * 2
    assert seen.heard == ["answer from 10.244.0.3"]


@pytest.mark.parametrize(
    ("dst", "dport", "made"),
    [(OTHER, 81, []), ("10.244.0.1", 81, []), ("10.244.0.1", 90, [Hook.OUTPUT])],
    ids=["bridged", "came in on the bridge", "not rejected"],
)
def test_a_reset_to_what_came_in_on_a_bridge_leaves_through_its_port_past_output(dst, dport, made):
    text = (
        "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n"
        "-A INPUT -p tcp -m tcp --dport 81 -j REJECT --reject-with tcp-reset\n"
        "-A FORWARD -p tcp -m tcp --dport 81 -j REJECT --reject-with tcp-reset\nCOMMIT\n"
    )
    seen = Walk(same_node(rules=text)).tcp("a", dst, dport)
    assert seen.heard == [f"RST-ACK from {dst}"]
    assert [step.hook for step in seen.of(ChainPass, "n") if step.hook is Hook.OUTPUT] == made


def test_a_bridged_packet_is_rejected_with_an_icmp_error_of_the_node():
    text = (
        "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n"
        "-A FORWARD -p udp -m udp --dport 53 -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n"
    )
    assert Walk(same_node(rules=text)).udp("a", OTHER).heard == ["error 3/3 from 10.244.0.1"]


def test_isolated_ports_do_not_talk_but_reach_the_bridge():
    net = same_node()
    for name in ("vetha", "vethb"):
        port = net.namespaces["n"].device(name).port
        net = with_device(net, f"n/{name}", port=type(port)("cni0", isolated=True))
    assert Walk(net).ping("a", OTHER).drops == [("a", DropReason.NEIGH_FAILED)]
    assert Walk(net).ping("a", "10.244.0.1").heard == ["icmp 0 from 10.244.0.1"]


def test_the_bridge_learns_from_arp_and_forgets_after_the_ageing_time():
    seen = Walk(same_node()).ping("a", OTHER)
    assert {step.action for step in seen.of(BridgeDecision)} == {"forward"}
    seen.clock.seconds = 299.9
    seen.steps.clear()
    assert [s.action for s in seen.ping("a", OTHER).of(BridgeDecision)] == ["forward", "forward"]
    seen.clock.seconds = 299.9 + 300
    seen.steps.clear()
    assert [s.action for s in seen.ping("a", OTHER).of(BridgeDecision)] == ["flood", "forward"]


def test_without_learning_every_frame_is_flooded_and_the_bridge_device_is_no_port():
    net = same_node()
    for name in ("vetha", "vethb"):
        port = net.namespaces["n"].device(name).port
        net = with_device(net, f"n/{name}", port=type(port)("cni0", learning=False))
    seen = Walk(net).ping("a", OTHER)
    assert [(s.action, s.ports) for s in seen.of(BridgeDecision)] == [("flood", ("vethb",)), ("flood", ("vetha",))]
    assert seen.heard == ["icmp 0 from 10.244.0.3"]


def test_a_bridge_that_is_down_carries_nothing():
    assert Walk(with_device(same_node(), "n/cni0", up=False)).ping("a", OTHER).drops == [("a", DropReason.NEIGH_FAILED)]
