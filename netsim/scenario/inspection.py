"""What ``get``, ``events``, ``describe`` and ``auth`` look at: a cluster's objects at rest, without its packets."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from netsim.cluster.access.users import ADMIN, User
from netsim.cluster.clock import VirtualClock
from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.errors import BadRequest, Forbidden
from netsim.cluster.events import Event
from netsim.cluster.listing import selection
from netsim.cluster.ownership import controller_key
from netsim.cluster.resources import Resource, known_resources, names_of, resource_named
from netsim.dataclass import dataclass
from netsim.manifest import Diagnostic, load
from netsim.objects.core import SERVICE_NAME_LABEL
from netsim.objects.meta import Key, Object

if TYPE_CHECKING:
    from netsim.scenario.recording import Recorded

ALL = (
    # what `kubectl get all` means, in its order. Ref: pkg/registry/*/rest/storage_*.go:Categories() (v1.37)
    *("Pod", "ReplicationController", "Service", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    *("HorizontalPodAutoscaler", "CronJob", "Job"),
)


class InspectionError(ValueError):
    """Something was asked for that is not there; ``advice`` names the nearest."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Inspection:
    """A control plane at rest, for reading. ``user``: who reads; what they may not read is an InspectionError."""

    plane: ControlPlane | Recorded = field(repr=False)
    user: User = ADMIN

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock, at the moment of rest."""
        return self.plane.clock

    def resources(self, words: str) -> tuple[Resource, ...]:
        """The resources that ``pods``, ``po,svc`` or ``all`` mean. Raises InspectionError with the nearest."""
        found: list[Resource] = []
        for word in filter(None, words.split(",")):
            if word == "all":
                found += [r for kind in ALL for r in known_resources() if r.kind == kind]
            else:
                found.append(self.resource(word))
        return tuple(dict.fromkeys(found))

    def resource(self, word: str) -> Resource:
        """The resource of one word. Raises InspectionError."""
        found = resource_named(word, self.plane.store.kinds)
        if found is not None:
            return found
        known = {name: r for r in known_resources() for name in names_of(r)}
        close = difflib.get_close_matches(word.lower(), list(known), n=3)
        names = list(dict.fromkeys(known[name].plural for name in close))
        help_ = f"did you mean {' or '.join(names)}?" if names else f"there are: {', '.join(self._plurals())}"
        raise InspectionError(f'the server doesn\'t have a resource type "{word}"', help_)

    def _plurals(self) -> list[str]:
        kinds = set(self.plane.store.kinds)
        return [r.plural for r in known_resources() if r.kind in kinds]

    def list(self, resource: Resource, namespace: str | None, labels: str = "", fields: str = "") -> tuple[Object, ...]:
        """The objects of a resource; ``namespace`` None: of all. Raises InspectionError for a selector that cannot be read."""
        place = namespace if resource.namespaced else None
        self._authorize("list", Key(resource.kind, place or "", ""), fields)
        try:
            if resource.kind == "Event":
                selects = selection(resource.kind, place, labels, fields)
                return tuple(filter(selects, event_objects(self.plane)))
            return self.plane.store.list(resource.kind, place, labels, fields).items
        except BadRequest as error:
            raise InspectionError(
                str(error), "such as -l app=web,tier!=cache or --field-selector status.phase=Running"
            ) from error

    def one(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """The object of that name. Raises InspectionError with the nearest name, or the namespaces that have it."""
        place = (namespace or "default") if resource.namespaced else ""
        self._authorize("get", Key(resource.kind, place, name))
        items = Inspection(self.plane).list(resource, None)
        for item in items:
            if item.metadata.name == name and item.metadata.namespace == place:
                return item
        if place and self.plane.store.find(Key("Namespace", "", place)) is None:
            raise InspectionError(f'namespaces "{place}" not found', "netsim get namespaces")
        message = f'{resource.qualified} "{name}" not found' + (f" in namespace {place}" if place else "")
        elsewhere = [item.metadata.namespace for item in items if item.metadata.name == name]
        if elsewhere:
            raise InspectionError(message, f"it is in namespace {' and '.join(elsewhere)}: use -n {elsewhere[0]}")
        names = [item.metadata.name for item in items if item.metadata.namespace == place]
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if close:
            raise InspectionError(message, f"did you mean {' or '.join(close)}?")
        some = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        raise InspectionError(message, f"there are: {some}" if names else f"there are no {resource.plural} there")

    def _authorize(self, verb: str, key: Key, fields: str = "") -> None:
        """Raises InspectionError where the user may not. The admin, whom nobody named, is not asked."""
        if self.user is ADMIN:
            return
        try:
            self.plane.api.acting_as(self.user).authorize(verb, key, fields=fields)
        except Forbidden as error:
            advice = f"what {self.user.name} may do: netsim auth can-i --list --as {self.user.name}"
            raise InspectionError(str(error), advice) from error

    def related(self, item: Object) -> tuple[Object, ...]:
        """What a description reads beside an object: a Service's slices, a Deployment's ReplicaSets, a node's or another's pods."""
        store, place = self.plane.store, item.metadata.namespace
        match item.kind:
            case "Service":
                return store.list("EndpointSlice", place, f"{SERVICE_NAME_LABEL}={item.metadata.name}").items
            case "Deployment":
                sets = store.list("ReplicaSet", place).items
                return tuple(s for s in sets if controller_key(s) == item.key)
            case "ReplicaSet" | "StatefulSet" | "DaemonSet":
                pods = store.list("Pod", place).items
                return tuple(pod for pod in pods if controller_key(pod) == item.key)
            case "Node":
                return store.list("Pod", None, "", f"spec.nodeName={item.metadata.name}").items
            case _:
                return ()

    def events_of(self, keys: Iterable[Key]) -> Sequence[Event]:
        """The events about some objects, in the order of their last time."""
        wanted = set(keys)
        return sorted((e for e in self.plane.events if e.object in wanted), key=lambda e: e.last)


def inspect(sources: Sequence[Path], record_to: Path | None = None) -> tuple[Inspection, tuple[Diagnostic, ...]]:
    """The cluster that files describe, at rest, and the load's warnings. Raises LoadError.

    ``record_to``: a file to record it in; raises StoreFileError where that cannot be done.
    """
    from netsim.scenario.build import steady

    loaded = load(sources)
    plane = steady(loaded)
    if record_to is not None:
        from netsim.scenario.recording import record

        record(plane, record_to)
    return Inspection(plane), loaded.warnings


def inspect_recorded(path: Path) -> Inspection:
    """The cluster that was recorded in a file. Raises StoreFileError."""
    from netsim.scenario.recording import recorded

    return Inspection(recorded(path))


def event_objects(plane: ControlPlane | Recorded) -> tuple[Object, ...]:
    """The events as objects of kind Event, oldest first. Those about a cluster-scoped object are in namespace ``default``."""
    return tuple(_event_object(plane, event, n) for n, event in enumerate(sorted(plane.events, key=lambda e: e.last)))


def _event_object(plane: ControlPlane | Recorded, event: Event, number: int) -> Object:
    found = plane.store.find(event.object)
    involved = {"kind": event.object.kind, "name": event.object.name, "namespace": event.object.namespace}
    if found is not None:
        involved |= {"apiVersion": found.api_version, "uid": found.metadata.uid}
    return Object.of(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{event.object.name}.{number:016x}",
                "namespace": event.object.namespace or "default",
                "creationTimestamp": plane.clock.timestamp_at(event.first),
            },
            "involvedObject": {key: value for key, value in involved.items() if value},
            "reason": event.reason,
            "message": event.message,
            "source": {"component": event.source},
            "firstTimestamp": plane.clock.timestamp_at(event.first),
            "lastTimestamp": plane.clock.timestamp_at(event.last),
            "count": event.count,
            "type": event.severity.value,
        }
    )
