"""Connections that IPVS knows beforehand, told to the kernel as another director would: by its synchronisation protocol, over ``lo``.

There is no command that makes a connection. A backup daemon takes them from a multicast group; it listens on ``lo`` of the namespace alone.
Ref: net/netfilter/ipvs/ip_vs_sync.c:struct ip_vs_sync_v4, struct ip_vs_sync_mesg, ip_vs_proc_sync_conn() (v6.1).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from netsim.net.packet import Protocol
from netsim.rules.ipvs.ast import Forwarding, RealServer
from netsim.rules.ipvs.connections import IPVSConnection
from netsim.stack.ip_vs_proto_tcp import ACTIVE, IpVsTcpState
from netsim.verify.ipvs_netlink import METHODS

GROUP, PORT, SYNC_ID = "224.0.0.81", 8848, 1
VERSION = 1
STYPE_F_INET6 = 0x1
F_HASHED, F_NOOUTPUT, F_INACTIVE, F_TEMPLATE = 0x40, 0x80, 0x100, 0x1000
_MESSAGE = struct.Struct("!BBHBbH")
_CONNECTION = struct.Struct("!BBHIHHHHII")
CTPL_ASSURED = 1


def tell(connections: Sequence[tuple[IPVSConnection, RealServer]]) -> None:
    """Tell the backup daemon of the namespace that one is in of connections, each with its real server. Raises OSError."""
    ordered = sorted(connections, key=lambda each: not each[0].template)  # a client's connections hang on its template
    parts = [_connection(*each) for each in ordered]
    size = _MESSAGE.size + sum(map(len, parts))
    head = _MESSAGE.pack(0, SYNC_ID, size, len(parts), VERSION, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        here = struct.pack(
            "4s4si", socket.inet_aton("0.0.0.0"), socket.inet_aton("127.0.0.1"), socket.if_nametoindex("lo")
        )
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sender.sendto(head + b"".join(parts), (GROUP, PORT))


def _connection(known: IPVSConnection, real: RealServer) -> bytes:
    v6 = known.client[0].version == 6
    addresses = b"".join(end[0].packed for end in (known.client, known.virtual, known.real))
    size = _CONNECTION.size + len(addresses)
    mark = int(known.virtual[0]) if known.protocol == 0 else 0
    ports = (known.client[1], known.virtual[1], known.real[1])
    words = (STYPE_F_INET6 if v6 else 0, known.protocol, size, _flags(known, real), _state(known))
    return _CONNECTION.pack(*words, *ports, mark, known.seconds) + addresses


def _flags(known: IPVSConnection, real: RealServer) -> int:
    flags = METHODS[real.forwarding] | F_HASHED
    if known.template:
        return flags | F_TEMPLATE
    flags |= F_NOOUTPUT if real.forwarding is not Forwarding.MASQUERADE else 0
    active = known.protocol != Protocol.TCP or IpVsTcpState[known.state] in ACTIVE
    return flags if active else flags | F_INACTIVE


def _state(known: IPVSConnection) -> int:
    if known.template:
        return CTPL_ASSURED if known.state == "ASSURED" else 0
    return IpVsTcpState[known.state].value if known.protocol == Protocol.TCP else 0
