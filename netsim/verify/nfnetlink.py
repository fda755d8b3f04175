"""Messages of nfnetlink: framing, attributes, and a socket that asks, dumps and subscribes.

Ref: include/uapi/linux/netlink.h, include/uapi/linux/netfilter/nfnetlink.h (v6.12).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NETLINK_NETFILTER = 12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_TYPE_MASK = 0x3FFF
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NETLINK_NO_ENOBUFS = 270, 1, 5
RECEIVE_BUFFER = 4 << 20
SO_RCVBUFFORCE = 33

_HEADER = struct.Struct("=IHHII")
_FAMILY = struct.Struct("=BBH")

Attributes = Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Message:
    """One message: subsystem and type (``nlmsg_type``), address family and attributes by number."""

    subsystem: int
    type: int
    family: int
    attributes: Attributes


def attribute(number: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", len(value) + 4, number) + value + b"\0" * (-len(value) % 4)


def attributes(data: bytes) -> Attributes:
    """The attributes of a message or of a nested attribute; of a number that is there twice, the last."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        length, number = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[number & NLA_TYPE_MASK] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


class NetfilterSocket:
    """A netlink socket of the namespace that it is made in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self._socket.bind((0, 0))
        self._sequence = 0

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def subscribe(self, group: int) -> None:
        """Take the messages of a multicast group too."""
        self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def dump(self, subsystem: int, kind: int, family: int, body: bytes = b"") -> list[Message]:
        """Every message of a dump. Raises OSError."""
        self._send(subsystem, kind, family, NLM_F_REQUEST | NLM_F_DUMP, body)
        return list(self._answers())

    def request(self, subsystem: int, kind: int, family: int, body: bytes = b"", resource: int = 0) -> list[Message]:
        """Ask for something to be done, or for one thing. Raises OSError where the kernel refuses."""
        self._send(subsystem, kind, family, NLM_F_REQUEST | NLM_F_ACK, body, resource)
        return list(self._answers())

    def pending(self) -> Iterator[Message]:
        """What has come to a subscriber, without waiting."""
        while True:
            try:
                data = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            yield from (message for message in _messages(data) if message.subsystem)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _send(self, subsystem: int, kind: int, family: int, flags: int, body: bytes, resource: int = 0) -> None:
        self._sequence += 1
        payload = _FAMILY.pack(family, 0, socket.htons(resource)) + body
        head = _HEADER.pack(_HEADER.size + len(payload), subsystem << 8 | kind, flags, self._sequence, 0)
        self._socket.send(head + payload)

    def _answers(self) -> Iterator[Message]:
        while True:
            for message in _messages(self._socket.recv(1 << 17)):
                if message.subsystem == 0 and message.type in (NLMSG_DONE, NLMSG_ERROR):
                    return
                yield message


def _messages(data: bytes) -> Iterator[Message]:
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, at)
        body = data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3
        if kind == NLMSG_ERROR:
            number = -struct.unpack_from("=i", body)[0]
            if number:
                raise OSError(number, os.strerror(number))
        if kind < 16:
            yield Message(0, kind, 0, {})
            continue
        yield Message(kind >> 8, kind & 0xFF, body[0], attributes(body[_FAMILY.size :]))
