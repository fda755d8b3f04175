"""A Service as kube-proxy writes it (iptables mode): its branches, their chances, the replies of each, session affinity."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from netsim.net.address import Family
from netsim.net.packet import Packet
from netsim.rules.xtables.parse import parse
from netsim.stack.environment import HookVerdict
from netsim.stack.netfilter import Netfilter
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import ChainPass, Drop
from tests.unit.netfilter_world import FORWARD, INPUT, OUTPUT, World, answer, tcp, through

VIP = "10.96.0.10"
POD = "10.244.1.9"
NODE = "10.1.0.1"


def _service(*endpoints: str, affinity: bool = False) -> str:
    """One port of one Service, as kube-proxy v1.37 writes it."""
    chains = [f":KUBE-SEP-{i} - [0:0]" for i in range(len(endpoints))]
    lines = [
        "-A PREROUTING -j KUBE-SERVICES",
        "-A OUTPUT -j KUBE-SERVICES",
        "-A POSTROUTING -j KUBE-POSTROUTING",
        "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
        "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
        f'-A KUBE-SERVICES -m comment --comment "shop/api:http" -m tcp -p tcp -d {VIP} --dport 80 -j KUBE-SVC-API',
        f"-A KUBE-SVC-API -m tcp -p tcp -d {VIP} --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ",
    ]
    if affinity:
        lines += [
            f"-A KUBE-SVC-API -m recent --name KUBE-SEP-{i} --rcheck --seconds 10800 --reap -j KUBE-SEP-{i}"
            for i in range(len(endpoints))
        ]
    for i in range(len(endpoints)):
        left = len(endpoints) - i
        chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        lines.append(f'-A KUBE-SVC-API -m comment --comment "shop/api:http -> {endpoints[i]}" {chance}-j KUBE-SEP-{i}')
    for i, endpoint in enumerate(endpoints):
        lines.append(f"-A KUBE-SEP-{i} -s {endpoint.split(':')[0]} -j KUBE-MARK-MASQ")
        remember = f"-m recent --name KUBE-SEP-{i} --set " if affinity else ""
        lines.append(f"-A KUBE-SEP-{i} {remember}-m tcp -p tcp -j DNAT --to-destination {endpoint}")
    names = ["KUBE-SERVICES", "KUBE-SVC-API", "KUBE-MARK-MASQ", "KUBE-POSTROUTING"]
    return "\n".join(["*nat", *(f":{name} - [0:0]" for name in names), *chains, *lines, "COMMIT", ""])


class _Scripted(World):
    """Replays choices, then takes the first option; ``taken`` is what was chosen of how many."""

    def __init__(self, script: list[int]) -> None:
        super().__init__()
        self.script = script
        self.taken: list[tuple[int, int]] = []
        self.chance = Fraction(1)

    def choose(self, description: str, options: object) -> int:
        assert isinstance(options, tuple)
        index = self.script[len(self.taken)] if len(self.taken) < len(self.script) else 0
        self.taken.append((index, len(options)))
        self.chance *= options[index][1]
        return index


def _branches(text: str, packet: Packet, hooks: object = FORWARD) -> Iterator[tuple[_Scripted, Netfilter, Packet]]:
    """Every branch of a first packet, depth first."""
    assert isinstance(hooks, tuple)
    ruleset = parse(text, Family.IPV4, "test")
    script: list[int] | None = []
    while script is not None:
        world = _Scripted(script)
        netfilter = Netfilter([ruleset], world)
        skb = SkBuff(packet, iif="in0" if hooks is not OUTPUT else None, oif="out0" if hooks is OUTPUT else None)
        assert through(netfilter, skb, hooks) is HookVerdict.ACCEPT
        yield world, netfilter, skb.packet
        script = _next(world.taken)


def _next(taken: list[tuple[int, int]]) -> list[int] | None:
    while taken and taken[-1][0] + 1 == taken[-1][1]:
        taken.pop()
    return [index for index, _ in taken[:-1]] + [taken[-1][0] + 1] if taken else None


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("client", "hooks"), [(POD, FORWARD), ("10.1.0.77", FORWARD), (NODE, OUTPUT)])
def test_branches_are_equally_likely_and_each_reply_comes_from_the_service(
    count: int, client: str, hooks: object
) -> None:
    endpoints = [f"10.244.2.{i}:8080" for i in range(count)]
    packet = tcp(client, VIP)
    seen: dict[str, Fraction] = {}
    for world, netfilter, sent in _branches(_service(*endpoints), packet, hooks):
        seen[f"{sent.ip.dst}:{sent.dport}"] = world.chance
        assert str(sent.ip.src) == (POD if client == POD else "10.2.0.1")
        back = SkBuff(answer(sent), iif="out0")
        assert through(netfilter, back, FORWARD if hooks is FORWARD else INPUT, "in0") is HookVerdict.ACCEPT
        assert back.packet == answer(packet)
        assert not world.of(Drop)
    assert seen == {endpoint: Fraction(1, count) for endpoint in endpoints}


def test_options_are_called_by_their_endpoints() -> None:
    world, _, _ = next(iter(_branches(_service("10.244.2.1:80", "10.244.2.2:80"), tcp(POD, VIP))))
    choices = [each.choice for step in world.of(ChainPass) for each in step.evaluations if each.choice]
    assert [choice.options[0][0] for choice in choices] == ["shop/api:http -> 10.244.2.1:80"]


def test_a_pod_that_reaches_itself_is_masqueraded() -> None:
    sent = [sent for _, _, sent in _branches(_service("10.244.1.9:8080", "10.244.2.2:8080"), tcp(POD, VIP))]
    assert [(str(packet.ip.src), str(packet.ip.dst)) for packet in sent] == [
        ("10.2.0.1", POD),
        (POD, "10.244.2.2"),
    ]


def test_affinity_keeps_a_client_for_its_time() -> None:
    text = _service("10.244.2.1:80", "10.244.2.2:80", "10.244.2.3:80", affinity=True)
    for world, netfilter, first in _branches(text, tcp(POD, VIP)):
        asked = len(world.taken)
        for sport in (50000, 50001):
            world.time += 10000
            skb = SkBuff(tcp(POD, VIP, sport), iif="in0")
            assert through(netfilter, skb, FORWARD) is HookVerdict.ACCEPT
            assert skb.packet.ip.dst == first.ip.dst
        assert len(world.taken) == asked
        world.time += 10801
        through(netfilter, SkBuff(tcp(POD, VIP, 50002), iif="in0"), FORWARD)
        assert len(world.taken) > asked
