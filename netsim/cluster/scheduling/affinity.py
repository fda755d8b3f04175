"""Pods that want other pods near, or far: required and preferred inter-pod (anti)affinity.

Ref: pkg/scheduler/framework/plugins/interpodaffinity/{filtering,scoring}.go (v1.37).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from netsim.cluster.documents import list_at, mapping_at
from netsim.cluster.errors import BadRequest
from netsim.cluster.selectors import NOTHING, Operator, Requirement, Selector, of_label_selector
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object

NamespaceLabels = Callable[[str], Mapping[str, str]]
"""The labels of a namespace by its name."""

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"


@dataclass(frozen=True, slots=True)
class PodTerm:
    """Which pods are meant, and the node label (``key``) whose equal values are one place. ``weight`` of a preferred one, 1 to 100."""

    selector: Selector
    key: str
    namespaces: frozenset[str] = frozenset()
    namespace_selector: Selector = NOTHING
    weight: int = 0

    def means(self, namespace: str, labels: Mapping[str, str], of_namespace: NamespaceLabels) -> bool:
        """True for a pod of this namespace and these labels."""
        if namespace not in self.namespaces and not self.namespace_selector.matches(of_namespace(namespace)):
            return False
        return self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class PodAffinity:
    """What one pod asks of others: required and preferred, near and far."""

    near: tuple[PodTerm, ...] = ()
    far: tuple[PodTerm, ...] = ()
    rather_near: tuple[PodTerm, ...] = ()
    rather_far: tuple[PodTerm, ...] = ()

    @classmethod
    def of(cls, pod: Object) -> PodAffinity:
        """Read it from a pod. A selector that cannot be read selects nothing."""
        near, far = (mapping_at(pod.document, "spec", "affinity", name) for name in ("podAffinity", "podAntiAffinity"))
        if not near and not far:
            return NO_AFFINITY
        return cls(
            tuple(_term(pod, item, 0) for item in list_at(near, _REQUIRED) if isinstance(item, Mapping)),
            tuple(_term(pod, item, 0) for item in list_at(far, _REQUIRED) if isinstance(item, Mapping)),
            tuple(_weighted(pod, list_at(near, _PREFERRED))),
            tuple(_weighted(pod, list_at(far, _PREFERRED))),
        )

    @property
    def empty(self) -> bool:
        """True where it asks for nothing."""
        return not (self.near or self.far or self.rather_near or self.rather_far)


NO_AFFINITY = PodAffinity()


def _weighted(pod: Object, items: Sequence[Json]) -> Iterable[PodTerm]:
    for item in items:
        if isinstance(item, Mapping):
            weight = item.get("weight")
            yield _term(pod, mapping_at(item, "podAffinityTerm"), weight if isinstance(weight, int) else 0)


def _term(pod: Object, item: Document, weight: int) -> PodTerm:
    """``matchLabelKeys`` and ``mismatchLabelKeys`` become requirements, as the API server writes them into the selector."""
    try:
        selector = of_label_selector(item.get("labelSelector"))
        spaces = of_label_selector(item.get("namespaceSelector"))
    except BadRequest:
        selector = spaces = NOTHING
    more = [
        Requirement(str(key), operator, (pod.metadata.labels[str(key)],))
        for name, operator in (("matchLabelKeys", Operator.IN), ("mismatchLabelKeys", Operator.NOT_IN))
        for key in list_at(item, name)
        if str(key) in pod.metadata.labels
    ]
    selector = Selector((*selector.requirements, *more), selector.nothing)
    names = frozenset(map(str, list_at(item, "namespaces")))
    if not names and "namespaceSelector" not in item:
        names = frozenset({pod.metadata.namespace})
    return PodTerm(selector, str(item.get("topologyKey", "")), names, spaces, weight)


class Tally(Counter[str]):
    """How many pods of a kind there are on each node, by the node's name."""

    def by_place(self, key: str, labels_of: Callable[[str], Mapping[str, str]]) -> Counter[str]:
        """The same by the value of a node label; nodes without the label are left out."""
        found: Counter[str] = Counter()
        for node, count in self.items():
            value = labels_of(node).get(key)
            if count and value is not None:
                found[value] += count
        return found


@dataclass(frozen=True, slots=True)
class Places:
    """The places that affinity rules out or asks for, for one pod: what its Filter looks up for each node.

    ``near``: for each required term the places with such pods. ``alone``: no pod anywhere is meant, and the pod means itself.
    """

    near: tuple[tuple[str, Counter[str]], ...] = ()
    alone: bool = False
    far: tuple[tuple[str, Counter[str]], ...] = ()
    kept_off: frozenset[tuple[str, str]] = frozenset()

    def refusal(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Why a node of these labels will not do; empty where it will. Ref: filtering.go:Filter()."""
        if not self._near(labels):
            return (AFFINITY,)
        if any(places[labels[key]] for key, places in self.far if key in labels):
            return (ANTI_AFFINITY,)
        if any(labels.get(key) == value for key, value in self.kept_off):
            return (EXISTING_ANTI_AFFINITY,)
        return ()

    def _near(self, labels: Mapping[str, str]) -> bool:
        if not all(key in labels for key, _ in self.near):
            return False
        return self.alone or all(places[labels[key]] > 0 for key, places in self.near)

    @property
    def empty(self) -> bool:
        """True where they rule out nothing."""
        return not (self.near or self.far or self.kept_off)
