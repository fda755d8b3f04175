"""Which pods of a DaemonSet are replaced next: the decision alone. Ref: pkg/controller/daemon/update.go:rollingUpdate() (v1.37)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netsim.cluster import podstate
from netsim.cluster.clock import VirtualClock
from netsim.cluster.controllers.history import REVISION_LABEL
from netsim.cluster.workloads import DaemonSetSpec, scaled
from netsim.dataclass import dataclass
from netsim.objects.meta import Object


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """Pods to delete, and nodes that get a second pod beside the old one."""

    delete: tuple[Object, ...] = ()
    create: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """``digest``: the newest revision. Either ``surge`` (nodes with two pods at once) or ``unavailable`` (nodes without) is not 0."""

    digest: str
    surge: int
    unavailable: int
    min_ready_seconds: int
    clock: VirtualClock

    @classmethod
    def of(cls, spec: DaemonSetSpec, nodes: int, digest: str, clock: VirtualClock) -> Rollout:
        """What a spec says of that many nodes. Ref: updatedDesiredNodeCounts(): where both come to nothing, one may be missing."""
        rolling = spec.update_strategy.rolling_update
        surge = scaled(rolling.max_surge, nodes, default=0, up=True)
        unavailable = scaled(rolling.max_unavailable, nodes, default=1 if not surge else 0, up=True)
        if spec.update_strategy.type != "RollingUpdate":
            surge = 0
        return cls(digest, surge, 1 if surge == unavailable == 0 else unavailable, spec.min_ready_seconds, clock)

    def superfluous(self, pods: Sequence[Object]) -> Iterator[Object]:
        """Of the pods of one node those that have to go: there is one, or one of each revision until the new one is available."""
        live = sorted(filter(podstate.active, pods), key=age)
        if not self.surge:
            yield from live[1:]
            return
        new = [pod for pod in live if has_revision(pod, self.digest)]
        old = [pod for pod in live if not has_revision(pod, self.digest)]
        yield from (*new[1:], *old[1:])
        if new and old and (not podstate.ready(old[0]) or self._available(new[0])):
            yield old[0]

    def step(self, running: Mapping[str, Sequence[Object]]) -> RolloutStep:
        """What to do next on the nodes that should run a pod."""
        nodes = {name: [pod for pod in pods if podstate.active(pod)] for name, pods in running.items()}
        return self._surging(nodes, running) if self.surge else self._missing(nodes)

    def _missing(self, nodes: Mapping[str, Sequence[Object]]) -> RolloutStep:
        """What does not work is replaced at once, the rest as far as pods may be missing."""
        missing = 0
        broken: list[Object] = []
        candidates: list[Object] = []
        for pods in nodes.values():
            if len(pods) != 1:
                missing += not pods
            elif has_revision(pods[0], self.digest):
                missing += not self._available(pods[0])
            elif self._available(pods[0]):
                candidates.append(pods[0])
            else:
                missing += 1
                broken.append(pods[0])
        return RolloutStep(delete=(*broken, *candidates[: max(0, self.unavailable - missing)]))

    def _surging(self, nodes: Mapping[str, Sequence[Object]], every: Mapping[str, Sequence[Object]]) -> RolloutStep:
        """A new pod beside the old one on as many nodes as may have two; the old one goes when the new one is available."""
        at_once: list[str] = []
        candidates: list[str] = []
        surging = 0
        for name, pods in nodes.items():
            new = [pod for pod in every[name] if has_revision(pod, self.digest)]
            old = [pod for pod in pods if not has_revision(pod, self.digest)]
            if old and new:
                surging += not all(map(self._available, new))
            elif old:
                (candidates if self._available(old[0]) else at_once).append(name)
        return RolloutStep(create=(*at_once, *candidates[: max(0, self.surge - surging)]))

    def _available(self, pod: Object) -> bool:
        return podstate.available_in(pod, self.min_ready_seconds, self.clock) == 0


def has_revision(pod: Object, digest: str) -> bool:
    """True for a pod that was made from a revision."""
    return pod.metadata.labels.get(REVISION_LABEL) == digest


def age(pod: Object) -> tuple[str, str]:
    """What pods are sorted by, the oldest first."""
    return pod.metadata.creation_timestamp or "", pod.metadata.name
