"""The conntrack table: when there is one, how packets find their entry, how entries come and go."""

from __future__ import annotations

import pytest

from netsim.net.address import Family
from netsim.net.packet import Packet, SCTPChunk
from netsim.rules.xtables.parse import parse
from netsim.stack.environment import HookVerdict
from netsim.stack.netfilter import Netfilter
from netsim.stack.nf_conntrack_core import CtInfo, CtStatus, Direction, SCTPState, TCPState, packet_tuple
from netsim.stack.nf_conntrack_proto_sctp import TRANSITIONS
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import ConntrackStep, Hook
from tests.unit.netfilter_world import (
    FORWARD,
    INPUT,
    OUTPUT,
    World,
    answer,
    icmp,
    rules,
    sctp,
    tcp,
    through,
    udp,
    walk,
)

TRACK = "-A FORWARD -m conntrack --ctstate NEW"

# rules | do IPv4 packets get entries. Every row was measured on Linux 6.18 with iptables-nft and iptables-legacy 1.8.9:
# they agree, and IPv6 had no entries in any of them.
ACTIVATION = [
    ("*filter\n-A FORWARD -p udp -j ACCEPT", False),
    ("*nat", False),
    ("*nat\n:X - [0:0]\n-A POSTROUTING -j X", False),
    ("*nat\n:X - [0:0]\n-A X -j MASQUERADE", True),
    ("*nat\n-A POSTROUTING -s 9.9.9.9 -j MASQUERADE", True),
    ("*nat\n-A POSTROUTING -s 9.9.9.9 -j SNAT --to-source 1.2.3.4", True),
    ("*nat\n-A PREROUTING -s 9.9.9.9 -j DNAT --to-destination 1.2.3.4", True),
    ("*nat\n-A PREROUTING -s 9.9.9.9 -p tcp -j REDIRECT", True),
    ("*nat\n-A PREROUTING -d 9.9.9.9 -j NETMAP --to 9.9.8.9", True),
    ("*filter\n:X - [0:0]\n-A X -m conntrack --ctstate NEW", True),
    ("*filter\n-A FORWARD -m state --state NEW", True),
    ("*filter\n-A FORWARD -m connmark --mark 1", True),
    ("*mangle\n-A FORWARD -j CONNMARK --save-mark", True),
    ("*raw\n-A PREROUTING -s 9.9.9.9 -j NOTRACK", False),
    ("*raw\n-A PREROUTING -s 9.9.9.9 -j CT --zone 1", True),
    ("*filter\n-A INPUT -m connlimit --connlimit-above 3", True),
    ("*filter\n-A INPUT -m helper --helper ftp", True),
    ("*filter\n-A INPUT -m connbytes --connbytes 1 --connbytes-dir both --connbytes-mode packets", True),
]


@pytest.mark.parametrize(("text", "active"), ACTIVATION)
def test_conntrack_is_on_where_a_rule_holds_it(text: str, active: bool) -> None:
    world, netfilter = rules(text)
    assert netfilter.conntrack_active(Family.IPV4) == active
    assert not netfilter.conntrack_active(Family.IPV6)
    walk(netfilter, udp())
    assert len(netfilter.conntrack) == active
    assert bool(world.of(ConntrackStep)) == active
    walk(netfilter, udp("fd01::2", "fd02::2"))
    assert len(netfilter.conntrack) == active


def test_others_may_hold_conntrack() -> None:
    world = World()
    netfilter = Netfilter([], world)
    assert walk(netfilter, udp()) is not None
    assert len(netfilter.conntrack) == 0
    netfilter.hold_conntrack(Family.IPV4)
    walk(netfilter, udp())
    assert len(netfilter.conntrack) == 1
    assert len(Netfilter([], world, conntrack_families=[Family.IPV6]).conntrack) == 0


# --- packets and entries ----------------------------------------------------------------------------------------

# what is sent, forth and back | what conntrack says of each
EXCHANGES: list[tuple[str, list[tuple[Packet, bool]], list[str]]] = [
    ("udp", [(udp(), False), (udp(), False)], ["new NEW ORIGINAL", "confirm NEW ORIGINAL", "found NEW ORIGINAL"]),
    (
        "udp answered",
        [(udp(), False), (answer(udp()), True), (udp(), False)],
        ["new NEW ORIGINAL", "confirm NEW ORIGINAL", "found ESTABLISHED REPLY", "found ESTABLISHED ORIGINAL"],
    ),
    (
        "another port is another connection",
        [(udp(), False), (udp(sport=40001), False)],
        ["new NEW ORIGINAL", "confirm NEW ORIGINAL"] * 2,
    ),
    (
        "echo",
        [(icmp(), False), (answer(icmp()), True)],
        ["new NEW ORIGINAL", "confirm NEW ORIGINAL", "found ESTABLISHED REPLY"],
    ),
    ("echo reply to nothing", [(icmp(kind=0), False)], ["invalid INVALID -"]),
    ("timestamp", [(icmp(kind=13), False)], ["new NEW ORIGINAL", "confirm NEW ORIGINAL"]),
    ("router advertisement", [(icmp(kind=9), False)], ["invalid INVALID -"]),
    ("no such type", [(icmp(kind=40), False)], ["invalid INVALID -"]),
    ("error about nothing", [(icmp(kind=3, code=3, quoted=udp()), False)], ["invalid INVALID -"]),
    ("error without a quote", [(icmp(kind=3, code=3), False)], ["invalid INVALID -"]),
    (
        "error about a packet",
        [(udp(), False), (icmp("10.2.0.2", "10.1.0.2", 3, 3, 0, udp()), True)],
        ["new NEW ORIGINAL", "confirm NEW ORIGINAL", "found RELATED REPLY"],
    ),
    (
        "error to someone else",
        [(udp(), False), (icmp("10.2.0.2", "10.1.0.3", 3, 3, 0, udp()), True)],
        ["new NEW ORIGINAL", "confirm NEW ORIGINAL", "invalid INVALID -"],
    ),
    (
        "sctp",
        [(sctp(), False), (answer(sctp()), True), (sctp(chunk=SCTPChunk.COOKIE_ECHO), False)],
        ["new NEW ORIGINAL", "confirm NEW ORIGINAL", "found ESTABLISHED REPLY", "found ESTABLISHED ORIGINAL"],
    ),
    ("sctp abort of nothing", [(sctp(chunk=SCTPChunk.ABORT), False)], ["invalid INVALID -"]),
    ("sctp cookie of nothing", [(sctp(chunk=SCTPChunk.COOKIE_ECHO), False)], ["invalid INVALID -"]),
    ("sctp answer to nothing", [(sctp(chunk=SCTPChunk.INIT_ACK), False)], ["invalid INVALID -"]),
    ("sctp data of nothing", [(sctp(chunk=SCTPChunk.DATA), False)], ["invalid INVALID -"]),
]


@pytest.mark.parametrize(("packets", "said"), [row[1:] for row in EXCHANGES], ids=[row[0] for row in EXCHANGES])
def test_exchange(packets: list[tuple[Packet, bool]], said: list[str]) -> None:
    world, netfilter = rules(TRACK)
    for packet, back in packets:
        assert walk(netfilter, packet, back=back) is not None
    assert world.states() == said


def test_ipv6_neighbour_discovery_is_untracked() -> None:
    world, netfilter = rules(TRACK, family=Family.IPV6)
    for kind in (128, 135, 136):
        walk(netfilter, icmp("fd01::2", "fd02::2", kind=kind))
    assert world.states() == ["new NEW ORIGINAL", "confirm NEW ORIGINAL", *["untracked UNTRACKED -"] * 2]


def test_an_entry_is_confirmed_only_where_the_packet_gets_through() -> None:
    text = TRACK + "\n-A FORWARD -p udp -j DROP"
    _, netfilter = rules(text)
    walk(netfilter, udp())
    walk(netfilter, tcp())
    assert [ct.original.protocol for ct in netfilter.conntrack] == [6]


@pytest.mark.parametrize("hooks", [FORWARD, INPUT, OUTPUT], ids=["forward", "input", "output"])
def test_an_entry_is_confirmed_at_the_end_of_each_way(hooks: tuple[Hook, ...]) -> None:
    world, netfilter = rules(TRACK)
    walk(netfilter, udp(), hooks)
    assert [step.hook for step in world.of(ConntrackStep)] == [hooks[0], hooks[-1]]
    assert world.states() == ["new NEW ORIGINAL", "confirm NEW ORIGINAL"]


def test_an_entry_that_came_along_is_not_looked_up_again() -> None:
    world, netfilter = rules(TRACK)
    skb = walk(netfilter, udp(), OUTPUT)
    assert skb is not None
    skb.iif, skb.oif = "lo", None
    assert through(netfilter, skb, INPUT) is HookVerdict.ACCEPT
    assert world.states()[2:] == ["found NEW ORIGINAL"]
    assert len(netfilter.conntrack) == 1


def test_notrack() -> None:
    text = (
        f"*raw\n-A PREROUTING -p udp -j NOTRACK\n*filter\n{TRACK}\n-A FORWARD -m conntrack --ctstate UNTRACKED -j DROP"
    )
    world, netfilter = rules(text)
    assert walk(netfilter, udp()) is None
    assert walk(netfilter, tcp()) is not None
    assert world.states() == ["untracked UNTRACKED -", "new NEW ORIGINAL", "confirm NEW ORIGINAL"]


# --- time and space ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packets", "seconds"),
    [([udp()], 30), ([udp(), answer(udp())], 30), ([icmp()], 30), ([sctp()], 10), ([sctp(), answer(sctp())], 3)],
    ids=["udp", "udp answered", "icmp", "sctp", "sctp answered"],
)
def test_an_entry_goes_when_its_time_is_over(packets: list[Packet], seconds: int) -> None:
    world, netfilter = rules(TRACK)
    for packet in packets:
        walk(netfilter, packet)
    world.time = seconds - 0.5
    assert len(netfilter.conntrack) == 1
    world.time = seconds
    assert len(netfilter.conntrack) == 0
    walk(netfilter, packets[0])
    assert world.states()[-1] == "confirm NEW ORIGINAL"


def test_udp_becomes_a_stream_after_two_seconds() -> None:
    world, netfilter = rules(TRACK)
    walk(netfilter, udp())
    walk(netfilter, answer(udp()))
    (ct,) = netfilter.conntrack
    assert not ct.has(CtStatus.ASSURED)
    world.time = 2.5
    walk(netfilter, udp())
    assert ct.has(CtStatus.ASSURED)
    assert ct.deadline == 122.5


def test_sysctls_set_the_times() -> None:
    world, netfilter = rules(TRACK, world=World(sysctls={"net.netfilter.nf_conntrack_udp_timeout": 5}))
    walk(netfilter, udp())
    world.time = 5
    assert len(netfilter.conntrack) == 0


def test_a_full_table_drops_where_nothing_can_be_evicted() -> None:
    world, netfilter = rules(TRACK, world=World(sysctls={"net.netfilter.nf_conntrack_max": 2}))
    for port in (1, 2):
        netfilter.conntrack.seed(tcp(sport=port), established=True)
    assert walk(netfilter, udp()) is None
    assert world.drop().reason is DropReason.CONNTRACK_FULL
    assert walk(netfilter, tcp(sport=1, flags="A")) is not None


def test_a_full_table_evicts_what_is_not_assured() -> None:
    _, netfilter = rules(TRACK, world=World(sysctls={"net.netfilter.nf_conntrack_max": 2}))
    netfilter.conntrack.seed(tcp(sport=1), established=True)
    for port in (2, 3, 4):
        assert walk(netfilter, udp(sport=port)) is not None
    assert [ct.original.sport for ct in netfilter.conntrack] == [1, 4]


def test_no_limit() -> None:
    _, netfilter = rules(TRACK, world=World(sysctls={"net.netfilter.nf_conntrack_max": 0}))
    assert all(walk(netfilter, udp(sport=port)) for port in range(1, 9))
    assert len(netfilter.conntrack) == 8


# --- two packets at once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "passes"), [(udp, True), (tcp, False)])
def test_two_first_packets_at_once(make: object, passes: bool) -> None:
    """The second one to be confirmed: UDP takes over the winner's entry, anything else is dropped."""
    world, netfilter = rules(TRACK)
    packet = make()  # type: ignore[operator]
    one, two = SkBuff(packet, iif="in0"), SkBuff(packet, iif="in0")
    for skb in (one, two):
        assert netfilter.run(Hook.PREROUTING, skb) is HookVerdict.ACCEPT
    assert netfilter.run(Hook.POSTROUTING, one) is HookVerdict.ACCEPT
    assert (netfilter.run(Hook.POSTROUTING, two) is HookVerdict.ACCEPT) == passes
    if passes:
        assert two.ct is one.ct
    else:
        assert world.drop().reason is DropReason.CONNTRACK_CLASH
    assert len(netfilter.conntrack) == 1


# --- seeding and printing -----------------------------------------------------------------------------------------


def test_a_seeded_entry_is_found_with_its_nat() -> None:
    world, netfilter = rules("*nat\n-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.9")
    first = udp(dst="10.96.0.1")
    ct = netfilter.conntrack.seed(first, reply=packet_tuple(answer(udp())), seconds=100)
    assert ct.has(CtStatus.DST_NAT)
    assert not ct.has(CtStatus.SRC_NAT)
    skb = walk(netfilter, first)
    assert skb is not None
    assert skb.packet == udp()  # the old backend, whatever the rules say now
    assert skb.ctinfo is CtInfo.NEW
    assert world.states() == ["found NEW ORIGINAL"]
    with pytest.raises(ValueError, match="already has an entry"):
        netfilter.conntrack.seed(first)


def test_a_seeded_connection_is_established() -> None:
    _, netfilter = rules(TRACK)
    ct = netfilter.conntrack.seed(tcp(), established=True, seconds=50)
    assert ct.tcp is TCPState.ESTABLISHED
    skb = walk(netfilter, tcp(flags="A"))
    assert skb is not None
    assert skb.ctinfo is CtInfo.ESTABLISHED
    netfilter.conntrack.flush()
    assert len(netfilter.conntrack) == 0
    skb = walk(netfilter, tcp(flags="SA"))
    assert skb is not None
    assert skb.ct is None


@pytest.mark.parametrize(("first", "seconds"), [(tcp(), 432000), (udp(), 120), (sctp(), 210), (icmp(), 30)])
def test_a_seeded_entry_lives_as_long_as_its_state_gives_it(first: Packet, seconds: int) -> None:
    _, netfilter = rules(TRACK)
    assert netfilter.conntrack.seed(first, established=True).deadline == seconds


@pytest.mark.parametrize("first", [tcp(flags="SA"), icmp(kind=3)])
def test_what_starts_no_connection_cannot_be_seeded(first: Packet) -> None:
    _, netfilter = rules(TRACK)
    with pytest.raises(ValueError, match="starts no connection"):
        netfilter.conntrack.seed(first)


# an exchange | the entry as conntrack -L printed it on Linux 6.18 (time and use=N aside)
LISTED = [
    (
        [udp(dport=9, sport=5000)],
        (
            "udp      17 30 src=10.1.0.2 dst=10.2.0.2 sport=5000 dport=9 [UNREPLIED] "
            "src=10.2.0.2 dst=10.1.0.2 sport=9 dport=5000 mark=0 use=1"
        ),
    ),
    (
        [tcp(), answer(tcp())],
        (
            "tcp      6 60 SYN_RECV src=10.1.0.2 dst=10.2.0.2 sport=40000 dport=80 "
            "src=10.2.0.2 dst=10.1.0.2 sport=80 dport=40000 mark=0 use=1"
        ),
    ),
    (
        [icmp()],
        (
            "icmp     1 30 src=10.1.0.2 dst=10.2.0.2 type=8 code=0 id=7 [UNREPLIED] "
            "src=10.2.0.2 dst=10.1.0.2 type=0 code=0 id=7 mark=0 use=1"
        ),
    ),
]


@pytest.mark.parametrize(("packets", "line"), LISTED, ids=["udp", "tcp", "icmp"])
def test_listing(packets: list[Packet], line: str) -> None:
    _, netfilter = rules(TRACK)
    for packet in packets:
        walk(netfilter, packet)
    assert netfilter.conntrack.text() == f"{line}\n"


# --- SCTP -----------------------------------------------------------------------------------------------------------

ASSOCIATION = [
    # chunk, forth | state after it
    (SCTPChunk.INIT, True, SCTPState.CLOSED),
    (SCTPChunk.INIT_ACK, False, SCTPState.COOKIE_WAIT),
    (SCTPChunk.COOKIE_ECHO, True, SCTPState.COOKIE_ECHOED),
    (SCTPChunk.COOKIE_ACK, False, SCTPState.ESTABLISHED),
    (SCTPChunk.DATA, True, SCTPState.ESTABLISHED),
    (SCTPChunk.SHUTDOWN, True, SCTPState.SHUTDOWN_SENT),
    (SCTPChunk.ABORT, False, SCTPState.CLOSED),
]


def test_an_association() -> None:
    """Measured on Linux 6.18, chunk by chunk."""
    _, netfilter = rules(TRACK)
    for chunk, forth, state in ASSOCIATION:
        packet = sctp(chunk=chunk) if forth else sctp("10.2.0.2", "10.1.0.2", 80, 40000, chunk)
        walk(netfilter, packet, back=not forth)
        (ct,) = netfilter.conntrack
        assert ct.sctp is state
        assert ct.has(CtStatus.ASSURED) == (chunk not in (SCTPChunk.INIT, SCTPChunk.INIT_ACK, SCTPChunk.COOKIE_ECHO))


def test_the_table_of_sctp_has_a_cell_for_every_state() -> None:
    for direction in Direction:
        assert {len(row) for row in TRANSITIONS[direction].values()} == {len(SCTPState)}


def test_rule_sets_are_compiled_once() -> None:
    ruleset = parse(f"*filter\n{TRACK}\nCOMMIT\n", Family.IPV4, "test")
    one, two = Netfilter([ruleset], World()), Netfilter([ruleset], World())
    assert one._compiled == two._compiled
    assert one.conntrack is not two.conntrack
