"""What every part of the control plane is given."""

from __future__ import annotations

from dataclasses import field, replace

from netsim.cluster.clock import VirtualClock
from netsim.cluster.events import EventRecorder
from netsim.cluster.informer import Informers
from netsim.cluster.machines import Machines
from netsim.cluster.scheduling.placement import Placements
from netsim.cluster.store import Store
from netsim.dataclass import dataclass
from netsim.objects.meta import Key


@dataclass(frozen=True, slots=True)
class Context:
    """One cluster's store, clock, informers and events, and the machines that it runs on.

    ``seed`` decides between equals. ``given``: objects that were loaded as they are, where a controller would otherwise take them
    for its own.
    """

    clock: VirtualClock
    store: Store
    informers: Informers
    recorder: EventRecorder
    machines: Machines
    placements: Placements = field(default_factory=Placements)
    given: set[Key] = field(default_factory=set)
    seed: int = 0

    @classmethod
    def of(cls, store: Store, clock: VirtualClock, *, seed: int = 0) -> Context:
        """A context of new informers and machines, and no events yet."""
        return cls(clock, store, Informers(store), EventRecorder(clock), Machines(clock), seed=seed)

    def anew(self) -> Context:
        """The same cluster for controllers that start now: their informers list everything again."""
        return replace(self, informers=Informers(self.store), placements=Placements())
