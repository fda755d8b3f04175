"""Timeline documents (``netsim.io/v1alpha1``, kind ``Timeline``) → a timeline, with every error at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from netsim.check.flow_fields import PACKET_FIELDS, WANTED_FIELDS, one_of, read_packet, read_wanted
from netsim.check.sources import beside
from netsim.cluster.machines import ProbeKind
from netsim.manifest.diagnostics import Diagnostic, LoadError, Severity, in_order
from netsim.manifest.entries import Entry, Report
from netsim.manifest.fields import Section
from netsim.manifest.load import TIMELINE_KIND, entries_in
from netsim.objects.json import Json
from netsim.objects.path import Problem
from netsim.objects.schema import find_kind
from netsim.objects.script import seconds
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
    TimelineStep,
    Traffic,
)

SHORTEST_INTERVAL = 0.001
"""Seconds between two connections of one traffic."""


def read_timeline(path: Path) -> Timeline:
    """The timeline of a file. Raises LoadError with everything that is wrong."""
    report = Report()
    entries = entries_in(path, report)
    found = [entry for entry in entries if entry.kind == TIMELINE_KIND]
    if len(found) != 1 and not report.failed:
        message = f"the file has {len(found) or 'no'} document{'s' if len(found) > 1 else ''} of kind {TIMELINE_KIND}"
        report.found.append(Diagnostic(Severity.ERROR, str(path), 0, 0, message, help="docs/run.md shows one"))
    read = [_timeline(entry, path, report) for entry in found]
    if report.failed:
        raise LoadError(in_order(report.found, [str(path)]))
    return replace(read[0], with_world=len(found) < len(entries))


def _timeline(entry: Entry, path: Path, report: Report) -> Timeline:
    top = Section(entry, (), report)
    top.allow("apiVersion", "kind", "metadata", "spec")
    metadata = top.section("metadata")
    metadata.allow("name", "labels", "annotations")
    name, spec = metadata.text("name"), top.section("spec")
    spec.allow("topology", "steps", "until", "seed")
    if not spec.raw("steps"):
        spec.error(
            "spec.steps: a timeline has at least one", "such as {at: 0s, send: {from: pod-a, to: svc-x}}", "steps"
        )
    read = (step for section, _ in spec.sections("steps") if (step := _step(section)) is not None)
    steps = tuple(sorted(read, key=lambda step: step.at))
    _check_names(steps, spec)
    topology = tuple(beside(path, text.value) for text in spec.texts("topology"))
    until, seed = _time(spec, "until") or 0.0, spec.integer("seed", 0, 2**31 - 1) or 0
    return Timeline(name.value if name else path.stem, steps, topology, until=until, seed=seed)


def _check_names(steps: Sequence[TimelineStep], spec: Section) -> None:
    """Names are given once, and before they are used; of steps at one instant the file's order counts."""
    known: set[str] = set()
    for step in steps:
        action = step.action
        if isinstance(action, Send) and action.again and action.again not in known:
            told = f"no earlier step sends {action.again!r}"
            spec.report.found.append(_at(step, told, f"there are: {', '.join(sorted(known))}" if known else ""))
        if isinstance(action, Send | Traffic) and action.name:
            if action.name in known:
                spec.report.found.append(_at(step, f"{action.name!r} is there twice", "give each a name of its own"))
            known.add(action.name)


def _at(step: TimelineStep, message: str, advice: str) -> Diagnostic:
    origin = step.origin
    assert origin is not None
    return Diagnostic(Severity.ERROR, origin.file, origin.line, origin.column, message, origin.text, advice)


# --- steps ------------------------------------------------------------------------------------------------------


def _step(section: Section) -> TimelineStep | None:
    section.allow("at", "expect", *_ACTIONS)
    at = _time(section, "at")
    if at is None and not section.has("at"):
        section.error("the step has no 'at'", "seconds since the cluster came to rest, such as 10s or 500ms")
    named = [name for name in _ACTIONS if section.has(name)]
    if len(named) != 1:
        section.error(
            "a step does one thing" if named else "the step does nothing",
            f"one of {', '.join(_ACTIONS)}, each in a step of its own",
        )
        return None
    action = _ACTIONS[named[0]](section)
    if at is None or action is None:
        return None
    if section.has("expect") and not isinstance(action, Send | Traffic):
        section.error(
            "only what is sent can be expected to arrive", "leave it out, or put it beside send or traffic", "expect"
        )
    return TimelineStep(at, action, section.spot.origin)


def _send(section: Section) -> Send | None:
    inner = section.section("send")
    inner.allow("name", "from", "to", "again", *PACKET_FIELDS)
    name, source, destination, again = (inner.text(field) for field in ("name", "from", "to", "again"))
    if again is None and (source is None or destination is None):
        inner.error("a packet has from and to, or is sent again", "such as {from: pod-a, to: svc-x}, or {again: NAME}")
        return None
    if again is not None and (source is not None or destination is not None):
        inner.error("what is sent again has the ends that it had", "leave out from and to")
    expected = section.section("expect")
    expected.allow(*WANTED_FIELDS)
    return Send(
        name.value if name else "",
        source.value if source else "",
        destination.value if destination else "",
        read_packet(inner),
        again.value if again else "",
        read_wanted(expected) if section.has("expect") else None,
    )


def _traffic(section: Section) -> Traffic | None:
    inner = section.section("traffic")
    inner.allow("name", "from", "to", "interval", "until", *PACKET_FIELDS)
    name, source, destination = (inner.text(field) for field in ("name", "from", "to"))
    interval, until = _time(inner, "interval"), _time(inner, "until")
    expected = section.section("expect")
    expected.allow("mostLost")
    if source is None or destination is None or not interval or until is None:
        inner.error(
            "traffic has from, to, interval and until", "such as {from: pod-a, to: svc-x, interval: 100ms, until: 30s}"
        )
        return None
    if interval < SHORTEST_INTERVAL:
        inner.error("there is a connection at most each 1ms", "such as interval: 100ms", "interval")
    begins = _time(section, "at") if section.has("at") else None
    if begins is not None and until < begins:
        inner.error(
            f"the traffic ends before it begins, at {begins:g} s", "until is a time of the run, as at is", "until"
        )
    title = name.value if name else f"{source.value} → {destination.value}"
    lost = expected.integer("mostLost", 0, 2**31 - 1)
    return Traffic(title, source.value, destination.value, read_packet(inner), interval, until, lost)


def _apply(section: Section) -> Apply | None:
    raw = section.raw("apply")
    several = isinstance(raw, list)
    documents = raw if isinstance(raw, list) else [raw]
    if not documents:
        section.error("apply: there is nothing in the list", "leave the step out, or give a manifest", "apply")
    for index, document in enumerate(documents):
        _check_manifest(section, document, ("apply", index) if several else ("apply",))
    return Apply(tuple(document for document in documents if isinstance(document, Mapping)))


def _check_manifest(section: Section, document: Json, place: tuple[str | int, ...]) -> None:
    """What can be told before the API server is asked: whether it is an object of a kind that is served, with a name."""
    advice = "an object with apiVersion, kind and metadata"
    if not isinstance(document, Mapping):
        section.error("apply: expected a manifest, or a list of them", advice, *place)
        return
    version, kind, metadata = (document.get(field) for field in ("apiVersion", "kind", "metadata"))
    if not isinstance(version, str) or not isinstance(kind, str):
        missing = "kind" if isinstance(version, str) else "apiVersion"
        section.error(f"the object has no {missing}", advice, *place)
        return
    if isinstance(found := find_kind(version, kind), Problem):
        section.error(found.message, found.advice, *place, *found.path)
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        section.error("the object has no name", "metadata: {name: …}", *place)


def _delete(section: Section) -> Delete | None:
    text = section.text("delete")
    return Delete(text.value) if text else None


def _scale(section: Section) -> Scale | None:
    inner = section.section("scale")
    inner.allow("name", "replicas")
    name, replicas = inner.text("name"), inner.integer("replicas", 0, 100_000)
    if name is None or replicas is None:
        inner.error("scale has name and replicas", "such as {name: deployment/web, replicas: 5}")
        return None
    return Scale(name.value, replicas)


def _probe(field: str, *, fails: bool) -> Callable[[Section], Probe | None]:
    def read(section: Section) -> Probe | None:
        inner = section.section(field)
        inner.allow("pod", "probe", "container")
        pod, probe, container = (inner.text(name) for name in ("pod", "probe", "container"))
        kinds = tuple(kind.value for kind in ProbeKind)
        kind = one_of(inner, "probe", probe.value, kinds) if probe else ProbeKind.READINESS.value
        if pod is None or kind is None:
            inner.error("a probe is that of a pod", "such as {pod: web-0, probe: readiness}")
            return None
        return Probe(pod.value, ProbeKind(kind), fails, container.value if container else "")

    return read


def _power(field: str, *, on: bool) -> Callable[[Section], NodePower | None]:
    def read(section: Section) -> NodePower | None:
        text = section.text(field)
        return NodePower(text.value, on) if text else None

    return read


def _hold(field: str, *, held: bool) -> Callable[[Section], Hold | None]:
    def read(section: Section) -> Hold | None:
        inner = section.section(field)
        inner.allow("kubeProxy")
        nodes = [text.value for text in inner.texts("kubeProxy")]
        if not nodes:
            inner.error(
                f"{field} names the nodes whose kube-proxy is meant", "{kubeProxy: [node1]}, or {kubeProxy: all}"
            )
            return None
        return Hold(() if nodes == ["all"] else tuple(nodes), held)

    return read


def _forget(section: Section) -> Forget | None:
    text = section.text("flushConntrack")
    return Forget(text.value) if text else None


_ACTIONS: dict[str, Callable[[Section], Action | None]] = {
    "send": _send,
    "traffic": _traffic,
    "apply": _apply,
    "delete": _delete,
    "scale": _scale,
    "failProbe": _probe("failProbe", fails=True),
    "mendProbe": _probe("mendProbe", fails=False),
    "killNode": _power("killNode", on=False),
    "restoreNode": _power("restoreNode", on=True),
    "hold": _hold("hold", held=True),
    "release": _hold("release", held=False),
    "flushConntrack": _forget,
}


# --- times ------------------------------------------------------------------------------------------------------


def _time(section: Section, field: str) -> float | None:
    """A duration such as ``10s``, ``1m30s``, ``250ms``; a plain number is seconds."""
    raw = section.raw(field)
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        if raw >= 0:
            return float(raw)
        section.error(f"{raw:g} is before the beginning", "times count from when the cluster came to rest", field)
        return None
    return section.parsed(section.text(field), seconds)
