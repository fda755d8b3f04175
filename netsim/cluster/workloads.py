"""Typed views of the workloads' specs. Defaults are those of the API server. Ref: k8s.io/api apps/v1 and batch/v1 (v1.37)."""

from __future__ import annotations

from dataclasses import field

from netsim.cluster.documents import mapping_at
from netsim.dataclass import dataclass
from netsim.objects.json import Document, decode
from netsim.objects.meta import Object


@dataclass(frozen=True, slots=True)
class RollingUpdate:
    """``rollingUpdate`` of Deployments, DaemonSets and StatefulSets; numbers, or percentages as text."""

    max_surge: int | str | None = None
    max_unavailable: int | str | None = None
    partition: int = 0


@dataclass(frozen=True, slots=True)
class UpdateStrategy:
    """``strategy`` and ``updateStrategy``."""

    type: str = "RollingUpdate"
    rolling_update: RollingUpdate = RollingUpdate()


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """``spec`` of a Deployment."""

    replicas: int = 1
    strategy: UpdateStrategy = UpdateStrategy()
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    progress_deadline_seconds: int | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class ReplicaSetSpec:
    """``spec`` of a ReplicaSet or a ReplicationController."""

    replicas: int = 1
    min_ready_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Ordinals:
    """``ordinals`` of a StatefulSet."""

    start: int = 0


@dataclass(frozen=True, slots=True)
class StatefulSetSpec:
    """``spec`` of a StatefulSet."""

    replicas: int = 1
    service_name: str = ""
    pod_management_policy: str = "OrderedReady"
    update_strategy: UpdateStrategy = UpdateStrategy()
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    ordinals: Ordinals = Ordinals()


@dataclass(frozen=True, slots=True)
class DaemonSetSpec:
    """``spec`` of a DaemonSet."""

    update_strategy: UpdateStrategy = UpdateStrategy()
    min_ready_seconds: int = 0
    revision_history_limit: int = 10


@dataclass(frozen=True, slots=True)
class ReplicaSetStatus:
    """``status`` of a ReplicaSet."""

    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    terminating_replicas: int = 0


@dataclass(frozen=True, slots=True)
class ReplicaSetView:
    """A ReplicaSet as a Deployment reads it."""

    item: Object
    spec: ReplicaSetSpec = field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = field(default_factory=ReplicaSetStatus)

    @classmethod
    def of(cls, item: Object) -> ReplicaSetView:
        """The view of an object of kind ReplicaSet. Raises DecodeError."""
        spec = decode(ReplicaSetSpec, mapping_at(item.document, "spec"))
        return cls(item, spec, decode(ReplicaSetStatus, mapping_at(item.document, "status")))


def template_of(item: Object) -> Document:
    """``spec.template`` of a workload."""
    return mapping_at(item.document, "spec", "template")


def scaled(value: int | str | None, total: int, *, default: int | str, up: bool) -> int:
    """A number or a percentage of ``total``, rounded up or down. Ref: util/intstr.GetScaledValueFromIntOrPercent()."""
    chosen = default if value is None else value
    if isinstance(chosen, int):
        return chosen
    percent = int(chosen.rstrip("%"))
    return -(-percent * total // 100) if up else percent * total // 100
