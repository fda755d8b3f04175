"""NAT: what a connection's first packet is changed to, what its later packets and its replies are, and which ports are free."""

from __future__ import annotations

import pytest

from netsim.net.address import Family, parse_address
from netsim.net.packet import ICMPHeader, Packet
from netsim.stack.environment import HookVerdict
from netsim.stack.nf_conntrack_core import CtInfo, CtStatus, NfConn, nf_ct_attach, packet_tuple
from netsim.stack.nf_nat_hash import spread_address
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.steps import ChainPass, Hook, NATStep, NotModelled
from tests.unit.netfilter_world import FORWARD, INPUT, OUTPUT, World, answer, icmp, rules, sctp, tcp, through, udp, walk

A, B, OUT = "10.1.0.2", "10.2.0.2", "10.2.0.1"

# nat rules | first packet | way | how it leaves
FIRST: list[tuple[str, Packet, tuple[Hook, ...], Packet]] = [
    ("-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2", tcp(dst="10.96.0.1"), FORWARD, tcp()),
    (
        "-A PREROUTING -p tcp -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2:8080",
        tcp(dst="10.96.0.1"),
        FORWARD,
        tcp(dport=8080),
    ),
    ("-A PREROUTING -p tcp -j DNAT --to-destination :8080", tcp(), FORWARD, tcp(dport=8080)),
    ("-A PREROUTING -p tcp -j DNAT --to-destination :7000-7003", tcp(), FORWARD, tcp(dport=7000)),
    ("-A PREROUTING -p tcp -j DNAT --to-destination :79-90", tcp(), FORWARD, tcp(dport=80)),
    ("-A PREROUTING -p udp -j DNAT --to-destination 10.2.0.9", tcp(), FORWARD, tcp()),
    (
        "-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 127.0.0.1",
        udp(dst="10.96.0.1"),
        INPUT,
        udp(dst="127.0.0.1"),
    ),
    ("-A OUTPUT -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2", tcp(dst="10.96.0.1"), OUTPUT, tcp()),
    (
        "-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2",
        tcp(dst="10.96.0.1"),
        OUTPUT,
        tcp(dst="10.96.0.1"),
    ),
    ("-A POSTROUTING -o out0 -j MASQUERADE", tcp(), FORWARD, tcp(OUT)),
    ("-A POSTROUTING -o in0 -j MASQUERADE", tcp(), FORWARD, tcp()),
    ("-A POSTROUTING -o out0 -j MASQUERADE", icmp(), FORWARD, icmp(OUT)),
    ("-A POSTROUTING -o out0 -j MASQUERADE", sctp(), FORWARD, sctp(OUT)),
    ("-A POSTROUTING -p tcp -j MASQUERADE --to-ports 5000-5009", tcp(), FORWARD, tcp(OUT, sport=5000)),
    ("-A POSTROUTING -p tcp -j MASQUERADE --to-ports 39999-40001", tcp(), FORWARD, tcp(OUT)),
    ("-A POSTROUTING -j MASQUERADE --random-fully", tcp(), FORWARD, tcp(OUT, sport=1024)),
    ("-A POSTROUTING -j MASQUERADE --random", tcp(sport=700), FORWARD, tcp(OUT, sport=600)),
    ("-A POSTROUTING -j MASQUERADE --random", tcp(sport=300), FORWARD, tcp(OUT, sport=1)),
    ("-A POSTROUTING -j MASQUERADE --random", icmp(), FORWARD, icmp(OUT, identifier=0)),
    ("-A POSTROUTING -j SNAT --to-source 10.2.0.77", tcp(), FORWARD, tcp("10.2.0.77")),
    ("-A POSTROUTING -p tcp -j SNAT --to-source 10.2.0.77:99", tcp(), FORWARD, tcp("10.2.0.77", sport=99)),
    ("-A INPUT -j SNAT --to-source 10.1.0.77", tcp(dst="10.1.0.1"), INPUT, tcp("10.1.0.77", "10.1.0.1")),
    ("-A PREROUTING -p tcp -j REDIRECT --to-ports 8080", tcp(dst="10.9.9.9"), INPUT, tcp(dst="10.1.0.1", dport=8080)),
    ("-A PREROUTING -p tcp -j REDIRECT", tcp(dst="10.9.9.9"), INPUT, tcp(dst="10.1.0.1")),
    ("-A OUTPUT -p tcp -j REDIRECT --to-ports 8080", tcp(dst="10.9.9.9"), OUTPUT, tcp(dst="127.0.0.1", dport=8080)),
    (
        "-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2\n-A POSTROUTING -j MASQUERADE",
        tcp(dst="10.96.0.1"),
        FORWARD,
        tcp(OUT),
    ),
    ("-A PREROUTING -j ACCEPT\n-A PREROUTING -j DNAT --to-destination 10.2.0.9", tcp(), FORWARD, tcp()),
    (
        "-A PREROUTING -j DNAT --to-destination 10.2.0.8\n-A PREROUTING -j DNAT --to-destination 10.2.0.9",
        tcp(),
        FORWARD,
        tcp(dst="10.2.0.8"),  # the first one ends the table
    ),
]


def _nat(text: str) -> str:
    return f"*nat\n{text}"


@pytest.mark.parametrize(("text", "packet", "way", "leaves"), FIRST)
def test_first_packet_and_its_reply(text: str, packet: Packet, way: tuple[Hook, ...], leaves: Packet) -> None:
    world, netfilter = rules(_nat(text + "\n-A INPUT -s 10.9.9.9 -j SNAT --to-source 10.9.9.8"))
    skb = walk(netfilter, packet, way)
    assert skb is not None
    assert skb.packet == leaves
    (ct,) = netfilter.conntrack
    assert ct.original == packet_tuple(packet)
    way_back = {FORWARD: FORWARD, INPUT: OUTPUT, OUTPUT: INPUT}[way]
    back = walk(netfilter, answer(leaves), way_back, back=True)
    assert back is not None
    assert back.packet == answer(packet)
    assert ct.has(CtStatus.SEEN_REPLY)
    assert not world.of(NotModelled)


@pytest.mark.parametrize(("text", "packet", "way", "leaves"), FIRST)
def test_later_packets_follow_the_entry_and_ask_no_rule(
    text: str, packet: Packet, way: tuple[Hook, ...], leaves: Packet
) -> None:
    world, netfilter = rules(_nat(text + "\n-A INPUT -s 10.9.9.9 -j SNAT --to-source 10.9.9.8"))
    walk(netfilter, packet, way)
    world.steps.clear()
    again = walk(netfilter, packet, way)
    assert again is not None
    assert again.packet == leaves
    assert world.of(ChainPass) == []


def test_steps_name_the_rule_the_chance_and_the_way_back() -> None:
    world, netfilter = rules(
        _nat("-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2\n-A POSTROUTING -j MASQUERADE")
    )
    walk(netfilter, udp(dst="10.96.0.1"))
    walk(netfilter, answer(udp(OUT)), back=True)
    assert world.nat() == [
        "DNAT 10.1.0.2:40000 → 10.96.0.1:53 => 10.1.0.2:40000 → 10.2.0.2:53",
        "MASQUERADE 10.1.0.2:40000 → 10.2.0.2:53 => 10.2.0.1:40000 → 10.2.0.2:53",
        "un-SNAT 10.2.0.2:53 → 10.2.0.1:40000 => 10.2.0.2:53 → 10.1.0.2:40000",
        "un-DNAT 10.2.0.2:53 → 10.1.0.2:40000 => 10.96.0.1:53 → 10.1.0.2:40000",
    ]
    refs = [step.ref.chain if step.ref else None for step in world.of(NATStep)]
    assert refs == ["PREROUTING", "POSTROUTING", None, None]
    assert world.effects() == ["PREROUTING[0] DNAT to 10.2.0.2:53", "POSTROUTING[0] MASQUERADE to 10.2.0.1:40000"]


def test_the_reset_that_ends_an_unanswered_connection_still_finds_its_client() -> None:
    """Measured on 6.18: the client's connect() is refused and ``conntrack -L`` is empty after it."""
    _, netfilter = rules(_nat("-A POSTROUTING -j MASQUERADE"))
    walk(netfilter, tcp())
    back = walk(netfilter, answer(tcp(OUT), "RA"), back=True)
    assert back is not None
    assert back.packet == answer(tcp(), "RA")
    assert len(netfilter.conntrack) == 0


def test_masquerade_takes_the_address_towards_the_next_hop() -> None:
    asked = []

    class Spying(World):
        def select_source(self, device: str, towards: object) -> object:  # type: ignore[override]
            asked.append((device, str(towards)))
            return parse_address("10.2.0.1")

    _, netfilter = rules(_nat("-A POSTROUTING -j MASQUERADE"), world=Spying())
    gateway = Nexthop("out0", parse_address("10.2.0.254"), None)
    through(netfilter, SkBuff(tcp(), iif="in0", oif="out0", nexthop=gateway), (Hook.PREROUTING, Hook.POSTROUTING))
    assert asked == [("out0", "10.2.0.254")]


@pytest.mark.parametrize(
    ("text", "way"),
    [("-A POSTROUTING -j MASQUERADE", FORWARD), ("-A PREROUTING -p tcp -j REDIRECT", INPUT)],
)
def test_a_device_without_an_address_drops(text: str, way: tuple[Hook, ...]) -> None:
    world, netfilter = rules(_nat(text), world=World(addresses={}))
    assert walk(netfilter, tcp(), way) is None
    assert "has no address" in world.drop().detail
    assert len(netfilter.conntrack) == 0


def test_masquerade_leaves_the_unspecified_source_alone() -> None:
    """A DHCP client's packet. Ref: nf_nat_masquerade_ipv4()."""
    _, netfilter = rules(_nat("-A POSTROUTING -j MASQUERADE"))
    skb = walk(netfilter, udp("0.0.0.0", "10.2.0.255", 68, 67), OUTPUT)
    assert skb is not None
    assert skb.packet.ip.src == parse_address("0.0.0.0")


def test_masqueraded_connection_that_leaves_by_another_device_is_killed() -> None:
    """Ref: nf_nat_oif_changed()."""
    world, netfilter = rules(_nat("-A POSTROUTING -j MASQUERADE"))
    walk(netfilter, tcp())
    walk(netfilter, answer(tcp(OUT)), back=True)
    skb = SkBuff(tcp(flags="A"), iif="in0", oif="out1")
    assert through(netfilter, skb, (Hook.PREROUTING, Hook.FORWARD, Hook.POSTROUTING)) is HookVerdict.DROP
    assert "leaves by out1" in world.drop().detail
    assert len(netfilter.conntrack) == 0


# --- ports ------------------------------------------------------------------------------------------------------

CLASHES = [
    # source port of two clients | the range that the second one is moved to (measured on 6.18: 333 → 115, 700 → 856)
    (5000, (1024, 65535)),
    (333, (1, 511)),
    (700, (600, 1023)),
    (1023, (600, 1023)),
    (512, (600, 1023)),
    (511, (1, 511)),
]


@pytest.mark.parametrize(("port", "space"), CLASHES)
def test_a_source_port_is_kept_where_it_is_free_and_else_moved_within_its_class(
    port: int, space: tuple[int, int]
) -> None:
    world, netfilter = rules(_nat("-A POSTROUTING -j MASQUERADE"))
    first, second = walk(netfilter, udp("10.1.0.2", sport=port)), walk(netfilter, udp("10.1.0.3", sport=port))
    assert first is not None
    assert second is not None
    assert (first.packet.sport, second.packet.sport) == (port, space[0])
    assert world.ports_asked == [space]


def test_the_same_port_serves_two_destinations() -> None:
    _, netfilter = rules(_nat("-A POSTROUTING -j MASQUERADE"))
    for client, server in (("10.1.0.2", "10.2.0.2"), ("10.1.0.3", "10.2.0.3")):
        skb = walk(netfilter, udp(client, server, 5000))
        assert skb is not None
        assert skb.packet.sport == 5000


def test_ports_are_tried_upwards_from_the_start_and_round() -> None:
    world, netfilter = rules(_nat("-A POSTROUTING -p udp -j MASQUERADE --to-ports 5000-5002"))
    world.ports = [5002, 5002]
    got = [walk(netfilter, udp(f"10.1.0.{i}")) for i in range(2, 4)]
    assert [skb.packet.sport for skb in got if skb] == [5002, 5000]


def test_no_free_port_drops_at_the_end() -> None:
    world, netfilter = rules(_nat("-A POSTROUTING -p udp -j MASQUERADE --to-ports 5000-5001"))
    assert [walk(netfilter, udp(f"10.1.0.{i}")) is not None for i in range(2, 5)] == [True, True, False]
    assert world.drop().reason is DropReason.NAT_NO_TUPLE


def test_one_port_given_twice_drops_at_the_end() -> None:
    """With a single port the kernel does not even look whether it is free. Ref: get_unique_tuple()."""
    world, netfilter = rules(_nat("-A POSTROUTING -p udp -j SNAT --to-source 10.2.0.1:5000"))
    assert [walk(netfilter, udp(f"10.1.0.{i}")) is not None for i in range(2, 4)] == [True, False]
    assert world.drop().reason is DropReason.NAT_NO_TUPLE


def test_a_null_binding_moves_a_port_that_another_connection_has() -> None:
    """The host's own connection from a port that a masqueraded one uses already."""
    world, netfilter = rules(_nat("-A POSTROUTING -s 10.1.0.0/24 -j MASQUERADE"))
    walk(netfilter, udp(sport=5000))
    own = walk(netfilter, udp(OUT, sport=5000), OUTPUT)
    assert own is not None
    assert own.packet.sport == 1024
    step = world.of(NATStep)[-1]
    assert (step.kind, step.ref) == ("SNAT", None)
    assert "no rule" in step.detail
    back = walk(netfilter, answer(own.packet), INPUT, back=True)
    assert back is not None
    assert back.packet == answer(udp(OUT, sport=5000))


def test_connections_of_one_source_keep_their_mapping() -> None:
    """Ref: find_appropriate_src(): the mapped source of an older connection is used again."""
    world, netfilter = rules(_nat("-A POSTROUTING -p udp -j MASQUERADE --to-ports 5000-5999"))
    world.ports = [5123, 5555]
    one, two = walk(netfilter, udp(dport=1)), walk(netfilter, udp(dport=2))
    assert one is not None
    assert two is not None
    assert (one.packet.sport, two.packet.sport) == (5123, 5123)
    assert len(world.ports_asked) == 1


# source | destination | DNAT to 10.2.0.2-10.2.0.9 | SNAT to 10.2.0.10-10.2.0.29 of what DNAT gave. Measured on Linux 6.18.
SPREAD = [
    ("10.1.0.2", "10.96.0.1", "10.2.0.5", "10.2.0.18"),
    ("10.1.0.3", "10.96.0.1", "10.2.0.9", "10.2.0.25"),
    ("10.1.0.4", "10.96.0.1", "10.2.0.7", "10.2.0.18"),
    ("10.1.0.5", "10.96.0.1", "10.2.0.3", "10.2.0.26"),
    ("10.1.0.6", "10.96.0.1", "10.2.0.8", "10.2.0.15"),
    ("10.1.0.7", "10.96.0.1", "10.2.0.5", "10.2.0.24"),
    ("10.1.0.8", "10.96.0.1", "10.2.0.9", "10.2.0.19"),
    ("fd01::2", "fd96::1", "fd02::6", "fd02::25"),
    ("fd01::3", "fd96::1", "fd02::9", "fd02::25"),
    ("fd01::4", "fd96::1", "fd02::2", "fd02::18"),
    ("fd01::5", "fd96::1", "fd02::5", "fd02::16"),
    ("fd01::6", "fd96::1", "fd02::7", "fd02::26"),
    ("fd01::7", "fd96::1", "fd02::7", "fd02::1f"),
    ("fd01::8", "fd96::1", "fd02::8", "fd02::27"),
]


@pytest.mark.parametrize(("src", "dst", "dnat", "snat"), SPREAD)
def test_addresses_of_a_range_are_the_kernels(src: str, dst: str, dnat: str, snat: str) -> None:
    six = ":" in src
    text = (
        f"-A PREROUTING -j DNAT --to-destination {'fd02::2-fd02::9' if six else '10.2.0.2-10.2.0.9'}\n"
        f"-A POSTROUTING -j SNAT --to-source {'fd02::10-fd02::29' if six else '10.2.0.10-10.2.0.29'}"
    )
    _, netfilter = rules(_nat(text), family=Family.IPV6 if six else Family.IPV4)
    skb = walk(netfilter, udp(src, dst))
    assert skb is not None
    assert (str(skb.packet.ip.src), str(skb.packet.ip.dst)) == (snat, dnat)


def test_a_persistent_range_does_not_look_at_the_destination() -> None:
    """10.1.0.4 → 10.2.0.27 was measured on Linux 6.18."""
    first, last = parse_address("10.2.0.10"), parse_address("10.2.0.29")
    source = parse_address("10.1.0.4")
    got = {
        str(spread_address(source, parse_address(f"10.2.0.{i}"), first, last, persistent=True)) for i in range(2, 50)
    }
    assert got == {"10.2.0.27"}


# --- what is left alone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", ["SA", "R", "RA", "FA", "F", "", "SF"])
def test_invalid_packets_are_not_translated(flags: str) -> None:
    """Measured on 6.18: the nat chains do not see them, so they leave with the source they came with."""
    world, netfilter = rules(_nat("-A PREROUTING\n-A POSTROUTING -j MASQUERADE"))
    skb = walk(netfilter, tcp(flags=flags))
    assert skb is not None
    assert skb.packet == tcp(flags=flags)
    assert world.of(ChainPass) == []
    assert world.states() == ["invalid INVALID -"]


@pytest.mark.parametrize("flags", ["A", "AP"])
def test_a_connection_is_picked_up_in_its_middle(flags: str) -> None:
    _, netfilter = rules(_nat("-A POSTROUTING -j MASQUERADE"))
    skb = walk(netfilter, tcp(flags=flags))
    assert skb is not None
    assert str(skb.packet.ip.src) == OUT
    _, netfilter = rules(
        _nat("-A POSTROUTING -j MASQUERADE"), world=World(sysctls={"net.netfilter.nf_conntrack_tcp_loose": 0})
    )
    skb = walk(netfilter, tcp(flags=flags))
    assert skb is not None
    assert str(skb.packet.ip.src) == A


def test_untracked_packets_are_not_translated() -> None:
    world, netfilter = rules("*raw\n-A PREROUTING -j CT --notrack\n*nat\n-A POSTROUTING -j MASQUERADE")
    skb = walk(netfilter, tcp())
    assert skb is not None
    assert skb.packet == tcp()
    assert world.states() == ["untracked UNTRACKED -"]
    assert len(netfilter.conntrack) == 0


# --- loopback and hairpin ---------------------------------------------------------------------------------------


def test_a_packet_over_lo_keeps_its_entry_and_asks_prerouting_nothing() -> None:
    """OUTPUT decided the destination, so nat PREROUTING is not asked; INPUT asks for the source only where POSTROUTING did not."""
    text = """
    *nat
    -A PREROUTING -j DNAT --to-destination 10.9.9.9
    -A INPUT -j SNAT --to-source 10.9.9.9
    -A OUTPUT -d 10.96.0.1 -p tcp -j DNAT --to-destination 127.0.0.1:8080
    -A POSTROUTING -s 10.9.9.9 -j MASQUERADE
    """
    world, netfilter = rules(text)
    skb = walk(netfilter, tcp("127.0.0.1", "10.96.0.1"), OUTPUT)
    assert skb is not None
    skb.iif, skb.oif = "lo", None
    assert through(netfilter, skb, INPUT) is HookVerdict.ACCEPT
    assert skb.packet == tcp("127.0.0.1", "127.0.0.1", dport=8080)
    assert [step.hook for step in world.of(ChainPass)] == [Hook.OUTPUT, Hook.POSTROUTING]
    assert world.states() == ["new NEW ORIGINAL", "confirm NEW ORIGINAL", "found NEW ORIGINAL"]


def test_hairpin_needs_masquerade() -> None:
    """A pod that reaches itself through a Service: with masquerade the reply comes back through the node and is untranslated."""
    text = """
    *nat
    -A PREROUTING -d 10.96.0.1 -p tcp -j DNAT --to-destination 10.1.0.2:8080
    -A POSTROUTING -s 10.1.0.2 -d 10.1.0.2 -j MASQUERADE
    """
    _, netfilter = rules(text)
    skb = SkBuff(tcp(dst="10.96.0.1"), iif="in0")
    assert through(netfilter, skb, FORWARD, "in0") is HookVerdict.ACCEPT
    assert skb.packet == tcp("10.1.0.1", "10.1.0.2", dport=8080)
    back = SkBuff(answer(skb.packet), iif="in0")
    assert through(netfilter, back, FORWARD, "in0") is HookVerdict.ACCEPT
    assert back.packet == answer(tcp(dst="10.96.0.1"))


# --- ICMP errors and what REJECT answers ------------------------------------------------------------------------

BOTH_WAYS = "*nat\n-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2\n-A POSTROUTING -j MASQUERADE"


def test_an_icmp_error_from_behind_is_translated_with_what_it_quotes() -> None:
    world, netfilter = rules(BOTH_WAYS)
    first = walk(netfilter, udp(dst="10.96.0.1"))
    assert first is not None
    error = icmp("10.2.0.254", OUT, 3, 1, 0, quoted=first.packet)
    back = walk(netfilter, error, back=True)
    assert back is not None
    assert back.packet.ip.dst == parse_address(A)
    assert back.packet.ip.src == parse_address("10.96.0.1")  # the router's own address is hidden as the Service's
    assert isinstance(back.packet.l4, ICMPHeader)
    assert back.packet.l4.quoted == udp(dst="10.96.0.1")
    assert world.states()[-1] == "found RELATED REPLY"
    assert len(netfilter.conntrack) == 1


def test_an_icmp_error_about_a_reply_is_translated_the_other_way() -> None:
    _, netfilter = rules(BOTH_WAYS)
    first = walk(netfilter, udp(dst="10.96.0.1"))
    assert first is not None
    reply = walk(netfilter, answer(first.packet), back=True)
    assert reply is not None
    error = icmp(A, "10.96.0.1", 3, 3, 0, quoted=reply.packet)
    skb = walk(netfilter, error)
    assert skb is not None
    assert (str(skb.packet.ip.src), str(skb.packet.ip.dst)) == (OUT, B)
    assert isinstance(skb.packet.l4, ICMPHeader)
    assert skb.packet.l4.quoted == answer(first.packet)
    assert skb.ctinfo is CtInfo.RELATED


def test_an_icmp_error_about_an_echo_finds_it_by_its_identifier() -> None:
    world, netfilter = rules(_nat("-A POSTROUTING -j MASQUERADE --random"))
    world.ports = [77]
    first = walk(netfilter, icmp())
    assert first is not None
    error = icmp("10.2.0.254", OUT, 11, 0, 0, quoted=first.packet)
    back = walk(netfilter, error, back=True)
    assert back is not None
    assert isinstance(back.packet.l4, ICMPHeader)
    assert back.packet.l4.quoted == icmp()


REJECTED = [
    ("tcp-reset", ["POSTROUTING[0] MASQUERADE to 10.1.0.1:40000"]),  # a segment: nat POSTROUTING is asked for it
    ("icmp-port-unreachable", []),  # an ICMP error: it is not
]


@pytest.mark.parametrize(("kind", "asked"), REJECTED)
def test_what_reject_answers_carries_the_address_that_the_client_spoke_to(kind: str, asked: list[str]) -> None:
    """Measured on 6.18 with both iptables: state RELATED, direction REPLY, source 10.96.0.1, and no entry is left."""
    world, netfilter = rules(BOTH_WAYS + f"\n*filter\n-A FORWARD -p tcp -j REJECT --reject-with {kind}")
    skb = SkBuff(tcp(dst="10.96.0.1"), iif="in0")
    assert through(netfilter, skb, FORWARD) is HookVerdict.DROP
    world.steps.clear()
    made = answer(skb.packet, "RA") if kind == "tcp-reset" else icmp("10.1.0.1", A, 3, 3, 0, quoted=skb.packet)
    reply = SkBuff(made, oif="in0")
    nf_ct_attach(reply, skb)
    assert reply.ctinfo is CtInfo.RELATED_REPLY
    assert through(netfilter, reply, OUTPUT) is HookVerdict.ACCEPT
    assert str(reply.packet.ip.src) == "10.96.0.1"
    if isinstance(reply.packet.l4, ICMPHeader):
        assert reply.packet.l4.quoted == tcp(dst="10.96.0.1")
    assert world.effects("nat") == asked
    assert len(netfilter.conntrack) == 0


def test_an_answer_to_an_untracked_packet_has_no_entry() -> None:
    reply = SkBuff(tcp())
    nf_ct_attach(reply, SkBuff(tcp()))
    assert reply.ct is None
    cause = SkBuff(tcp(), ct=NfConn(packet_tuple(tcp()), packet_tuple(answer(tcp()))), ctinfo=CtInfo.ESTABLISHED_REPLY)
    nf_ct_attach(reply, cause)
    assert reply.ctinfo is CtInfo.RELATED


# --- where a NAT target may not stand ---------------------------------------------------------------------------


def test_dnat_outside_of_nat_is_what_the_kernel_refuses() -> None:
    from netsim.rules.xtables.ast import Chain, DNATTarget, NATRange, Rule, Ruleset, Table, Verdict
    from netsim.stack.netfilter import Netfilter

    target = DNATTarget(NATRange(parse_address(B), parse_address(B)))
    chain = Chain("FORWARD", (Rule(target=target),), Verdict.ACCEPT)
    world = World()
    netfilter = Netfilter([Ruleset(Family.IPV4, {"filter": Table("filter", {"FORWARD": chain})})], world)
    assert through(netfilter, SkBuff(tcp(), iif="in0"), FORWARD) is HookVerdict.STOLEN
    assert "refuses" in world.of(NotModelled)[0].what
