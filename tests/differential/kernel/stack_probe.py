"""One packet from a real socket, and what the socket is told.

Run inside a namespace with the words SOURCE-PORT tcp|udp ADDRESS PORT PAYLOAD TTL SECONDS DF.
"""

import errno
import select
import socket
import struct
import sys
from contextlib import suppress

IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO, IP_RECVERR = 10, 0, 2, 11
IPV6_MTU_DISCOVER, IPV6_RECVERR = 23, 25
ORIGIN_ICMP = {4: 2, 6: 3}  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6. Ref: include/uapi/linux/errqueue.h
OPTIONS = {
    # family: level, TTL, path MTU discovery, errors, any address
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL, IP_MTU_DISCOVER, IP_RECVERR, "0.0.0.0"),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, IPV6_MTU_DISCOVER, IPV6_RECVERR, "::"),
}
TOO_BIG = {(4, 3, 4), (6, 2, 0)}


def heard(
    sport: int, protocol: str, address: str, port: int, payload: int, ttl: int, seconds: float, *, df: bool
) -> str:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    level, hops, discover, errors, anywhere = OPTIONS[family]
    with socket.socket(family, kind) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.setsockopt(level, hops, ttl)
        client.setsockopt(level, discover, IP_PMTUDISC_DO if df else IP_PMTUDISC_DONT)
        client.bind((anywhere, sport))
        client.settimeout(seconds)
        try:
            if protocol == "tcp":
                return _tcp(client, (address, port))
            client.setsockopt(level, errors, 1)
            return _udp(client, (address, port), payload, seconds)
        except TimeoutError:
            return ""
        except OSError as error:
            return errno.errorcode[error.errno or 0]


def _tcp(client: socket.socket, server: tuple[str, int]) -> str:
    client.connect(server)
    return f"SYN-ACK from {server[0]}"


def _udp(client: socket.socket, server: tuple[str, int], payload: int, seconds: float) -> str:
    client.connect(server)
    with suppress(PermissionError):  # a local REJECT also fails the system call
        client.send(b"x" * payload)
    poller = select.poll()
    poller.register(client, select.POLLIN | select.POLLERR)
    events = poller.poll(seconds * 1000)
    if not events:
        return ""
    if events[0][1] & select.POLLERR:
        return _error(client)
    _, peer = client.recvfrom(65535)
    return f"answer from {peer[0]}"


def _error(client: socket.socket) -> str:
    _, ancillary, _, _ = client.recvmsg(65535, 512, socket.MSG_ERRQUEUE)
    for level, kind, data in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            version = 4 if level == socket.IPPROTO_IP else 6
            _, origin, icmp_type, code, _, told, _ = struct.unpack_from("=IBBBBII", data)
            offender = _offender(version, data[16:])
            if origin == ORIGIN_ICMP[version]:
                size = f" mtu {told}" if (version, icmp_type, code) in TOO_BIG else ""
                return f"error {icmp_type}/{code}{size} from {offender}"
    return "error without an ICMP message"


def _offender(version: int, name: bytes) -> str:
    """The address in a ``sockaddr_in`` or ``sockaddr_in6``."""
    if version == 4:
        return socket.inet_ntop(socket.AF_INET, name[4:8])
    return socket.inet_ntop(socket.AF_INET6, name[8:24])


if __name__ == "__main__":
    number, what, *rest = sys.argv[1:]
    port, payload, ttl = map(int, rest[1:4])
    print(heard(int(number), what, rest[0], port, payload, ttl, float(rest[4]), df=rest[5] == "1"))
