"""Sends a flow's packets in a real network and says what was seen."""

from __future__ import annotations

from netsim.net.packet import Protocol
from netsim.trace.model import Flow
from netsim.verify.agent import Accepted, Connect, Outcome, collect
from netsim.verify.compare import Client, Seen
from netsim.verify.namespaces import RealNetwork

ANSWERED = frozenset({Protocol.TCP, Protocol.UDP, Protocol.SCTP})


def send(network: RealNetwork, flow: Flow, *, timeout_s: float) -> Seen:
    """One exchange from a socket of its own; ``timeout_s`` is how long silence is listened to.

    Raises ValueError for a protocol that has no sockets of this kind (ICMP).
    """
    if flow.protocol not in ANSWERED:
        raise ValueError(f"{flow.protocol.name} is not probed with sockets")
    listeners = network.listening
    for name in listeners:
        collect(network.agent(name))
    request = Connect(
        protocol=flow.protocol,
        source=None if flow.source is None else str(flow.source),
        sport=flow.sport,
        destination=(str(flow.destination), flow.dport),
        timeout_s=timeout_s,
        query=b"x" * max(flow.payload, 1),
        ttl=flow.ttl,
        mark=flow.mark,
    )
    report = network.client(flow.netns).ask(request, patience_s=timeout_s + 5)
    assert isinstance(report, Outcome)
    client = Client(report.result)
    # A connection is in the listener's queue before the client has it, so one look is enough for whoever is connected.
    taken = [found for name in listeners for found in collect(network.agent(name))]
    return _seen(client, taken[0]) if taken else Seen(client)


def _seen(client: Client, taken: Accepted) -> Seen:
    return Seen(client, taken.owner, taken.local, taken.peer)
