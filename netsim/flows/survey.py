"""All senders of one destination: which of their flows are of one class, with as few looks as that takes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from netsim.flows.classes import Classes, FlowClass
from netsim.flows.codes import Code
from netsim.flows.senders import Group, Sender, Senders
from netsim.flows.stand_in import Ends, Seen, StandIns
from netsim.trace.model import Flow

RECENT = 64
"""How many flows are remembered of each family: more than there are ways in which senders of one Service differ."""


@dataclass(frozen=True, slots=True)
class Share:
    """Senders whose flows to one destination are of one class."""

    flow_class: FlowClass
    senders: tuple[Sender, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One destination: the flow that each sender would send there, and where it may arrive (None: anywhere).

    ``place`` is the namespace whose own the address is, None for one that is nobody's own. Destinations of one ``family`` differ in nothing
    but place and address. ``only`` names the senders that may ask, None for all.
    """

    flow_of: Callable[[Sender], Flow]
    destination: Code
    place: str | None
    expected: frozenset[str] | None
    version: int
    family: Hashable = None
    only: frozenset[str] | None = None

    def concerns(self, group: Group) -> bool:
        """Whether the senders of a group may ask: they have addresses of the destination's IP version."""
        first = group.members[0]
        speaks = any((6 if code >> 129 else 4) == self.version for code in first.codes)
        return speaks and (self.only is None or first.netns in self.only)


class Surveyor:
    """Surveys destinations for the same senders, which are given by namespace and process. ``looks`` counts the cones."""

    def __init__(self, classes: Classes, senders: Iterable[tuple[str, str]]) -> None:
        self.classes = classes
        self.looks = 0
        known = Senders(classes.places)
        self._groups = known.groups(senders)
        self._stand_ins = StandIns(classes.places, classes.cones.slices, known)
        self._family: Hashable = None
        self._seen: dict[int, list[tuple[Seen, FlowClass]]] = {}

    def shares(self, asked: Asked) -> list[Share]:
        """What becomes of each sender's flow; senders without an address of the destination's IP version are left out."""
        if asked.family is None or asked.family != self._family:
            self._seen, self._family = {}, asked.family
        found: dict[int, tuple[FlowClass, list[Sender]]] = {}
        for group in self._groups:
            if asked.concerns(group):
                seen = self._seen.setdefault(group.kind, [])
                for flow_class, members in _Dealing(self, asked, seen, group).shares():
                    found.setdefault(flow_class.number, (flow_class, []))[1].extend(members)
        return [Share(flow_class, tuple(members)) for flow_class, members in found.values()]

    def look(self, asked: Asked, sender: Sender) -> tuple[Seen, FlowClass]:
        """Look at one sender's flow."""
        flow = asked.flow_of(sender)
        cone = self.classes.cone(flow, asked.expected)
        self.looks += 1
        ends = Ends(sender, asked.destination, asked.place, asked.expected)
        return Seen(ends, cone), self.classes.class_of(flow, asked.expected, cone)

    def stands_for(self, seen: Seen, asked: Asked, sender: Sender) -> bool:
        """Whether a sender's flow is of the class of one that was seen."""
        return self._stand_ins.holds(seen, Ends(sender, asked.destination, asked.place, asked.expected))


@dataclass(slots=True)
class _Dealing:
    """One group's members, dealt out to classes."""

    surveyor: Surveyor
    asked: Asked
    seen: list[tuple[Seen, FlowClass]]
    group: Group
    left: dict[str, Sender] = field(default_factory=dict)

    def shares(self) -> Iterator[tuple[FlowClass, list[Sender]]]:
        self.left = {member.netns: member for member in self.group.members}
        while self.left:
            first = next(iter(self.left.values()))
            seen, flow_class = self._stand_in(first) or self._look(first)
            members = [first] if flow_class.alone is not None else self._like(seen, first)
            for member in members:
                del self.left[member.netns]
            yield flow_class, members

    def _stand_in(self, first: Sender) -> tuple[Seen, FlowClass] | None:
        for known in self.seen:
            if self.surveyor.stands_for(known[0], self.asked, first):
                return known
        return None

    def _look(self, first: Sender) -> tuple[Seen, FlowClass]:
        found = self.surveyor.look(self.asked, first)
        if found[1].alone is None and len(self.seen) < RECENT:
            self.seen.append(found)
        return found

    def _like(self, seen: Seen, first: Sender) -> list[Sender]:
        """Those of the group that are left and that nothing in the cone tells apart from ``first``; ``first`` alone where it is named."""
        cone = seen.cone
        if cone.sensitive is None or not cone.sensitive.isdisjoint(first.codes):
            return [first]
        part = next(p for p in self.group.parts(cone.spans, cone.words) if first in p.members)
        expected, place = self.asked.expected or frozenset(), self.asked.place
        apart = part.named(cone.sensitive)
        inside = first.netns in expected
        return [
            m
            for m in part.members
            if m.netns in self.left
            and (m is first or (m.netns not in apart and m.netns != place and first.netns != place))
            and (m.netns in expected) == inside
        ]
