"""One pod on its node: its containers over time, as its kubelet's sync loop moves them.

Ref: pkg/kubelet/kuberuntime/kuberuntime_manager.go:computePodActions(), kuberuntime_container.go:computeInitContainerActions(),
pkg/kubelet/kubelet_pods.go:getPhase() (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from netsim.cluster.kubelet.containers import Container, ContainerSpec, Role, State
from netsim.cluster.kubelet.probes import Prober
from netsim.cluster.machines import Machines, ProbeKind, Window
from netsim.cluster.podstate import READY_ANNOTATION
from netsim.dataclass import dataclass
from netsim.objects.meta import Key
from netsim.objects.script import NO_SCRIPT, Script

_ALWAYS = (Window(0.0),)
_KILLED, _ASKED_TO_END = 137, 143
"""Exit codes of SIGKILL and SIGTERM: what a program that takes its whole grace ends with, and one that ends before."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a kubelet writes an Event for."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a pod's programs behave. ``grace``: seconds they are given; ``ends_after``: those they take, None: all.

    ``listens`` None: every port that is asked is listened on. ``never_ready``: whatever its probes say.
    """

    grace: float = 30.0
    ends_after: float | None = None
    listens: frozenset[int] | None = None
    never_ready: bool = False
    script: Script = NO_SCRIPT

    def ending(self, pre_stop: float, grace: float | None = None) -> tuple[float, int]:
        """How long a container takes to end once it was told to, with its hook before; and its exit code."""
        given = self.grace if grace is None else grace
        if pre_stop >= given > 0:
            return given + 2, _KILLED  # minimumGracePeriodInSeconds
        takes = given if self.ends_after is None else self.ends_after
        return min(given, pre_stop + takes), _ASKED_TO_END if pre_stop + takes < given else _KILLED


@dataclass(slots=True)
class PodRuntime:
    """The containers of a pod in one sandbox, made at ``made_at`` (seconds since the world began) in its node's boot ``boot``."""

    key: Key
    uid: str
    conduct: Conduct
    containers: tuple[Container, ...]
    made_at: float
    boot: int = 0
    address: str = ""
    ended: bool = False
    happenings: list[Happening] = field(default_factory=list)

    @classmethod
    def of(
        cls, key: Key, uid: str, conduct: Conduct, specs: Sequence[ContainerSpec], at: float, boot: int = 0
    ) -> PodRuntime:
        """A pod whose sandbox was just made."""
        return cls(key, uid, conduct, tuple(map(Container, specs)), at, boot)

    def reboot(self, at: float, boot: int) -> None:
        """The node has lost all that ran: containers that ran count as ended, and begin anew in another sandbox."""
        self.containers = tuple(c.after_reboot(at) for c in self.containers)
        self.made_at, self.boot, self.address = at, boot, ""

    @property
    def name_and_uid(self) -> str:
        """As kubelets name a pod in messages. Ref: pkg/kubelet/util/format/pod.go."""
        return f"{self.key.name}_{self.key.namespace}({self.uid})"

    # --- reading ----------------------------------------------------------------------------------------------------

    @property
    def inits(self) -> tuple[Container, ...]:
        """Init containers and sidecars."""
        return tuple(c for c in self.containers if c.spec.role is not Role.MAIN)

    @property
    def mains(self) -> tuple[Container, ...]:
        """The other containers."""
        return tuple(c for c in self.containers if c.spec.role is Role.MAIN)

    @property
    def initialized(self) -> bool:
        """True where every init container is over and every sidecar has started up once, or a main container has been started."""
        if any(c.state is not State.WAITING for c in self.mains):
            return True
        return all(c.succeeded if c.spec.role is Role.INIT else c.up for c in self.inits)

    @property
    def over(self) -> bool:
        """True where no container but a sidecar runs or will run."""
        if self._init_failed or self.ended:
            return True
        return all(c.state is State.TERMINATED and not c.restarts_again for c in self.mains)

    @property
    def _init_failed(self) -> bool:
        return any(
            c.spec.role is Role.INIT and c.state is State.TERMINATED and c.exit_code and not c.restarts_again
            for c in self.inits
        )

    @property
    def phase(self) -> str:
        """``status.phase``."""
        if self.over and not any(c.running for c in self.containers):
            return "Failed" if self._init_failed or not all(c.succeeded for c in self.mains) else "Succeeded"
        if not self.initialized or any(c.state is State.WAITING and c.previous is None for c in self.mains):
            return "Pending"
        return "Running"

    def is_ready(self, container: Container) -> bool:
        """True for a container that counts as ready. An init container does once it has ended well."""
        if container.spec.role is Role.INIT:
            return container.succeeded
        return container.ready and not self.conduct.never_ready

    def due(self, machines: Machines, now: float) -> tuple[float, bool] | None:
        """When something happens by itself next, and whether a world at rest waits for it; None where nothing does."""
        found = [(at, again) for c in self.containers for at, again in self._dues(c, machines, now)]
        return min(found, default=None)

    def _dues(self, container: Container, machines: Machines, now: float) -> Iterator[tuple[float, bool]]:
        again = container.restarts > 1
        if container.restarts_again and container.not_before > now:
            yield container.not_before, True
        if not container.running:
            return
        if container.stop_at is not None:
            yield container.stop_at, again
        ends = self._end_of(container, machines)
        if ends is not None:
            yield ends[0], again
        for prober in container.probers.values():
            at = prober.due(self._windows(container, prober, machines))
            if at is not None:
                yield at, again

    # --- moving -----------------------------------------------------------------------------------------------------

    def advance(self, machines: Machines, now: float) -> list[Happening]:
        """Bring every container to a time; what happened on the way."""
        self.happenings = []
        moved = True
        while moved:
            moved = sum(self._observe(c, machines, now) for c in self.containers if c.running) > 0
            moved |= self._start_what_is_due(now)
        return self.happenings

    def _observe(self, container: Container, machines: Machines, now: float) -> bool:
        ends = self._end_of(container, machines)
        if container.stop_at is not None and (ends is None or container.stop_at <= ends[0]):
            ends = container.stop_at, container.stop_code
        if ends is not None and ends[0] <= now:
            self._ended(container, *ends)
            machines.has_ended(self.key, container.spec.name)
            return True
        return sum(self._probe(container, prober, machines, now) for prober in list(container.probers.values())) > 0

    def _ended(self, container: Container, at: float, code: int) -> None:
        container.end(at, code)
        if container.restarts_again and container.not_before > at:
            message = f"Back-off restarting failed container {container.spec.name} in pod {self.name_and_uid}"
            self.happenings.append(Happening("BackOff", message, warning=True))

    def _end_of(self, container: Container, machines: Machines) -> tuple[float, int] | None:
        """When a container's program ends by itself, and with which code."""
        said = self.conduct.script.exit_of(container.spec.name, init=container.spec.role is Role.INIT)
        told = machines.ended(self.key, container.spec.name)
        ends = [told] if told is not None else []
        if said is not None:
            ends.append((container.started_at + said.after, said.code))
        return min(ends, default=None)

    def _probe(self, container: Container, prober: Prober, machines: Machines, now: float) -> bool:
        tick = prober.advance(self._windows(container, prober, machines), now)
        if tick is None:
            return False
        kind = prober.probe.kind
        if not tick.ok:
            message = f"{kind.value.capitalize()} probe failed: {self._why(prober)}"
            self.happenings.append(Happening("Unhealthy", message, warning=True))
        if tick.flipped and kind is ProbeKind.STARTUP and tick.ok:
            container.come_up(tick.at)
        elif tick.flipped and kind is not ProbeKind.READINESS and not tick.ok:
            self._kill(container, prober, tick.at)
        return True

    def _why(self, prober: Prober) -> str:
        probe = prober.probe
        return probe.refused(self.address) if self._refused(prober) else probe.failed(self.address)

    def _refused(self, prober: Prober) -> bool:
        listens = self.conduct.listens
        return listens is not None and prober.probe.port is not None and prober.probe.port not in listens

    def _windows(self, container: Container, prober: Prober, machines: Machines) -> Sequence[Window]:
        """When a probe fails: for ever where nothing listens, else as the pod's script says and as its fate has it."""
        if self._refused(prober):
            return _ALWAYS
        kind, name = prober.probe.kind, container.spec.name
        said = [
            Window(self.made_at + f.start, self.made_at + f.end)
            for f in self.conduct.script.failures
            if f.probe == kind.value and f.container in ("", name)
        ]
        return [*said, *machines.failures(self.key, kind, name)]

    def _kill(self, container: Container, prober: Prober, at: float) -> None:
        kind = prober.probe.kind
        seconds, code = self.conduct.ending(container.spec.pre_stop, prober.probe.grace)
        container.probers.pop(kind, None)
        self.stop(container, at, seconds, code)
        message = f"Container {container.spec.name} failed {kind.value} probe, will be restarted"
        self.happenings.append(Happening("Killing", message))

    def stop(self, container: Container, at: float, seconds: float, code: int) -> None:
        """Tell a container to end."""
        if container.stop_at is None:
            container.stop_at, container.stop_code = at + seconds, code

    def end_all(self, at: float) -> None:
        """The pod has been ended: its containers with it, for good."""
        self.ended = True
        for container in self.containers:
            if container.running:
                container.end(at, self.conduct.ending(container.spec.pre_stop)[1])

    # --- starting ---------------------------------------------------------------------------------------------------

    def _start_what_is_due(self, now: float) -> bool:
        if self.over:
            return self._stop_sidecars(now)
        if not any(c.state is not State.WAITING for c in self.mains):
            for container in self.inits:
                moved = self._move_init(container, now)
                if moved is not None:
                    return moved
        due = [c for c in self.containers if c.spec.role is not Role.INIT and _waits(c)]
        return sum(self._start(c, now) for c in due) > 0

    def _move_init(self, container: Container, now: float) -> bool | None:
        """Start an init container or a sidecar whose turn it is; None where the next one's turn has come."""
        if container.spec.role is Role.INIT and container.succeeded:
            return None
        if container.running:
            return None if container.spec.role is Role.SIDECAR and container.up else False
        return self._start(container, now)

    def _start(self, container: Container, now: float) -> bool:
        if container.state is State.TERMINATED:
            if now < container.not_before:
                return False
            container.backed_off(now)
        container.start(now)
        name, image = container.spec.name, container.spec.image
        self.happenings += (
            Happening("Pulled", f'Container image "{image}" {_THERE}'),
            Happening("Created", "Container created"),
            Happening("Started", "Container started"),
        )
        if self.conduct.never_ready and container.spec.role is not Role.INIT:
            self.happenings.append(
                Happening("Unhealthy", f'{name}: annotation {READY_ANNOTATION} is "false"', warning=True)
            )
        return True

    def _stop_sidecars(self, now: float) -> bool:
        """Ref: kuberuntime_container.go:killContainersWithSyncResult(): sidecars end after the containers that they serve."""
        for container in self.containers:
            if container.running and container.stop_at is None:
                self.stop(container, now, *self.conduct.ending(container.spec.pre_stop))
                self.happenings.append(Happening("Killing", f"Stopping container {container.spec.name}"))
        return False


_THERE = "already present on machine and can be accessed by the pod"
"""Images are there, and every pod may use them. Ref: pkg/kubelet/images/image_manager.go: KubeletEnsureSecretPulledImages."""


def _waits(container: Container) -> bool:
    return container.state is State.WAITING or container.restarts_again
