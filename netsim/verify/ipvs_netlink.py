"""IPVS's generic netlink: virtual servers made and taken away without a process for each.

Ref: include/uapi/linux/ip_vs.h, include/uapi/linux/genetlink.h, net/netfilter/ipvs/ip_vs_ctl.c:ip_vs_genl_set_cmd() (v6.1).
"""

from __future__ import annotations

import os
import socket
import struct

from netsim.net.address import Address, Family, family_of
from netsim.rules.ipvs.ast import FirewallMarkService, Forwarding, RealServer, VirtualServer, VirtualServers
from netsim.verify.nfnetlink import NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, attribute, attributes

NETLINK_GENERIC = 16
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
NEW_SERVICE, NEW_DEST, DEL_DEST, NEW_DAEMON, FLUSH = 1, 5, 7, 9, 17
ATTR_SERVICE, ATTR_DEST, ATTR_DAEMON = 1, 2, 3
DAEMON_STATE, DAEMON_MCAST_IFN, DAEMON_SYNC_ID, STATE_BACKUP = 1, 2, 3, 2
SVC_AF, SVC_PROTOCOL, SVC_ADDR, SVC_PORT, SVC_FWMARK, SVC_SCHED_NAME, SVC_FLAGS, SVC_TIMEOUT, SVC_NETMASK = range(1, 10)
SVC_PE_NAME = 11
DEST_ADDR, DEST_PORT, DEST_FWD_METHOD, DEST_WEIGHT, DEST_U_THRESH, DEST_L_THRESH = range(1, 7)
DEST_ADDR_FAMILY = 11
F_PERSISTENT, F_ONEPACKET = 0x1, 0x4
F_SCHED = {1: 0x8, 2: 0x10, 3: 0x20}
METHODS = {Forwarding.MASQUERADE: 0, Forwarding.TUNNEL: 2, Forwarding.DIRECT_ROUTE: 3}
DEFAULT_PERSISTENCE_S = 0

_HEADER = struct.Struct("=IHHIIBBH")
"""nlmsghdr and genlmsghdr."""
_ERROR = struct.Struct("=IHHIIi")


class IPVSSocket:
    """A netlink socket for the IPVS of the namespace that it is made in. Raises OSError where the kernel has none."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_GENERIC)
        self._socket.bind((0, 0))
        self._family = GENL_ID_CTRL
        try:
            answer = self._ask(CTRL_CMD_GETFAMILY, attribute(CTRL_ATTR_FAMILY_NAME, b"IPVS\0"))
        except OSError as error:
            self.close()
            raise OSError(error.errno, "this kernel has no IPVS") from error
        self._family = int.from_bytes(attributes(answer)[CTRL_ATTR_FAMILY_ID], "little")

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def make(self, servers: VirtualServers) -> None:
        """Make virtual servers with their real servers, in their order. Raises OSError with what the kernel refuses."""
        for server in servers.servers.values():
            self._ask(NEW_SERVICE, attribute(ATTR_SERVICE, _key(server) + _settings(server)))
            for real in server.real_servers:
                self.add_real_server(server, real)

    def add_real_server(self, server: VirtualServer, real: RealServer) -> None:
        """One more real server of a virtual server that stands."""
        self._ask(NEW_DEST, attribute(ATTR_SERVICE, _key(server)) + attribute(ATTR_DEST, _real(real)))

    def remove_real_server(self, server: VirtualServer, real: RealServer) -> None:
        """One real server less; its connections stay."""
        self._ask(DEL_DEST, attribute(ATTR_SERVICE, _key(server)) + attribute(ATTR_DEST, _real(real)))

    def start_backup(self, device: str, sync_id: int) -> None:
        """Have a kernel thread of the namespace take connections from a multicast group on a device."""
        said = attribute(DAEMON_STATE, _u32(STATE_BACKUP)) + attribute(DAEMON_MCAST_IFN, device.encode() + b"\0")
        self._ask(NEW_DAEMON, attribute(ATTR_DAEMON, said + attribute(DAEMON_SYNC_ID, _u32(sync_id))))

    def flush(self) -> None:
        """Take all virtual servers away."""
        self._ask(FLUSH, b"")

    def _ask(self, command: int, body: bytes) -> bytes:
        """The attributes of the answer, if there is any beside the acknowledgement."""
        size = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(size, self._family, NLM_F_REQUEST | NLM_F_ACK, 1, 0, command, 1, 0) + body)
        answer = b""
        while True:
            data = self._socket.recv(1 << 16)
            length, kind = struct.unpack_from("=IH", data)
            if kind == NLMSG_ERROR:
                number = -_ERROR.unpack_from(data)[-1]
                if number:
                    raise OSError(number, f"IPVS: {os.strerror(number)}")
                return answer
            answer = data[_HEADER.size : length]


def _key(server: VirtualServer) -> bytes:
    key = server.key
    if isinstance(key, FirewallMarkService):
        found = attribute(SVC_AF, _u16(socket.AF_INET if key.family is Family.IPV4 else socket.AF_INET6))
        return found + attribute(SVC_FWMARK, _u32(key.mark))
    found = attribute(SVC_AF, _u16(_af(key.address))) + attribute(SVC_PROTOCOL, _u16(key.protocol))
    return found + attribute(SVC_ADDR, _address(key.address)) + attribute(SVC_PORT, struct.pack("!H", key.port))


def _settings(server: VirtualServer) -> bytes:
    flags = sum(F_SCHED[number] for number in server.flags)
    flags |= F_PERSISTENT if server.persistent is not None else 0
    flags |= F_ONEPACKET if server.one_packet else 0
    found = attribute(SVC_SCHED_NAME, server.scheduler.encode() + b"\0")
    found += attribute(SVC_FLAGS, struct.pack("=II", flags, 0xFFFFFFFF))
    found += attribute(SVC_TIMEOUT, _u32(server.persistent or DEFAULT_PERSISTENCE_S))
    found += attribute(SVC_NETMASK, _netmask(server))
    return found + (
        attribute(SVC_PE_NAME, server.persistence_engine.encode() + b"\0") if server.persistence_engine else b""
    )


def _netmask(server: VirtualServer) -> bytes:
    """A mask for IPv4, a length for IPv6."""
    key = server.key
    family = key.family if isinstance(key, FirewallMarkService) else family_of(key.address)
    if family is Family.IPV6:
        return _u32(128 if server.netmask is None else server.netmask)
    length = 32 if server.netmask is None else server.netmask
    return struct.pack("!I", 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF)


def _real(real: RealServer) -> bytes:
    if real.tunnel[:2] not in ((), ("--tun-type", "ipip")):
        raise OSError(0, f"no real server with {' '.join(real.tunnel)} is made")
    found = attribute(DEST_ADDR_FAMILY, _u16(_af(real.address))) + attribute(DEST_ADDR, _address(real.address))
    found += attribute(DEST_PORT, struct.pack("!H", real.port)) + attribute(
        DEST_FWD_METHOD, _u32(METHODS[real.forwarding])
    )
    for number, value in ((DEST_WEIGHT, real.weight), (DEST_U_THRESH, real.upper), (DEST_L_THRESH, real.lower)):
        found += attribute(number, _u32(value))
    return found


def _af(address: Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _address(address: Address) -> bytes:
    return address.packed.ljust(16, b"\0")


def _u16(value: int) -> bytes:
    return struct.pack("=H", value)


def _u32(value: int) -> bytes:
    return struct.pack("=I", value)
