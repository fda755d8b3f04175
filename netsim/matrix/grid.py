"""A matrix as people read it: senders and destinations under the names by which they are grouped, a sign for each cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import Enum
from typing import assert_never

from netsim.dataclass import dataclass
from netsim.matrix.ends import Destination
from netsim.matrix.survey import Matrix, Ways, decisive, delivered
from netsim.net.packet import Protocol
from netsim.scenario.every_flow import Asking, Front
from netsim.scenario.workloads import workloads_of
from netsim.scenario.world import World
from netsim.topology.model import Role
from netsim.trace.model import Verdict


class By(Enum):
    """By what senders and destinations are grouped."""

    POD = "pod"
    WORKLOAD = "workload"
    NAMESPACE = "namespace"
    NODE = "node"


class Sign(Enum):
    """What a cell says; the value is how it is printed."""

    DELIVERED = "."
    REFUSED = "X"
    PARTLY = "~"
    UNKNOWN = "?"
    NOTHING = " "


LEGEND: Mapping[Sign, str] = {
    # sign: what it means
    Sign.DELIVERED: "delivered",
    Sign.REFUSED: "not delivered: rejected, dropped or lost",
    Sign.PARTLY: "some flows or branches are delivered, others are not",
    Sign.UNKNOWN: "something on the way is not modelled",
    Sign.NOTHING: "nobody asks: only a node's own processes ask localhost, and only who has an address of the family",
}


@dataclass(slots=True)
class Fared:
    """How some flows of a cell fared alike: how many they are, and one of them by its ends' names."""

    ways: Ways
    flows: int
    source: str
    destination: Destination


@dataclass(slots=True)
class Cell:
    """The flows between two groups, by how they fared."""

    fared: dict[Ways, Fared] = field(default_factory=dict)

    def add(self, ways: Ways, flows: int, source: str, destination: Destination) -> None:
        """Take in flows that fared alike."""
        found = self.fared.get(ways)
        if found is None:
            self.fared[ways] = Fared(ways, flows, source, destination)
        else:
            found.flows += flows

    @property
    def flows(self) -> int:
        """How many flows there are."""
        return sum(each.flows for each in self.fared.values())

    @property
    def sign(self) -> Sign:
        """The cell in one character."""
        verdicts = {way.verdict for ways in self.fared for way in ways}
        if not verdicts:
            return Sign.NOTHING
        if Verdict.UNKNOWN in verdicts:
            return Sign.UNKNOWN
        if Verdict.DELIVERED not in verdicts:
            return Sign.REFUSED
        return Sign.DELIVERED if len(verdicts) == 1 else Sign.PARTLY

    def said(self) -> str:
        """The cell in words: how many flows came to what."""
        return "; ".join(_said(each, alone=len(self.fared) == 1) for each in self.fared.values()) or "no flow"


def _said(fared: Fared, *, alone: bool) -> str:
    worst = decisive(fared.ways)
    words = worst.verdict.value if worst.reason == worst.verdict.value else f"{worst.verdict.value} {worst.reason}"
    chance = delivered(fared.ways)
    words += f" (delivered with probability {chance})" if 0 < chance < 1 else ""
    return words if alone and fared.flows == 1 else f"{fared.flows} {'flow' if fared.flows == 1 else 'flows'}: {words}"


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows are senders, columns destinations, both in the world's order. Cells without flows are not there."""

    by: By
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]

    def cell(self, source: str, destination: str) -> Cell:
        """The cell of two groups."""
        return self.cells.get((source, destination)) or Cell()

    def reasons(self) -> list[Fared]:
        """How flows fared that were not delivered for sure, each reason once, the most frequent first, with a witness."""
        found: dict[tuple[str, str], Fared] = {}
        for cell in self.cells.values():
            for fared in cell.fared.values():
                worst = decisive(fared.ways)
                if worst.verdict is not Verdict.DELIVERED:
                    key = (worst.verdict.value, worst.reason)
                    known = found.setdefault(key, Fared(fared.ways, 0, fared.source, fared.destination))
                    known.flows += fared.flows
        return sorted(found.values(), key=lambda fared: -fared.flows)


def grid_of(world: World, matrix: Matrix, by: By) -> Grid:
    """The matrix, grouped."""
    workloads = workloads_of(world)
    names = {netns: source_name(source, by, workloads) for netns, source in matrix.sources.items()}
    cells: dict[tuple[str, str], Cell] = {}
    asked: dict[str, None] = {}
    for row in matrix.rows:
        name = destination_name(world, row.destination, by, workloads)
        asked[name] = None
        for share in row.shares:
            counted: dict[str, list[str]] = {}
            for netns in share.senders:
                counted.setdefault(names[netns], []).append(netns)
            for source, senders in counted.items():
                label = matrix.sources[senders[0]].label
                cells.setdefault((source, name), Cell()).add(share.ways, len(senders), label, row.destination)
    return Grid(by, tuple(dict.fromkeys(names.values())), tuple(asked), cells)


# --- names -------------------------------------------------------------------------------------------------------


def source_name(source: Asking, by: By, workloads: Mapping[str, str]) -> str:
    """What a sender is grouped under."""
    match by:
        case By.POD:
            return source.label
        case By.WORKLOAD:
            if source.role is Role.NODE:
                return "nodes"
            return workloads.get(source.label.removeprefix("pod/"), source.label)
        case By.NAMESPACE:
            if source.role is Role.POD:
                return f"namespace/{source.label.split('/')[1]}"
            return "nodes" if source.role is Role.NODE else "external"
        case By.NODE:
            return f"pods on {source.node}" if source.role is Role.POD else source.label
        case never:
            assert_never(never)


_FRONTS: Mapping[Front, str] = {
    # front: the word behind a Service's name and port
    Front.CLUSTER_IP: "",
    Front.EXTERNAL_IP: " externalIP",
    Front.LOAD_BALANCER: " load balancer",
    Front.NODE_PORT: " node port",
    Front.LOCALHOST: " localhost",
}


def destination_name(world: World, destination: Destination, by: By, workloads: Mapping[str, str]) -> str:
    """What a destination is grouped under."""
    if by is By.POD:
        return destination.label
    if destination.front in _FRONTS:
        return _service_name(destination, by)
    if destination.front is Front.POD:
        return _pod_name(world, destination, by, workloads)
    if by is By.NODE or destination.front is Front.EXTERNAL:
        return _with_protocol(destination.label, destination)
    return _with_protocol("nodes", destination)


def _service_name(destination: Destination, by: By) -> str:
    owner = destination.owner
    assert owner is not None
    if by is By.NAMESPACE:
        return f"namespace/{owner.namespace} Services"
    if by is By.NODE and destination.front is Front.NODE_PORT:
        return _with_protocol(destination.label, destination)
    port = f":{destination.port}" if destination.port else ""
    return _with_protocol(f"svc/{owner.namespace}/{owner.name}{port}", destination) + _FRONTS[destination.front]


def _pod_name(world: World, destination: Destination, by: By, workloads: Mapping[str, str]) -> str:
    owner = destination.owner
    assert owner is not None
    if by is By.NAMESPACE:
        return f"namespace/{owner.namespace} pods"
    if by is By.NODE:
        place = destination.place
        node = world.topology.namespaces[place].node if place is not None else None
        return f"pods on {node}"
    name = f"{owner.namespace}/{owner.name}"
    port = f":{destination.port}" if destination.port else ""
    return _with_protocol(f"{workloads.get(name, f'pod/{name}')}{port}", destination)


def _with_protocol(name: str, destination: Destination) -> str:
    return name if destination.protocol is Protocol.TCP else f"{name}/{destination.protocol.name.lower()}"


def command_of(fared: Fared) -> Iterator[str]:
    """The words of the command that traces a witness."""
    destination = fared.destination
    yield from ("netsim", "trace", fared.source.removeprefix("external/"))
    address = (
        f"[{destination.address}]"
        if destination.address.version == 6 and destination.port
        else str(destination.address)
    )
    yield f"{address}:{destination.port}" if destination.port else address
    if destination.protocol is not Protocol.TCP:
        yield from ("--proto", "icmp" if not destination.port else destination.protocol.name.lower())
