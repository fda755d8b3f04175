"""What a pod asks of its node, and whether a node grants it.

Ref: pkg/scheduler/framework/plugins/*, staging/src/k8s.io/component-helpers/scheduling/corev1 (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from decimal import Decimal
from typing import TypeAlias

from netsim.cluster.documents import canonical, list_at, mapping_at, strings_at
from netsim.cluster.errors import BadRequest
from netsim.cluster.selectors import NOTHING, Requirement, Selector, of_expressions, of_labels
from netsim.dataclass import dataclass
from netsim.objects.core import Taint
from netsim.objects.json import Document, Json, decode
from netsim.objects.meta import Object
from netsim.objects.quantity import quantities


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


Weight: TypeAlias = tuple[int, int]
"""Thousandths of a processor, and bytes."""

_LEAST: Weight = (100, 200 * 1024 * 1024)
"""What a container that asks for nothing is scored as. Ref: pkg/scheduler/util/pod_resources.go: DefaultMilliCPURequest."""


@dataclass(frozen=True, slots=True)
class PlacementSpec:
    """The part of a pod's spec that decides where it can run.

    ``weight``: what it asks for of processors and memory; ``nominal``: the same, with something for each container that says nothing.
    ``names``: the only nodes that ``matchFields`` allows, None where it leaves them open, empty where its terms conflict.
    """

    node_selector: Selector = field(default_factory=Selector)
    terms: tuple[NodeTerm, ...] | None = None
    tolerations: tuple[Toleration, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    requests: Mapping[str, Decimal] = field(default_factory=dict)
    preferred: tuple[tuple[int, NodeTerm], ...] = ()
    weight: Weight = (0, 0)
    nominal: Weight = (0, 0)
    names: frozenset[str] | None = None

    @classmethod
    def of(cls, spec: Document) -> PlacementSpec:
        """Read it from ``spec``. Raises DecodeError, BadRequest."""
        return cls(
            of_labels(strings_at(spec, "nodeSelector")),
            _required_terms(spec),
            tuple(decode(Toleration, item) for item in list_at(spec, "tolerations")),
            tuple(_host_ports(spec)),
            requests_of(spec),
            tuple(_preferred_terms(spec)),
            weight_of(requests_of(spec)),
            _nominal(spec),
            _names(_required_terms(spec) or ()),
        )

    def matches_node(self, name: str, labels: Mapping[str, str]) -> bool:
        """True where the node meets ``nodeSelector`` and the required node affinity."""
        if not self.node_selector.matches(labels):
            return False
        return self.terms is None or any(term.matches(name, labels) for term in self.terms)

    def preference(self, name: str, labels: Mapping[str, str]) -> int:
        """The weights of the preferred node affinity's terms that a node meets. An empty term is met by every node."""
        return sum(w for w, term in self.preferred if _empty(term) or term.matches(name, labels))

    def disliked(self, taints: Iterable[Taint]) -> int:
        """How many PreferNoSchedule taints it does not tolerate."""
        return sum(self.untolerated([taint], "PreferNoSchedule") is not None for taint in taints)

    def untolerated(self, taints: Iterable[Taint], *effects: str) -> Taint | None:
        """The first taint with one of these effects that the pod does not tolerate, None without one."""
        for taint in taints:
            if taint.effect in effects and not any(t.tolerates(taint) for t in self.tolerations):
                return taint
        return None


_FIELDS = ("nodeSelector", "affinity", "tolerations", "hostNetwork", "containers", "initContainers", "overhead")


class Placements:
    """What pods ask of their nodes, read once for all that ask for the same: those are the same object."""

    def __init__(self) -> None:
        self._specs: dict[str, PlacementSpec] = {}

    def of(self, pod: Object) -> PlacementSpec:
        """What a pod asks for. Raises DecodeError, BadRequest."""
        spec = mapping_at(pod.document, "spec")
        fields = {name: spec[name] for name in _FIELDS if name in spec}
        for group in ("containers", "initContainers"):
            if group in fields:
                fields[group] = [_asking(c) for c in list_at(spec, group) if isinstance(c, Mapping)]
        text = canonical(fields)
        if text not in self._specs:
            self._specs[text] = PlacementSpec.of(fields)
        return self._specs[text]


_OF_CONTAINERS = ("ports", "resources", "restartPolicy")


def _asking(container: Document) -> Document:
    """What of a container decides where it runs: not its mounts, as each pod's token has a name of its own."""
    return {name: container[name] for name in _OF_CONTAINERS if name in container}


def _required_terms(spec: Document) -> tuple[NodeTerm, ...] | None:
    affinity = mapping_at(spec, "affinity", "nodeAffinity")
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not isinstance(required, Mapping):
        return None
    return tuple(_term(item) for item in list_at(required, "nodeSelectorTerms") if isinstance(item, Mapping))


def _names(terms: Iterable[NodeTerm]) -> frozenset[str] | None:
    """Ref: plugins/nodeaffinity/node_affinity.go:PreFilter()."""
    found: frozenset[str] | None = None
    for term in terms:
        named = [frozenset(r.values) for r in term.fields if r.operator.value == "In"]
        if not named:
            return None
        found = (found or frozenset()) | frozenset.intersection(*named)
    return found


def _preferred_terms(spec: Document) -> Iterable[tuple[int, NodeTerm]]:
    affinity = mapping_at(spec, "affinity", "nodeAffinity")
    for item in list_at(affinity, "preferredDuringSchedulingIgnoredDuringExecution"):
        weight = item.get("weight") if isinstance(item, Mapping) else None
        if isinstance(item, Mapping) and isinstance(weight, int) and weight:
            yield weight, _term(mapping_at(item, "preference"))


def _empty(term: NodeTerm) -> bool:
    return term.labels.empty and not term.fields


def _term(item: Document) -> NodeTerm:
    try:
        labels = Selector(of_expressions(list_at(item, "matchExpressions")))
        return NodeTerm(labels, of_expressions(list_at(item, "matchFields")))
    except BadRequest:
        return NodeTerm(NOTHING)


def weight_of(amounts: Mapping[str, Decimal]) -> Weight:
    """Processors and memory as whole numbers."""
    return int(amounts.get("cpu", Decimal(0)) * 1000), int(amounts.get("memory", Decimal(0)))


def _nominal(spec: Document) -> Weight:
    """Ref: pkg/scheduler/framework/types.go:calculateResource(): NonMissingContainerRequests."""
    cpu = memory = 0
    for container in list_at(spec, "containers"):
        asked = _asked(container, "requests")
        weight = weight_of(asked)
        cpu += weight[0] if "cpu" in asked else _LEAST[0]
        memory += weight[1] if "memory" in asked else _LEAST[1]
    whole = weight_of(requests_of(spec))
    return max(cpu, whole[0]), max(memory, whole[1])


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


def requests_of(spec: Document, what: str = "requests") -> dict[str, Decimal]:
    """What is counted for a pod: the sum of its containers and sidecars, at least each init container, and its overhead.

    Of ``requests``, a limit without a request is the request too; ``limits`` are limits alone.
    Ref: component-helpers/resource/helpers.go:PodRequests().
    """
    total: dict[str, Decimal] = {}
    sidecars: dict[str, Decimal] = {}
    least: dict[str, Decimal] = {}
    for container in list_at(spec, "initContainers"):
        asked = _asked(container, what)
        if isinstance(container, Mapping) and container.get("restartPolicy") == "Always":
            sidecars = _sum(sidecars, asked)
            asked = sidecars
        else:
            asked = _sum(sidecars, asked)
        for name, amount in asked.items():
            least[name] = max(least.get(name, Decimal(0)), amount)
    for container in list_at(spec, "containers"):
        total = _sum(total, _asked(container, what))
    total = _sum(total, sidecars)
    for name, amount in least.items():
        total[name] = max(total.get(name, Decimal(0)), amount)
    return _sum(total, quantities(mapping_at(spec, "overhead")))


def _sum(first: Mapping[str, Decimal], second: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {
        name: first.get(name, Decimal(0)) + second.get(name, Decimal(0)) for name in dict.fromkeys((*first, *second))
    }


def _asked(container: Json, what: str) -> dict[str, Decimal]:
    if not isinstance(container, Mapping):
        return {}
    resources = mapping_at(container, "resources")
    limits = mapping_at(resources, "limits")
    return quantities(limits if what == "limits" else {**limits, **mapping_at(resources, "requests")})
