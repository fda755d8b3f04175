"""The two ends of a world's flows: who sends, what is asked, and by which names people group them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.flows.codes import code_of
from netsim.flows.senders import Sender
from netsim.flows.survey import Asked as FlowsAsked
from netsim.scenario.every_flow import Asked, Asking, Front, destinations, flow_between, localhosts, sources
from netsim.scenario.world import World
from netsim.topology.model import Role
from netsim.trace.model import Flow

Destination: TypeAlias = Asked

FAMILIES: Mapping[Front, bool] = {
    # front: whether its destinations differ in nothing but whose address they are, so that one may stand in for another
    Front.CLUSTER_IP: False,
    Front.EXTERNAL_IP: False,
    Front.LOAD_BALANCER: False,
    Front.NODE_PORT: True,
    Front.LOCALHOST: False,
    Front.POD: True,
    Front.NODE: True,
    Front.EXTERNAL: False,
}


def family_of(destination: Destination) -> Hashable:
    """Equal for destinations of one family, None where there is none."""
    if not FAMILIES[destination.front]:
        return None
    owner = destination.owner if destination.front is Front.NODE_PORT else None
    version = destination.address.version
    return (destination.front.value, owner, destination.protocol.value, destination.port, destination.closed, version)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every sender of a destination: it can be sent to another process, unlike what makes flows."""

    destination: Destination
    expected: frozenset[str] | None


class Ends:
    """The senders and destinations of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sources: dict[str, Asking] = {source.netns: source for source in sources(world)}
        self._expectations = world.expectations()

    def destinations(self) -> Iterator[Destination]:
        """Every destination once, those of the loopback addresses last; one of a family after the other."""
        found: dict[Hashable, list[Destination]] = {}
        for number, each in enumerate(dict.fromkeys((*destinations(self.world), *localhosts(self.world)))):
            family = family_of(each)
            found.setdefault(number if family is None else family, []).append(each)
        for members in found.values():
            yield from members

    def senders(self) -> list[tuple[str, str]]:
        """Every sender: its namespace and what its process is called."""
        return [(source.netns, source.owner) for source in self.sources.values()]

    def question(self, destination: Destination) -> Question:
        """A destination, and where its packets are meant to arrive."""
        return Question(destination, self._expectations.of(destination.address, destination.port or None))

    def asked(self, destination: Destination) -> FlowsAsked:
        """The same as classes of flows ask it."""
        return asked_of(self.question(destination), self.sources)


def asked_of(question: Question, asking: Mapping[str, Asking]) -> FlowsAsked:
    """A question as classes of flows ask it, of senders that are given by namespace."""
    destination = question.destination

    def flow_of(sender: Sender) -> Flow:
        return flow_between(asking[sender.netns], destination)

    only = None
    if destination.front is Front.LOCALHOST:
        only = frozenset(source.netns for source in asking.values() if source.role is Role.NODE)
    return FlowsAsked(
        flow_of,
        code_of(destination.address),
        destination.place,
        question.expected,
        destination.address.version,
        family_of(destination),
        only,
    )
