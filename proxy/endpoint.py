"""One endpoint of a service port, as a proxier sees it. Ref: pkg/proxy/endpoint.go (v1.37)."""

from __future__ import annotations

from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port that serves a service port.

    ``ip`` is the address as Go prints it; ``text`` is ``ip:port`` (``[ip]:port`` for IPv6): what names the endpoint,
    in which order endpoints stand, and what DNAT goes to. ``local`` says that it is on the proxy's own node.
    ``ready`` is ready and not terminating (or published in spite of it); ``serving`` does not look at termination.
    """

    ip: str
    port: int
    text: str
    local: bool = False
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone_hints: frozenset[str] = frozenset()
    node_hints: frozenset[str] = frozenset()

    @property
    def serving_terminating(self) -> bool:
        """True where it is leaving but still answers: what is used where nothing is ready."""
        return self.serving and self.terminating


def endpoint_text(ip: str, port: int) -> str:
    """``10.244.1.2:80`` or ``[fd00::2]:80``, as Go's net.JoinHostPort."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
