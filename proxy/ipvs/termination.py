"""Real servers that go: at once, or after the last of their connections.

A real server of TCP that still has connections gets weight 0: it keeps them and gets no new ones. Once a minute those of
weight 0 are looked at, and deleted where no connection is left. UDP and SCTP are deleted at once: what IPVS remembers of
their clients would never end. One that is wanted again meanwhile is deleted and added anew.
Ref: pkg/proxy/ipvs/graceful_termination.go, util/ipvs.go:IsRsGracefulTerminationNeeded() (v1.37)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from proxy.config.duration import MINUTE
from proxy.ipvs.virtual_server import RealServer, VirtualServer

CHECK_INTERVAL = MINUTE
"""Nanoseconds between two looks at the real servers of weight 0. Ref: rsCheckDeleteInterval."""

GRACEFUL_PROTOCOLS = frozenset({"TCP"})


class ConnectionCounts(Protocol):
    """What the caller knows of the connections that IPVS keeps."""

    def count(self, server: VirtualServer, real: RealServer) -> int:
        """Active and inactive connections of a real server, as ``ipvsadm -Ln`` counts them together."""
        ...


class NoConnections:
    """A node where nobody has connected: every real server may go at once."""

    def count(self, server: VirtualServer, real: RealServer) -> int:  # noqa: ARG002
        """None."""
        return 0


def may_go(server: VirtualServer, real: RealServer, connections: ConnectionCounts) -> bool:
    """True where a real server is deleted, False where it is left with weight 0."""
    return server.protocol not in GRACEFUL_PROTOCOLS or connections.count(server, real) == 0


def succeed(
    current: VirtualServer, wanted: VirtualServer, connections: ConnectionCounts
) -> Iterator[tuple[str, RealServer]]:
    """What to tell ipvsadm about real servers (``-a``, ``-e`` or ``-d``, and the real server), in kube-proxy's order."""
    known = {real.text: real for real in current.real_servers}
    new = {real.text: real for real in wanted.real_servers}
    for text, real in new.items():
        if text not in known:
            yield "-a", real
        elif known[text].weight == 0:
            yield "-d", known[text]
            yield "-a", real
    for text, real in known.items():
        if text in new or real.weight == 0:
            continue
        yield ("-d", real) if may_go(current, real, connections) else ("-e", replace(real, weight=0))


def expired(server: VirtualServer, connections: ConnectionCounts) -> Iterator[RealServer]:
    """The real servers of weight 0 that have no connection left."""
    return (real for real in server.real_servers if real.weight == 0 and may_go(server, real, connections))


def apply_steps(server: VirtualServer, steps: list[tuple[str, RealServer]]) -> VirtualServer:
    """The virtual server after what was told about its real servers."""
    found = {real.text: real for real in server.real_servers}
    for verb, real in steps:
        if verb == "-d":
            del found[real.text]
        else:
            found[real.text] = real
    return replace(server, real_servers=tuple(found[text] for text in sorted(found)))
