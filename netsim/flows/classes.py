"""Classes of flows: what no rule, route or policy can tell apart is walked once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from netsim.flows.codes import Code, address_of, code_of
from netsim.flows.cone import Cone, Cones
from netsim.flows.outcome import Bare, Outcome, Way, outcome_of
from netsim.flows.places import Places
from netsim.topology.model import Topology
from netsim.trace.facts import short_label
from netsim.trace.model import Flow, Verdict
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

    ``alone`` is its outcome where the class has no other flow, because names decide in its cone.
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

    @property
    def walked(self) -> int:
        """How many flows were walked so far."""
        return len(self._classes)

    def cone(self, flow: Flow, expected: frozenset[str] | None) -> Cone:
        """What the walk of a flow may read. ``expected`` as for a trace."""
        return self.cones.of(flow, expected)

    def class_of(self, flow: Flow, expected: frozenset[str] | None, cone: Cone) -> FlowClass:
        """The class of a flow, whose witness is walked if it is the first of it."""
        found = self._classes.get(cone.key)
        if found is None:
            found = self._walk(flow, expected, cone)
            self._classes[cone.key] = found
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
        found = trace(self.topology, flow, source="", target="", expected=expected)
        if cone.sensitive is None:
            return FlowClass(len(self._classes), flow, expected, (), outcome_of(found))
        addresses = {code: number for number, code in enumerate(cone.addresses)}
        ports = {port: number for number, port in enumerate(cone.ports)}
        labels = {self._label(netns): number for number, netns in enumerate(cone.machines)}
        try:
            ways = tuple(_without_names(way, addresses, ports, labels) for way in outcome_of(found).ways)
        except KeyError:
            raise AssertionError(f"the cone of {flow} lacks a name of its walk") from None
        return FlowClass(len(self._classes), flow, expected, ways)


def _without_names(
    way: Way, addresses: Mapping[Code, int], ports: Mapping[int, int], labels: Mapping[str, int]
) -> _Way:
    """The way by numbers. Raises KeyError where it has a name that the cone does not."""
    backend = source = receiver = None
    if way.backend is not None:
        backend = (addresses[code_of(way.backend[0])], ports[way.backend[1]])
    if way.source is not None:
        source = addresses[code_of(way.source)]
    if way.receiver is not None:
        label = way.receiver.partition(" (")[0]
        receiver = (labels[label], way.receiver[len(label) :])
    return _Way(way.probability, way.verdict, way.reason, backend, source, receiver)
