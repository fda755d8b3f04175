"""``topologySpreadConstraints``: hard ones rule nodes out, soft ones rank them.

Ref: pkg/scheduler/framework/plugins/podtopologyspread/{filtering,scoring,common}.go (v1.37).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from netsim.cluster.documents import list_at
from netsim.cluster.errors import BadRequest
from netsim.cluster.scheduling.affinity import PodTerm, Tally
from netsim.cluster.scheduling.nodes import NodeState
from netsim.cluster.scheduling.placement import PlacementSpec
from netsim.cluster.selectors import NOTHING, Operator, Requirement, Selector, of_label_selector
from netsim.dataclass import dataclass
from netsim.objects.core import HOSTNAME_LABEL
from netsim.objects.json import Document
from netsim.objects.meta import Object

SKEWED = "node(s) didn't match pod topology spread constraints"
NO_LABEL = f"{SKEWED} (missing required label)"


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint. ``term`` says which pods are counted (of the pod's own namespace); ``min_domains`` 0: not given."""

    term: PodTerm
    max_skew: int
    hard: bool
    self_match: bool
    min_domains: int = 0
    honours_affinity: bool = True
    honours_taints: bool = False

    @property
    def key(self) -> str:
        """The node label whose values are the domains."""
        return self.term.key


def constraints_of(pod: Object) -> tuple[Constraint, ...]:
    """A pod's constraints, in order."""
    items = list_at(pod.document, "spec", "topologySpreadConstraints")
    return tuple(_constraint(pod, item) for item in items if isinstance(item, Mapping))


def _constraint(pod: Object, item: Document) -> Constraint:
    try:
        selector = of_label_selector(item.get("labelSelector"))
    except BadRequest:
        selector = NOTHING
    labels = pod.metadata.labels
    keys = [str(key) for key in list_at(item, "matchLabelKeys") if str(key) in labels]
    more = tuple(Requirement(key, Operator.IN, (labels[key],)) for key in keys)
    selector = Selector((*selector.requirements, *more), selector.nothing)
    skew, least = item.get("maxSkew"), item.get("minDomains")
    return Constraint(
        PodTerm(selector, str(item.get("topologyKey", "")), frozenset({pod.metadata.namespace})),
        skew if isinstance(skew, int) else 1,
        item.get("whenUnsatisfiable", "DoNotSchedule") != "ScheduleAnyway",
        selector.matches(labels),
        least if isinstance(least, int) else 0,
        item.get("nodeAffinityPolicy", "Honor") == "Honor",
        item.get("nodeTaintsPolicy", "Ignore") == "Honor",
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """The hard constraints of one pod with the pods counted in each domain."""

    counted: tuple[tuple[Constraint, Counter[str]], ...]

    @classmethod
    def of(cls, spec: PlacementSpec, counted: Sequence[tuple[Constraint, Tally]], nodes: Iterable[NodeState]) -> Spread:
        """Count the pods of eligible nodes. Ref: filtering.go:calPreFilterState()."""
        eligible = [n for n in nodes if all(c.key in n.view.metadata.labels for c, _ in counted)]
        found = []
        for constraint, tally in counted:
            domains: Counter[str] = Counter()
            for node in eligible:
                if _counts(constraint, spec, node):
                    domains[node.view.metadata.labels[constraint.key]] += tally[node.name]
            found.append((constraint, domains))
        return cls(tuple(found))

    def refusal(self, node: NodeState) -> tuple[str, ...]:
        """Why a node will not do; empty where it will. Ref: filtering.go:Filter()."""
        labels = node.view.metadata.labels
        for constraint, domains in self.counted:
            value = labels.get(constraint.key)
            if value is None:
                return (NO_LABEL,)
            least = min(domains.values(), default=math.inf)
            if constraint.min_domains > len(domains):
                least = 0
            if domains.get(value, 0) + constraint.self_match - least > constraint.max_skew:
                return (SKEWED,)
        return ()


def _counts(constraint: Constraint, spec: PlacementSpec, node: NodeState) -> bool:
    if constraint.honours_affinity and not spec.matches_node(node.name, node.view.metadata.labels):
        return False
    return not (constraint.honours_taints and spec.untolerated(node.taints, "NoSchedule", "NoExecute"))


def soft_scores(
    spec: PlacementSpec,
    counted: Sequence[tuple[Constraint, Tally]],
    nodes: Sequence[NodeState],
    feasible: Sequence[NodeState],
) -> dict[str, int]:
    """0 to 100 for each feasible node by how well it spreads, under the soft constraints. Ref: scoring.go:Score(), NormalizeScore()."""
    usable = [n for n in feasible if all(c.key in n.view.metadata.labels for c, _ in counted)]
    raw: dict[str, float] = {node.name: 0.0 for node in usable}
    for constraint, tally in counted:
        values = {node.name: node.view.metadata.labels[constraint.key] for node in usable}
        domains: Counter[str] = Counter()
        for node in nodes:
            labels = node.view.metadata.labels
            if all(c.key in labels for c, _ in counted) and _counts(constraint, spec, node):
                domains[labels[constraint.key]] += tally[node.name]
        on_host = constraint.key == HOSTNAME_LABEL
        weight = math.log((len(usable) if on_host else len(set(values.values()))) + 2)
        for name, value in values.items():
            count = tally[name] if on_host else domains[value]
            raw[name] += count * weight + (constraint.max_skew - 1)
    rounded = {name: round(score) for name, score in raw.items()}
    most, least = max(rounded.values(), default=0), min(rounded.values(), default=0)
    scores = {name: 100 if most == 0 else 100 * (most + least - score) // most for name, score in rounded.items()}
    return {node.name: scores.get(node.name, 0) for node in feasible}
