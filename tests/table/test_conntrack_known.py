"""Entries that are there before the packet, zones, races, a full table: what a walk makes of them."""

from __future__ import annotations

import pytest

from netsim.stack.environment import FoundSocket, HookVerdict
from netsim.stack.nf_conntrack_core import nf_conntrack_confirm, nf_conntrack_in
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import ConntrackStep, Drop, Hook, NotModelled
from tests.unit.netfilter_world import OUTPUT, World, answer, rules, tcp, udp, walk

STALE = (
    "udp 17 30 src=10.1.0.2 dst=10.96.0.10 sport=40000 dport=53 src=10.2.0.99 dst=10.1.0.2 sport=53 dport=40000 mark=0"
)
DNAT = "*nat\n-A PREROUTING -d 10.96.0.10 -p udp --dport 53 -j DNAT --to-destination 10.2.0.2:53"


def test_a_known_entry_is_followed_and_no_rule_asked() -> None:
    world, netfilter = rules(DNAT, conntrack=STALE)
    sent = walk(netfilter, udp(dst="10.96.0.10"))
    assert sent is not None
    assert str(sent.packet) == "10.1.0.2:40000 → 10.2.0.99:53"
    assert world.effects("nat") == []


def test_each_packet_renews_it_and_in_the_end_it_goes() -> None:
    world, netfilter = rules(DNAT, conntrack=STALE)
    for world.time in (29.0, 58.0, 87.0):
        sent = walk(netfilter, udp(dst="10.96.0.10"))
        assert sent is not None
        assert str(sent.packet.ip.dst) == "10.2.0.99"
    world.time = 87.0 + world.sysctl("net.netfilter.nf_conntrack_udp_timeout_stream")
    sent = walk(netfilter, udp(dst="10.96.0.10"))
    assert sent is not None
    assert str(sent.packet.ip.dst) == "10.2.0.2"


def test_an_entry_without_nat_keeps_the_rules_out() -> None:
    entry = "udp 17 9 src=10.1.0.2 dst=10.96.0.10 sport=40000 dport=53 [UNREPLIED] src=10.96.0.10 dst=10.1.0.2 sport=53 dport=40000"
    _, netfilter = rules(DNAT, conntrack=entry)
    sent = walk(netfilter, udp(dst="10.96.0.10"))
    assert sent is not None
    assert str(sent.packet.ip.dst) == "10.96.0.10"


def test_its_reply_is_translated_back() -> None:
    world, netfilter = rules(DNAT, conntrack=STALE)
    got = walk(netfilter, udp(src="10.2.0.99", dst="10.1.0.2", sport=53, dport=40000), back=True)
    assert got is not None
    assert str(got.packet.ip.src) == "10.96.0.10"
    assert world.states() == ["found ESTABLISHED REPLY"]


def test_known_entries_turn_conntrack_on() -> None:
    world, netfilter = rules("-A FORWARD -j ACCEPT", conntrack=STALE)
    walk(netfilter, udp())
    assert world.states() == ["new NEW ORIGINAL", "confirm NEW ORIGINAL"]


def test_a_table_full_of_assured_entries_drops_what_is_new() -> None:
    lines = "\n".join(
        f"tcp 6 9000 ESTABLISHED src=10.1.0.9 dst=10.2.0.2 sport={port} dport=80 src=10.2.0.2 dst=10.1.0.9 sport=80 dport={port} [ASSURED]"
        for port in (1, 2)
    )
    world = World(sysctls={"net.netfilter.nf_conntrack_max": 2})
    world, netfilter = rules("-A FORWARD -m conntrack --ctstate NEW", world=world, conntrack=lines)
    assert walk(netfilter, tcp()) is None
    assert world.drop().reason is DropReason.CONNTRACK_FULL
    assert walk(netfilter, tcp(src="10.1.0.9", sport=1, flags="A")) is not None


# --- zones -------------------------------------------------------------------------------------------------------


def test_two_zones_know_nothing_of_each_other() -> None:
    text = "*raw\n-A PREROUTING -i in0 -j CT --zone 3"
    world, netfilter = rules(text)
    assert walk(netfilter, udp()) is not None
    assert walk(netfilter, answer(udp()), back=True) is not None
    assert world.states() == ["new NEW ORIGINAL", "confirm NEW ORIGINAL"] * 2
    text = "*raw\n-A PREROUTING -j CT --zone 3"
    world, netfilter = rules(text)
    walk(netfilter, udp())
    walk(netfilter, answer(udp()), back=True)
    assert world.states()[-1] == "found ESTABLISHED REPLY"


def test_a_zone_of_the_original_direction_finds_replies_in_the_default_zone() -> None:
    """What CNIs with overlapping addresses do: each client's side in a zone of its own, answers told apart by their ports."""
    world, netfilter = rules("*raw\n-A PREROUTING -i in0 -j CT --zone-orig 3")
    walk(netfilter, udp())
    walk(netfilter, answer(udp()), back=True)
    assert world.states() == ["new NEW ORIGINAL", "confirm NEW ORIGINAL", "found ESTABLISHED REPLY"]


def test_the_first_ct_rule_decides() -> None:
    world, netfilter = rules(
        "*raw\n-A PREROUTING -j CT --zone 3\n-A PREROUTING -j CT --zone 4\n-A PREROUTING -j CT --notrack"
    )
    walk(netfilter, udp())
    assert [ct.zone.id for ct in netfilter.conntrack] == [3]
    assert world.effects("raw")[1:] == [
        "PREROUTING[1] CT: decided already",
        "PREROUTING[2] NOTRACK: a CT rule decided already",
    ]


# --- two packets of one socket at once ---------------------------------------------------------------------------


def _race(text: str, second_to: str) -> tuple[World, list[HookVerdict]]:
    """Two equal datagrams are tracked and sent to backends before either is confirmed; then both are confirmed."""
    world, netfilter = rules(text)
    skbs = [SkBuff(udp(dst="10.96.0.10"), iif="in0") for _ in range(2)]
    for skb, backend in zip(skbs, ("10.2.0.2", second_to), strict=True):
        nf_conntrack_in(netfilter.conntrack, world, Hook.PREROUTING, skb)
        assert skb.ct is not None
        reply = answer(udp(dst=backend))
        skb.ct.reply = type(skb.ct.reply)(reply.ip.src, reply.ip.dst, 17, 53, 40000)
    verdicts = [nf_conntrack_confirm(netfilter.conntrack, world, Hook.POSTROUTING, skb) for skb in skbs]
    return world, verdicts


def test_of_two_equal_ones_the_loser_takes_the_winners_entry() -> None:
    world, verdicts = _race(DNAT, "10.2.0.2")
    assert verdicts == [HookVerdict.ACCEPT] * 2
    assert len(world.of(ConntrackStep)) == 3


def test_with_another_backend_the_losers_entry_serves_its_reply_for_a_second() -> None:
    """Since v5.7; before, the second packet was dropped (insert_failed), and a resolver waited five seconds."""
    world, netfilter = rules(DNAT)
    skbs = [SkBuff(udp(dst="10.96.0.10"), iif="in0") for _ in range(2)]
    for skb, backend in zip(skbs, ("10.2.0.2", "10.2.0.3"), strict=True):
        nf_conntrack_in(netfilter.conntrack, world, Hook.PREROUTING, skb)
        assert skb.ct is not None
        skb.ct.reply = type(skb.ct.reply)(udp(dst=backend).ip.dst, skb.ct.original.src, 17, 53, 40000)
    for skb in skbs:
        assert nf_conntrack_confirm(netfilter.conntrack, world, Hook.POSTROUTING, skb) is HookVerdict.ACCEPT
    late = udp(src="10.2.0.3", dst="10.1.0.2", sport=53, dport=40000)
    world.steps.clear()
    walk(netfilter, late, back=True)
    assert world.states() == ["found ESTABLISHED REPLY"]
    world.time = 1.0
    world.steps.clear()
    walk(netfilter, late, back=True)
    assert world.states()[0] == "new NEW ORIGINAL"


# --- sockets -----------------------------------------------------------------------------------------------------

# rule | who sent the packet, who made it | does it match
OWNERS = [
    ("--uid-owner 0", "default/a/main", "default/a/main", True),
    ("--uid-owner root", "default/a/main", "default/a/main", True),
    ("--uid-owner 1000", "default/a/main", "default/a/main", False),
    ("! --uid-owner 1000-2000", "default/a/main", "default/a/main", True),
    ("--gid-owner 0 ! --uid-owner 0", "default/a/main", "default/a/main", False),
    ("--socket-exists", "default/a/main", "default/a/main", True),
    ("! --socket-exists", "default/a/main", "default/a/main", False),
    ("--uid-owner 0", None, "tcp", False),
    ("! --uid-owner 0", None, "tcp", True),
    ("--socket-exists", None, "tcp", True),
    ("--socket-exists", None, "icmp", True),
    ("--socket-exists", None, "REJECT", False),
    ("! --socket-exists", None, "REJECT", True),
]


@pytest.mark.parametrize(("words", "owner", "by", "matches"), OWNERS)
def test_owner(words: str, owner: str | None, by: str, matches: bool) -> None:
    _, netfilter = rules(f"-A OUTPUT -m owner {words} -j DROP")
    skb = SkBuff(tcp(flags="RA"), oif="out0", socket_owner=owner, made_by=by)
    assert (netfilter.run(Hook.OUTPUT, skb) is HookVerdict.DROP) == matches


def test_a_packet_that_came_in_has_no_owner() -> None:
    _, netfilter = rules("*mangle\n-A POSTROUTING -m owner --socket-exists -j DROP")
    assert walk(netfilter, tcp()) is not None
    assert walk(netfilter, tcp(), OUTPUT) is not None


# rule | the socket at the packet's destination | does it match
SOCKETS = [
    ("-m socket", FoundSocket(wildcard=True), True),
    ("-m socket", None, False),
    ("-m socket --nowildcard", FoundSocket(wildcard=True), False),
    ("-m socket --nowildcard", FoundSocket(wildcard=False), True),
    ("-m socket --transparent", FoundSocket(wildcard=False), False),
]


@pytest.mark.parametrize(("rule", "socket", "matches"), SOCKETS)
def test_socket(rule: str, socket: FoundSocket | None, matches: bool) -> None:
    world = World(sockets={("10.1.0.1", 80): socket} if socket else {})
    _, netfilter = rules(f"*mangle\n-A PREROUTING {rule} -j DROP", world=world)
    assert (walk(netfilter, tcp(dst="10.1.0.1"), (Hook.PREROUTING,)) is None) == matches


def test_tproxy_without_a_socket_drops_and_with_one_is_not_known() -> None:
    text = "*mangle\n-A PREROUTING -p tcp -j TPROXY --on-port 15001 --on-ip 127.0.0.1"
    world, netfilter = rules(text)
    assert walk(netfilter, tcp()) is None
    assert world.of(Drop)
    world, netfilter = rules(text, world=World(sockets={("127.0.0.1", 15001): FoundSocket(wildcard=False)}))
    assert walk(netfilter, tcp()) is None
    (missing,) = world.of(NotModelled)
    assert "transparent" in missing.what
