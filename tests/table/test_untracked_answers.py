"""What conntrack makes of the errors and resets that a host sends about packets it did not track, or forgot; ``notrack`` and zones.

``nf_ct_attach()`` gives them what the packet has in ``_nfct``. Of an untracked packet that is IP_CT_UNTRACKED, which CTINFO2DIR() takes for
a reply: the answer is IP_CT_RELATED to no entry. The NOTRACK and CT of xtables pass by what has anything in ``_nfct``; nftables looks for
an entry or IP_CT_UNTRACKED. A socket forgets a datagram's entry before it answers (``nf_reset_ct()``): that answer has nothing there.
Ref: net/netfilter/core.c:nf_ct_attach(), nf_conntrack_core.c:nf_conntrack_attach(), nf_conntrack_in(), xt_CT.c:notrack_tg(),
nft_ct.c:nft_notrack_eval(), net/ipv4/udp.c:__udp4_lib_rcv() (v6.18). Each row was compared with 6.18.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.net.address import Family, parse_address
from netsim.net.packet import Protocol
from netsim.rules.nft.parse import parse as parse_nft
from netsim.rules.xtables.parse import parse
from netsim.stack.steps import ChainPass, Hook, NftChainPass
from netsim.topology.model import Topology
from netsim.trace.model import Flow
from netsim.trace.trace import trace
from tests.unit.stack_world import lo, netns, route, topology, veth

STATES = ("INVALID", "UNTRACKED", "RELATED", "NEW", "ESTABLISHED")
NFT_STATES = ("invalid", "untracked", "related", "new")
CLOSED, REJECTED, RESET, EXPIRED, UNROUTED = "closed port", "REJECT", "tcp-reset", "TTL", "no route"
FILTER = {
    # what answers: protocol, rule of the router
    CLOSED: (Protocol.UDP, ""),
    REJECTED: (Protocol.UDP, "-A INPUT -p udp -j REJECT\n"),
    RESET: (Protocol.TCP, "-A INPUT -p tcp -j REJECT --reject-with tcp-reset\n"),
    EXPIRED: (Protocol.UDP, ""),
    UNROUTED: (Protocol.UDP, ""),
}
NOTRACK, ZONE, NOTHING = "-j NOTRACK", "-j CT --zone 5", ""
NFT_NOTRACK, NFT_ZONE = "notrack", "ct zone set 5"
ROWS = [
    # what answers, raw PREROUTING, raw OUTPUT, the answer's state
    (REJECTED, NOTRACK, NOTHING, "INVALID"),
    (REJECTED, NOTRACK, NOTRACK, "INVALID"),
    (REJECTED, NOTRACK, "-j CT --notrack", "INVALID"),
    (REJECTED, NOTRACK, NFT_NOTRACK, "UNTRACKED"),
    (EXPIRED, NOTRACK, NOTRACK, "INVALID"),
    (UNROUTED, NOTRACK, NOTRACK, "INVALID"),
    (RESET, NOTRACK, NOTRACK, "INVALID"),
    (RESET, NOTRACK, NFT_NOTRACK, "UNTRACKED"),
    (REJECTED, NOTHING, NOTRACK, "RELATED"),
    (REJECTED, ZONE, NOTHING, "RELATED"),
    # the socket forgot it: the error is looked for as any other packet
    (CLOSED, NOTHING, NOTHING, "RELATED"),
    (CLOSED, NOTHING, NOTRACK, "UNTRACKED"),
    (CLOSED, NOTHING, NFT_NOTRACK, "UNTRACKED"),
    (CLOSED, NOTRACK, NOTRACK, "UNTRACKED"),
    (CLOSED, ZONE, NOTHING, "INVALID"),
    (CLOSED, NOTHING, ZONE, "INVALID"),
    (CLOSED, ZONE, ZONE, "RELATED"),
    (CLOSED, ZONE, NFT_ZONE, "RELATED"),
]
ROW_IDS = [f"{answers}, {inward or 'nothing'}, {outward or 'nothing'}" for answers, inward, outward, _ in ROWS]


def address(version: int, net: int, host: int) -> str:
    return f"10.0.{net}.{host}" if version == 4 else f"fd00:{net}::{host}"


def untracked(version: int, answers: str, inward: str, outward: str) -> tuple[Topology, Flow]:
    """A client and a router whose OUTPUT has a rule for each state."""
    protocol, rule = FILTER[answers]
    of_nft = outward in (NFT_NOTRACK, NFT_ZONE)
    raw = f"-A PREROUTING -p {protocol.name.lower()} {inward}\n" if inward else ""
    raw += f"-A OUTPUT {outward}\n" if outward and not of_nft else ""
    told = "".join(f"-A OUTPUT -m conntrack --ctstate {state}\n" for state in STATES)
    text = f"*raw\n:PREROUTING ACCEPT\n{raw}COMMIT\n*filter\n:OUTPUT ACCEPT\n{rule}{told}COMMIT\n"
    own = f"table inet own {{ chain c {{ type filter hook output priority -300; {outward}; }} }}" if of_nft else ""
    length, default = ("24", "0.0.0.0/0") if version == 4 else ("64", "::/0")
    here, there = address(version, 1, 1), address(version, 1, 2)
    client = netns("c", (lo(), veth("c/eth0", "r/eth0", f"{here}/{length}")), (route(default, there),))
    forwarding = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}
    router = replace(
        netns("r", (lo(), veth("r/eth0", "c/eth0", f"{there}/{length}")), sysctls=forwarding),
        xtables=(parse(text, Family(version), "rules"),),
        nftables=(parse_nft(own, "own"),) if own else (),
    )
    elsewhere = answers in (EXPIRED, UNROUTED)
    to = parse_address(address(version, 9, 9) if elsewhere else there)
    return topology(client, router), Flow("c", to, protocol, 99, ttl=1 if answers == EXPIRED else 64)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("answers", "inward", "outward", "state"), ROWS, ids=ROW_IDS)
def test_the_state_of_an_answer(version, answers, inward, outward, state):
    world, flow = untracked(version, answers, inward, outward)
    (branch,) = trace(world, flow, source="c", target="r").branches
    passes = [
        step
        for leg in branch.legs
        for hop in leg.hops
        for step in hop.steps
        if isinstance(step, ChainPass) and (step.table, step.hook) == ("filter", Hook.OUTPUT)
    ]
    (found,) = passes
    matched = [evaluation.matched for evaluation in found.evaluations]
    assert [each for each, hit in zip(STATES, matched, strict=True) if hit] == [state]


IN_TURN = [
    # statements of one chain before conntrack, the state that the next chain sees
    ("notrack; ct zone set 5", "new"),
    ("ct zone set 5; notrack", "new"),
    ("notrack; notrack", "untracked"),
]


def in_turn(statements: str) -> tuple[Topology, Flow]:
    told = "; ".join(f"ct state {state}" for state in NFT_STATES)
    chains = f"chain p {{ type filter hook prerouting priority -300; {statements}; }}"
    text = f"table ip t {{ {chains} chain f {{ type filter hook input priority 10; {told}; }} }}"
    client = netns("c", (lo(), veth("c/eth0", "r/eth0", "10.0.0.1/24")))
    host = replace(netns("r", (lo(), veth("r/eth0", "c/eth0", "10.0.0.2/24"))), nftables=(parse_nft(text, "rules"),))
    return topology(client, host), Flow("c", parse_address("10.0.0.2"), Protocol.UDP, 99)


@pytest.mark.parametrize(("statements", "state"), IN_TURN, ids=[row[0] for row in IN_TURN])
def test_notrack_and_zones_of_nftables(statements, state):
    """The first template stays, and a zone takes a packet back that ``notrack`` marked."""
    world, flow = in_turn(statements)
    (branch,) = trace(world, flow, source="c", target="r").branches
    steps = (step for hop in branch.legs[0].hops for step in hop.steps)
    (found,) = (step for step in steps if isinstance(step, NftChainPass) and step.hook is Hook.INPUT)
    matched = [evaluation.matched for evaluation in found.evaluations]
    assert [each for each, hit in zip(NFT_STATES, matched, strict=True) if hit] == [state]
