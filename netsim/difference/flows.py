"""A world's flows by what people call their ends, pods by their workload, and what becomes of them.

Pods of one workload have names that change with every roll-out, so flows are compared by workload: all that becomes of any of its pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.dataclass import dataclass
from netsim.flows import Classes, Outcome, Way
from netsim.net.address import Address
from netsim.scenario.every_flow import Asked, Asking, destinations, flow_between, localhosts, sources
from netsim.scenario.workloads import workloads_of
from netsim.scenario.world import World
from netsim.topology.model import Role
from netsim.trace.model import Flow


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Who asks whom: ``deployment/web``, ``svc/default/web:80``."""

    source: str
    target: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.source} → {self.target}" + ("" if self.protocol == "tcp" else f" ({self.protocol})")


@dataclass(frozen=True, slots=True, order=True)
class Ending:
    """What may become of a flow. ``receivers`` are who takes it, ``seen`` whose address they see: ``client``, ``node`` or an address."""

    verdict: str
    reason: str
    receivers: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = self.verdict if self.reason == self.verdict else f"{self.verdict} {self.reason}"
        words += f" to {', '.join(self.receivers)}" if self.receivers else ""
        others = [seen for seen in self.seen if seen != "client"]
        return words + (f", who see the address of {', '.join(others)}" if others else "")


@dataclass(frozen=True, slots=True)
class Found:
    """All that becomes of a pair's flows, and one flow of each."""

    endings: frozenset[Ending]
    witness: Flow


@dataclass(frozen=True, slots=True)
class Survey:
    """A world asked: what becomes of each pair's flows."""

    found: Mapping[Pair, Found]


class Surveyor:
    """Asks one world. What it has found out of one class of flows it knows of all."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._classes = Classes(world.topology)
        self._owners = workloads_of(world)
        self._askers: dict[str, list[Asking]] | None = None
        self._asked: dict[tuple[str, str], list[Asked]] | None = None
        self._nodes = {address for node in world.cluster.nodes for address in world.node_addresses(node.name)}

    def survey(self, version: int) -> Survey:
        """Every pair of one IP version."""
        found: dict[Pair, Found] = {}
        expectations = self._world.expectations()
        for destination in dict.fromkeys((*destinations(self._world), *localhosts(self._world))):
            if destination.address.version != version:
                continue
            expected = expectations.of(destination.address, destination.port or None)
            for source in sources(self._world):
                if self._asks(source, destination, version):
                    pair, flow = self._pair(source, destination), flow_between(source, destination)
                    before = found.get(pair)
                    endings = self.endings(flow, expected) | (before.endings if before else frozenset())
                    found[pair] = Found(endings, before.witness if before else flow)
        return Survey(dict(sorted(found.items())))

    def endings(self, flow: Flow, expected: frozenset[str] | None = None) -> frozenset[Ending]:
        """What becomes of one flow. ``expected`` None: asked of the world."""
        wanted = expected if expected is not None else self._world.expected(flow.destination, flow.dport or None)
        return self._endings(flow, self._classes.outcome(flow, wanted))

    def has(self, pair: Pair) -> bool:
        """True where there is such a pair to ask."""
        if self._askers is None or self._asked is None:
            self._askers, self._asked = {}, {}
            for source in sources(self._world):
                self._askers.setdefault(self._asker(source), []).append(source)
            for destination in (*destinations(self._world), *localhosts(self._world)):
                end = (self._target(destination), destination.protocol.name.lower())
                self._asked.setdefault(end, []).append(destination)
        askers, asked = self._askers.get(pair.source, ()), self._asked.get((pair.target, pair.protocol), ())
        return any(self._asks(source, each, each.address.version) for each in asked for source in askers)

    def knows(self, flow: Flow) -> bool:
        """True where the sender is there."""
        return flow.netns in self._world.topology.namespaces

    def _endings(self, flow: Flow, outcome: Outcome) -> frozenset[Ending]:
        by_words: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
        for way in outcome.ways:
            receivers, seen = by_words.setdefault((way.verdict.value, way.reason), (set(), set()))
            if way.receiver is not None:
                receivers.add(self._receiver(way.receiver))
            if way.source is not None:
                seen.add(self._seen(flow, way))
        return frozenset(Ending(*words, tuple(sorted(r)), tuple(sorted(s))) for words, (r, s) in by_words.items())

    def _receiver(self, label: str) -> str:
        name = label.partition(" (")[0]
        return self._owners.get(name, name)

    def _seen(self, flow: Flow, way: Way) -> str:
        assert way.source is not None
        if way.source in self._own(flow.netns):
            return "client"
        owner = self._world.owner_of(way.source)
        role = self._world.topology.namespaces[owner].role if owner else None
        return "a node" if role is Role.NODE or way.source in self._nodes else str(way.source)

    def _own(self, netns: str) -> set[Address]:
        devices = self._world.topology.namespaces[netns].devices
        return {held.ip for device in devices for held in device.addresses}

    def _pair(self, source: Asking, destination: Asked) -> Pair:
        return Pair(self._asker(source), self._target(destination), destination.protocol.name.lower())

    def _asker(self, source: Asking) -> str:
        return self._owners.get(source.label.removeprefix("pod/"), source.label)

    def _target(self, destination: Asked) -> str:
        if destination.owner is None or destination.owner.kind != "Pod":
            return destination.label
        name = f"{destination.owner.namespace}/{destination.owner.name}"
        owner = self._owners.get(name)
        return destination.label if owner is None else f"{owner}{destination.label.removeprefix(f'pod/{name}')}"

    def _asks(self, source: Asking, destination: Asked, version: int) -> bool:
        """A loopback address is asked by a node's own processes alone."""
        return self._speaks(source, version) and (not destination.address.is_loopback or source.role is Role.NODE)

    def _speaks(self, source: Asking, version: int) -> bool:
        devices = self._world.topology.namespaces[source.netns].devices
        return any(held.version == version for d in devices if d.name != "lo" for held in d.addresses)


def versions(world: World) -> Iterator[int]:
    """The IP versions that the cluster speaks."""
    yield from sorted({cidr.version for cidr in world.cluster.pod_cidrs})
