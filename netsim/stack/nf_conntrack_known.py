"""Entries that are in the table before a packet comes: what a line of ``conntrack -L`` tells of ``struct nf_conn``."""

from __future__ import annotations

from netsim.rules.conntrack.ast import ConntrackEntry, EntryTuple
from netsim.stack.nf_conntrack_entry import CtStatus, NfConn, SCTPState
from netsim.stack.nf_conntrack_tcp import TCPState
from netsim.stack.nf_conntrack_tuple import ICMP_PROTOCOLS, ConntrackTuple, Direction, Zone


def conn_of(entry: ConntrackEntry, now: float) -> NfConn:
    """The entry as a connection that lives for its seconds from now on; NAT is what its two tuples tell.

    A list tells no windows, so no segment of it is out of window, as with an entry that ``conntrack -I`` makes.
    """
    directions = tuple(Direction) if entry.zone_direction is None else (Direction(entry.zone_direction),)
    ct = NfConn(
        _tuple(entry.original, entry.protocol),
        _tuple(entry.reply, entry.protocol),
        mark=entry.mark,
        deadline=now + entry.seconds,
        zone=Zone(entry.zone, directions) if entry.zone else Zone(),
    )
    if entry.state is not None:
        if entry.protocol == _TCP:
            ct.tcp = TCPState[entry.state]
        else:
            ct.sctp = SCTPState[entry.state]
    for sender in ct.windows.seen.values():
        sender.liberal = True
    ct.status |= nat_status(ct) & ~(CtStatus.DST_NAT if entry.by_ipvs else CtStatus.NONE)
    ct.status |= CtStatus.SEEN_REPLY if entry.seen_reply else CtStatus.NONE
    ct.status |= CtStatus.ASSURED if entry.assured else CtStatus.NONE
    return ct


_TCP = 6


def _tuple(side: EntryTuple, protocol: int) -> ConntrackTuple:
    if protocol in ICMP_PROTOCOLS:
        return ConntrackTuple(side.src, side.dst, protocol, side.identifier, side.type << 8 | side.code)
    return ConntrackTuple(side.src, side.dst, protocol, side.sport, side.dport)


def nat_status(ct: NfConn) -> CtStatus:
    """The NAT bits that two tuples tell: what is not the inverse of the original was changed."""
    status = CtStatus.SRC_NAT_DONE | CtStatus.DST_NAT_DONE
    plain = ct.original.invert()
    assert plain is not None
    if (plain.dst, plain.dport) != (ct.reply.dst, ct.reply.dport):
        status |= CtStatus.SRC_NAT
    if (plain.src, plain.sport) != (ct.reply.src, ct.reply.sport):
        status |= CtStatus.DST_NAT
    return status
