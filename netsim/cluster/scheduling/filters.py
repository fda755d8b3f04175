"""The filters that a node must pass for a pod, as a table, with the words in which kube-scheduler says that it did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TypeAlias

from netsim.cluster.scheduling.affinity import AFFINITY
from netsim.cluster.scheduling.nodes import NodeState
from netsim.cluster.scheduling.placement import PlacementSpec
from netsim.cluster.scheduling.spreading import NO_LABEL
from netsim.dataclass import dataclass
from netsim.objects.core import Taint
from netsim.objects.meta import Key

Reasons: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Request:
    """A pod that wants a node.

    ``address`` is one that its status was given, empty where it has none yet. ``others``: what its volumes and other pods have to
    say of a node, decided anew for each pod.
    """

    spec: PlacementSpec
    address: str = ""
    host_network: bool = False
    key: Key | None = None
    priority: int = 0
    others: tuple[Filter, ...] = ()


Filter: TypeAlias = Callable[[Request, NodeState], Reasons]

UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable", "NoSchedule")


def node_unschedulable(request: Request, node: NodeState) -> Reasons:
    """Ref: plugins/nodeunschedulable/node_unschedulable.go:Filter()."""
    if node.view.spec.unschedulable and request.spec.untolerated([UNSCHEDULABLE], "NoSchedule"):
        return ("node(s) were unschedulable",)
    return ()


def taint_toleration(request: Request, node: NodeState) -> Reasons:
    """Ref: plugins/tainttoleration/taint_toleration.go:Filter()."""
    if request.spec.untolerated(node.taints, "NoSchedule", "NoExecute"):
        return ("node(s) had untolerated taint(s)",)
    return ()


def node_affinity(request: Request, node: NodeState) -> Reasons:
    """Ref: plugins/nodeaffinity/node_affinity.go:Filter()."""
    if not request.spec.matches_node(node.name, node.view.metadata.labels):
        return ("node(s) didn't match Pod's node affinity/selector",)
    return ()


def given_address(request: Request, node: NodeState) -> Reasons:
    """Netsim's own: a pod whose status was given with an address runs where that address is."""
    if request.address and not node.has_address(request.address, host_network=request.host_network):
        return ("node(s) didn't have the Pod's address in their podCIDRs",)
    return ()


def node_ports(request: Request, node: NodeState) -> Reasons:
    """Ref: plugins/nodeports/node_ports.go:Filter()."""
    if not request.spec.host_ports:
        return ()
    promised = (pod.spec.host_ports for pod in node.promised(request.key, request.priority))
    taken = [port for ports in (*node.ports.values(), *promised) for port in ports]
    if any(mine.conflicts(port) for port in taken for mine in request.spec.host_ports):
        return ("node(s) didn't have free ports for the requested pod ports",)
    return ()


def node_resources(request: Request, node: NodeState) -> Reasons:
    """Ref: plugins/noderesources/fit.go:fitsRequest(). A node that does not say what it has lacks nothing."""
    reasons: list[str] = []
    limit = node.allocatable.get("pods")
    promised = node.promised(request.key, request.priority) if node.nominated else []
    if limit is not None and node.pods + len(promised) + 1 > limit:
        reasons.append("Too many pods")
    for name, amount in sorted(request.spec.requests.items()):
        has = node.allocatable.get(name)
        kept = sum((pod.spec.requests.get(name, Decimal(0)) for pod in promised), Decimal(0))
        if amount and has is not None and node.taken.get(name, Decimal(0)) + kept + amount > has:
            reasons.append(f"Insufficient {name}")
    return tuple(reasons)


# In the order in which kube-scheduler runs them: the first that refuses a node is the one that is named.
# Ref: pkg/scheduler/apis/config/v1/default_plugins.go (v1.37).
STATIC: tuple[Filter, ...] = (
    node_unschedulable,  # what only the node and the pod's spec decide: the same for all pods of one template
    taint_toleration,
    node_affinity,
    given_address,
)
DYNAMIC: tuple[Filter, ...] = (
    node_ports,  # what the pods that are there already decide
    node_resources,
)


NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NODE_AFFINITY_OF_VOLUME = "node(s) didn't match PersistentVolume's node affinity"
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
LOST_VOLUME = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNRESOLVABLE = frozenset({AFFINITY, NO_LABEL, NODE_AFFINITY_OF_VOLUME, NO_VOLUME, LOST_VOLUME})
"""What no other pod's going would change: the plugins answer UnschedulableAndUnresolvable."""


def refusal(filters: Iterable[Filter], request: Request, node: NodeState) -> Reasons:
    """The reasons of the first filter that refuses the node; empty where all let it pass."""
    for check in filters:
        reasons = check(request, node)
        if reasons:
            return reasons
    return ()


def resolvable(request: Request, node: NodeState) -> bool:
    """True where other pods keep the pod off the node, so that it might run there if they went."""
    if refusal(STATIC, request, node):
        return False
    return not any(reason in UNRESOLVABLE for reason in refusal((*DYNAMIC, *request.others), request, node))


def message(request: Request, nodes: list[NodeState], preemption: str = "") -> str:
    """Why no node would have the pod, in kube-scheduler's words; ``preemption``: what came of making room, where that is known.

    Ref: pkg/scheduler/framework/types.go:FitError.Error(), framework/preemption/preemption.go (v1.37).
    """
    if not nodes:
        return "no nodes available to schedule pods"
    counts: Counter[str] = Counter()
    helps: Counter[str] = Counter()
    for node in nodes:
        counts.update(refusal((*STATIC, *DYNAMIC, *request.others), request, node))
        helps[NO_VICTIMS if resolvable(request, node) else NOT_HELPFUL] += 1
    none = f"0/{len(nodes)} nodes are available"
    return f"{none}: {_listed(counts)} preemption: {preemption or f'{none}: {_listed(helps)}'}"


def message_of_all(reason: str, count: int) -> str:
    """The same where one reason rules out every node before any is looked at (a PreFilter's)."""
    none = f"0/{count} nodes are available"
    return f"{none}: {reason}. preemption: {none}: {count} {NOT_HELPFUL}."


def _listed(counts: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items())) + "."
