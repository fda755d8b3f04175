"""IPVS's view of SCTP associations, chunk by chunk. Ref: net/netfilter/ipvs/ip_vs_proto_sctp.c (v6.12)."""

from __future__ import annotations

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import Protocol, SCTPChunk
from netsim.rules.ipvs.ast import Forwarding, RealServer
from netsim.rules.ipvs.connections import parse
from netsim.stack.ip_vs_conn import Conn, ConnKey, ConnTable
from netsim.stack.ip_vs_dest import Dest
from netsim.stack.ip_vs_proto_sctp import MOVES, TIMEOUTS, IpVsSctpState, next_state
from netsim.stack.ip_vs_proto_tcp import INPUT
from tests.unit.netfilter_world import World, sctp

CHUNKS = {
    "init": SCTPChunk.INIT,
    "init-ack": SCTPChunk.INIT_ACK,
    "cookie-echo": SCTPChunk.COOKIE_ECHO,
    "cookie-ack": SCTPChunk.COOKIE_ACK,
    "data": SCTPChunk.DATA,
    "shutdown": SCTPChunk.SHUTDOWN,
    "abort": SCTPChunk.ABORT,
}
ASSOCIATIONS = (
    # chunks from the client (c) and the server (s), the states after each, the last one's time in seconds, active at the end
    ("c:init", "INIT1", 4, False),
    ("c:init c:init", "INIT1 INIT", 61, False),
    ("c:init s:init-ack", "INIT1 C-SENT", 61, False),
    ("c:init s:init-ack c:cookie-echo s:cookie-ack", "INIT1 C-SENT C-REPLIED ESTABLISHED", 900, True),
    ("c:init s:init-ack c:cookie-echo s:cookie-ack c:data s:data", "INIT1 C-SENT C-REPLIED ESTABLISHED ESTABLISHED ESTABLISHED", 900, True),
    ("c:init s:init-ack c:cookie-echo s:cookie-ack c:shutdown", "INIT1 C-SENT C-REPLIED ESTABLISHED S-RECEIVED", 61, False),
    ("c:init s:init-ack c:cookie-echo s:cookie-ack s:shutdown", "INIT1 C-SENT C-REPLIED ESTABLISHED S-SENT", 61, False),
    ("c:init s:abort", "INIT1 REJECTED", 4, False),
    ("c:init s:init-ack c:cookie-echo s:cookie-ack c:abort", "INIT1 C-SENT C-REPLIED ESTABLISHED CLOSED", 61, False),
    ("c:data", "ESTABLISHED", 900, True),
)  # fmt: skip
ONE_WAY = (
    # answers that do not come by here: direct routing, tunnels
    ("c:init c:cookie-echo c:data", "INIT1 ESTABLISHED ESTABLISHED", 900, True),
    ("c:init c:cookie-echo c:shutdown", "INIT1 ESTABLISHED S-RECEIVED", 61, False),
    ("c:init c:init", "INIT1 INIT", 61, False),
)


def walked(forwarding: Forwarding, chunks: str) -> tuple[str, Conn, Dest]:
    client, virtual, real = map(parse_address, ("10.0.0.1", "10.96.0.1", "10.1.0.1"))
    dest = Dest(RealServer(real, 80, forwarding), 1)
    key = ConnKey(Protocol.SCTP, client, 4000, virtual, 80)
    conn = Conn(key, real, 80, forwarding, dest, conntrack=False, no_output=forwarding is not Forwarding.MASQUERADE)
    table = ConnTable(World())
    table.add(conn)
    states = []
    for step in chunks.split():
        who, _, chunk = step.partition(":")
        table.saw(conn, sctp(chunk=CHUNKS[chunk]), reply=who == "s")
        states.append(conn.state_name)
    return " ".join(states), conn, dest


@pytest.mark.parametrize(("chunks", "states", "seconds", "active"), ASSOCIATIONS, ids=[row[0] for row in ASSOCIATIONS])
def test_associations(chunks: str, states: str, seconds: int, *, active: bool) -> None:
    found, conn, dest = walked(Forwarding.MASQUERADE, chunks)
    assert (found, conn.timeout, conn.active) == (states, seconds, active)
    assert (dest.active, dest.inactive) == (int(active), int(not active))


@pytest.mark.parametrize(("chunks", "states", "seconds", "active"), ONE_WAY, ids=[row[0] for row in ONE_WAY])
def test_answers_that_go_another_way(chunks: str, states: str, seconds: int, *, active: bool) -> None:
    found, conn, _ = walked(Forwarding.DIRECT_ROUTE, chunks)
    assert (found, conn.timeout, conn.active) == (states, seconds, active)


def test_every_chunk_has_a_row_in_every_direction() -> None:
    directions = {direction for direction, _ in MOVES}
    assert len(directions) == 3
    assert {(direction, chunk) for direction in directions for chunk in SCTPChunk} == set(MOVES)
    for direction, chunk in MOVES:
        for state in IpVsSctpState:
            assert next_state(state, direction, chunk) in TIMEOUTS


def test_nothing_comes_back_from_closed_but_by_an_init() -> None:
    others = [chunk for chunk in SCTPChunk if chunk is not SCTPChunk.INIT]
    assert {next_state(IpVsSctpState.CLOSED, INPUT, chunk) for chunk in others} == {IpVsSctpState.CLOSED}
    assert next_state(IpVsSctpState.CLOSED, INPUT, SCTPChunk.INIT) is IpVsSctpState.INIT


def test_a_listing_of_associations_is_read() -> None:
    (entry,) = parse("SCTP 14:59 ESTABLISHED 10.0.0.1:4000 10.96.0.1:80 10.1.0.1:80", "c")
    assert entry.state == "ESTABLISHED"
    (entry,) = parse("SCTP 00:59 C-REPLIED 10.0.0.1:4000 10.96.0.1:80 10.1.0.1:80", "c")
    assert entry.state == "C-REPLIED"
