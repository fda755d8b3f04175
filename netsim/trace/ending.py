"""How one packet of the exchange ended: which of its steps decides.

A bridge that floods makes copies. A copy that ends because its frame was meant for another host is a hop of the leg and decides nothing,
as long as another copy ended for a better reason.
"""

from __future__ import annotations

from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import Packet
from netsim.stack.reasons import DropReason
from netsim.stack.steps import (
    Decapsulation,
    Drop,
    Encapsulation,
    IPVSStep,
    LocalSend,
    NATStep,
    NotModelled,
    Reassembly,
    Receive,
    SocketLookup,
    Step,
    Transmit,
    TTLStep,
)
from netsim.topology.model import Role
from netsim.trace.model import Hop, Leg


class EndingKind(Enum):
    """Where a packet's way ended."""

    TAKEN = "a socket took it"
    REFUSED = "no socket waits for it"
    DROPPED = "it was dropped or rejected on its way"
    LEFT = "it left the modelled network"
    NOT_MODELLED = "it met something that is not modelled"
    LOST = "the recording does not say"


@dataclass(frozen=True, slots=True)
class Ending:
    """``hop`` is where it ended, ``packet`` what it looked like there, ``step`` the deciding step, None where there is none."""

    kind: EndingKind
    hop: Hop
    packet: Packet
    step: SocketLookup | Drop | NotModelled | None


REFUSALS = frozenset(
    {DropReason.NO_SOCKET, DropReason.TCP_INVALID, DropReason.UDP_UNEXPECTED_PEER, DropReason.ICMP_UNEXPECTED}
)

_COPY_DEATHS: dict[DropReason, int] = {
    # how little the end of one copy says of the packet, where other copies ended otherwise; 0 for every other reason
    DropReason.BRIDGE_ISOLATED: 1,
    DropReason.DEV_DOWN: 1,
    DropReason.NO_CARRIER: 1,
    DropReason.NO_PEER: 1,
    DropReason.OTHERHOST: 2,
}


def ending_of(leg: Leg) -> Ending:
    """How a leg ended. What is not modelled comes first: behind it nothing is known."""
    steps = [(hop, index, step) for hop in leg.hops for index, step in enumerate(hop.steps)]
    for hop, index, step in steps:
        if isinstance(step, NotModelled):
            return _ending(leg, EndingKind.NOT_MODELLED, hop, index, step)
    for hop, index, step in steps:
        if isinstance(step, SocketLookup) and step.owner is not None:
            return _ending(leg, EndingKind.TAKEN, hop, index, step)
    outside = next((hop for hop in leg.hops if hop.role is Role.OUTSIDE), None)
    if outside is not None and outside is not leg.hops[0]:
        return _ending(leg, EndingKind.LEFT, _last_machine(leg, outside), len(outside.steps), None)
    drops = [(hop, index, step) for hop, index, step in steps if isinstance(step, Drop)]
    if drops:
        hop, index, drop = min(drops, key=lambda found: _COPY_DEATHS.get(found[2].reason, 0))
        kind = EndingKind.REFUSED if drop.reason in REFUSALS else EndingKind.DROPPED
        return _ending(leg, kind, hop, index, drop)
    for hop, index, step in steps:
        if isinstance(step, SocketLookup):
            return _ending(leg, EndingKind.REFUSED, hop, index, step)
    return _ending(leg, EndingKind.LOST, leg.hops[-1], len(leg.hops[-1].steps), None)


def _last_machine(leg: Leg, outside: Hop) -> Hop:
    """Whose routing sent a packet outside: the last machine of the cluster that it left."""
    before = leg.hops[: leg.hops.index(outside)]
    return next((hop for hop in reversed(before) if hop.node is not None), before[-1])


def _ending(leg: Leg, kind: EndingKind, hop: Hop, index: int, step: SocketLookup | Drop | NotModelled | None) -> Ending:
    return Ending(kind, hop, packet_at(leg, hop, index), step)


def packet_at(leg: Leg, hop: Hop, index: int) -> Packet:
    """The packet as it stood when the step of a hop was reached."""
    assert leg.sent is not None
    packet = leg.sent
    for stay in leg.hops:
        for position, step in enumerate(stay.steps):
            if stay is hop and position > index:
                return packet
            packet = _after(step, packet)
        if stay is hop:
            return packet
    return packet


def _after(step: Step, packet: Packet) -> Packet:
    match step:
        case Receive() | Transmit() | LocalSend() | SocketLookup():
            return step.packet
        case NATStep() | IPVSStep():
            return step.after
        case Encapsulation():
            return step.outer
        case Decapsulation():
            return step.inner
        case Reassembly():
            return step.packet
        case TTLStep():
            return packet.with_ip(ttl=step.after)
        case _:
            return packet


def goes_in_circles(leg: Leg) -> bool:
    """True where a namespace forwarded the packet twice to the same destination."""
    assert leg.sent is not None
    packet, forwarded = leg.sent, set[tuple[str, Address]]()
    for hop in leg.hops:
        for step in hop.steps:
            packet = _after(step, packet)
            if isinstance(step, TTLStep):
                place = (hop.netns, packet.ip.dst)
                if place in forwarded:
                    return True
                forwarded.add(place)
    return False
