"""The ends of a flow in real namespaces: sockets that listen, and sockets that ask. Nothing here waits.

Listeners hold what they took: a connection stays open and a datagram unanswered until they are told to go on. So the packets of one
phase (there, back, data) are all seen before the next begins, and no FIN or late answer gets between them.
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from netsim.net.packet import Protocol, TCPFlags
from netsim.topology.model import Listener
from netsim.trace.model import Flow
from netsim.trace.walk import ECHO_REQUEST
from netsim.verify.crafted import echo_request, segment
from netsim.verify.enter import entered

Endpoint: TypeAlias = tuple[str, int]

IP_PKTINFO = 8  # include/uapi/linux/in.h; the socket module has no name for it before Python 3.14
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 10, 0, 2
IPV6_MTU_DISCOVER = 23
IP_RECVERR, IPV6_RECVERR = 11, 25
NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL})
DROPPED_HERE = frozenset({errno.EPERM, errno.ENOBUFS})
"""sendto(2) tells that a rule of OUTPUT or POSTROUTING dropped the packet, or a device without carrier; connect(2) does not."""
REFUSED = frozenset({"ECONNREFUSED", "no route"})
"""Results of a client after which no listener has heard of it."""
BACKLOG = 64
TCP_ESTABLISHED = 1
LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Taken:
    """A listener took a connection or a datagram: its owner, its own end and the other end as it saw them."""

    owner: str
    local: Endpoint
    peer: Endpoint


@dataclass(slots=True)
class Held:
    """A datagram that waits for its answer."""

    through: socket.socket
    data: bytes
    ancillary: list[tuple[int, int, bytes]]
    peer: tuple[str | int, ...]


@dataclass(slots=True)
class Client:
    """The asking end. ``result`` is ``connected``, ``no route``, the name of an error, or empty as long as nothing came."""

    flow: Flow
    sockets: list[socket.socket] = field(default_factory=list)
    result: str = ""


class Ends:
    """All sockets of the flow's two ends, in whatever namespace they are."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._listeners: list[socket.socket] = []
        self._open: list[socket.socket] = []
        self._held: list[Held] = []
        self.taken: list[Taken] = []
        self.client: Client | None = None

    # --- listening ----------------------------------------------------------------------------------------------

    def listen(self, real_name: str, listener: Listener) -> None:
        """Open a socket that answers. Raises OSError."""
        v6 = listener.address is None or listener.address.version == 6
        with entered(real_name):
            opened = _socket(socket.AF_INET6 if v6 else socket.AF_INET, listener.protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if v6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(listener.v6only))
        opened.bind((str(listener.address) if listener.address else "::", listener.port))
        self._listeners.append(opened)
        if listener.protocol is Protocol.UDP:
            for level, option in ((socket.IPPROTO_IP, IP_PKTINFO), (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO)):
                with suppress(OSError):
                    opened.setsockopt(level, option, 1)
            self._watch(opened, lambda: self._take_datagram(opened, listener.owner))
        else:
            opened.listen(BACKLOG)
            self._watch(opened, lambda: self._accept(opened, listener.owner))

    def _watch(self, opened: socket.socket, react: Callable[[], None], events: int = selectors.EVENT_READ) -> None:
        opened.settimeout(0)
        self._selector.register(opened, events, react)

    def _accept(self, opened: socket.socket, owner: str) -> None:
        """Take a connection. Its data is acknowledged late, when what the walk is compared with has been read: no walk has that packet."""
        with suppress(BlockingIOError):
            connection, _ = opened.accept()
            self._open.append(connection)
            with suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            with suppress(OSError):
                self.taken.append(Taken(owner, _plain(connection.getsockname()), _plain(connection.getpeername())))

    def _take_datagram(self, opened: socket.socket, owner: str) -> None:
        try:
            data, ancillary, _, peer = opened.recvmsg(1 << 16, 256)
        except OSError:
            return  # an ICMP error about an answer of this socket
        local = _destination(ancillary) or str(opened.getsockname()[0])
        self.taken.append(Taken(owner, _plain((local, opened.getsockname()[1])), _plain(peer)))
        self._held.append(Held(opened, data, _from_there(ancillary), peer))

    def answer(self) -> bool:
        """Answer the datagrams that were held, each from the address it was sent to; False where there were none."""
        held, self._held = self._held, []
        for each in held:
            with suppress(OSError):
                each.through.sendmsg([each.data], each.ancillary, 0, each.peer)
        return bool(held)

    # --- asking -------------------------------------------------------------------------------------------------

    def ask(self, real_name: str, flow: Flow) -> None:
        """Send a flow's first packet from a socket of its own. Raises OSError where the socket cannot be made at all."""
        client = self.client = Client(flow)
        with entered(real_name):
            if flow.protocol is Protocol.TCP and flow.flags != TCPFlags.SYN:
                self._send_segment(client)
                return
            family = socket.AF_INET if flow.destination.version == 4 else socket.AF_INET6
            asking = _raw(family) if flow.protocol in ECHO_REQUEST else _socket(family, flow.protocol)
        client.sockets.append(asking)
        prepare(asking, flow)
        try:
            self._begin(client, asking)
        except OSError as error:
            if error.errno in NO_ROUTE:
                client.result = "no route"
            elif error.errno == errno.EMSGSIZE:
                client.result = "EMSGSIZE"
            elif error.errno not in DROPPED_HERE:
                raise

    def _begin(self, client: Client, asking: socket.socket) -> None:
        flow = client.flow
        echo = flow.protocol in ECHO_REQUEST
        if flow.source is not None or not echo:
            anywhere = "0.0.0.0" if flow.destination.version == 4 else "::"
            asking.bind((str(flow.source) if flow.source else anywhere, 0 if echo else flow.sport))
        if flow.protocol in (Protocol.TCP, Protocol.SCTP):
            self._watch(asking, lambda: self._connected(client, asking), selectors.EVENT_WRITE)
            number = asking.connect_ex((str(flow.destination), flow.dport))
            if number not in (0, errno.EINPROGRESS):
                self._selector.unregister(asking)
                raise OSError(number, "connect")
            return
        asking.connect((str(flow.destination), 0 if echo else flow.dport))
        self._watch(asking, lambda: self._heard(client, asking))
        asking.send(echo_request(flow) if echo else b"x" * flow.payload)

    def _connected(self, client: Client, asking: socket.socket) -> None:
        """An error after the handshake, as of a rule that rejects the last ACK, is told here too, and ends no connection."""
        number = asking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number and asking.proto in (0, socket.IPPROTO_TCP):
            number *= asking.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_ESTABLISHED
        client.result = errno.errorcode.get(number, str(number)) if number else "connected"
        self._selector.unregister(asking)

    def _heard(self, client: Client, asking: socket.socket) -> None:
        try:
            data = asking.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            client.result = client.result or errno.errorcode.get(error.errno or 0, str(error))
            with suppress(OSError):
                asking.recvmsg(1 << 16, 512, socket.MSG_ERRQUEUE)
            return
        if client.flow.protocol not in ECHO_REQUEST or _is_reply(data, client.flow):
            client.result = "connected"

    def _send_segment(self, client: Client) -> None:
        flow = client.flow
        family = socket.AF_INET if flow.destination.version == 4 else socket.AF_INET6
        asking = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        client.sockets.append(asking)
        if flow.mark:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, flow.mark)
        with suppress(PermissionError):
            try:
                source = str(flow.source) if flow.source else _source_towards(flow)
                asking.sendto(segment(flow, source), (str(flow.destination), 0))
            except OSError as error:
                if error.errno not in NO_ROUTE:
                    raise
                client.result = "no route"

    def send_data(self) -> bool:
        """Send the flow's payload on its connection; False where there is nothing to send."""
        client = self.client
        if client is None or client.flow.protocol is not Protocol.TCP or client.result != "connected":
            return False
        if not client.flow.payload or client.flow.flags != TCPFlags.SYN:
            return False
        with suppress(OSError):
            client.sockets[0].send(b"x" * client.flow.payload)
        return True

    # --- the end ------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Close every connection of the flow at once (with a reset), and forget what was taken."""
        client, self.client = self.client, None
        if client is not None and not self.taken and client.result not in REFUSED:
            self._drop_requests()
        for opened in (*(client.sockets if client else ()), *self._open):
            with suppress(KeyError, ValueError):
                self._selector.unregister(opened)
            with suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            opened.close()
        self._open.clear()
        self._held.clear()
        self.taken.clear()

    def _drop_requests(self) -> None:
        """Forget handshakes that came half way: a listener keeps one for a second, and would not answer the same ports anew."""
        for opened in self._listeners:
            if opened.type == socket.SOCK_STREAM:
                with suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)
                opened.listen(BACKLOG)

    def close(self) -> None:
        """Close every socket."""
        self.release()
        for opened in self._listeners:
            with suppress(KeyError, ValueError):
                self._selector.unregister(opened)
            opened.close()
        self._listeners.clear()


def _socket(family: int, protocol: Protocol) -> socket.socket:
    kind = socket.SOCK_DGRAM if protocol is Protocol.UDP else socket.SOCK_STREAM
    return socket.socket(family, kind, int(protocol) if protocol is Protocol.SCTP else 0)


def _raw(family: int) -> socket.socket:
    number = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    return socket.socket(family, socket.SOCK_RAW, number)


def prepare(asking: socket.socket, flow: Flow) -> None:
    """Options of a flow's socket. One that sets Don't Fragment has nothing of it cut by its own host either, in both families.

    Ref: include/net/ip.h:ip_sk_ignore_df(), include/net/ip6_route.h:ip6_sk_ignore_df() (v6.12): below IP_PMTUDISC_DO, as with
    IPV6_DONTFRAG alone, what rules send another way is cut to that way's MTU.

    IPV6_RECVERR is for TCP too: an ICMP error that comes while connect(2) is at work is told at once only so, as IPv4's always is.

    Ref: net/ipv6/tcp_ipv6.c:tcp_v6_err(), net/ipv6/datagram.c:ipv6_icmp_error(), net/ipv4/ip_sockglue.c:ip_icmp_error() (v6.12).
    """
    asking.settimeout(0)
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if flow.mark:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, flow.mark)
    discovery = IP_PMTUDISC_DO if flow.dont_fragment else IP_PMTUDISC_DONT
    if flow.destination.version == 4:
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, flow.ttl)
        asking.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discovery)
        if flow.protocol is not Protocol.TCP:
            asking.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, flow.ttl)
        asking.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, discovery)
        asking.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)


def _source_towards(flow: Flow) -> str:
    """The address that the kernel gives to a socket for the flow's destination. Raises OSError without a route."""
    family = socket.AF_INET if flow.destination.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.connect((str(flow.destination), flow.dport or 1))
        return str(asked.getsockname()[0])


def _is_reply(data: bytes, flow: Flow) -> bool:
    message = data[(data[0] & 15) * 4 :] if flow.destination.version == 4 else data
    return message[0] in (0, 129) and int.from_bytes(message[4:6], "big") == flow.sport


def _from_there(ancillary: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """What an answer says: from the address that was asked, by whatever device routing chooses; of a link-local one by its own."""
    return [(level, kind, _without_device(level, kind, data)) for level, kind, data in ancillary]


def _without_device(level: int, kind: int, data: bytes) -> bytes:
    """Ref: include/uapi/linux/in.h struct in_pktinfo, include/uapi/linux/ipv6.h struct in6_pktinfo."""
    match level, kind:
        case (socket.IPPROTO_IP, 8):  # IP_PKTINFO
            return bytes(4) + data[4:]
        case (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) if data[:2] != b"\xfe\x80":
            return data[:16] + bytes(4)
        case _:
            return data


def _destination(ancillary: list[tuple[int, int, bytes]]) -> str | None:
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return socket.inet_ntop(socket.AF_INET6, data[:16])
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            return socket.inet_ntop(socket.AF_INET, data[8:12])
    return None


def _plain(address: tuple[str | int, ...]) -> Endpoint:
    text = str(address[0]).split("%", 1)[0]
    return (text.removeprefix("::ffff:") if "." in text else text, int(address[1]))
