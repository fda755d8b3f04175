"""What the model foretells of a flow, what the kernel showed, and where they differ.

Both are brought to one form: what the client saw (a connection, an error, silence) and what a listener took (whose socket,
at which address, from whom). The model has one such outcome a branch; the kernel's must be among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from netsim.net.packet import ICMPHeader, Packet, Protocol, TCPFlags, TCPHeader
from netsim.stack.steps import NATStep, SocketLookup
from netsim.trace.model import Branch, Flow, Trace, Verdict


class Client(Enum):
    """What a client's socket saw."""

    CONNECTED = "connected"
    REFUSED = "ECONNREFUSED"
    HOST_UNREACHABLE = "EHOSTUNREACH"
    NET_UNREACHABLE = "ENETUNREACH"
    MESSAGE_SIZE = "EMSGSIZE"
    ACCESS = "EACCES"
    PERMISSION = "EPERM"
    INVALID = "EINVAL"
    PROTOCOL = "ENOPROTOOPT"
    SILENCE = "timeout"


@dataclass(frozen=True, slots=True)
class Seen:
    """One outcome. ``owner``, ``local`` and ``peer`` are the listener's view, None where no listener took anything.

    The port of ``peer`` is None where a kernel picks it at random.
    """

    client: Client
    owner: str | None = None
    local: tuple[str, int] | None = None
    peer: tuple[str, int | None] | None = None

    def __str__(self) -> str:
        if self.owner is None or self.local is None or self.peer is None:
            return f"the client sees {self.client.value}; no listener took anything"
        port = "any port" if self.peer[1] is None else str(self.peer[1])
        return (
            f"the client sees {self.client.value}; {self.owner} took it at {self.local[0]}:{self.local[1]}"
            f" from {self.peer[0]}:{port}"
        )

    def admits(self, other: Seen) -> bool:
        """True where the other is this outcome, a random port being any port."""
        if self.peer is None or other.peer is None or self.peer[1] is not None:
            return self == other
        mine = (self.client, self.owner, self.local, self.peer[0])
        return mine == (other.client, other.owner, other.local, other.peer[0])


ICMP_ERRORS: dict[tuple[int, int], Client] = {
    # (type, code): the error that a connecting socket gets. Ref: net/ipv4/icmp.c:icmp_err_convert[] (v6.12)
    (3, 0): Client.NET_UNREACHABLE,
    (3, 1): Client.HOST_UNREACHABLE,
    (3, 2): Client.PROTOCOL,
    (3, 3): Client.REFUSED,
    (3, 4): Client.MESSAGE_SIZE,
    (3, 9): Client.NET_UNREACHABLE,
    (3, 10): Client.HOST_UNREACHABLE,
    (3, 13): Client.HOST_UNREACHABLE,
    (11, 0): Client.HOST_UNREACHABLE,
}


def foretold(trace: Trace) -> tuple[Seen, ...]:
    """The outcome of every branch, each once, in the order of the branches."""
    return tuple(dict.fromkeys(_outcome(branch, trace.flow) for branch in trace.branches))


def differences(trace: Trace, kernel: Sequence[Seen]) -> Iterator[str]:
    """What the kernel showed and the model does not know; empty where they agree."""
    known = foretold(trace)
    for seen in dict.fromkeys(kernel):
        if not any(outcome.admits(seen) for outcome in known):
            model = "; or ".join(str(outcome) for outcome in known)
            yield f"kernel: {seen}\nmodel:  {model}"


def _outcome(branch: Branch, flow: Flow) -> Seen:
    client = _client(branch)
    taken = _taken(branch)
    if taken is None or (flow.protocol is Protocol.TCP and client is not Client.CONNECTED):
        # accept(2) hands over a connection only once its handshake is complete
        return Seen(client)
    owner, packet = taken
    port = None if _is_random(branch) else packet.sport
    return Seen(client, owner, (str(packet.ip.dst), packet.dport or 0), (str(packet.ip.src), port))


def _taken(branch: Branch) -> tuple[str, Packet] | None:
    """Whose socket took the first packet, and the packet as it arrived."""
    for hop in reversed(branch.forward):
        for step in hop.steps:
            if isinstance(step, SocketLookup) and step.owner:
                return step.owner, step.packet
    return None


def _client(branch: Branch) -> Client:
    if branch.verdict is Verdict.DELIVERED:
        return Client.CONNECTED
    for leg in branch.legs:
        if leg.reply and leg.received is not None:
            error = _error(leg.received)
            if error is not None:
                return error
    if branch.verdict is Verdict.NO_ROUTE and not any(leg.reply for leg in branch.legs):
        return Client.NET_UNREACHABLE
    return Client.SILENCE


def _error(packet: Packet) -> Client | None:
    match packet.l4:
        case ICMPHeader(type=kind, code=code):
            return ICMP_ERRORS.get((kind, code))
        case TCPHeader(flags=flags) if flags & TCPFlags.RST:
            return Client.REFUSED
        case _:
            return None


def _is_random(branch: Branch) -> bool:
    """True where a rule on the way lets the kernel pick the source port at random."""
    return any(
        isinstance(step, NATStep) and step.ref is not None and getattr(step.ref.rule.target, "random_fully", False)
        for hop in branch.forward
        for step in hop.steps
    )
