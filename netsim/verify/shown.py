"""What the kernel showed: an observation as a walk."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.net.packet import Packet, Protocol, TCPFlags
from netsim.topology.model import Netns, Role, Topology
from netsim.verify.capture import is_redirect
from netsim.verify.foretold import taken_text
from netsim.verify.observe import Observation
from netsim.verify.walk import (
    Ended,
    Matched,
    Passing,
    Walk,
    is_bare_acknowledgement,
    is_told_by_rules,
    leg_of,
    ports_of,
)

DATA = 2


def shown(seen: Observation, topology: Topology, known: frozenset[int]) -> Walk:
    """The walk of an observation. ``known`` are the ports that no chance picks: every other one in the frames is a random port."""
    frames = tuple(_frames(seen, topology))
    conntrack = tuple((name, str(entry)) for name, found in seen.conntrack.items() for entry in found)
    return Walk(
        frames=frames,
        matched=tuple(_matched(seen)),
        ended=None if seen.drops is None else tuple(_ended(seen, topology)),
        conntrack=conntrack,
        ends=(*(taken_text(each.owner, each.local, each.peer) for each in seen.taken), f"the client: {_client(seen)}"),
        ipvs=tuple((name, str(entry)) for name, found in seen.ipvs.items() for entry in found),
        ports=frozenset(ports_of(frames, conntrack)) - known,
    )


def _client(seen: Observation) -> str:
    flow = seen.flow
    crafted = flow.protocol is Protocol.TCP and flow.flags != TCPFlags.SYN
    return "sent it" if crafted and seen.client == "silence" else seen.client


def _ended(seen: Observation, topology: Topology) -> Iterator[Ended]:
    """What the kernel dropped, but for the world outside, which is a stand-in."""
    for phase, dropped in seen.drops or ():
        leg = leg_of(dropped.packet, answering=phase > 0)
        if _counts(phase, dropped.packet) and topology.namespaces[dropped.netns].role is not Role.OUTSIDE:
            yield Ended(leg, dropped.netns, (dropped.reason,))


def _counts(phase: int, packet: Packet) -> bool:
    return not (phase == DATA and is_bare_acknowledgement(packet)) and not is_redirect(packet)


def _frames(seen: Observation, topology: Topology) -> Iterator[Passing]:
    last: dict[tuple[str, str], Passing] = {}
    for phase, frame in seen.frames:
        if not _counts(phase, frame.packet):
            continue
        leg = leg_of(frame.packet, answering=phase > 0)
        passing = Passing(leg, frame.netns, frame.device, frame.outgoing, frame.packet)
        before = last.get((leg, frame.netns))
        if before is None or not _stays_bridged(before, passing, topology.namespaces[frame.netns]):
            last[leg, frame.netns] = passing
            yield passing


def _stays_bridged(before: Passing, now: Passing, netns: Netns) -> bool:
    """True for a frame that a bridge took from a port and, after DNAT, put through its own device: it was never routed."""
    port = netns.device(before.device)
    came_in = port is not None and port.port is not None and not before.outgoing
    return came_in and now.outgoing and port is not None and port.port is not None and port.port.master == now.device


def _matched(seen: Observation) -> Iterator[Matched]:
    for placed in seen.hits:
        hit = placed.hit
        if hit.packet is None or not is_told_by_rules(hit.packet) or not _counts(placed.phase, hit.packet):
            continue
        leg = leg_of(hit.packet, answering=placed.phase > 0)
        family = hit.packet.ip.dst.version
        policy = hit.verdict if hit.index is None else ""
        yield Matched(leg, placed.netns, family, hit.table, hit.chain, hit.index, policy)
