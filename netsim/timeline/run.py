"""A timeline, step after step: what was done, what happened by itself, what became of each packet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import assert_never

from netsim.check.expectation import differences
from netsim.cluster.errors import StatusError
from netsim.cluster.http.discovery import SCALED
from netsim.cluster.requests import PatchType
from netsim.cluster.resources import resource_named, resource_of
from netsim.dataclass import dataclass
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object
from netsim.rules.source import Origin
from netsim.scenario.naming import UnknownNameError
from netsim.scenario.world import World
from netsim.timeline.live import Happening, LiveWorld
from netsim.timeline.model import (
    Action,
    Apply,
    Delete,
    Forget,
    Hold,
    NodePower,
    Probe,
    Scale,
    Send,
    Timeline,
    Traffic,
)
from netsim.timeline.sending import Asked, NobodySendsError, Sending, going_on, once_more
from netsim.trace.model import Trace, Verdict


class StepRefusedError(Exception):
    """A step cannot be done as it is written: a name means nothing, or the API server refuses."""

    def __init__(self, message: str, advice: str, origin: Origin | None) -> None:
        super().__init__(message)
        self.message, self.advice, self.origin = message, advice, origin


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was done, in words."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that was sent, and what became of it. ``differences`` is how it differs from what was expected."""

    at: float
    send: Send
    trace: Trace
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some connections of the traffic: how many, and when the first and the last of them began."""

    verdict: Verdict
    reason: str
    count: int
    first: float
    last: float
    sentence: str


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """All connections of one traffic, by what became of them, the most frequent first."""

    traffic: Traffic
    outcomes: tuple[Outcome, ...]

    @property
    def sent(self) -> int:
        """How many there were."""
        return sum(outcome.count for outcome in self.outcomes)

    @property
    def lost(self) -> int:
        """How many were not delivered."""
        return sum(outcome.count for outcome in self.outcomes if outcome.verdict is not Verdict.DELIVERED)

    @property
    def holds(self) -> bool:
        """True where no more were lost than expected."""
        return self.traffic.most_lost is None or self.lost <= self.traffic.most_lost


Entry = Done | Sent | Happening


@dataclass(frozen=True, slots=True)
class Report:
    """The whole run. ``entries`` in the order of time."""

    timeline: Timeline
    mode: str
    entries: tuple[Entry, ...]
    traffic: tuple[TrafficReport, ...]

    @property
    def holds(self) -> bool:
        """True where everything was as expected."""
        sent = all(not entry.differences for entry in self.entries if isinstance(entry, Sent))
        return sent and all(report.holds for report in self.traffic)


@dataclass(slots=True)
class _Going:
    """Traffic under way: when its next connection begins, and what became of those before. ``silence``: why nobody sends now."""

    traffic: Traffic
    next: float
    origin: Origin | None
    asked: Asked | None = None
    silence: str = ""
    seen: dict[tuple[Verdict, str], Outcome] = field(default_factory=dict)

    def took(self, at: float, found: Trace) -> None:
        branch = found.decisive
        before = self.seen.get((branch.verdict, branch.reason))
        first, count = (before.first, before.count) if before else (at, 0)
        outcome = Outcome(
            branch.verdict, branch.reason, count + 1, first, at, before.sentence if before else branch.sentence
        )
        self.seen[branch.verdict, branch.reason] = outcome


class Run:
    """A timeline at work in a live world."""

    def __init__(self, live: LiveWorld, timeline: Timeline) -> None:
        self._live, self._timeline = live, timeline
        self._entries: list[Entry] = []
        self._told = len(live.happenings)
        self._asked: dict[str, Asked] = {}
        self._going: list[_Going] = []
        self._sending = Sending(live, timeline.seed)

    def run(self, watch: Callable[[float], None] = lambda _: None) -> Report:
        """Do every step at its time. ``watch`` is told the time now and then. Raises StepRefusedError."""
        for step in self._timeline.steps:
            self._until(step.at, watch)
            try:
                self._do(step.action, step.origin)
            except StatusError as error:
                raise StepRefusedError(str(error), "", step.origin) from error
            except UnknownNameError as error:
                raise StepRefusedError(error.message, error.advice, step.origin) from error
            except NobodySendsError as error:
                advice = "nobody can send it: leave the step out, or send it at another time"
                raise StepRefusedError(str(error), advice, step.origin) from error
            self._gather()
        end = max([self._timeline.until, *(going.traffic.until for going in self._going)])
        self._until(max(end, self._live.elapsed), watch)
        reports = tuple(TrafficReport(going.traffic, _sorted(going)) for going in self._going)
        modes = dict.fromkeys(proxy.configuration.mode.value for proxy in self._live.proxies.values())
        return Report(self._timeline, ", ".join(modes), tuple(self._entries), reports)

    def _gather(self) -> None:
        """Take in what happened by itself since."""
        self._entries += self._live.happenings[self._told :]
        self._told = len(self._live.happenings)

    def _until(self, when: float, watch: Callable[[float], None]) -> None:
        """Let time go by, with the traffic that is under way."""
        while (due := self._next_connection(when)) is not None:
            self._live.advance(due)
            for going in self._going:
                if going.next == due:
                    self._connection(going)
            watch(due)
        self._live.advance(max(when, self._live.elapsed))
        self._gather()
        watch(when)

    def _next_connection(self, when: float) -> float | None:
        """When the next connection of any traffic begins, None where none does until then."""
        return min((each.next for each in self._going if each.next <= min(when, each.traffic.until)), default=None)

    # --- packets ----------------------------------------------------------------------------------------------------

    def _connection(self, going: _Going) -> None:
        """The next connection of a traffic. A client keeps the address that it knows, whatever becomes of the name."""
        traffic = going.traffic
        try:
            going.asked = self._sending.ask(traffic.source, traffic.destination, traffic.packet)
        except UnknownNameError as error:
            if going.asked is None:
                raise StepRefusedError(error.message, error.advice, going.origin) from error
            going.asked = self._sending.ask_alike(going.asked)
        try:
            going.took(self._live.elapsed, self._sending.send(going.asked))
            going.silence = ""
        except NobodySendsError as error:
            if going.silence != str(error):
                going.silence = str(error)
                self._live.tell("traffic", f"{traffic.name}: nobody sends, {error}")
        going.next = round(going.next + traffic.interval, 9)

    def _send(self, send: Send) -> Sent:
        earlier = self._asked.get(send.again)
        asked = once_more(earlier) if earlier else self._sending.ask(send.source, send.destination, send.packet)
        found = self._sending.send(asked)
        if send.name:
            self._asked[send.name] = earlier or going_on(asked, found)
        unlike = differences(self._live.world, found, send.wanted) if send.wanted is not None else ()
        return Sent(self._live.elapsed, send, found, unlike)

    # --- steps ------------------------------------------------------------------------------------------------------

    def _do(self, action: Action, origin: Origin | None) -> None:
        live = self._live
        match action:
            case Send():
                self._gather()
                self._entries.append(self._send(action))
                return
            case Traffic():
                self._going.append(_Going(action, live.elapsed, origin))
                self._note(f"traffic {action.name}: a connection each {action.interval:g} s until {action.until:g} s")
                return
            case Apply(documents=documents):
                for document in documents:
                    self._note(_applied(live, document))
            case Delete(word=word):
                key = _named(live.world, word)
                live.plane.api.delete(key)
                self._note(f"delete {key}")
            case Scale(word=word, replicas=replicas):
                key = _scalable(live.world, word)
                live.plane.api.patch(key, PatchType.MERGE, {"spec": {"replicas": replicas}})
                self._note(f"scale {key} to {replicas}")
            case Probe():
                self._note(_probed(live, action))
            case NodePower(node=node, on=on):
                _known_node(live, node)
                (live.plane.faults.restore_node if on else live.plane.faults.kill_node)(node)
                self._note(f"node {node} {'has power again' if on else 'loses its power'}")
            case Hold(nodes=nodes, held=held):
                self._note(_held(live, nodes, held=held))
            case Forget(node=node):
                _known_node(live, node)
                live.flush_conntrack(node)
                self._note(f"conntrack -F on {node}")
            case never:
                assert_never(never)
        live.settle()

    def _note(self, words: str) -> None:
        self._gather()
        self._entries.append(Done(self._live.elapsed, words))


def _sorted(going: _Going) -> tuple[Outcome, ...]:
    return tuple(sorted(going.seen.values(), key=lambda outcome: (-outcome.count, outcome.first)))


def _applied(live: LiveWorld, document: Document) -> str:
    item = Object.of({**document, "metadata": _in_namespace(document)})
    before = live.plane.store.find(item.key)
    live.plane.api.apply(item.document, force=True)
    return f"apply {item.key} ({'changed' if before is not None else 'made'})"


def _in_namespace(document: Document) -> Document:
    metadata = document.get("metadata")
    given: Document = metadata if isinstance(metadata, dict) else {}
    namespaced = resource_of(str(document.get("kind", "")), str(document.get("apiVersion", "v1"))).namespaced
    return {"namespace": "default", **given} if namespaced else given


def _named(world: World, word: str) -> Key:
    """What ``pod/web-0`` or ``shop/deployment/web`` names. Raises UnknownNameError."""
    *place, kind, name = word.split("/") if word.count("/") in (1, 2) else ("", word)
    resource = resource_named(kind) if kind else None
    if resource is None:
        raise UnknownNameError(f"{word} is not KIND/NAME", "such as pod/web-0, or shop/deployment/web")
    key = Key(resource.kind, (place[0] if place else "default") if resource.namespaced else "", name)
    if key not in world.objects:
        there = sorted(str(other) for other in world.objects if other.kind == key.kind)
        raise UnknownNameError(f"there is no {key}", f"there are: {', '.join(there[:8])}" if there else "")
    return key


def _scalable(world: World, word: str) -> Key:
    key = _named(world, word)
    if key.kind not in SCALED:
        raise UnknownNameError(f"{key} has no replicas", f"what can be scaled is a {', '.join(SCALED)}")
    return key


def _probed(live: LiveWorld, action: Probe) -> str:
    key = _named(live.world, action.pod if "/" in action.pod else f"pod/{action.pod}")
    if action.fails:
        live.plane.faults.fail_probe(key, action.kind, action.container)
    else:
        live.plane.faults.mend_probe(key, action.kind, action.container)
    return f"the {action.kind.value} probe of {key} {'fails' if action.fails else 'succeeds again'}"


def _known_node(live: LiveWorld, name: str) -> None:
    if name not in live.proxies:
        raise UnknownNameError(f"there is no node {name}", f"there are: {', '.join(live.proxies)}")


def _held(live: LiveWorld, nodes: tuple[str, ...], *, held: bool) -> str:
    for name in nodes or live.proxies:
        _known_node(live, name)
        live.proxies[name].held = held
    whose = ", ".join(nodes) or "every node"
    return f"kube-proxy on {whose} {'is held back' if held else 'goes on'}"
