"""The filters that a node must pass for a pod, as a table, with the words in which kube-scheduler says that it did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from netsim.cluster.scheduling.nodes import NodeState
from netsim.cluster.scheduling.placement import PlacementSpec
from netsim.objects.core import Taint

Reasons: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Request:
    """A pod that wants a node. ``address`` is one that its status was given, empty where it has none yet."""

    spec: PlacementSpec
    address: str = ""
    host_network: bool = False


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
    taken = (port for ports in node.ports.values() for port in ports)
    if request.spec.host_ports and any(mine.conflicts(port) for port in taken for mine in request.spec.host_ports):
        return ("node(s) didn't have free ports for the requested pod ports",)
    return ()


def node_resources(request: Request, node: NodeState) -> Reasons:
    """Ref: plugins/noderesources/fit.go:fitsRequest(). A node that does not say what it has lacks nothing."""
    reasons: list[str] = []
    limit = node.allocatable.get("pods")
    if limit is not None and node.pods + 1 > limit:
        reasons.append("Too many pods")
    for name, amount in sorted(request.spec.requests.items()):
        has = node.allocatable.get(name)
        if amount and has is not None and node.taken.get(name, Decimal(0)) + amount > has:
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


def refusal(filters: Iterable[Filter], request: Request, node: NodeState) -> Reasons:
    """The reasons of the first filter that refuses the node; empty where all let it pass."""
    for check in filters:
        reasons = check(request, node)
        if reasons:
            return reasons
    return ()


def message(request: Request, nodes: list[NodeState]) -> str:
    """Why no node would have the pod, in kube-scheduler's words.

    Ref: pkg/scheduler/framework/types.go:FitError.Error(), framework/preemption/preemption.go (v1.37). Nothing is ever preempted:
    every pod here has the same priority.
    """
    if not nodes:
        return "no nodes available to schedule pods"
    counts: Counter[str] = Counter()
    preemption: Counter[str] = Counter()
    for node in nodes:
        fixed = refusal(STATIC, request, node)
        counts.update(fixed or refusal(DYNAMIC, request, node))
        helps = "Preemption is not helpful for scheduling" if fixed else "No preemption victims found for incoming pod"
        preemption[helps] += 1
    none = f"0/{len(nodes)} nodes are available"
    return f"{none}: {_listed(counts)} preemption: {none}: {_listed(preemption)}"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items())) + "."
