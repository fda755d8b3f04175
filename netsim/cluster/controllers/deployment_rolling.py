"""How many replicas each ReplicaSet of a Deployment should have: the decisions alone.

Ref: pkg/controller/deployment/{rolling,sync}.go, util/deployment_util.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netsim.cluster.documents import text_at, with_value, without
from netsim.cluster.workloads import DeploymentSpec, ReplicaSetView, scaled
from netsim.dataclass import dataclass
from netsim.objects.meta import Object

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


@dataclass(frozen=True, slots=True)
class Scaling:
    """A ReplicaSet that gets another number of replicas."""

    target: ReplicaSetView
    replicas: int


def fenceposts(spec: DeploymentSpec) -> tuple[int, int]:
    """How many pods there may be above, and may be missing below, the number asked for.

    Ref: ResolveFenceposts(): where both come to nothing, one may be missing, or nothing could ever move.
    """
    if spec.strategy.type != "RollingUpdate":
        return 0, 0
    rolling = spec.strategy.rolling_update
    surge = scaled(rolling.max_surge, spec.replicas, default="25%", up=True)
    unavailable = scaled(rolling.max_unavailable, spec.replicas, default="25%", up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, spec.replicas)


def maximum(spec: DeploymentSpec) -> int:
    """The most pods that there may be at once."""
    return spec.replicas + fenceposts(spec)[0]


def first_replicas(spec: DeploymentSpec, old: Sequence[ReplicaSetView]) -> int:
    """How many replicas a new ReplicaSet begins with. Ref: NewRSNewReplicas()."""
    if spec.strategy.type != "RollingUpdate":
        return spec.replicas
    return max(0, min(spec.replicas, maximum(spec) - _sum(old)))


def grown(spec: DeploymentSpec, newest: ReplicaSetView, old: Sequence[ReplicaSetView]) -> int:
    """How many replicas the newest set should have. Ref: rolling.go:reconcileNewReplicaSet()."""
    if newest.spec.replicas >= spec.replicas:
        return spec.replicas
    room = maximum(spec) - newest.spec.replicas - _sum(old)
    return newest.spec.replicas + max(0, min(room, spec.replicas - newest.spec.replicas))


def shrunk(spec: DeploymentSpec, newest: ReplicaSetView, old: Sequence[ReplicaSetView]) -> Iterator[Scaling]:
    """First what does not work, then as many of the old as stay above the minimum. Ref: rolling.go:reconcileOldReplicaSets()."""
    least = spec.replicas - fenceposts(spec)[1]
    room = newest.spec.replicas + _sum(old) - least - (newest.spec.replicas - newest.status.available_replicas)
    if room <= 0:
        return
    spare = newest.status.available_replicas + sum(s.status.available_replicas for s in old) - least
    by_age, sizes = sorted(old, key=_age), {id(item): item.spec.replicas for item in old}
    for item in by_age:
        broken = max(0, min(room, item.spec.replicas - item.status.available_replicas))
        room -= broken
        sizes[id(item)] -= broken
        if broken:
            yield Scaling(item, sizes[id(item)])
    for item in by_age:
        sound = max(0, min(sizes[id(item)], spare))
        spare -= sound
        if sound:
            yield Scaling(resized(item, sizes[id(item)]), sizes[id(item)] - sound)


def resized(item: ReplicaSetView, replicas: int) -> ReplicaSetView:
    """A set as it is after its size was changed."""
    if replicas == item.spec.replicas:
        return item
    document = with_value(item.item.document, ("spec", "replicas"), replicas)
    return ReplicaSetView.of(Object.of(without(document, ("metadata", "resourceVersion"))))


def is_scaling(spec: DeploymentSpec, sets: Sequence[ReplicaSetView]) -> bool:
    """True where the number asked for has changed since the sets that run were last given theirs. Ref: isScalingEvent()."""
    known = (text_at(s.item.document, "metadata", "annotations", DESIRED) for s in sets if s.spec.replicas)
    return any(text.isdecimal() and int(text) != spec.replicas for text in known)


def proportional(
    spec: DeploymentSpec, newest: ReplicaSetView | None, old: Sequence[ReplicaSetView]
) -> Iterator[Scaling]:
    """The same again in another size: every set that runs gets its share of what is added or taken. Ref: sync.go:scale()."""
    sets = [*old, *([newest] if newest else [])]
    live = [s for s in sets if s.spec.replicas]
    if len(live) <= 1:
        target = live[0] if live else newest or max(old, key=_age, default=None)
        if target is not None and target.spec.replicas != spec.replicas:
            yield Scaling(target, spec.replicas)
        return
    if newest is not None and _saturated(spec, newest):
        yield from (Scaling(s, 0) for s in old if s.spec.replicas)
        return
    if spec.strategy.type != "RollingUpdate":
        return
    to_add = (maximum(spec) if spec.replicas else 0) - _sum(live)
    yield from _shares(spec, live, to_add)


def _shares(spec: DeploymentSpec, live: Sequence[ReplicaSetView], to_add: int) -> Iterator[Scaling]:
    """Ref: GetReplicaSetProportion(): the biggest first, and of equals the newest where there is more, the oldest where less."""
    newest_first = to_add > 0
    by_age = sorted(live, key=_age, reverse=newest_first)
    ordered = sorted(by_age, key=lambda s: -s.spec.replicas)
    left = to_add
    sizes: list[int] = []
    for item in ordered:
        share = 0
        if to_add and left:
            fraction = _fraction(spec, item)
            share = min(fraction, left) if to_add > 0 else max(fraction, left)
        left -= share
        sizes.append(item.spec.replicas + share)
    if sizes and left:
        sizes[0] = max(0, sizes[0] + left)
    yield from (Scaling(item, size) for item, size in zip(ordered, sizes, strict=True))


def _fraction(spec: DeploymentSpec, item: ReplicaSetView) -> int:
    """Ref: getReplicaSetFraction(): half up, away from zero."""
    if not spec.replicas:
        return -item.spec.replicas
    text = text_at(item.item.document, "metadata", "annotations", MAXIMUM)
    before = int(text) if text.isdecimal() and int(text) else spec.replicas
    return (2 * item.spec.replicas * maximum(spec) + before) // (2 * before) - item.spec.replicas


def _saturated(spec: DeploymentSpec, newest: ReplicaSetView) -> bool:
    """Ref: IsSaturated()."""
    desired = text_at(newest.item.document, "metadata", "annotations", DESIRED)
    return (
        newest.spec.replicas == spec.replicas
        and desired == str(spec.replicas)
        and newest.status.available_replicas == spec.replicas
    )


def _sum(sets: Sequence[ReplicaSetView]) -> int:
    return sum(s.spec.replicas for s in sets)


def _age(view: ReplicaSetView) -> tuple[str, int, str]:
    """By creation; sets of one second by their revision."""
    return view.item.metadata.creation_timestamp or "", revision_of(view), view.item.metadata.name


def revision_of(view: ReplicaSetView) -> int:
    """The revision that a set is of, 0 where it does not say."""
    text = text_at(view.item.document, "metadata", "annotations", REVISION)
    return int(text) if text.isdecimal() else 0
