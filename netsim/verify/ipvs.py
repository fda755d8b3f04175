"""A namespace's virtual servers in the real kernel: made, emptied of what they remember, and the table of connections read.

IPVS has no command that empties its table. But with ``expire_nodest_conn`` it drops connections whose real server is taken away, so the
virtual servers are taken away, and made anew: their schedulers begin again too.
Ref: net/netfilter/ipvs/ip_vs_ctl.c:ip_vs_enqueue_expire_nodest_conns() (since v5.9), ip_vs_conn.c:ip_vs_conn_seq_show() (v6.1).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from netsim.net.address import Address, family_of
from netsim.rules.ipvs.ast import (
    FirewallMarkService,
    Forwarding,
    RealServer,
    ServiceKey,
    TransportService,
    VirtualServer,
    VirtualServers,
)
from netsim.rules.ipvs.connections import IPVSConnection
from netsim.verify.enter import entered
from netsim.verify.ipvs_netlink import IPVSSocket
from netsim.verify.ipvs_sync import SYNC_ID, tell

TABLE = Path("/proc/net/ip_vs_conn")
EXPIRE = Path("/proc/sys/net/ipv4/vs/expire_nodest_conn")
REPORTS = Path("/proc/sys/net/ipv4/igmp_link_local_mcast_reports")
LONGEST_EMPTYING_S = 1.0
AFTER_EMPTYING_S = 0.05
"""The work that drops connections begins a tick after a real server went, and asks no sysctl: what is made meanwhile it would drop too.
Ref: net/netfilter/ipvs/ip_vs_conn.c:ip_vs_expire_nodest_conn_flush() (v6.1)."""


@dataclass(frozen=True, slots=True)
class IPVSEntry:
    """One connection, or template of a persistent client, in the words of ``ipvsadm -Lnc``, without its timeout."""

    protocol: str
    state: str
    client: tuple[Address, int]
    virtual: tuple[Address, int]
    real: tuple[Address, int]

    def __str__(self) -> str:
        ends = ((name, getattr(self, name)) for name in ("client", "virtual", "real"))
        return " ".join((self.protocol, self.state, *(_end(name, *end) for name, end in ends)))


def _end(name: str, address: Address, port: int) -> str:
    kind = "dport" if name == "virtual" else "sport"
    return f"{name}={address} {kind}={port}"


def make_virtual_servers(real_name: str, servers: VirtualServers) -> None:
    """Make them in a real namespace. Raises OSError."""
    with closing(RealIPVS(real_name, servers)) as made:
        made.make()


class RealIPVS:
    """The IPVS of a real namespace. Raises OSError where the kernel has none, or refuses a virtual server.

    ``known`` are connections that it has beforehand, once ``begin_again`` made them.
    """

    def __init__(self, real_name: str, servers: VirtualServers, known: Sequence[IPVSConnection] = ()) -> None:
        self._real_name = real_name
        self._servers = servers
        self._known = known
        self._has_backup = False
        with entered(real_name):
            self._socket = IPVSSocket()

    def close(self) -> None:
        """Close its socket; the virtual servers stay."""
        self._socket.close()

    def make(self) -> None:
        """Make the virtual servers."""
        self._socket.make(self._servers)

    def begin_again(self) -> None:
        """Forget every connection and where schedulers stand."""
        with entered(self._real_name):
            before = EXPIRE.read_text(encoding="ascii")
            EXPIRE.write_text("1", encoding="ascii")
            self._socket.flush()
            end = time.monotonic() + LONGEST_EMPTYING_S
            while any(_rows()) and time.monotonic() < end:
                time.sleep(0.005)
            EXPIRE.write_text(before, encoding="ascii")
        self._socket.make(self._servers)
        if self._known:
            time.sleep(AFTER_EMPTYING_S)
            self._seed()

    def _seed(self) -> None:
        """Make the known connections. A real server that is gone is there while its connections are made, so that they know it."""
        with entered(self._real_name):
            if not self._has_backup:
                REPORTS.write_text("0", encoding="ascii")  # nobody on lo needs to hear of the group
                self._socket.start_backup("lo", SYNC_ID)
                self._has_backup = True
            placed = [(each, *self._place(each)) for each in self._known]
            gone = [(server, real) for _, server, real, stays in placed if not stays]
            for server, real in gone:
                self._socket.add_real_server(server, real)
            tell([(each, real) for each, _, real, _ in placed])
            end = time.monotonic() + LONGEST_EMPTYING_S
            while len(list(_rows())) < len(placed):
                if time.monotonic() > end:
                    raise OSError(0, "IPVS did not take the connections that it is to know beforehand")
                time.sleep(0.005)
            before = EXPIRE.read_text(encoding="ascii")
            EXPIRE.write_text("0", encoding="ascii")  # or they would go with their real server
            for server, real in gone:
                self._socket.remove_real_server(server, real)
            EXPIRE.write_text(before, encoding="ascii")

    def _place(self, known: IPVSConnection) -> tuple[VirtualServer, RealServer, bool]:
        """The virtual server and the real server of a connection, and whether the real server is still one."""
        key: ServiceKey = TransportService(known.protocol, *known.virtual)
        if known.protocol == 0:
            key = FirewallMarkService(int(known.virtual[0]), family_of(known.client[0]))
        server = (
            self._servers.servers.get(key)
            or self._servers.servers[TransportService(known.protocol, known.virtual[0], 0)]
        )
        for real in server.real_servers:
            if real.address == known.real[0] and real.port in (0, known.real[1]):
                return server, real, True
        return server, RealServer(*known.real, Forwarding.MASQUERADE), False

    def entries(self) -> list[IPVSEntry]:
        """The table of connections."""
        with entered(self._real_name):
            return [_entry(words) for words in _rows()]


def _rows() -> Iterator[list[str]]:
    lines = TABLE.read_text(encoding="ascii").splitlines()[1:]
    return (line.split() for line in lines)


def _entry(words: list[str]) -> IPVSEntry:
    protocol, client, cport, virtual, vport, real, rport, state = words[:8]
    ends = ((client, cport), (virtual, vport), (real, rport))
    return IPVSEntry(protocol, state, *((_address(address), int(port, 16)) for address, port in ends))


def _address(text: str) -> Address:
    """IPv4 as eight hexadecimal digits, IPv6 in full with colons."""
    return IPv6Address(text) if ":" in text else IPv4Address(int(text, 16))
