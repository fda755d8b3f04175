"""Which senders and destinations a matrix is about: names as people write them, with ``*`` for anything."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from netsim.matrix.ends import Destination, Ends
from netsim.scenario.every_flow import Asking
from netsim.scenario.workloads import workloads_of
from netsim.scenario.world import World
from netsim.topology.model import Role

T = TypeVar("T")


class UnknownPatternError(ValueError):
    """A name that nothing here has; ``advice`` lists the nearest."""

    def __init__(self, option: str, pattern: str, known: Iterable[str]) -> None:
        names = sorted(set(known))
        close = difflib.get_close_matches(pattern, names, n=3)
        self.message = f"{option} {pattern}: nothing here is called so"
        listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        self.advice = f"did you mean {' or '.join(close)}?" if close else f"there are: {listed}"
        super().__init__(self.message)


class Selecting:
    """What is wanted; nothing given wants everything. Raises UnknownPatternError for a name that nothing here has."""

    def __init__(
        self, world: World, senders: Sequence[str], targets: Sequence[str], protocols: frozenset[str], port: int | None
    ) -> None:
        self._workloads = workloads_of(world)
        self._senders, self._targets = tuple(senders), tuple(targets)
        self._protocols, self._port = protocols, port
        if senders or targets:
            ends = Ends(world)
            _check("--from", senders, ends.sources.values(), self._names_of_sender)
            _check("--to", targets, ends.destinations(), self._names_of_target)

    def asks(self, source: Asking) -> bool:
        """Whether a sender is wanted."""
        return not self._senders or any(_called(pattern, self._names_of_sender(source)) for pattern in self._senders)

    def wants(self, destination: Destination) -> bool:
        """Whether a destination is wanted; ports that nobody offers never are."""
        protocol = "icmp" if not destination.port else destination.protocol.name.lower()
        if destination.closed or protocol not in self._protocols or self._port not in (None, destination.port):
            return False
        return not self._targets or any(
            _called(pattern, self._names_of_target(destination)) for pattern in self._targets
        )

    def _names_of_sender(self, source: Asking) -> Iterator[str]:
        kind, _, rest = source.label.partition("/")
        yield from (source.label, rest)
        if source.role is Role.POD:
            yield from self._names_of_pod(rest)
        else:
            yield kind

    def _names_of_target(self, destination: Destination) -> Iterator[str]:
        yield from (destination.label, str(destination.address))
        owner = destination.owner
        if owner is None or owner.kind == "Node":
            yield from (destination.label.partition(":")[0], destination.label.partition(":")[0].partition("/")[2])
        elif owner.kind == "Pod":
            yield from self._names_of_pod(f"{owner.namespace}/{owner.name}")
        else:
            whole = f"{owner.namespace}/{owner.name}"
            qualified = (f"svc/{owner.name}", f"svc/{whole}", f"{owner.namespace}/svc/{owner.name}")
            for name in (owner.name, whole, *qualified):
                yield name
                if destination.port:
                    yield f"{name}:{destination.port}"
            yield from (f"namespace/{owner.namespace}", destination.front.value)

    def _names_of_pod(self, name: str) -> Iterator[str]:
        namespace, _, pod = name.partition("/")
        yield from (name, pod, f"pod/{name}", f"pod/{pod}", f"namespace/{namespace}")
        workload = self._workloads.get(name)
        if workload is not None:
            kind, _, short = workload.split("/")
            yield from (workload, f"{kind}/{short}", f"{namespace}/{kind}/{short}")


def _called(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _check(option: str, patterns: Sequence[str], ends: Iterable[T], names: Callable[[T], Iterable[str]]) -> None:
    if not patterns:
        return
    known = {name for end in ends for name in names(end)}
    for pattern in patterns:
        if not _called(pattern, known):
            raise UnknownPatternError(option, pattern, known)
