"""Two loads, part by part: which objects and which pieces of the Cluster document differ, and the one with a part of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, replace

from netsim.dataclass import dataclass
from netsim.manifest import Loaded
from netsim.objects.cluster import ClusterSpec
from netsim.objects.json import Json
from netsim.objects.meta import Key, Object
from netsim.objects.path import Path, path_text


@dataclass(frozen=True, slots=True)
class Part:
    """Something that differs. ``how`` is ``added``, ``removed`` or what changed; ``put`` gives the first load this part of the second."""

    name: str
    how: str
    put: Callable[[Loaded], Loaded] = field(repr=False, compare=False)


def parts(one: Loaded, other: Loaded) -> tuple[Part, ...]:
    """Everything that differs, in a fixed order."""
    return (*_cluster_parts(one.cluster, other.cluster), *_object_parts(one, other))


def _object_parts(one: Loaded, other: Loaded) -> Iterator[Part]:
    before = {item.key: item for item in one.objects}
    after = {item.key: item for item in other.objects}
    for key in sorted({*before, *after}):
        was, now = before.get(key), after.get(key)
        if was is None or now is None or was.document != now.document:
            yield Part(str(key), _how(was, now), _put_object(key, now))


def _how(was: Object | None, now: Object | None) -> str:
    if was is None:
        return "added"
    if now is None:
        return "removed"
    changed = list(dict.fromkeys(path_text(path) for path in _changed((), was.document, now.document)))
    return ", ".join(changed[:4]) + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")


def _changed(path: Path, was: Json, now: Json) -> Iterator[Path]:
    """The fields that differ; a list is one field unless only its items' fields do."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*was, *now)):
            yield from _changed((*path, key), was.get(key), now.get(key))
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from _changed((*path, index), one, other)
    elif was != now:
        yield path


def _put_object(key: Key, now: Object | None) -> Callable[[Loaded], Loaded]:
    def put(loaded: Loaded) -> Loaded:
        kept = tuple(now if item.key == key and now is not None else item for item in loaded.objects)
        if now is None:
            kept = tuple(item for item in kept if item.key != key)
        elif all(item.key != key for item in kept):
            kept = (*kept, now)
        return replace(loaded, objects=kept)

    return put


def _cluster_parts(one: ClusterSpec, other: ClusterSpec) -> Iterator[Part]:
    for name, words in _FIELDS.items():
        if getattr(one, name) != getattr(other, name):
            yield Part(words, "changed", _put_field(name, getattr(other, name)))
    yield from _machine_parts(one, other, "nodes", "node")
    yield from _machine_parts(one, other, "external", "external host")


_FIELDS = {
    # a field of the Cluster document, and what it is called
    "pod_cidrs": "the pod network",
    "service_cidrs": "the Service network",
    "cni": "the network plugin",
    "gateways": "the gateway",
    "kube_proxy": "kube-proxy's configuration",
}


def _put_field(name: str, value: object) -> Callable[[Loaded], Loaded]:
    def put(loaded: Loaded) -> Loaded:
        return replace(loaded, cluster=_with(loaded.cluster, name, value))

    return put


def _with(cluster: ClusterSpec, name: str, value: object) -> ClusterSpec:
    return replace(cluster, **{name: value})  # type: ignore[arg-type]  # a field of the same name and type


def _machine_parts(one: ClusterSpec, other: ClusterSpec, name: str, word: str) -> Iterator[Part]:
    before = {machine.name: machine for machine in getattr(one, name)}
    after = {machine.name: machine for machine in getattr(other, name)}
    for key in dict.fromkeys((*before, *after)):
        was, now = before.get(key), after.get(key)
        if was != now:
            how = "added" if was is None else "removed" if now is None else "changed"
            yield Part(f"{word} {key}", how, _put_machine(name, key, now))


def _put_machine(name: str, key: str, now: object) -> Callable[[Loaded], Loaded]:
    def put(loaded: Loaded) -> Loaded:
        held = [now if machine.name == key else machine for machine in getattr(loaded.cluster, name)]
        if all(machine.name != key for machine in getattr(loaded.cluster, name)):
            held.append(now)
        return replace(loaded, cluster=_with(loaded.cluster, name, tuple(m for m in held if m is not None)))

    return put
