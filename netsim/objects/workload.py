"""What makes pods: the common view of Deployments, ReplicaSets, StatefulSets, DaemonSets and Jobs, and label selectors.

Ref: k8s.io/api apps/v1, batch/v1; apimachinery/pkg/labels/selector.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.objects import selector
from netsim.objects.core import PodSpec
from netsim.objects.json import decode
from netsim.objects.meta import Object, ObjectMeta

WORKLOADS = frozenset({"DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"})


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """``spec.template`` of a workload."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PodSpec = field(default_factory=PodSpec)


@dataclass(frozen=True, slots=True)
class Requirement:
    """``matchExpressions[]`` of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """True where the labels satisfy it; one whose operator is none is satisfied by all: it is refused for that."""
        known = {operator.value: operator for operator in selector.Operator}.get(self.operator)
        return known is None or selector.Requirement(self.key, known, self.values).matches(labels)


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """``spec.selector`` of a workload."""

    match_labels: Mapping[str, str] = field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """True where all of it holds; an empty selector matches everything."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """What the specs of all workloads have in common. ``selector`` None: the workload makes its own."""

    template: PodTemplate = PodTemplate()
    replicas: int = 1
    selector: LabelSelector | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment, ReplicaSet, StatefulSet, DaemonSet or Job, as far as its pods go."""

    metadata: ObjectMeta
    spec: WorkloadSpec = WorkloadSpec()


def workload_of(item: Object) -> Workload:
    """The common view of a workload; a ReplicationController's plain map is read as ``matchLabels``."""
    document = item.document
    spec = document.get("spec")
    if item.kind == "ReplicationController" and isinstance(spec, Mapping):
        document = {**document, "spec": {**spec, "selector": {"matchLabels": spec.get("selector")}}}
    return decode(Workload, document)
