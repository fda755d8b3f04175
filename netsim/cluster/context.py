"""What every part of the control plane is given."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.cluster.clock import VirtualClock
from netsim.cluster.events import EventRecorder
from netsim.cluster.informer import Informers
from netsim.cluster.store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """One cluster's store, clock, informers and events."""

    clock: VirtualClock
    store: Store
    informers: Informers
    recorder: EventRecorder

    @classmethod
    def of(cls, store: Store, clock: VirtualClock) -> Context:
        """A context of new informers and no events yet."""
        return cls(clock, store, Informers(store), EventRecorder(clock))
