"""The filters that a node must pass for a pod, as a table, with the words in which kube-scheduler says that it did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
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


def node_names(request: Request, node: NodeState) -> Reasons:
    """The nodes that affinity leaves out by their names are not looked at. Ref: schedule_one.go:findNodesThatFitPod()."""
    names = request.spec.names
    return () if names is None or node.name in names else ("node(s) didn't satisfy plugin(s) [NodeAffinity]",)


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
    """Ref: plugins/noderesources/fit.go:fitsRequest(). A node that does not say what it has lacks no processors or memory."""
    reasons: list[str] = []
    limit = node.allocatable.get("pods")
    promised = node.promised(request.key, request.priority) if node.nominated else []
    if limit is not None and node.pods + len(promised) + 1 > limit:
        reasons.append("Too many pods")
    for name, amount in sorted(request.spec.requests.items()):
        has = _allocatable(node, name)
        kept = sum((pod.spec.requests.get(name, Decimal(0)) for pod in promised), Decimal(0))
        if amount and has is not None and node.taken.get(name, Decimal(0)) + kept + amount > has:
            reasons.append(f"{_INSUFFICIENT}{name}")
    return tuple(reasons)


_INSUFFICIENT = "Insufficient "


def _allocatable(node: NodeState, name: str) -> Decimal | None:
    has = node.allocatable.get(name)
    return Decimal(0) if has is None and name not in ("cpu", "memory", "ephemeral-storage") else has


def _beyond(request: Request, node: NodeState, reasons: Reasons) -> bool:
    """True where the pod asks for more of a resource than the whole node has."""
    for reason in reasons:
        name = reason.removeprefix(_INSUFFICIENT)
        if name != reason and request.spec.requests[name] > (_allocatable(node, name) or Decimal(0)):
            return True
    return False


# In the order in which kube-scheduler runs them: the first that refuses a node is the one that is named.
# Ref: pkg/scheduler/apis/config/v1/default_plugins.go (v1.37).
STATIC: tuple[Filter, ...] = (
    node_names,
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
CONFLICTING_NAMES = "pod affinity terms conflict"
UNRESOLVABLE = frozenset({AFFINITY, NO_LABEL, NODE_AFFINITY_OF_VOLUME, NO_VOLUME})
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
    reasons = refusal((*DYNAMIC, *request.others), request, node)
    return not any(reason in UNRESOLVABLE for reason in reasons) and not _beyond(request, node, reasons)


def message(request: Request, nodes: Sequence[NodeState], preemption: str) -> str:
    """Why no node would have the pod, in kube-scheduler's words; ``preemption``: what came of making room."""
    if not nodes:
        return "no nodes available to schedule pods"
    every = (*STATIC, *DYNAMIC, *request.others)
    return f"{none_of(refusal(every, request, node) for node in nodes)} preemption: {preemption}"


def none_of(reasons: Iterable[Reasons]) -> str:
    """The reasons of all nodes, counted. Ref: pkg/scheduler/framework/types.go:FitError.Error() (v1.37)."""
    every = list(reasons)
    counts = Counter(reason for of_node in every for reason in of_node)
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    return f"0/{len(every)} nodes are available: {listed}."


def message_of_all(reason: str, count: int) -> str:
    """The same where one reason rules out every node before any is looked at (a PreFilter's).

    The last words are the real ones: DynamicResources' PostFilter misses what its PreFilter, which was not reached, would have left.
    Ref: plugins/dynamicresources/dynamicresources.go:PostFilter(), kube-scheduler/framework: ErrNotFound.
    """
    return f"0/{count} nodes are available: {reason}. not found"
