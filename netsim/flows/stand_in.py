"""Whether a flow between other ends sees what one flow saw: the cone of the one, read with the other's names.

The sender, the asked namespace and their nodes take other names, and everything else of the cone stays. If all that the cone consists of
says the same under the new names, the other flow's cone differs from it in nothing but names, and need not be written down. Only what a new
name has a part in is compared; the rest is the same machine saying the same of the same address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from netsim.flows.codes import Code
from netsim.flows.cone import Cone
from netsim.flows.machine import Machine, Said
from netsim.flows.places import Places
from netsim.flows.rule_slice import Renaming
from netsim.flows.senders import Sender, Senders
from netsim.flows.slices import Slices


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a flow. ``place`` is the namespace that was asked, None for an address that is nobody's own."""

    sender: Sender
    destination: Code
    place: str | None
    expected: frozenset[str] | None


class Seen:
    """A flow that was looked at, and what its cone says, ready to be compared."""

    __slots__ = ("_answers", "before", "cone", "ends", "ports")

    def __init__(self, ends: Ends, cone: Cone) -> None:
        self.ends = ends
        self.cone = cone
        self.before = {code: number for number, code in enumerate(cone.addresses)}
        self.ports = {port: number for number, port in enumerate(cone.ports)}
        self._answers: dict[frozenset[str], list[_Answers]] = {}

    def answers(self, places: Places, changed: Mapping[str, str], codes: Iterable[Code]) -> list[_Answers]:
        """What machines said in which one of the changed names has a part."""
        key = frozenset(changed)
        found = self._answers.get(key)
        if found is None:
            moved = tuple(codes)
            found = self._answers[key] = [
                _Answers(name, machine, [(code, machine.said(code)) for code in (asked if name in key else moved)],
                         [(code, machine.about(code)) for code in moved] if machine.with_rules or machine.servers.any else [])
                for name, machine, asked in ((name, places.machine(name), self.cone.addresses) for name in self.cone.machines)
            ]  # fmt: skip
        return found


@dataclass(frozen=True, slots=True)
class _Answers:
    """What one machine said of some addresses, and what it holds of them."""

    name: str
    machine: Machine
    said: list[tuple[Code, Said]]
    about: list[tuple[Code, int]]


@dataclass(frozen=True, slots=True)
class _Names:
    """The new names by the old ones: namespaces, and their addresses."""

    spaces: Mapping[str, str]
    codes: Mapping[Code, Code]


class StandIns:
    """Compares flows of one kind: equal but for their ends."""

    def __init__(self, places: Places, slices: Slices, senders: Senders) -> None:
        self._places = places
        self._slices = slices
        self._senders = senders

    def holds(self, seen: Seen, ends: Ends) -> bool:
        """Whether a flow between other ends is of the class of the one that was seen."""
        cone = seen.cone
        if cone.sensitive is None:
            return False
        names = self._names(seen, ends)
        return (
            names is not None
            and names.codes.get(seen.ends.destination, seen.ends.destination) == ends.destination
            and not any(code in cone.constants for pair in names.codes.items() for code in pair)
            and self._same_spans(cone, names)
            and self._same_words(cone, names)
            and self._same_expectation(seen, ends, names)
            and self._same_said(seen, names)
            and self._same_rules(seen, names)
        )

    def _names(self, seen: Seen, ends: Ends) -> _Names | None:
        """None where the new names do not fit: two for one, one for two, or one that stands for something else already."""
        spaces: dict[str, str] = {}
        pairs = [(seen.ends.sender.netns, ends.sender.netns), (seen.ends.place, ends.place)]
        for old, new in pairs:
            if (old is None) != (new is None):
                return None
            if old is None or new is None:
                continue
            homes = (self._senders.node_of(old), self._senders.node_of(new))
            for one, other in ((old, new), homes):
                if (one is None) != (other is None):
                    return None
                if one is not None and other is not None and spaces.setdefault(one, other) != other:
                    return None
        spaces = {old: new for old, new in spaces.items() if old in seen.cone.machines or old != new}
        taken = set(spaces.values())
        if len(taken) < len(spaces) or any(name in taken for name in seen.cone.machines if name not in spaces):
            return None
        return self._with_codes(spaces)

    def _with_codes(self, spaces: Mapping[str, str]) -> _Names | None:
        codes: dict[Code, Code] = {}
        changed = {old: new for old, new in spaces.items() if old != new}
        for old, new in changed.items():
            if self._senders.kind(old) != self._senders.kind(new):
                return None
            mine, theirs = self._places.machine(old).own, self._places.machine(new).own
            codes |= dict(zip(mine, theirs, strict=True))
        return _Names(changed, codes)

    def _same_spans(self, cone: Cone, names: _Names) -> bool:
        """Whether the rules of machines that keep their names tell no new address from the old."""
        unmoved = (span for name, spans in cone.spans_of for span in spans if name not in names.spaces)
        return all((old in span) == (new in span) for span in unmoved for old, new in names.codes.items())

    def _same_words(self, cone: Cone, names: _Names) -> bool:
        """Whether rules call the devices alike that lead to the named ones."""
        if not cone.words:
            return True
        device_to = self._senders.device_to
        return all(
            cone.words_for(device_to(old)) == cone.words_for(device_to(new)) for old, new in names.spaces.items()
        )

    def _same_expectation(self, seen: Seen, ends: Ends, names: _Names) -> bool:
        mine, theirs = seen.ends.expected, ends.expected
        if mine is None or theirs is None:
            return mine is theirs
        return all((name in mine) == (names.spaces.get(name, name) in theirs) for name in seen.cone.machines)

    def _same_said(self, seen: Seen, names: _Names) -> bool:
        codes, spaces = names.codes, names.spaces
        for answers in seen.answers(self._places, spaces, codes):
            new = spaces.get(answers.name)
            other = answers.machine if new is None else self._places.machine(new)
            for code, mine in answers.said:
                theirs = other.said(codes.get(code, code))
                if mine is not theirs and mine.number != theirs.number:
                    return False
                if mine.named and not _same_names(answers.machine, other, mine, theirs, names):
                    return False
            if any(about != other.about(codes[code]) for code, about in answers.about):
                return False
        return True

    def _same_rules(self, seen: Seen, names: _Names) -> bool:
        before, ports = seen.before, seen.ports
        after = {names.codes.get(code, code): number for code, number in before.items()}
        renaming = Renaming(before, after, names.codes)
        for old, new in names.spaces.items():
            one, other = self._places.machine(old), self._places.machine(new)
            for version in seen.cone.versions if one.with_rules or other.with_rules else ():
                met = self._slices.of(one, version, before, ports)
                common = self._slices.common(one, other, version)
                if not met.holds_in(other.book(version), common, renaming, ports):
                    return False
        return all(self._same_servers(name, names, renaming, ports) for name in seen.cone.machines)

    def _same_servers(self, name: str, names: _Names, renaming: Renaming, ports: Mapping[int, int]) -> bool:
        one, other = self._places.machine(name).servers, self._places.machine(names.spaces.get(name, name)).servers
        return not (one.any or other.any) or one.same(other, renaming.before, renaming.after, ports)


def _same_names(one: Machine, other: Machine, mine: Said, theirs: Said, names: _Names) -> bool:
    """Whether two answers of one form name the same, but for the new names."""
    codes, spaces = names.codes, names.spaces
    if mine.codes and tuple([codes.get(code, code) for code in mine.codes]) != theirs.codes:
        return False
    if mine.devices:
        behind = [spaces.get(one.renamed[device], one.renamed[device]) for device in mine.devices]
        if behind != [other.renamed[device] for device in theirs.devices]:
            return False
    return not mine.machines or tuple([spaces.get(name, name) for name in mine.machines]) == theirs.machines
