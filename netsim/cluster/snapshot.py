"""A cluster's objects at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from netsim.cluster.clock import VirtualClock
from netsim.cluster.events import Event
from netsim.cluster.store import Store
from netsim.dataclass import dataclass
from netsim.objects.meta import Key, Object


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every object by its key at ``at`` (seconds since the world began), and the events up to then. It never changes.

    Objects are immutable, so this is a copy of references: cheap, and two snapshots of what did not change share it.
    """

    at: float
    resource_version: str
    objects: Mapping[Key, Object] = field(repr=False)
    events: tuple[Event, ...] = field(repr=False)

    @classmethod
    def of(cls, clock: VirtualClock, store: Store, events: tuple[Event, ...]) -> Snapshot:
        """The instant that a clock and a store are at."""
        objects = {item.key: item for kind in store.kinds for item in store.list(kind).items}
        return cls(clock.now(), store.resource_version, MappingProxyType(objects), events)

    def of_kind(self, kind: str) -> tuple[Object, ...]:
        """The objects of a kind, in the order of their keys."""
        return tuple(item for key, item in self.objects.items() if key.kind == kind)

    def changed_since(self, earlier: Snapshot) -> tuple[tuple[Object | None, Object | None], ...]:
        """What differs from an earlier snapshot, in the order of keys: each object as it was (None: it was not) and as it is."""
        keys = sorted({*earlier.objects, *self.objects})
        pairs = ((earlier.objects.get(key), self.objects.get(key)) for key in keys)
        return tuple((was, now) for was, now in pairs if was is not now)
