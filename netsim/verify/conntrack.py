"""The kernel's conntrack table of a namespace: read and emptied over netlink.

Ref: include/uapi/linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_tcp.h (v6.12).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address

from netsim.net.packet import Protocol
from netsim.stack.nf_conntrack_entry import CtStatus
from netsim.stack.nf_conntrack_tcp import TCPState
from netsim.stack.nf_conntrack_tuple import ICMP_PROTOCOLS, ConntrackTuple
from netsim.verify.nfnetlink import Attributes, Message, NetfilterSocket, attribute, attributes

SUBSYSTEM = 1
GET, DELETE = 1, 2
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_STATUS, CTA_PROTOINFO, CTA_MARK = 1, 2, 3, 4, 8
CTA_TUPLE_IP, CTA_TUPLE_PROTO = 1, 2
CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT = 1, 2, 3
CTA_PROTO_ICMP_ID, CTA_PROTO_ICMP_TYPE, CTA_PROTO_ICMP_CODE = 4, 5, 6
CTA_PROTO_ICMPV6_ID, CTA_PROTO_ICMPV6_TYPE, CTA_PROTO_ICMPV6_CODE = 7, 8, 9
CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE = 1, 1
CTA_ZONE = 18
NFNLGRP_CONNTRACK_NEW = 1
AF_UNSPEC = 0

# what tells something of a connection; the rest is bookkeeping that differs from kernel to kernel
COMPARED = (CtStatus.SEEN_REPLY, CtStatus.ASSURED, CtStatus.SRC_NAT, CtStatus.DST_NAT)


@dataclass(frozen=True, slots=True)
class Entry:
    """One connection in the words of ``conntrack -L``, without its timeout. Model and kernel are both brought to it."""

    original: ConntrackTuple
    reply: ConntrackTuple
    status: CtStatus
    state: str
    mark: int

    def __str__(self) -> str:
        name = Protocol(self.original.protocol).name.lower() if self.original.protocol in _KNOWN else "unknown"
        words = [name, *([self.state] if self.state else []), str(self.original)]
        words += [] if self.status & CtStatus.SEEN_REPLY else ["[UNREPLIED]"]
        words.append(str(self.reply))
        words += [f"[{bit.name}]" for bit in COMPARED[1:] if bit & self.status]
        return " ".join([*words, f"mark={self.mark}"])


_KNOWN = frozenset(int(protocol) for protocol in Protocol)


class Connections:
    """The table of the namespace that it is made in, since it was last emptied.

    The kernel tells of each new connection, and each is asked for by its tuple at the end. A dump would walk the hash table of all
    namespaces, which takes some 30 ms. Ref: net/netfilter/nf_conntrack_netlink.c:ctnetlink_conntrack_event(), ctnetlink_get_conntrack().
    """

    def __init__(self) -> None:
        self._asked = NetfilterSocket()
        self._heard = NetfilterSocket()
        self._heard.subscribe(NFNLGRP_CONNTRACK_NEW)
        self._new: dict[tuple[int, bytes], None] = {}

    def flush(self) -> None:
        """Empty the table. Ref: nf_conntrack_netlink.c:ctnetlink_del_conntrack()."""
        self._asked.request(SUBSYSTEM, DELETE, AF_UNSPEC)
        for _ in self._heard.pending():
            pass
        self._new.clear()

    def entries(self) -> list[Entry]:
        """Every connection that is there. Those that ended meanwhile are not."""
        for message in self._heard.pending():
            names = (CTA_TUPLE_ORIG, CTA_ZONE)
            body = b"".join(attribute(n, message.attributes[n]) for n in names if n in message.attributes)
            self._new[message.family, body] = None
        found = (self._get(family, body) for family, body in self._new)
        return [_entry(each.attributes) for each in found if each is not None]

    def _get(self, family: int, body: bytes) -> Message | None:
        try:
            return self._asked.request(SUBSYSTEM, GET, family, body)[0]
        except FileNotFoundError:
            return None

    def close(self) -> None:
        """Close it."""
        self._asked.close()
        self._heard.close()


def _entry(found: Attributes) -> Entry:
    status = CtStatus(int.from_bytes(found.get(CTA_STATUS, b""), "big") & sum(COMPARED))
    mark = int.from_bytes(found.get(CTA_MARK, b""), "big")
    return Entry(_tuple(found[CTA_TUPLE_ORIG]), _tuple(found[CTA_TUPLE_REPLY]), status, _state(found), mark)


def _tuple(data: bytes) -> ConntrackTuple:
    found = attributes(data)
    addresses = attributes(found[CTA_TUPLE_IP])
    proto = attributes(found[CTA_TUPLE_PROTO])
    number = proto[CTA_PROTO_NUM][0]
    first, second = (addresses[1], addresses[2]) if 1 in addresses else (addresses[3], addresses[4])
    src, dst = ip_address(first), ip_address(second)
    if number in ICMP_PROTOCOLS:
        names = (CTA_PROTO_ICMP_ID, CTA_PROTO_ICMP_TYPE, CTA_PROTO_ICMP_CODE)
        if number == Protocol.ICMPV6:
            names = (CTA_PROTO_ICMPV6_ID, CTA_PROTO_ICMPV6_TYPE, CTA_PROTO_ICMPV6_CODE)
        identifier, kind, code = (int.from_bytes(proto.get(name, b""), "big") for name in names)
        return ConntrackTuple(src, dst, number, identifier, kind << 8 | code)
    ports = (
        struct.unpack("!H", proto[name])[0] if name in proto else 0 for name in (CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT)
    )
    return ConntrackTuple(src, dst, number, *ports)


def _state(found: Attributes) -> str:
    if CTA_PROTOINFO not in found:
        return ""
    tcp = attributes(found[CTA_PROTOINFO]).get(CTA_PROTOINFO_TCP)
    return "" if tcp is None else TCPState(attributes(tcp)[CTA_PROTOINFO_TCP_STATE][0]).name
