"""What can be named in a world, and what a word means there.

A name is looked up before it is read as an address. ``KIND/NAME`` and ``NAMESPACE/KIND/NAME`` say what is meant; a bare name is
looked for in the namespace ``default`` first, then in all; more than one hit is an error that lists them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

from netsim.dataclass import dataclass
from netsim.objects.core import Pod
from netsim.objects.meta import Key
from netsim.scenario.world import World

DEFAULT_NAMESPACE = "default"


class Kind(Enum):
    """What can be named; the value is the word that the answer prints."""

    POD = "pod"
    SERVICE = "svc"
    DEPLOYMENT = "deployment"
    REPLICA_SET = "replicaset"
    STATEFUL_SET = "statefulset"
    DAEMON_SET = "daemonset"
    JOB = "job"
    NODE = "node"
    EXTERNAL = "external"


WORDS: dict[str, Kind] = {
    # what people write, by kubectl's names and short names
    "pod": Kind.POD,
    "pods": Kind.POD,
    "po": Kind.POD,
    "svc": Kind.SERVICE,
    "service": Kind.SERVICE,
    "services": Kind.SERVICE,
    "deployment": Kind.DEPLOYMENT,
    "deployments": Kind.DEPLOYMENT,
    "deploy": Kind.DEPLOYMENT,
    "replicaset": Kind.REPLICA_SET,
    "rs": Kind.REPLICA_SET,
    "statefulset": Kind.STATEFUL_SET,
    "sts": Kind.STATEFUL_SET,
    "daemonset": Kind.DAEMON_SET,
    "ds": Kind.DAEMON_SET,
    "job": Kind.JOB,
    "node": Kind.NODE,
    "nodes": Kind.NODE,
    "no": Kind.NODE,
    "external": Kind.EXTERNAL,
}
_OBJECT_KINDS: dict[Kind, str] = {
    Kind.POD: "Pod",
    Kind.SERVICE: "Service",
    Kind.DEPLOYMENT: "Deployment",
    Kind.REPLICA_SET: "ReplicaSet",
    Kind.STATEFUL_SET: "StatefulSet",
    Kind.DAEMON_SET: "DaemonSet",
    Kind.JOB: "Job",
}

SOURCES = (Kind.POD, Kind.NODE, Kind.EXTERNAL)
DESTINATIONS = (Kind.SERVICE, Kind.POD, Kind.NODE, Kind.EXTERNAL)
WORKLOADS = (Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET, Kind.REPLICA_SET, Kind.JOB)
_NAMEABLE = {SOURCES: "pod, node or external host", DESTINATIONS: "pod, Service, node or external host"}


class UnknownNameError(ValueError):
    """A name that means nothing here, or too much; ``advice`` lists the nearest."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Named:
    """Something that has a name. ``namespace`` is empty for nodes and external hosts."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        place = "" if self.namespace in ("", DEFAULT_NAMESPACE) else f"{self.namespace}/"
        return f"{place}{self.kind.value}/{self.name}"


def find(world: World, text: str, bare: tuple[Kind, ...]) -> Named | None:
    """What a name means, None where nothing of the ``bare`` kinds is called so. Raises UnknownNameError."""
    kind, namespace, name = _parts(text)
    hits = list(_hits(world, (kind,) if kind else bare, namespace, name))
    if namespace is None:
        hits = [hit for hit in hits if hit.namespace in ("", DEFAULT_NAMESPACE)] or hits
    if len(hits) > 1:
        listed = ", ".join(str(hit) for hit in hits)
        raise UnknownNameError(f"{text} is ambiguous: it may be {listed}", "say which of them you mean")
    if not hits and kind is not None:
        raise unknown(world, text, (kind,))
    return hits[0] if hits else None


def _parts(text: str) -> tuple[Kind | None, str | None, str]:
    """Kind, namespace and name of ``name``, ``ns/name``, ``kind/name`` or ``ns/kind/name``."""
    words = text.split("/")
    if len(words) == 2 and words[0] in WORDS:
        return WORDS[words[0]], None, words[1]
    if len(words) == 2:
        return None, words[0], words[1]
    if len(words) == 3 and words[1] in WORDS:
        return WORDS[words[1]], words[0], words[2]
    if len(words) == 3 and words[0] in WORDS:
        return WORDS[words[0]], words[1], words[2]
    return None, None, text


def _hits(world: World, kinds: Iterable[Kind], namespace: str | None, name: str) -> Iterator[Named]:
    return (
        named
        for kind in kinds
        for named in _all(world, kind)
        if named.name == name and (namespace is None or named.namespace == namespace)
    )


def _all(world: World, kind: Kind) -> Iterator[Named]:
    match kind:
        case Kind.NODE:
            return (Named(kind, "", node.name) for node in world.cluster.nodes)
        case Kind.EXTERNAL:
            return (Named(kind, "", host.name) for host in world.cluster.external)
        case _:
            wanted = _OBJECT_KINDS[kind]
            return (Named(kind, key.namespace, key.name) for key in world.objects if key.kind == wanted)


def unknown(world: World, text: str, kinds: tuple[Kind, ...]) -> UnknownNameError:
    """The error for a name that nothing of these kinds has: with the workload that is called so, the nearest names, or all."""
    what = _NAMEABLE.get(kinds, kinds[0].value)
    message = f"no {what} is called {text}, and it is no address"
    _, namespace, name = _parts(text)
    workloads = list(_hits(world, () if len(kinds) == 1 else WORKLOADS, namespace, name))
    if workloads:
        return UnknownNameError(message, f"did you mean {' or '.join(map(str, workloads))}?")
    known = [named for kind in kinds for named in _all(world, kind)]
    spelled = {str(named): named for named in known} | {named.name: named for named in known}
    close = [str(spelled[word]) for word in difflib.get_close_matches(name, list(spelled), n=3, cutoff=0.5)]
    if close:
        kind = f"{what} " if len(kinds) == 1 else ""
        return UnknownNameError(f"no {kind}{text} here", f"did you mean {' or '.join(dict.fromkeys(close))}?")
    listed = ", ".join(str(named) for named in known[:8]) + (", …" if len(known) > 8 else "")
    return UnknownNameError(message, f"there are: {listed}" if listed else "")


def pod_of(world: World, named: Named) -> Pod:
    """The pod itself, or of a workload's pods the first by name, running and ready ones before others. Raises UnknownNameError."""
    pods = pods_of(world, named)
    if not pods:
        raise UnknownNameError(f"{named} has no pods")
    return min(pods, key=_running_first(world))


def pods_of(world: World, named: Named) -> list[Pod]:
    """The pod itself, or all pods of a workload."""
    key = Key(_OBJECT_KINDS[named.kind], named.namespace, named.name)
    return [Pod.of(world.objects[key])] if named.kind is Kind.POD else list(world.pods_of(key))


def _running_first(world: World) -> Callable[[Pod], tuple[bool, bool, str]]:
    return lambda pod: (world.pod_netns(pod) is None, not pod.ready, pod.metadata.name)
