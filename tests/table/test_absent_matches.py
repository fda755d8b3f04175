"""Matches on what nothing in the model has, over IPv6, and of packets that this host's own processes send."""

from __future__ import annotations

import pytest

from netsim.net.address import MAC, Family
from netsim.net.packet import Packet
from netsim.stack.environment import HookVerdict
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook, NotModelled
from tests.unit.netfilter_world import OUTPUT, rules, tcp, through, udp

PLAIN = udp("fd01::2", "fd02::2")
MADE_OF_MAC = udp("fd01::a8bb:ccff:fedd:ee01", "fd02::2")
FRAGMENT = PLAIN.with_ip(more_fragments=True)

IPV6 = [
    # rule, packet, whether it matches. Ref: ip6t_ipv6header.c, ip6t_eui64.c, ip6t_rt.c, ip6t_hbh.c (v6.12); not measured
    ("-m ipv6header --header prot", PLAIN, True),
    ("-m ipv6header --header prot", FRAGMENT, False),
    ("-m ipv6header --header frag,prot", FRAGMENT, True),
    ("-m ipv6header --header frag --soft", FRAGMENT, True),
    ("-m ipv6header --header frag --soft", PLAIN, False),
    ("-m ipv6header ! --header frag --soft", PLAIN, True),
    ("-m ipv6header ! --header hop", PLAIN, True),
    ("-m eui64", PLAIN, False),
    ("-m eui64", MADE_OF_MAC, True),
    ("-m rt --rt-type 0", PLAIN, False),
    ("-m hbh", PLAIN, False),
    ("-m dst ! --dst-len 8", PLAIN, False),
    ("-m frag --fragid 1", PLAIN, False),
]


@pytest.mark.parametrize(("words", "packet", "matches"), IPV6, ids=[f"{row[0]} {row[1].ip.src}" for row in IPV6])
def test_ipv6(words: str, packet: Packet, matches: bool) -> None:
    _, netfilter = rules(f"*raw\n-A PREROUTING {words} -j DROP", family=Family.IPV6)
    skb = SkBuff(packet, src_mac=MAC(0xAABBCCDDEE01), iif="in0")
    assert (netfilter.run(Hook.PREROUTING, skb) is HookVerdict.DROP) == matches


@pytest.mark.parametrize(
    ("words", "packet", "owner"),
    [("-m cgroup --cgroup 1", tcp(), "program"), ("-m frag --fragid 1", FRAGMENT, "program")],
)
def test_what_is_there_after_all_is_not_modelled(words: str, packet: Packet, owner: str) -> None:
    family = packet.family
    world, netfilter = rules(f"*raw\n-A OUTPUT {words} -j DROP", family=family)
    skb = SkBuff(packet, oif="out0", socket_owner=owner)
    assert through(netfilter, skb, OUTPUT) is HookVerdict.STOLEN
    assert len(world.of(NotModelled)) == 1
