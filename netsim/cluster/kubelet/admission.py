"""Whether a node takes a pod that was bound to it: its kubelet's own look at what the scheduler may not have asked for.

Ref: pkg/kubelet/lifecycle/predicate.go, pkg/kubelet/kubelet.go:rejectPod() (v1.37).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal

from netsim.cluster.patience import Patience
from netsim.cluster.scheduling.placement import HostPort, PlacementSpec
from netsim.dataclass import dataclass
from netsim.objects.core import Node
from netsim.objects.meta import Key

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why not, as the pod's status says it."""

    reason: str
    message: str


@dataclass(slots=True)
class _Taken:
    """What the admitted pods of one node take."""

    pods: dict[Key, PlacementSpec] = field(default_factory=dict)
    requests: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    ports: dict[Key, tuple[HostPort, ...]] = field(default_factory=dict)


class NodeAdmission:
    """Who was admitted to which node."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Taken] = defaultdict(_Taken)
        self._node_of: dict[Key, str] = {}
        self.patience = Patience()

    def admitted(self, pod: Key) -> bool:
        """True for a pod that a node has taken."""
        return pod in self._node_of

    def pods(self) -> list[Key]:
        """Every pod that was admitted anywhere."""
        return list(self._node_of)

    def admit(self, pod: Key, spec: PlacementSpec, node: Node, allocatable: Mapping[str, Decimal]) -> Rejection | None:
        """Take a pod, or say why not."""
        taken = self._nodes[node.metadata.name]
        refused = _resources(spec, taken, allocatable) or _general(spec, node, taken)
        if refused is None:
            self.take(pod, spec, node.metadata.name)
        return refused

    def take(self, pod: Key, spec: PlacementSpec, node: str) -> None:
        """Take a pod without a question."""
        taken = self._nodes[node]
        self._node_of[pod] = node
        taken.pods[pod] = spec
        for name, amount in spec.requests.items():
            taken.requests[name] += amount
        if spec.host_ports:
            taken.ports[pod] = spec.host_ports

    def release(self, pod: Key) -> None:
        """A pod has ended or is gone."""
        node = self._node_of.pop(pod, None)
        if node is None:
            return
        taken = self._nodes[node]
        for name, amount in taken.pods.pop(pod).requests.items():
            taken.requests[name] -= amount
        taken.ports.pop(pod, None)


def _resources(spec: PlacementSpec, taken: _Taken, allocatable: Mapping[str, Decimal]) -> Rejection | None:
    """A node that does not say what it has lacks nothing."""
    limit = allocatable.get("pods")
    if limit is not None and len(taken.pods) + 1 > limit:
        return _out_of("pods", Decimal(1), Decimal(len(taken.pods)), limit)
    for name, amount in sorted(spec.requests.items()):
        has, used = allocatable.get(name), taken.requests.get(name, _NOTHING)
        if amount and has is not None and used + amount > has:
            return _out_of(name, amount, used, has)
    return None


def _out_of(name: str, asked: Decimal, used: Decimal, has: Decimal) -> Rejection:
    """Ref: predicate.go:InsufficientResourceError: processors are counted in thousandths."""
    unit = 1000 if name == "cpu" else 1
    amounts = [int(amount * unit) for amount in (asked, used, has)]
    text = "Node didn't have enough resource: {}, requested: {}, used: {}, capacity: {}".format(name, *amounts)
    return Rejection(f"OutOf{name}", f"Pod was rejected: {text}")


def _general(spec: PlacementSpec, node: Node, taken: _Taken) -> Rejection | None:
    if not spec.matches_node(node.metadata.name, node.metadata.labels):
        return _predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
    others = [port for ports in taken.ports.values() for port in ports]
    if any(mine.conflicts(other) for mine in spec.host_ports for other in others):
        return _predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    if spec.untolerated(node.spec.taints, "NoExecute") is not None:
        return _predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate")
    return None


def _predicate(name: str, why: str) -> Rejection:
    return Rejection(name, f"Pod was rejected: Predicate {name} failed: {why}")
