"""Every match against packets: does the rule ``-A FORWARD …`` match?"""

from __future__ import annotations

import pytest

from netsim.net.address import MAC, Family
from netsim.net.packet import Packet
from netsim.stack.environment import HookVerdict
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook, NotModelled
from tests.unit.netfilter_world import FORWARD, answer, icmp, rules, sctp, tcp, through, udp, walk

# what the rule says | packet | does it match
ROWS: list[tuple[str, Packet, bool]] = [
    ("-s 10.1.0.0/16", tcp(), True),
    ("-s 10.1.0.3", tcp(), False),
    ("! -s 10.1.0.3", tcp(), True),
    ("-d 10.2.0.2", tcp(), True),
    ("! -d 10.2.0.2", tcp(), False),
    ("-i in0", tcp(), True),
    ("-i in", tcp(), False),
    ("-i in+", tcp(), True),
    ("! -i in+", tcp(), False),
    ("-o out0", tcp(), True),
    ("-o in0", tcp(), False),
    ("-p tcp", tcp(), True),
    ("! -p tcp", tcp(), False),
    ("-p udp", tcp(), False),
    ("-p 6", tcp(), True),
    ("-f", tcp(), False),
    ("-f", tcp().with_ip(fragment_offset=1480), True),
    ("! -f", tcp(), True),
    ("-p tcp -m tcp --dport 80", tcp(), True),
    ("-p tcp -m tcp --dport 80", tcp(dport=81), False),
    ("-p tcp -m tcp ! --dport 80", tcp(), False),
    ("-p tcp -m tcp --dport 79:81", tcp(), True),
    ("-p tcp -m tcp --sport 40000:40001", tcp(), True),
    ("-p tcp -m tcp --dport 80", tcp().with_ip(fragment_offset=1480), False),
    ("-p tcp -m tcp --syn", tcp(), True),
    ("-p tcp -m tcp --syn", tcp(flags="SA"), False),
    ("-p tcp -m tcp ! --syn", tcp(flags="SA"), True),
    ("-p tcp -m tcp --tcp-flags SYN,RST SYN", tcp(flags="SA"), True),
    ("-p tcp -m tcp --tcp-option 2", tcp(), True),
    ("-p tcp -m tcp --tcp-option 2", tcp(flags="A"), False),
    ("-p tcp -m tcp --tcp-option 8", tcp(), True),
    ("-p tcp -m tcp --tcp-option 8", tcp(flags="A"), True),
    ("-p tcp -m tcp --tcp-option 4", tcp(flags="A"), False),
    ("-p tcp -m tcp --tcp-option 1", tcp(flags="R"), False),
    ("-p tcp -m tcp ! --tcp-option 30", tcp(), True),
    ("-m iprange --src-range 10.1.0.1-10.1.0.9", tcp(), True),
    ("-m iprange ! --src-range 10.1.0.1-10.1.0.9", tcp(), False),
    ("-m iprange --dst-range 10.2.0.3-10.2.0.9", tcp(), False),
    ("-m iprange --src-range 10.1.0.2 --dst-range 10.2.0.2", tcp(), True),
    ("-m length --length 60", tcp(), True),
    ("-m length --length 28:", udp(), True),
    ("-m length ! --length :27", udp(), True),
    ("-m length --length 0:27", udp(), False),
    ("-m ttl --ttl-eq 64", tcp(), True),
    ("-m ttl ! --ttl-eq 64", tcp(), False),
    ("-m ttl --ttl-lt 64", tcp(), False),
    ("-m ttl --ttl-lt 64", tcp(ttl=63), True),
    ("-m ttl --ttl-gt 63", tcp(), True),
    ("-m tos --tos 0", tcp(), True),
    ("-m tos --tos 0x10", tcp().with_ip(dscp=4), True),
    ("-m tos --tos Minimize-Delay", tcp().with_ip(dscp=0x3C), False),
    ("-m tos ! --tos 0x10/0x10", tcp(), True),
    ("-m dscp --dscp-class EF", tcp().with_ip(dscp=46), True),
    ("-m dscp ! --dscp 46", tcp().with_ip(dscp=46), False),
    ("-m pkttype --pkt-type unicast", tcp(), True),
    ("-m pkttype ! --pkt-type broadcast", tcp(), True),
    ("-p tcp -m tcpmss --mss 1400:1500", tcp(), True),
    ("-p tcp -m tcpmss ! --mss 1400:1500", tcp(), False),
    ("-p tcp -m tcpmss --mss 1400:1500", tcp(flags="A"), False),
    ("-p tcp -m tcpmss ! --mss 1400:1500", tcp(flags="A"), True),
    ("-m conntrack --ctstatus NONE", tcp(), False),
    ("-m conntrack ! --ctstatus NONE", tcp(), True),
    ("-m conntrack --ctstatus CONFIRMED", tcp(), False),
    ("-m conntrack ! --ctstatus SEEN_REPLY,ASSURED", tcp(), True),
    ("-m conntrack --ctexpire 0", tcp(), True),
    ("-m conntrack --ctexpire 1:", tcp(), False),
    ("-p udp -m udp --dport 53", udp(), True),
    ("-p udp -m udp --dport 53", udp(dport=54), False),
    ("-p udp -m udp --sport 1:1023", udp(), False),
    ("-p sctp -m sctp --dport 80", sctp(), True),
    ("-p sctp -m sctp --dport 81", sctp(), False),
    ("-p icmp -m icmp --icmp-type 8", icmp(), True),
    ("-p icmp -m icmp --icmp-type 0", icmp(), False),
    ("-p icmp -m icmp --icmp-type any", icmp(kind=0), True),
    ("-p icmp -m icmp ! --icmp-type 8", icmp(), False),
    ("-p icmp -m icmp --icmp-type 3/4", icmp(kind=3, code=4), True),
    ("-p icmp -m icmp --icmp-type 3/4", icmp(kind=3, code=3), False),
    ("-p icmp -m icmp --icmp-type 3", icmp(kind=3, code=3), True),
    ("-p tcp -m multiport --dports 22,80,443", tcp(), True),
    ("-p tcp -m multiport --dports 22,443", tcp(), False),
    ("-p tcp -m multiport ! --dports 22,443", tcp(), True),
    ("-p tcp -m multiport --sports 39999:40001", tcp(), True),
    ("-p tcp -m multiport --ports 80", tcp(), True),
    ("-p tcp -m multiport --ports 40000", tcp(), True),
    ("-m mark --mark 0x4000/0x4000", tcp(), False),
    ("-m mark ! --mark 0x4000/0x4000", tcp(), True),
    ("-m comment --comment hello", tcp(), True),
    ("-m addrtype --dst-type LOCAL", tcp(), False),
    ("-m addrtype --dst-type LOCAL", tcp(dst="10.1.0.1"), True),
    ("-m addrtype ! --dst-type LOCAL", tcp(), True),
    ("-m addrtype --src-type LOCAL,UNICAST", tcp(), True),
    ("-m addrtype --dst-type LOCAL --limit-iface-in", tcp(dst="10.1.0.1"), True),
    ("-m addrtype --dst-type LOCAL --limit-iface-in", tcp(dst="10.2.0.1"), False),
    ("-m addrtype --dst-type LOCAL --limit-iface-out", tcp(dst="10.2.0.1"), True),
    ("-m conntrack --ctstate NEW", tcp(), True),
    ("-m conntrack --ctstate RELATED,ESTABLISHED", tcp(), False),
    ("-m conntrack ! --ctstate NEW", tcp(), False),
    ("-m conntrack --ctstate INVALID", tcp(flags="SA"), True),
    ("-m conntrack --ctstate NEW", tcp(flags="A"), True),
    ("-m conntrack --ctstate DNAT", tcp(), False),
    ("-m conntrack --ctdir ORIGINAL", tcp(), True),
    ("-m conntrack --ctdir REPLY", tcp(), False),
    ("-m conntrack --ctdir ORIGINAL", tcp(flags="SA"), False),
    ("-m conntrack --ctproto 6", tcp(), True),
    ("-m conntrack --ctproto 17", tcp(), False),
    ("-m conntrack --ctorigsrc 10.1.0.0/16", tcp(), True),
    ("-m conntrack --ctorigdst 10.1.0.0/16", tcp(), False),
    ("-m conntrack --ctreplsrc 10.2.0.2", tcp(), True),
    ("-m conntrack --ctrepldst 10.2.0.2", tcp(), False),
    ("-m conntrack --ctorigdstport 80", tcp(), True),
    ("-m conntrack --ctorigsrcport 1:1023", tcp(), False),
    ("-m conntrack --ctreplsrcport 80", tcp(), True),
    ("-m conntrack ! --ctrepldstport 40000", tcp(), False),
    ("-m state --state NEW", tcp(), True),
    ("-m state --state ESTABLISHED", tcp(), False),
    ("-m connmark --mark 0", tcp(), True),
    ("-m connmark ! --mark 0", tcp(), False),
    ("-m connmark ! --mark 1", tcp(flags="SA"), False),
    ("-m physdev --physdev-is-bridged", tcp(), False),
    ("-m physdev ! --physdev-is-bridged", tcp(), True),
    ("-m physdev --physdev-in eth0", tcp(), False),
    ("-m physdev ! --physdev-in eth0", tcp(), True),
    ("-m mac --mac-source 02:00:00:00:00:01", tcp(), False),
    ("-m mac ! --mac-source 02:00:00:00:00:01", tcp(), False),
]


@pytest.mark.parametrize(("words", "packet", "matches"), ROWS, ids=[f"{row[0]} | {row[1]}" for row in ROWS])
def test_match(words: str, packet: Packet, matches: bool) -> None:
    world, netfilter = rules(f"-A FORWARD {words} -j DROP")
    assert (walk(netfilter, packet) is None) == matches
    assert not world.of(NotModelled)


ROWS_V6: list[tuple[str, Packet, bool]] = [
    ("-s fd01::/64", tcp("fd01::2", "fd02::2"), True),
    ("-d fd02::3", tcp("fd01::2", "fd02::2"), False),
    ("-p icmpv6 -m icmp6 --icmpv6-type 128", icmp("fd01::2", "fd02::2", kind=128), True),
    ("-p icmpv6 -m icmp6 --icmpv6-type 129", icmp("fd01::2", "fd02::2", kind=128), False),
    ("-m conntrack --ctstate UNTRACKED", icmp("fd01::2", "fd02::2", kind=135), True),
    ("-m conntrack --ctstate NEW", icmp("fd01::2", "fd02::2", kind=128), True),
    ("-m conntrack --ctstate INVALID", icmp("fd01::2", "fd02::2", kind=1), True),
]


@pytest.mark.parametrize(("words", "packet", "matches"), ROWS_V6, ids=[f"{row[0]} | {row[1]}" for row in ROWS_V6])
def test_match_of_ipv6(words: str, packet: Packet, matches: bool) -> None:
    _, netfilter = rules(f"-A FORWARD {words} -j DROP", family=Family.IPV6)
    assert (walk(netfilter, packet) is None) == matches


def test_rules_of_one_family_do_not_see_the_other() -> None:
    world, netfilter = rules("-A FORWARD -j DROP")
    assert walk(netfilter, tcp("fd01::2", "fd02::2")) is not None
    assert world.steps == []


# what the rule says | ports of the bridge that the frame came by and goes by | does it match
BRIDGED = [
    ("-m physdev --physdev-is-bridged", "eth0", "eth1", True),
    ("-m physdev --physdev-is-bridged", "eth0", None, False),
    ("-m physdev --physdev-in eth0", "eth0", "eth1", True),
    ("-m physdev --physdev-in eth1", "eth0", "eth1", False),
    ("-m physdev ! --physdev-in eth1", "eth0", "eth1", True),
    ("-m physdev --physdev-out eth+", "eth0", "eth1", True),
    ("-m physdev --physdev-is-in", "eth0", None, True),
    ("-m physdev ! --physdev-is-out", "eth0", None, True),
    ("-m physdev ! --physdev-is-out", "eth0", "eth1", False),
]


@pytest.mark.parametrize(("words", "came_by", "goes_by", "matches"), BRIDGED)
def test_bridge_ports(words: str, came_by: str, goes_by: str | None, matches: bool) -> None:
    _, netfilter = rules(f"-A FORWARD {words} -j DROP")
    skb = SkBuff(tcp(), iif="br0", oif="br0", physindev=came_by, physoutdev=goes_by, bridged=True)
    assert (netfilter.run(Hook.FORWARD, skb) is HookVerdict.DROP) == matches


def test_mac() -> None:
    _, netfilter = rules("-A FORWARD -m mac --mac-source 02:00:00:00:00:01 -j DROP")
    skb = SkBuff(tcp(), iif="in0", oif="out0", src_mac=MAC.parse("02:00:00:00:00:01"))
    assert netfilter.run(Hook.FORWARD, skb) is HookVerdict.DROP
    skb.src_mac = MAC.parse("02:00:00:00:00:02")
    assert netfilter.run(Hook.FORWARD, skb) is HookVerdict.ACCEPT


def test_input_device_is_known_in_postrouting_of_a_forwarded_packet() -> None:
    """Measured on 6.18 with both iptables: a chain called from POSTROUTING may say ``-i``."""
    text = """
    *mangle
    :U - [0:0]
    -A POSTROUTING -j U
    -A U -i in0 -j DROP
    """
    _, netfilter = rules(text)
    assert walk(netfilter, tcp()) is None
    _, netfilter = rules(text)
    assert walk(netfilter, tcp(), (Hook.OUTPUT, Hook.POSTROUTING)) is not None


def test_reply_is_established() -> None:
    _, netfilter = rules("-A FORWARD -m conntrack --ctstate ESTABLISHED -m conntrack --ctdir REPLY -j DROP")
    first = walk(netfilter, tcp())
    assert first is not None
    assert walk(netfilter, answer(first.packet), back=True) is None


# --- statistic -----------------------------------------------------------------------------------------------


def test_nth_counts_packets_of_the_namespace() -> None:
    _, netfilter = rules("-A FORWARD -m statistic --mode nth --every 3 --packet 1 -j DROP")
    passed = [walk(netfilter, udp(sport=port)) is not None for port in range(1, 8)]
    assert passed == [True, False, True, True, False, True, True]


def test_random_asks_with_the_exact_chance_only_where_the_earlier_parts_matched() -> None:
    world, netfilter = rules("-A FORWARD -p udp -m statistic --mode random --probability 0.33333333349 -j DROP")
    assert walk(netfilter, tcp()) is not None
    assert world.asked == []
    world.choices = [0, 1]
    assert walk(netfilter, udp()) is None
    assert walk(netfilter, udp()) is not None
    (description, options), _ = world.asked
    assert description == "node: filter FORWARD rule 1"
    assert [str(chance) for _, chance in options] == ["1/3", "2/3"]
    assert [step.choice.index for step in world.evaluations() if step.choice] == [0, 1]
    assert [step.matched for step in world.evaluations()] == [False, True, False]


@pytest.mark.parametrize(
    ("rule", "label"),
    [
        ('-m comment --comment "shop/api -> 10.244.0.5:8080" RANDOM -j C', "shop/api -> 10.244.0.5:8080"),
        ("RANDOM -j C", "C"),
        ("RANDOM -j DROP", "match: rule 1 of FORWARD"),
    ],
)
def test_options_are_called_by_what_they_lead_to(rule: str, label: str) -> None:
    words = rule.replace("RANDOM", "-m statistic --mode random --probability 0.5")
    world, netfilter = rules(f":C - [0:0]\n-A FORWARD {words}")
    world.choices = [1]
    walk(netfilter, tcp())
    assert world.asked[0][1][0][0] == label


# --- recent --------------------------------------------------------------------------------------------------

AFFINITY = """
:SVC - [0:0]
-A FORWARD -m recent --name one --rcheck --seconds 10 --reap -j DROP
-A FORWARD -m recent --name one --set
"""


def test_recent_remembers_for_its_seconds() -> None:
    world, netfilter = rules(AFFINITY)
    assert walk(netfilter, udp()) is not None
    world.time = 10
    assert walk(netfilter, udp()) is None
    assert walk(netfilter, udp(src="10.1.0.3")) is not None
    world.time = 10.5
    assert walk(netfilter, udp()) is not None


# operation | datagrams sent: to port 1 one that is set, to port 2 one that the operation judges | those that matched
# Every row was measured on Linux 6.18.
OPERATIONS = [
    ("--rcheck", "2 1 2 2", "n y y"),
    ("! --rcheck", "2 1 2", "y n"),
    ("--rcheck --hitcount 2", "1 2 1 2", "n y"),
    ("--update --hitcount 2", "1 2 2 1 2 2", "n n y y"),
    ("--update", "2 1 2 2", "n y y"),
    ("--remove", "2 1 2 2", "n y n"),
    ("! --remove", "2 1 2 2", "y n y"),
    ("--set", "2 2", "y y"),
    ("! --set", "2 2", "n n"),
    ("--rcheck --seconds 60 --hitcount 1", "1 2", "y"),
]


@pytest.mark.parametrize(("words", "sent", "matched"), OPERATIONS)
def test_recent_operations(words: str, sent: str, matched: str) -> None:
    _, netfilter = rules(
        "-A FORWARD -p udp --dport 1 -m recent --name x --set\n"
        f"-A FORWARD -p udp --dport 2 -m recent --name x {words} -j DROP"
    )
    dropped = [(port, walk(netfilter, udp(dport=int(port))) is None) for port in sent.split()]
    assert ["y" if hit else "n" for port, hit in dropped if port == "2"] == matched.split()


def test_recent_masks_and_directions() -> None:
    _, netfilter = rules(
        "-A FORWARD -m recent --name m --rcheck --rdest --mask 255.255.0.0 -j DROP\n"
        "-A FORWARD -m recent --name m --set --rdest --mask 255.255.0.0"
    )
    assert walk(netfilter, udp()) is not None
    assert walk(netfilter, udp(src="10.9.0.9", dst="10.2.9.9")) is None
    assert walk(netfilter, udp(dst="10.3.0.2")) is not None


def test_recent_list_holds_a_hundred_addresses() -> None:
    _, netfilter = rules(
        "-A FORWARD -p tcp -m recent --name l --rcheck -j DROP\n-A FORWARD -p udp -m recent --name l --set"
    )
    for i in range(101):
        walk(netfilter, udp(src=f"10.1.1.{i}"))
    assert walk(netfilter, tcp(src="10.1.1.0")) is not None
    assert walk(netfilter, tcp(src="10.1.1.1")) is None


# --- what is not modelled -------------------------------------------------------------------------------


NOT_MODELLED = [
    ("-m set --match-set NOWHERE src -j DROP", "ipset NOWHERE"),
    ("-j SET --add-set NOWHERE src", "ipset NOWHERE"),
    ("-m u32 --u32 0x0=0 -j DROP", "-m u32"),
    ("-m time --timestart 10:00 -j DROP", "-m time"),
    ("-m hashlimit --hashlimit-upto 1mb/s --hashlimit-name x -j DROP", "-m hashlimit"),
    ("-p tcp -j SYNPROXY --mss 1460", "-j SYNPROXY"),
    ("-j NFQUEUE --queue-num 3", "queue 3"),
    ("-j QUEUE", "-j QUEUE"),
]


@pytest.mark.parametrize(("words", "what"), NOT_MODELLED)
def test_what_is_not_modelled_stops_the_walk_where_it_is_met(words: str, what: str) -> None:
    world, netfilter = rules(f"-A FORWARD {words}")
    skb = SkBuff(tcp(), iif="in0")
    assert through(netfilter, skb, FORWARD) is HookVerdict.STOLEN
    (step,) = world.of(NotModelled)
    assert what in step.what
    assert step.ref is not None
    assert step.ref.index == 0


@pytest.mark.parametrize(("words", "what"), NOT_MODELLED)
def test_what_is_not_modelled_does_not_matter_where_the_rule_does_not_match(words: str, what: str) -> None:
    del what
    world, netfilter = rules(f"-A FORWARD -s 10.9.0.0/16 {words}")
    assert walk(netfilter, tcp()) is not None
    assert not world.of(NotModelled)


def test_checks_are_made_in_the_order_in_which_they_stand() -> None:
    """A set that comes after a failed match has no side effect; one that comes before it has."""
    _, netfilter = rules(
        "-A FORWARD -m recent --name o --set -m mark --mark 1\n-A FORWARD -m recent --name o --rcheck -j DROP"
    )
    assert walk(netfilter, udp()) is None
    _, netfilter = rules(
        "-A FORWARD -m mark --mark 1 -m recent --name o --set\n-A FORWARD -m recent --name o --rcheck -j DROP"
    )
    assert walk(netfilter, udp()) is not None
