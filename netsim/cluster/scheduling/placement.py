"""What a pod asks of its node, and whether a node grants it.

Ref: pkg/scheduler/framework/plugins/*, staging/src/k8s.io/component-helpers/scheduling/corev1 (v1.37).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from netsim.cluster.documents import list_at, mapping_at, strings_at
from netsim.cluster.errors import BadRequest
from netsim.cluster.selectors import NOTHING, Requirement, Selector, of_expressions, of_labels
from netsim.objects.core import Taint
from netsim.objects.json import Document, Json, decode


@dataclass(frozen=True, slots=True)
class Toleration:
    """``tolerations[]``."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        """Ref: k8s.io/api/core/v1/toleration.go:ToleratesTaint()."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self.operator == "Exists" or (self.operator in ("", "Equal") and self.value == taint.value)


@dataclass(frozen=True, slots=True)
class NodeTerm:
    """One term of a node selector: all of it must hold. An empty term selects no node."""

    labels: Selector
    fields: tuple[Requirement, ...] = ()

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """True for a node of this name and these labels."""
        if self.labels.empty and not self.fields:
            return False
        return self.labels.matches(labels) and all(r.matches({"metadata.name": name}) for r in self.fields)


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port that a pod takes on its node."""

    protocol: str
    port: int
    address: str = "0.0.0.0"

    def conflicts(self, other: HostPort) -> bool:
        """Ref: staging/src/k8s.io/kube-scheduler/framework/types.go:HostPortInfo.CheckConflict()."""
        anywhere = "0.0.0.0" in (self.address, other.address)
        same = (self.protocol, self.port) == (other.protocol, other.port)
        return same and (anywhere or self.address == other.address)


@dataclass(frozen=True, slots=True)
class PlacementSpec:
    """The part of a pod's spec that decides where it can run."""

    node_selector: Selector = field(default_factory=Selector)
    terms: tuple[NodeTerm, ...] | None = None
    tolerations: tuple[Toleration, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    requests: Mapping[str, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Document) -> PlacementSpec:
        """Read it from ``spec``. Raises DecodeError, BadRequest."""
        return cls(
            of_labels(strings_at(spec, "nodeSelector")),
            _required_terms(spec),
            tuple(decode(Toleration, item) for item in list_at(spec, "tolerations")),
            tuple(_host_ports(spec)),
            _requests(spec),
        )

    def with_tolerations(self, more: Iterable[Toleration]) -> PlacementSpec:
        """The same with further tolerations."""
        added = (*self.tolerations, *more)
        return PlacementSpec(self.node_selector, self.terms, added, self.host_ports, self.requests)

    def matches_node(self, name: str, labels: Mapping[str, str]) -> bool:
        """True where the node meets ``nodeSelector`` and the required node affinity."""
        if not self.node_selector.matches(labels):
            return False
        return self.terms is None or any(term.matches(name, labels) for term in self.terms)

    def untolerated(self, taints: Iterable[Taint], *effects: str) -> Taint | None:
        """The first taint with one of these effects that the pod does not tolerate, None without one."""
        for taint in taints:
            if taint.effect in effects and not any(t.tolerates(taint) for t in self.tolerations):
                return taint
        return None

    @property
    def node_name(self) -> str:
        """The one node that ``matchFields`` allows (how a DaemonSet names a pod's node), empty where there is no such."""
        fields = [r for term in self.terms or () for r in term.fields]
        if self.terms is None or len(self.terms) != 1 or len(fields) != 1 or len(fields[0].values) != 1:
            return ""
        return fields[0].values[0] if fields[0].operator.value == "In" else ""


def _required_terms(spec: Document) -> tuple[NodeTerm, ...] | None:
    affinity = mapping_at(spec, "affinity", "nodeAffinity")
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not isinstance(required, Mapping):
        return None
    return tuple(_term(item) for item in list_at(required, "nodeSelectorTerms") if isinstance(item, Mapping))


def _term(item: Document) -> NodeTerm:
    try:
        labels = Selector(of_expressions(list_at(item, "matchExpressions")))
        return NodeTerm(labels, of_expressions(list_at(item, "matchFields")))
    except BadRequest:
        return NodeTerm(NOTHING)


def _host_ports(spec: Document) -> Iterable[HostPort]:
    on_host = spec.get("hostNetwork") is True
    for container in list_at(spec, "containers"):
        if not isinstance(container, Mapping):
            continue
        for port in list_at(container, "ports"):
            if isinstance(port, Mapping):
                number = port.get("hostPort") or (port.get("containerPort") if on_host else 0)
                if isinstance(number, int) and number:
                    address = str(port.get("hostIP") or "0.0.0.0")
                    yield HostPort(str(port.get("protocol") or "TCP"), number, address)


_SUFFIXES = {
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    "": Decimal(1),
    **{s: Decimal(1000) ** n for n, s in enumerate("MGTPE", 2)},
    **{f"{s}i": Decimal(1024) ** n for n, s in enumerate("KMGTPE", 1)},
}


_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-z]*)")


def quantity(value: Json) -> Decimal:
    """A resource quantity: ``100m``, ``64Mi``, ``2``, ``1e3``. Raises ValueError. Ref: apimachinery pkg/api/resource/quantity.go."""
    found = _QUANTITY.fullmatch(str(value))
    if found is None or found[2] not in _SUFFIXES:
        raise ValueError(f"{str(value)!r} is not a quantity")
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def quantities(document: Document) -> dict[str, Decimal]:
    """A JSON object of quantities. Raises ValueError."""
    return {name: quantity(value) for name, value in document.items()}


def _requests(spec: Document) -> dict[str, Decimal]:
    """What the scheduler counts for a pod: the sum of its containers, at least each init container, and its overhead.

    A limit without a request is the request too. Ref: component-helpers/resource/helpers.go:PodRequests().
    """
    total: dict[str, Decimal] = {}
    for container in list_at(spec, "containers"):
        for name, amount in _container_requests(container).items():
            total[name] = total.get(name, Decimal(0)) + amount
    for container in list_at(spec, "initContainers"):
        for name, amount in _container_requests(container).items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    for name, amount in quantities(mapping_at(spec, "overhead")).items():
        total[name] = total.get(name, Decimal(0)) + amount
    return total


def _container_requests(container: Json) -> dict[str, Decimal]:
    if not isinstance(container, Mapping):
        return {}
    resources = mapping_at(container, "resources")
    return quantities({**mapping_at(resources, "limits"), **mapping_at(resources, "requests")})
