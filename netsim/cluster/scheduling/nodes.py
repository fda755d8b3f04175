"""What the scheduler knows of each node: its labels, taints and addresses, and what the pods on it take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from netsim.cluster.documents import mapping_at
from netsim.cluster.scheduling.placement import HostPort, PlacementSpec, quantities
from netsim.net.address import parse_address, parse_prefix
from netsim.objects.core import Node, NodeAddress, Taint
from netsim.objects.meta import Key, Object


@dataclass(slots=True)
class NodeState:
    """One node and what is taken of it."""

    view: Node
    order: int
    allocatable: dict[str, Decimal]
    pods: int = 0
    taken: dict[str, Decimal] = field(default_factory=dict)
    ports: dict[Key, tuple[HostPort, ...]] = field(default_factory=dict)
    groups: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, item: Object, order: int) -> NodeState:
        """A node on which nothing runs yet. Raises ValueError, DecodeError."""
        return cls(Node.of(item), order, quantities(mapping_at(item.document, "status", "allocatable")))

    @property
    def name(self) -> str:
        """The node's name."""
        return self.view.metadata.name

    @property
    def taints(self) -> tuple[Taint, ...]:
        """Its taints."""
        return self.view.spec.taints

    def add(self, pod: Key, spec: PlacementSpec, group: str) -> None:
        """Count a pod."""
        self._count(spec, group, 1)
        if spec.host_ports:
            self.ports[pod] = spec.host_ports

    def remove(self, pod: Key, spec: PlacementSpec, group: str) -> None:
        """Count a pod no more."""
        self._count(spec, group, -1)
        self.ports.pop(pod, None)

    def _count(self, spec: PlacementSpec, group: str, sign: int) -> None:
        self.pods += sign
        self.groups[group] += sign
        for name, amount in spec.requests.items():
            self.taken[name] = self.taken.get(name, Decimal(0)) + sign * amount

    def has_address(self, address: str, *, host_network: bool) -> bool:
        """True where a pod of this address can be here: in the node's pod CIDRs, or the node's own for the host's network."""
        wanted = parse_address(address)
        if host_network:
            return any(wanted == parse_address(a.address) for a in self.view.status.addresses if _is_internal(a))
        cidrs = self.view.spec.pod_cidrs or tuple(filter(None, (self.view.spec.pod_cidr,)))
        return any(wanted in parse_prefix(cidr) for cidr in cidrs)


def _is_internal(address: NodeAddress) -> bool:
    return address.type == "InternalIP"
