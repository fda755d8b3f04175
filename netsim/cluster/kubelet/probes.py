"""A container's probes over time.

A probe that goes on as before changes nothing, so its ticks are not waited for one by one: a prober says when it will next see
something else than before. Ref: pkg/kubelet/prober/worker.go (v1.37). Where a kubelet begins at any moment of the first period, the
first probe comes ``initialDelaySeconds`` after the start here, to the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, inf

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.machines import ProbeKind, Window
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of a container. Times in seconds; ``port`` None: it asks no port that is known; ``grace`` None: the pod's."""

    kind: ProbeKind
    delay: int = 0
    period: int = 10
    failures: int = 3
    successes: int = 1
    way: str = "exec"
    port: int | None = None
    path: str = "/"
    grace: int | None = None

    @classmethod
    def of(cls, container: Document, kind: ProbeKind) -> Probe | None:
        """A container's probe of a kind, None without one. Defaults: pkg/apis/core/v1/defaults.go:SetDefaults_Probe()."""
        given = container.get(f"{kind.value}Probe")
        if not isinstance(given, Mapping):
            return None
        way = next((name for name in ("httpGet", "tcpSocket", "grpc") if name in given), "exec")
        grace = given.get("terminationGracePeriodSeconds")
        return cls(
            kind,
            _number(given.get("initialDelaySeconds"), 0),
            max(1, _number(given.get("periodSeconds"), 10)),
            max(1, _number(given.get("failureThreshold"), 3)),
            max(1, _number(given.get("successThreshold"), 1)),
            way,
            probed_port(given, container),
            text_at(given, "httpGet", "path") or "/",
            grace if isinstance(grace, int) else None,
        )

    def refused(self, address: str) -> str:
        """What a kubelet says where nothing listens on the port. Ref: pkg/probe/{http,tcp,grpc}."""
        host = f"[{address}]" if ":" in address else address
        dial = f"dial tcp {host}:{self.port}: connect: connection refused"
        match self.way:
            case "httpGet":
                return f'Get "http://{host}:{self.port}{self.path}": {dial}'
            case "grpc":
                return f'timeout: failed to connect service "{host}:{self.port}" within 1s: context deadline exceeded'
            case _:
                return dial

    def failed(self, address: str) -> str:
        """What a kubelet says where the program answers that it is not well."""
        return (
            "HTTP probe failed with statuscode: 503"
            if self.way == "httpGet"
            else self.refused(address)
            if self.port
            else ""
        )


def _number(value: Json, default: int) -> int:
    return value if isinstance(value, int) and value >= 0 else default


def probed_port(probe: Document, container: Document) -> int | None:
    """The port that a probe connects to, None where it runs a command or names a port that the container has not."""
    for kind in ("httpGet", "tcpSocket", "grpc"):
        asked = mapping_at(probe, kind).get("port")
        if isinstance(asked, int):
            return asked
        if isinstance(asked, str):
            return int(asked) if asked.isdecimal() else _port_named(asked, container)
    return None


def _port_named(name: str, container: Document) -> int | None:
    for port in list_at(container, "ports"):
        if isinstance(port, Mapping) and port.get("name") == name:
            number = port.get("containerPort")
            return number if isinstance(number, int) else None
    return None


@dataclass(frozen=True, slots=True)
class Tick:
    """A probe that saw something else than the one before: ``ok``, and ``flipped`` where that changes the verdict."""

    at: float
    ok: bool
    flipped: bool


@dataclass(slots=True)
class Prober:
    """One probe of one running container. ``first``: when it probes first. ``good``: the verdict so far, None before there is one."""

    probe: Probe
    first: float
    good: bool | None
    ticks: int = 0
    last: bool | None = None
    streak: int = 0

    def advance(self, windows: Sequence[Window], until: float) -> Tick | None:
        """Probe up to and including a time, but stop at the first tick that sees something new, and answer it."""
        while (at := self.first + self.ticks * self.probe.period) <= until:
            ok = not any(window.holds(at) for window in windows)
            if ok == self.last == self.good:
                if not self._pass_over(at, windows, until):
                    return None
            elif (tick := self._tick(at, ok=ok)) is not None:
                return tick
        return None

    def due(self, windows: Sequence[Window]) -> float | None:
        """When it will next see something new, None where never."""
        tick = replace(self).advance(windows, inf)
        return None if tick is None else tick.at

    def _tick(self, at: float, *, ok: bool) -> Tick | None:
        new = ok != self.last
        self.streak = 1 if new else self.streak + 1
        self.last = ok
        self.ticks += 1
        needed = self.probe.successes if ok else self.probe.failures
        flipped = ok != self.good and self.streak >= needed
        if flipped:
            self.good = ok
        return Tick(at, ok, flipped) if new or flipped else None

    def _pass_over(self, at: float, windows: Sequence[Window], until: float) -> bool:
        """Leave out the ticks up to the next edge of a window: they see the same again. False where that is for ever."""
        edge = min((e for w in windows for e in (w.start, w.end) if e > at), default=inf)
        if min(edge, until) == inf:
            return False
        whole = ceil((edge - self.first) / self.probe.period) if edge <= until else 0
        last = int((until - self.first) // self.probe.period) + 1 if edge > until else 0
        self.ticks = max(self.ticks + 1, whole, last)
        return True
