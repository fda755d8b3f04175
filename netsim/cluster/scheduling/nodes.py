"""What the scheduler knows of each node: its labels, taints and addresses, and what the pods on it take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal

from netsim.cluster.documents import mapping_at
from netsim.cluster.scheduling.affinity import NO_AFFINITY, PodAffinity
from netsim.cluster.scheduling.placement import HostPort, PlacementSpec, Weight, weight_of
from netsim.dataclass import dataclass
from netsim.net.address import parse_address, parse_prefix
from netsim.objects.core import Node, NodeAddress, Taint
from netsim.objects.meta import Key, Object
from netsim.objects.quantity import quantities


@dataclass(frozen=True, slots=True)
class Resident:
    """A pod as the scheduler counts it. ``started``: when it was made, for who goes first; ``group``: whom it is spread with."""

    key: Key
    labels: Mapping[str, str]
    spec: PlacementSpec
    group: str
    affinity: PodAffinity = NO_AFFINITY
    priority: int = 0
    started: str = ""
    terminating: bool = False


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
    residents: dict[Key, Resident] = field(default_factory=dict)
    nominated: dict[Key, Resident] = field(default_factory=dict)
    capacity: Weight = (0, 0)
    weight: Weight = (0, 0)
    nominal: Weight = (0, 0)

    @classmethod
    def of(cls, item: Object, order: int) -> NodeState:
        """A node on which nothing runs yet. Raises ValueError, DecodeError."""
        allocatable = quantities(mapping_at(item.document, "status", "allocatable"))
        return cls(Node.of(item), order, allocatable, capacity=weight_of(allocatable))

    @property
    def name(self) -> str:
        """The node's name."""
        return self.view.metadata.name

    @property
    def taints(self) -> tuple[Taint, ...]:
        """Its taints."""
        return self.view.spec.taints

    def add(self, pod: Resident) -> None:
        """Count a pod."""
        self.residents[pod.key] = pod
        self._count(pod, 1)
        if pod.spec.host_ports:
            self.ports[pod.key] = pod.spec.host_ports

    def remove(self, pod: Resident) -> None:
        """Count a pod no more."""
        self.residents.pop(pod.key, None)
        self._count(pod, -1)
        self.ports.pop(pod.key, None)

    def _count(self, pod: Resident, sign: int) -> None:
        self.pods += sign
        self.weight = _added(self.weight, pod.spec.weight, sign)
        self.nominal = _added(self.nominal, pod.spec.nominal, sign)
        if not pod.terminating:
            self.groups[pod.group] += sign
        for name, amount in pod.spec.requests.items():
            self.taken[name] = self.taken.get(name, Decimal(0)) + sign * amount

    def promised(self, key: Key | None, priority: int) -> list[Resident]:
        """The pods that this node is kept free for and that go before a pod of this priority."""
        return [pod for pod in self.nominated.values() if pod.key != key and pod.priority >= priority]

    def has_address(self, address: str, *, host_network: bool) -> bool:
        """True where a pod of this address can be here: in the node's pod CIDRs, or the node's own for the host's network."""
        wanted = parse_address(address)
        if host_network:
            return any(wanted == parse_address(a.address) for a in self.view.status.addresses if _is_internal(a))
        cidrs = self.view.spec.pod_cidrs or tuple(filter(None, (self.view.spec.pod_cidr,)))
        return any(wanted in parse_prefix(cidr) for cidr in cidrs)


def _added(total: Weight, part: Weight, sign: int) -> Weight:
    return total[0] + sign * part[0], total[1] + sign * part[1]


def _is_internal(address: NodeAddress) -> bool:
    return address.type == "InternalIP"
