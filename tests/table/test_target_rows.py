"""The rows of ``target_rows`` before the model."""

from __future__ import annotations

import re

import pytest

from netsim.net.packet import Packet
from netsim.stack.environment import HookVerdict
from netsim.stack.netfilter import Netfilter
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.steps import Hook, NotModelled
from tests.table.target_rows import ROWS, TargetRow, described
from tests.unit.netfilter_world import rules


def forwarded(netfilter: Netfilter, packet: Packet) -> str:
    """How a packet leaves the router, empty where it does not."""
    skb = SkBuff(packet, iif="in0")
    if netfilter.run(Hook.PREROUTING, skb) is not HookVerdict.ACCEPT:
        return ""
    skb.packet = skb.packet.with_ip(ttl=skb.packet.ip.ttl - 1)
    skb.oif, skb.nexthop = "out0", Nexthop("out0", None, None)
    passed = all(netfilter.run(hook, skb) is HookVerdict.ACCEPT for hook in (Hook.FORWARD, Hook.POSTROUTING))
    return described(skb.packet) if passed else ""


def plain(line: str) -> str:
    """An entry without its life and its users."""
    line = re.sub(r" use=\d+", "", line)
    return re.sub(r"^(\w+) +(\d+) \d+", r"\1 \2", line)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_how_packets_leave(row: TargetRow) -> None:
    world, netfilter = rules(row.rules, sets=row.sets)
    assert [forwarded(netfilter, packet) for packet in row.packets] == list(row.leaves)
    assert sorted(map(plain, netfilter.conntrack.text().splitlines())) == sorted(row.conntrack)
    assert not world.of(NotModelled)
