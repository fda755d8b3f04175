"""A namespace's virtual servers in the real kernel: made, emptied of what they remember, and the table of connections read.

IPVS has no command that empties its table. But with ``expire_nodest_conn`` it drops connections whose real server is taken away, so the
virtual servers are taken away, and made anew: their schedulers begin again too.
Ref: net/netfilter/ipvs/ip_vs_ctl.c:ip_vs_enqueue_expire_nodest_conns() (since v5.9), ip_vs_conn.c:ip_vs_conn_seq_show() (v6.1).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from netsim.net.address import Address
from netsim.rules.ipvs.ast import VirtualServers
from netsim.verify.enter import entered
from netsim.verify.ipvs_netlink import IPVSSocket

TABLE = Path("/proc/net/ip_vs_conn")
EXPIRE = Path("/proc/sys/net/ipv4/vs/expire_nodest_conn")
LONGEST_EMPTYING_S = 1.0


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
    """The IPVS of a real namespace. Raises OSError where the kernel has none, or refuses a virtual server."""

    def __init__(self, real_name: str, servers: VirtualServers) -> None:
        self._real_name = real_name
        self._servers = servers
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
