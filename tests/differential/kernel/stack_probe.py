"""One packet from a real socket, and what the socket is told.

Run inside a namespace with the words SOURCE-PORT tcp|udp ADDRESS PORT PAYLOAD TTL SECONDS.
"""

import errno
import select
import socket
import struct
import sys
from contextlib import suppress

IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_RECVERR = 10, 2, 11


def heard(sport: int, protocol: str, address: str, port: int, payload: int, ttl: int, seconds: float) -> str:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        client.bind(("0.0.0.0", sport))
        client.settimeout(seconds)
        try:
            if protocol == "tcp":
                return _tcp(client, (address, port))
            return _udp(client, (address, port), payload, seconds)
        except TimeoutError:
            return ""
        except OSError as error:
            return errno.errorcode[error.errno or 0]


def _tcp(client: socket.socket, server: tuple[str, int]) -> str:
    client.connect(server)
    return f"SYN-ACK from {server[0]}"


def _udp(client: socket.socket, server: tuple[str, int], payload: int, seconds: float) -> str:
    client.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
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
    _, peer = client.recvfrom(4096)
    return f"answer from {peer[0]}"


def _error(client: socket.socket) -> str:
    _, ancillary, _, _ = client.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_RECVERR):
            _, origin, icmp_type, code, _, told, _ = struct.unpack_from("=IBBBBII", data)
            offender = socket.inet_ntoa(data[20:24])
            if origin == 2:
                size = f" mtu {told}" if (icmp_type, code) == (3, 4) else ""
                return f"error {icmp_type}/{code}{size} from {offender}"
    return "error without an ICMP message"


if __name__ == "__main__":
    number, what, *rest = sys.argv[1:]
    print(heard(int(number), what, rest[0], int(rest[1]), int(rest[2]), int(rest[3]), float(rest[4])))
