"""Classes of flows: what no rule, route or policy can tell apart is walked once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from netsim.flows.codes import Code, address_of, code_of
from netsim.flows.cone import Cone, Cones
from netsim.flows.outcome import Bare, Outcome, Way, outcome_of, way_of
from netsim.flows.places import Places
from netsim.topology.model import Topology
from netsim.trace.ending import ending_of
from netsim.trace.facts import short_label
from netsim.trace.model import Branch, Flow, Verdict
from netsim.trace.trace import trace


@dataclass(frozen=True, slots=True)
class _Way:
    """A branch of every flow of a class: addresses, ports and namespaces by their numbers in the flow's cone."""

    probability: Fraction
    verdict: Verdict
    reason: str
    backend: tuple[int, int] | None
    source: int | None
    receiver: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class FlowClass:
    """One class. ``number`` counts them in the order in which they were met; ``witness`` is the flow that was walked.

    ``alone`` is its outcome where the class has no other flow, because names decide in its cone or its walk has names beyond it.
    """

    number: int
    witness: Flow
    expected: frozenset[str] | None
    ways: tuple[_Way, ...]
    alone: Outcome | None = None

    @property
    def bare(self) -> tuple[Bare, ...]:
        """What all flows of the class have in common, apart from names."""
        ways = self.ways if self.alone is None else self.alone.ways
        return tuple(Bare(way.probability, way.verdict, way.reason) for way in ways)


class Classes:
    """The classes of a topology's flows, found as they are asked for. ``walked`` counts the flows that were walked."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.places = Places(topology)
        self.cones = Cones(self.places)
        self._classes: dict[Hashable, FlowClass] = {}
        self._beyond: set[Hashable] = set()

    @property
    def walked(self) -> int:
        """How many flows were walked so far."""
        return len(self._classes)

    def cone(self, flow: Flow, expected: frozenset[str] | None) -> Cone:
        """What the walk of a flow may read. ``expected`` as for a trace."""
        return self.cones.of(flow, expected)

    def class_of(self, flow: Flow, expected: frozenset[str] | None, cone: Cone) -> FlowClass:
        """The class of a flow, whose witness is walked if it is the first of it."""
        key = cone.key if cone.key not in self._beyond else _named(cone)
        found = self._classes.get(key)
        if found is None:
            found = self._walk(flow, expected, cone)
            if found.alone is not None and cone.sensitive is not None:
                self._beyond.add(cone.key)
                key = _named(cone)
            self._classes[key] = found
        return found

    def outcome(self, flow: Flow, expected: frozenset[str] | None = None) -> Outcome:
        """What becomes of a flow."""
        cone = self.cone(flow, expected)
        return self.named(self.class_of(flow, expected, cone), cone)

    def named(self, found: FlowClass, cone: Cone) -> Outcome:
        """The class's outcome with the names of one of its flows."""
        if found.alone is not None:
            return found.alone
        return Outcome(tuple(self._named(way, cone) for way in found.ways))

    def _named(self, way: _Way, cone: Cone) -> Way:
        backend = source = receiver = None
        if way.backend is not None:
            backend = (address_of(cone.addresses[way.backend[0]]), cone.ports[way.backend[1]])
        if way.source is not None:
            source = address_of(cone.addresses[way.source])
        if way.receiver is not None:
            receiver = self._label(cone.machines[way.receiver[0]]) + way.receiver[1]
        return Way(way.probability, way.verdict, way.reason, backend, source, receiver)

    def _label(self, netns: str) -> str:
        return short_label(self.topology.namespaces[netns].label)

    def _walk(self, flow: Flow, expected: frozenset[str] | None, cone: Cone) -> FlowClass:
        """Walk a flow that is the first of its class, and the only one where its walk has a name that the cone does not."""
        found = trace(self.topology, flow, source="", target="", expected=expected)
        numbers = _Numbers.of(cone)
        ways: list[_Way] = []
        if cone.sensitive is not None:
            ways = [way for branch in found.branches if (way := self._without_names(branch, numbers)) is not None]
        if cone.sensitive is None or len(ways) < len(found.branches):
            return FlowClass(len(self._classes), flow, expected, (), outcome_of(found))
        return FlowClass(len(self._classes), flow, expected, tuple(ways))

    def _without_names(self, branch: Branch, numbers: _Numbers) -> _Way | None:
        """The branch's outcome by numbers. None where it has a name that the cone does not."""
        way = way_of(branch)
        backend = source = receiver = None
        try:
            if way.backend is not None:
                backend = (numbers.addresses[code_of(way.backend[0])], numbers.ports[way.backend[1]])
            if way.source is not None:
                source = numbers.addresses[code_of(way.source)]
            if way.receiver is not None:
                netns = ending_of(branch.legs[0]).hop.netns
                receiver = (numbers.machines[netns], way.receiver.removeprefix(self._label(netns)))
        except KeyError:
            return None
        return _Way(way.probability, way.verdict, way.reason, backend, source, receiver)


def _named(cone: Cone) -> Hashable:
    """The key of a flow that is of no other's class."""
    return (cone.key, cone.machines, cone.addresses, cone.ports)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers of a cone's names."""

    addresses: Mapping[Code, int]
    ports: Mapping[int, int]
    machines: Mapping[str, int]

    @classmethod
    def of(cls, cone: Cone) -> _Numbers:
        """The numbers of one cone's names."""
        return cls(
            {code: number for number, code in enumerate(cone.addresses)},
            {port: number for number, port in enumerate(cone.ports)},
            {netns: number for number, netns in enumerate(cone.machines)},
        )
