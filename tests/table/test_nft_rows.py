"""The rows of ``nft_rows`` before the model."""

from __future__ import annotations

import pytest

from netsim.net.address import MAC
from netsim.net.packet import Packet
from netsim.stack.netfilter import Netfilter
from netsim.stack.nf_tables_api import compile_ruleset
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import NftChainPass, NotModelled
from tests.table.nft_further_rows import FURTHER_ROWS
from tests.table.nft_rows import ROWS, NftRow
from tests.unit.netfilter_world import FORWARD, World, rules, walk


def matched(world: World, netfilter: Netfilter, row: NftRow) -> str:
    """One letter a packet: ``y`` where the row's rule matched."""
    letters = ""
    for packet in row.packets:
        world.steps.clear()
        _show(netfilter, packet, row)
        passes = [step for step in world.of(NftChainPass) if step.chain == "c"]
        hits = [each.matched and _to_the_end(each.effect) for step in passes for each in step.evaluations]
        letters += "y" if any(hits[:1]) else "n"
    assert not world.of(NotModelled)
    return letters


def _show(netfilter: Netfilter, packet: Packet, row: NftRow) -> None:
    """Let a packet pass the hooks of forwarding, or the row's own hook at a device; from FORWARD on its TTL is one less."""
    hook = row.base.split()[1]
    packet = packet.with_ip(ttl=packet.ip.ttl - (hook in ("forward", "egress")))
    if hook not in ("ingress", "egress"):
        walk(netfilter, packet, FORWARD)
        return
    (link,) = compile_ruleset(netfilter.env.nftables[0]).links
    iif, oif = ("in0", "") if hook == "ingress" else ("", "out0")
    skb = SkBuff(packet, MAC(1), MAC(2), iif=iif or None, oif=oif or None)
    netfilter.run_link(link, link.hook, skb, iif, oif)


def _to_the_end(effect: str) -> bool:
    """The counter at the rule's end is not reached behind a verdict."""
    return effect.rpartition("; ")[2] not in ("accept", "return", "drop")


@pytest.mark.parametrize("row", [*ROWS, *FURTHER_ROWS], ids=lambda row: row.id)
def test_packets_and_rules(row: NftRow) -> None:
    world = World(routes_back={"10.2.0.3": "out0", "10.9.0.9": "", "10.2.0.2": "out0"})
    world, netfilter = rules("", nft=row.text(), world=world)
    assert matched(world, netfilter, row) == row.matched
