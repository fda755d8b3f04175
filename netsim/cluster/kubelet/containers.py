"""The containers of one pod: what each is, and what it does at the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.kubelet.probes import Probe, Prober
from netsim.cluster.machines import ProbeKind
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json

FIRST_BACK_OFF, LONGEST_BACK_OFF = 10.0, 300.0
"""Seconds before the second restart of a container, and at most. Ref: pkg/kubelet/kubelet.go: MaxContainerBackOff (v1.37)."""


class Role(Enum):
    """Init containers run one after the other, sidecars start among them and stay, and the rest comes when they are over."""

    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"


class State(Enum):
    """What a container is, as its status says."""

    WAITING = "waiting"
    RUNNING = "running"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container. ``restart``: Always, OnFailure or Never. ``pre_stop``: seconds that its hook takes."""

    name: str
    image: str
    role: Role
    restart: str = "Always"
    probes: tuple[Probe, ...] = ()
    pre_stop: float = 0.0

    def probe(self, kind: ProbeKind) -> Probe | None:
        """Its probe of a kind."""
        return next((probe for probe in self.probes if probe.kind is kind), None)


def container_specs(spec: Document) -> tuple[ContainerSpec, ...]:
    """The containers of a pod's spec: init containers and sidecars in order, then the others."""
    policy = text_at(spec, "restartPolicy") or "Always"
    inits = [c for c in list_at(spec, "initContainers") if isinstance(c, Mapping)]
    mains = [c for c in list_at(spec, "containers") if isinstance(c, Mapping)]
    return (*(_init(c, policy) for c in inits), *(_spec(c, Role.MAIN, policy) for c in mains))


def _init(container: Document, policy: str) -> ContainerSpec:
    """Ref: pkg/kubelet/kuberuntime/kuberuntime_container.go:computeInitContainerActions(): Always means OnFailure for one that ends."""
    if container.get("restartPolicy") == "Always":
        return _spec(container, Role.SIDECAR, "Always")
    return _spec(container, Role.INIT, "OnFailure" if policy == "Always" else policy)


def _spec(container: Document, role: Role, policy: str) -> ContainerSpec:
    return ContainerSpec(
        text_at(container, "name"),
        text_at(container, "image"),
        role,
        policy if role is not Role.MAIN else text_at(container, "restartPolicy") or policy,
        tuple(probe for kind in ProbeKind if (probe := Probe.of(container, kind)) is not None),
        _pre_stop(mapping_at(container, "lifecycle", "preStop")),
    )


def _pre_stop(hook: Document) -> float:
    """What is known of a hook's time: ``sleep``, and a command that sleeps; everything else is over at once."""
    seconds = mapping_at(hook, "sleep").get("seconds")
    if isinstance(seconds, int):
        return float(seconds)
    words = " ".join(str(word) for word in list_at(hook, "exec", "command")).replace(";", " ").split()
    after = [words[n + 1] for n, word in enumerate(words[:-1]) if word.rpartition("/")[2] == "sleep"]
    return sum(float(w) for w in after if w.replace(".", "", 1).isdecimal())


@dataclass(slots=True)
class Container:
    """One container as its node's runtime knows it. Times are seconds since the world began.

    ``stop_at``: when one ends that is being killed, with ``stop_code``. ``up``: it has started up. ``not_before``: its back-off's end.
    """

    spec: ContainerSpec
    state: State = State.WAITING
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    restarts: int = 0
    up: bool = False
    probers: dict[ProbeKind, Prober] = field(default_factory=dict)
    stop_at: float | None = None
    stop_code: int = 0
    previous: Document | None = None
    not_before: float = 0.0
    back_off: float = 0.0
    backed_off_at: float = 0.0

    @property
    def running(self) -> bool:
        """True while it runs, also while it is being killed."""
        return self.state is State.RUNNING

    @property
    def succeeded(self) -> bool:
        """True where it ended with 0."""
        return self.state is State.TERMINATED and self.exit_code == 0

    @property
    def ready(self) -> bool:
        """True where it runs, has started up, and its readiness probe, if it has one, succeeds."""
        prober = self.probers.get(ProbeKind.READINESS)
        wanted = self.spec.probe(ProbeKind.READINESS) is not None
        return self.running and self.up and (not wanted or (prober is not None and prober.good is True))

    @property
    def restarts_again(self) -> bool:
        """True for one that has ended and will be started again."""
        if self.state is not State.TERMINATED or self.spec.restart == "Never":
            return False
        return self.spec.restart == "Always" or self.exit_code != 0

    def start(self, at: float) -> None:
        """Run, with new probers. Ref: pkg/kubelet/prober/worker.go: until it has started up no other probe runs."""
        self.restarts += self.state is State.TERMINATED
        self.state, self.started_at, self.stop_at = State.RUNNING, at, None
        startup = self.spec.probe(ProbeKind.STARTUP)
        self.up = startup is None
        self.probers = {}
        if startup is None:
            self._probe_from(at)
        else:
            self.probers[ProbeKind.STARTUP] = Prober(startup, at + startup.delay, None)

    def come_up(self, at: float) -> None:
        """The startup probe has succeeded."""
        self.up = True
        del self.probers[ProbeKind.STARTUP]
        self._probe_from(at)

    def _probe_from(self, at: float) -> None:
        for kind, good in ((ProbeKind.READINESS, False), (ProbeKind.LIVENESS, True)):
            probe = self.spec.probe(kind)
            if probe is not None:
                self.probers[kind] = Prober(probe, max(at, self.started_at + probe.delay), good)

    def end(self, at: float, code: int) -> None:
        """It has ended; where it will be started again, not before its back-off is over.

        Ref: kuberuntime_manager.go:doBackOff(), client-go util/flowcontrol/backoff.go: it doubles, and begins again after ten minutes.
        """
        self.state, self.finished_at, self.exit_code = State.TERMINATED, at, code
        self.up, self.stop_at, self.probers = False, None, {}
        if not self.restarts_again:
            return
        fresh = not self.back_off or at - self.backed_off_at > 2 * LONGEST_BACK_OFF
        self.not_before = at if fresh else at + self.back_off
        self.previous = self.terminated()

    def after_reboot(self, at: float) -> Container:
        """The container in a new sandbox: one that ran was lost, without anybody knowing its exit code."""
        lost: dict[str, Json] = {"exitCode": 255, "reason": "Unknown", "started": self.started_at, "finished": at}
        again = self.restarts + (self.state is not State.WAITING)
        return Container(self.spec, restarts=again, previous=lost if self.running else self.previous)

    def backed_off(self, at: float) -> None:
        """Started again: the next time it waits longer."""
        fresh = not self.back_off or self.finished_at - self.backed_off_at > 2 * LONGEST_BACK_OFF
        self.back_off = FIRST_BACK_OFF if fresh else min(self.back_off * 2, LONGEST_BACK_OFF)
        self.backed_off_at = at

    def terminated(self) -> dict[str, Json]:
        """How it ended: code and times, as numbers."""
        reason = "Completed" if self.exit_code == 0 else "Error"
        return {"exitCode": self.exit_code, "reason": reason, "started": self.started_at, "finished": self.finished_at}
