"""A process inside one network namespace: it listens, it connects, and it reports what it saw.

One agent is one forked process that has entered a namespace (``setns(2)``). It serves requests from a pipe and answers
sockets in one loop, so nothing in it blocks for longer than a request's own timeout. A namespace from which a flow is
sent has a second agent for its client sockets, so that both ends of a flow may be in one namespace.
"""

from __future__ import annotations

import errno
import multiprocessing
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

from netsim.net.packet import Protocol
from netsim.topology.model import Listener

Endpoint: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class WriteSysctl:
    """Write a sysctl of the namespace, by dotted name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class OpenListener:
    """Open a socket that answers."""

    listener: Listener


@dataclass(frozen=True, slots=True)
class Connect:
    """Send the first packet of a flow from a socket and wait for what comes back."""

    protocol: Protocol
    source: str | None
    sport: int
    destination: Endpoint
    timeout_s: float
    query: bytes = b"netsim"
    ttl: int = 64
    mark: int = 0


@dataclass(frozen=True, slots=True)
class Collect:
    """Report the connections and datagrams that listeners took since the last report."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the process."""


Request: TypeAlias = WriteSysctl | OpenListener | Connect | Collect | Stop


@dataclass(frozen=True, slots=True)
class Accepted:
    """A listener took a connection or a datagram: its owner, its own end and the other end as it saw them."""

    owner: str
    local: Endpoint
    peer: Endpoint


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client saw: ``connected`` (a handshake, an answer), ``timeout`` or the name of an error such as ECONNREFUSED."""

    result: str
    local: Endpoint | None = None
    peer: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that could not be carried out, and why."""

    message: str


Report: TypeAlias = Outcome | tuple[Accepted, ...] | Failure | None


class Agent:
    """The parent's hand on one agent process."""

    def __init__(self, netns: str, enter: Callable[[str], None]) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(netns, enter, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, request: Request, patience_s: float = 10.0) -> Report:
        """Send a request and wait for its report. Raises RuntimeError where the agent failed or did not answer."""
        self._pipe.send(request)
        if not self._pipe.poll(patience_s):
            raise RuntimeError(f"the agent did not answer {request} in {patience_s} s")
        report: Report = self._pipe.recv()
        if isinstance(report, Failure):
            raise RuntimeError(report.message)
        return report

    def stop(self) -> None:
        """End the process; kill it where it does not end by itself."""
        with suppress(OSError):
            self._pipe.send(Stop())
        self._process.join(1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()


def _serve(netns: str, enter: Callable[[str], None], pipe: Connection) -> None:
    enter(netns)
    loop = _Loop(pipe)
    while loop.running:
        loop.turn()


@dataclass(slots=True)
class _Loop:
    pipe: Connection
    running: bool = True
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    taken: list[Accepted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.selector.register(self.pipe, selectors.EVENT_READ, self._request)

    def turn(self) -> None:
        for key, _ in self.selector.select():
            key.data()

    def _request(self) -> None:
        try:
            request = self.pipe.recv()
        except EOFError:
            self.running = False
            return
        try:
            self.pipe.send(self._carry_out(request))
        except OSError as error:
            self.pipe.send(Failure(f"{request}: {error}"))

    def _carry_out(self, request: Request) -> Report:
        match request:
            case WriteSysctl(name=name, value=value):
                _sysctl_path(name).write_text(value, encoding="ascii")
                return None
            case OpenListener(listener=listener):
                self._listen(listener)
                return None
            case Connect():
                return connect(request)
            case Collect():
                taken = tuple(self.taken)
                self.taken.clear()
                return taken
            case Stop():
                self.running = False
                return None

    def _listen(self, listener: Listener) -> None:
        v6 = listener.address is None or listener.address.version == 6
        kind = socket.SOCK_DGRAM if listener.protocol is Protocol.UDP else socket.SOCK_STREAM
        number = int(listener.protocol) if listener.protocol is Protocol.SCTP else 0
        opened = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind, number)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if v6 and listener.address is None:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind((str(listener.address) if listener.address else "::", listener.port))
        opened.settimeout(0)
        if kind == socket.SOCK_STREAM:
            opened.listen(16)
            self.selector.register(opened, selectors.EVENT_READ, lambda: self._accept(opened, listener.owner))
        else:
            for level, option in ((socket.IPPROTO_IP, _IP_PKTINFO), (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO)):
                with suppress(OSError):
                    opened.setsockopt(level, option, 1)
            self.selector.register(opened, selectors.EVENT_READ, lambda: self._answer(opened, listener.owner))

    def _accept(self, opened: socket.socket, owner: str) -> None:
        with suppress(BlockingIOError):
            connection, _ = opened.accept()
            with connection:
                self.taken.append(Accepted(owner, _plain(connection.getsockname()), _plain(connection.getpeername())))

    def _answer(self, opened: socket.socket, owner: str) -> None:
        """Answer a datagram from the address that it was sent to, as servers with IP_PKTINFO do."""
        with suppress(BlockingIOError):
            data, ancillary, _, peer = opened.recvmsg(2048, 256)
            local = _destination(ancillary) or opened.getsockname()[0]
            self.taken.append(Accepted(owner, _plain((local, opened.getsockname()[1])), _plain(peer)))
            with suppress(OSError):
                opened.sendmsg([data], ancillary, 0, peer)


_IP_PKTINFO = 8  # include/uapi/linux/in.h; the socket module has no name for it before Python 3.14


def _destination(ancillary: list[tuple[int, int, bytes]]) -> str | None:
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return socket.inet_ntop(socket.AF_INET6, data[:16])
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return socket.inet_ntop(socket.AF_INET, data[8:12])
    return None


def _sysctl_path(name: str) -> Path:
    head, *tail = name.split(".")
    if tail[:2] == ["ipv4", "conf"] or tail[:2] == ["ipv6", "conf"]:
        tail = [*tail[:2], ".".join(tail[2:-1]), tail[-1]]
    return Path("/proc/sys", head, *tail)


def _plain(address: tuple[str | int, ...]) -> Endpoint:
    text = str(address[0]).split("%", 1)[0]
    return (text.removeprefix("::ffff:") if "." in text else text, int(address[1]))


def connect(request: Connect) -> Outcome:
    """Carry out one client's exchange. Linux reports what came back as an errno of the socket."""
    family = socket.AF_INET6 if ":" in request.destination[0] else socket.AF_INET
    kind = socket.SOCK_DGRAM if request.protocol is Protocol.UDP else socket.SOCK_STREAM
    number = int(request.protocol) if request.protocol is Protocol.SCTP else 0
    with socket.socket(family, kind, number) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if request.mark:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, request.mark)
        if family == socket.AF_INET:
            client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, request.ttl)
        client.bind((request.source or ("::" if family == socket.AF_INET6 else "0.0.0.0"), request.sport))
        client.settimeout(request.timeout_s)
        try:
            client.connect(request.destination)
            if kind == socket.SOCK_DGRAM:
                client.send(request.query)
                client.recv(2048)
        except TimeoutError:
            return Outcome("timeout")
        except OSError as error:
            return Outcome(errno.errorcode.get(error.errno or 0, str(error)))
        return Outcome("connected", _plain(client.getsockname()), _plain(client.getpeername()))


def collect(agent: Agent) -> tuple[Accepted, ...]:
    """What an agent's listeners took since they were last asked."""
    report = agent.ask(Collect())
    assert isinstance(report, tuple)
    return report
