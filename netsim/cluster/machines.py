"""What happens to machines and programs and is nobody's decision in the control plane: a node dies, a probe fails, a container ends.

It outlives the controllers, as hardware does: a control plane that is started anew finds it as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import field
from enum import Enum
from math import floor, inf

from netsim.cluster.clock import VirtualClock
from netsim.dataclass import dataclass
from netsim.objects.meta import Key

RENEWAL = 10.0
"""Seconds between two renewals of a node's Lease. 40 s long, renewed at a quarter: pkg/kubelet/kubelet.go (v1.37)."""


class ProbeKind(Enum):
    """The three probes of a container."""

    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds since the world began from which (included) until which (not included) a probe fails."""

    start: float
    end: float = inf

    def holds(self, at: float) -> bool:
        """True inside."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Outage:
    """A node that does not answer. ``power``: its containers are lost with it; else only its kubelet is silent."""

    since: float
    power: bool = True


@dataclass(slots=True)
class _Programs:
    """What one pod's programs were told to do: failures of probes by (kind, container), exit codes of containers."""

    failures: dict[tuple[ProbeKind, str], list[Window]] = field(default_factory=lambda: defaultdict(list))
    ends: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))


class Machines:
    """Nodes that are down, and programs that were told to fail."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._out: dict[str, Outage] = {}
        self._back: dict[str, float] = {}
        self._boots: dict[str, int] = {}
        self._programs: dict[Key, _Programs] = {}
        self._node_watchers: list[Callable[[str], None]] = []
        self._pod_watchers: list[Callable[[Key], None]] = []

    def watch(self, *, nodes: Callable[[str], None] | None = None, pods: Callable[[Key], None] | None = None) -> None:
        """Call a function with each node, or pod, to which something happens."""
        self._node_watchers += [nodes] if nodes else []
        self._pod_watchers += [pods] if pods else []

    # --- nodes ------------------------------------------------------------------------------------------------------

    def outage(self, node: str) -> Outage | None:
        """Why a node does not answer, None where it does."""
        return self._out.get(node)

    def boots(self, node: str) -> int:
        """How often a node has lost its power and got it back: containers of an earlier boot are gone."""
        return self._boots.get(node, 0)

    def came_back(self, node: str) -> bool:
        """True for a node that was out and is not any more."""
        return node in self._back and node not in self._out

    def last_renewal(self, node: str) -> float:
        """When the node's kubelet last renewed its Lease: every ten seconds from when it came up, but not when it is out."""
        came, out = self._back.get(node, 0.0), self._out.get(node)
        until = self._clock.now() if out is None else out.since
        passed = floor((until - came) / RENEWAL)
        if out is not None and passed > 0 and came + passed * RENEWAL >= until:
            passed -= 1
        return came + max(0, passed) * RENEWAL

    def stop(self, node: str, *, power: bool = True) -> None:
        """A node dies, or (``power`` false) only its kubelet falls silent. A node that is out already stays out since then."""
        if node not in self._out:
            self._out[node] = Outage(self._clock.now(), power)
            self._tell_nodes(node)

    def start(self, node: str) -> None:
        """A node is back; one that had lost its power has lost its containers."""
        out = self._out.pop(node, None)
        if out is not None:
            self._back[node] = self._clock.now()
            self._boots[node] = self.boots(node) + out.power
            self._tell_nodes(node)

    def _tell_nodes(self, node: str) -> None:
        for watcher in self._node_watchers:
            watcher(node)

    # --- programs ---------------------------------------------------------------------------------------------------

    def fail(self, pod: Key, probe: ProbeKind, container: str = "", *, until: float = inf) -> None:
        """A probe of a container (empty: of each one) fails from now on, until (not included) a time since the world began."""
        self._of(pod).failures[probe, container].append(Window(self._clock.now(), until))
        self._tell_pods(pod)

    def mend(self, pod: Key, probe: ProbeKind, container: str = "") -> None:
        """A probe that was told to fail does so no longer."""
        now = self._clock.now()
        windows = self._of(pod).failures[probe, container]
        windows[:] = [Window(w.start, min(w.end, now)) for w in windows if w.start < now]
        self._tell_pods(pod)

    def end(self, pod: Key, container: str, exit_code: int) -> None:
        """A container's program ends by itself, now."""
        self._of(pod).ends[container].append((self._clock.now(), exit_code))
        self._tell_pods(pod)

    def failures(self, pod: Key, probe: ProbeKind, container: str) -> Sequence[Window]:
        """When a container's probe was told to fail."""
        found = self._programs.get(pod)
        return () if found is None else [*found.failures[probe, container], *found.failures[probe, ""]]

    def ended(self, pod: Key, container: str) -> tuple[float, int] | None:
        """When a container's program was told to end, and its exit code; None where it was not, or has done so."""
        found = self._programs.get(pod)
        return min(found.ends.get(container, ()), default=None) if found is not None else None

    def has_ended(self, pod: Key, container: str) -> None:
        """A container has ended: what it was told before is over."""
        if pod in self._programs:
            self._programs[pod].ends.pop(container, None)

    def forget(self, pod: Key) -> None:
        """A pod is gone: another of its name has its own fate."""
        self._programs.pop(pod, None)

    def _of(self, pod: Key) -> _Programs:
        return self._programs.setdefault(pod, _Programs())

    def _tell_pods(self, pod: Key) -> None:
        for watcher in self._pod_watchers:
            watcher(pod)
