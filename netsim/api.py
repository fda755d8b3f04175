"""netsim from Python: load a world, trace in it, and assert what should be reachable.

    import netsim

    world = netsim.load("shop.yaml")
    found = world.trace("deployment/frontend", "svc/cart", port=7070)
    assert found.verdict is netsim.Verdict.DELIVERED
    netsim.assert_reachable(world, "deployment/frontend", "svc/cart:7070", backends=["deployment/cart"])

Everything here is what ``import netsim`` offers, and stays as it is between versions of the same major number.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from netsim.check.expectation import DELIVERED, Outcome, SeenSource, Wanted, ask, differences
from netsim.manifest import LoadError
from netsim.manifest.load import load as load_files
from netsim.manifest.load import load_text
from netsim.net.address import Address, parse_address
from netsim.render.document import trace_document
from netsim.render.text import render_text
from netsim.scenario import world as scenario
from netsim.scenario.build import world_of
from netsim.scenario.naming import UnknownNameError
from netsim.scenario.question import PacketOptions
from netsim.scenario.sources import SourceError, find_sources
from netsim.trace.model import Branch, Hop, Leg, Mend, Trace, Verdict
from netsim.trace.reasons import reasons
from proxy.config.model import ProxyMode

__all__ = [
    "Branch",
    "Hop",
    "Leg",
    "LoadError",
    "Mend",
    "Mode",
    "Protocol",
    "SourceError",
    "Trace",
    "UnknownNameError",
    "Verdict",
    "World",
    "assert_reachable",
    "assert_unreachable",
    "load",
    "loads",
    "render_text",
    "trace_document",
]

Mode = Literal["iptables", "ipvs", "nftables"]
Protocol = Literal["tcp", "udp", "sctp", "icmp"]


class World:
    """A running cluster that packets can be traced in."""

    def __init__(self, world: scenario.World) -> None:
        self.scenario = world
        """The whole world: objects, events, topology, kube-proxies."""

    def trace(
        self,
        source: str,
        destination: str,
        *,
        port: int | None = None,
        protocol: Protocol | None = None,
        source_port: int | None = None,
        flags: str | None = None,
        size: int = 0,
        ttl: int = 64,
        mark: int = 0,
        family: Literal[4, 6] | None = None,
        seed: int = 0,
    ) -> Trace:
        """Where a packet goes, and why, on every branch. The names are those of ``netsim trace``.

        ``size`` is the payload in bytes, ``flags`` TCP flags by name (``syn,ack``), ``family`` the IP version to prefer. Raises
        UnknownNameError.
        """
        packet = PacketOptions(
            port, protocol, source_port, flags, size, dont_fragment=False, ttl=ttl, mark=mark, version=family
        )
        return ask(self.scenario, source, destination, packet, seed=seed)

    def in_mode(self, mode: Mode) -> World:
        """The same cluster with every kube-proxy in another mode. Raises LoadError where its configuration does not allow that."""
        return World(world_of(self.scenario.loaded, mode=ProxyMode(mode)))


def load(*sources: str | Path, mode: Mode | None = None) -> World:
    """The world of shipped topologies by name, files and folders; without any, what ``netsim trace`` would take.

    Raises LoadError with everything that is wrong, and SourceError for a name that is nothing of these.
    """
    found = find_sources([str(source) for source in sources], os.environ)
    return World(world_of(load_files(found), mode=None if mode is None else ProxyMode(mode)))


def loads(text: str, *, mode: Mode | None = None) -> World:
    """The world of manifests in a text, YAML or JSON. Raises LoadError."""
    return World(world_of(load_text(text), mode=None if mode is None else ProxyMode(mode)))


def assert_reachable(
    world: World,
    source: str,
    destination: str,
    *,
    port: int | None = None,
    protocol: Protocol | None = None,
    backends: Sequence[str] = (),
    source_seen: str | None = None,
) -> Trace:
    """Assert that a flow is delivered on every branch, and give its trace.

    ``backends``: exactly these pods, workloads or ``ADDRESS:PORT``. ``source_seen``: ``client``, ``node`` or an address. Raises
    AssertionError with the differences and the whole trace.
    """
    wanted = Wanted(DELIVERED, tuple(backends), None if source_seen is None else _seen(source_seen))
    return _asserted(world, source, destination, PacketOptions(port=port, protocol=protocol), wanted)


def assert_unreachable(
    world: World,
    source: str,
    destination: str,
    *,
    port: int | None = None,
    protocol: Protocol | None = None,
    reason: str | None = None,
) -> Trace:
    """Assert that a flow is delivered on no branch, by a reason where one is named, and give its trace.

    What is not modelled (UNKNOWN) is no proof that nobody is reached. Raises AssertionError with the whole trace.
    """
    if reason is not None and reason not in reasons():
        raise ValueError(f"{reason!r} is no reason; docs/verdicts.md lists them")
    proofs = [verdict for verdict in Verdict if verdict not in (Verdict.DELIVERED, Verdict.UNKNOWN)]
    wanted = Wanted(tuple(Outcome(verdict, reason) for verdict in proofs))
    return _asserted(world, source, destination, PacketOptions(port=port, protocol=protocol), wanted)


def _asserted(world: World, source: str, destination: str, packet: PacketOptions, wanted: Wanted) -> Trace:
    found = ask(world.scenario, source, destination, packet)
    unlike = differences(world.scenario, found, wanted)
    if unlike:
        raise AssertionError("\n".join((f"{source} → {destination}", *unlike, "", render_text(found))))
    return found


def _seen(text: str) -> SeenSource | Address:
    return SeenSource(text) if text in {known.value for known in SeenSource} else parse_address(text)
