"""Where a pod may run: affinity, tolerations, spreading. Ref: pkg/apis/core/validation/validation.go (v1.37)."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.objects.json import Document
from netsim.objects.path import Path, Problem
from netsim.objects.validation import names
from netsim.objects.validation.findings import duplicate, each_invalid, forbidden, invalid, required, unsupported
from netsim.objects.validation.metadata import check_selector
from netsim.objects.validation.parts import items_at, list_at, mapping_at, number_at, text_at

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_NEEDED = "requiredDuringSchedulingIgnoredDuringExecution"
_WANTED = "preferredDuringSchedulingIgnoredDuringExecution"
_WHEN = ("DoNotSchedule", "ScheduleAnyway")


def check_affinity(affinity: Document, path: Path) -> Iterator[Problem]:
    """``spec.affinity``. Ref: validateAffinity()."""
    node, at = mapping_at(affinity, "nodeAffinity"), (*path, "nodeAffinity")
    if node.get(_NEEDED) is not None:
        yield from check_node_selector(mapping_at(node, _NEEDED), (*at, _NEEDED))
    for where, wanted in items_at(node, (*at, _WANTED)):
        yield from _check_weight(wanted, where)
        yield from _check_term(mapping_at(wanted, "preference"), (*where, "preference"))
    for name in ("podAffinity", "podAntiAffinity"):
        rules = mapping_at(affinity, name)
        for where, term in items_at(rules, (*path, name, _NEEDED)):
            yield from _check_pod_term(term, where)
        for where, wanted in items_at(rules, (*path, name, _WANTED)):
            yield from _check_weight(wanted, where)
            yield from _check_pod_term(mapping_at(wanted, "podAffinityTerm"), (*where, "podAffinityTerm"))


def check_node_selector(selector: Document, path: Path) -> Iterator[Problem]:
    """A selector of nodes. Ref: ValidateNodeSelector()."""
    if not list_at(selector, "nodeSelectorTerms"):
        yield required((*path, "nodeSelectorTerms"), "must have at least one node selector term")
    for where, term in items_at(selector, (*path, "nodeSelectorTerms")):
        yield from _check_term(term, where)


def _check_weight(wanted: Document, path: Path) -> Iterator[Problem]:
    weight = number_at(wanted, "weight")
    if not 1 <= weight <= 100:
        yield invalid((*path, "weight"), weight, "must be in the range 1-100")


def _check_term(term: Document, path: Path) -> Iterator[Problem]:
    for where, requirement in items_at(term, (*path, "matchExpressions")):
        operator, values = text_at(requirement, "operator"), list_at(requirement, "values")
        match operator:
            case "In" | "NotIn":
                if not values:
                    yield required((*where, "values"), "must be specified when `operator` is 'In' or 'NotIn'")
            case "Exists" | "DoesNotExist":
                if values:
                    why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                    yield forbidden((*where, "values"), why)
            case "Gt" | "Lt":
                if len(values) != 1:
                    yield required((*where, "values"), "must be specified single value when `operator` is 'Lt' or 'Gt'")
            case _:
                yield invalid((*where, "operator"), operator, "not a valid selector operator")
        key = text_at(requirement, "key")
        yield from each_invalid((*where, "key"), key, names.qualified_name(key))


def _check_pod_term(term: Document, path: Path) -> Iterator[Problem]:
    for name in ("labelSelector", "namespaceSelector"):
        yield from check_selector(mapping_at(term, name), (*path, name))
    for index, namespace in enumerate(list_at(term, "namespaces")):
        reasons = names.dns1123_label(str(namespace))
        yield from each_invalid((*path, "namespaces", index), namespace, reasons, at=(*path, "namespace"))
    key = text_at(term, "topologyKey")
    if not key:
        yield required((*path, "topologyKey"), "can not be empty")
    yield from each_invalid((*path, "topologyKey"), key, names.qualified_name(key))


def check_tolerations(spec: Document, path: Path) -> Iterator[Problem]:
    """Ref: ValidateTolerations()."""
    for where, toleration in items_at(spec, (*path, "tolerations")):
        key, operator, value, effect = (text_at(toleration, n) for n in ("key", "operator", "value", "effect"))
        if key:
            yield from each_invalid((*where, "key"), key, names.qualified_name(key))
        elif operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid((*where, "operator"), operator, why)
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            yield invalid((*where, "effect"), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
        yield from _check_operator(operator, value, (*where, "operator"))
        if effect and effect not in EFFECTS:
            yield unsupported((*where, "effect"), effect, EFFECTS)


def _check_operator(operator: str, value: str, path: Path) -> Iterator[Problem]:
    if operator not in ("", "Equal", "Exists"):
        yield unsupported(path, operator, ("Equal", "Exists"))
    elif operator == "Exists" and value:
        yield invalid(path, value, "value must be empty when `operator` is 'Exists'")
    elif operator != "Exists" and (reasons := names.label_value(value)):
        yield invalid(path, value, ";".join(reasons))


def check_spread(spec: Document, path: Path) -> Iterator[Problem]:
    """Ref: validateTopologySpreadConstraints()."""
    seen: set[tuple[str, str]] = set()
    for where, constraint in items_at(spec, (*path, "topologySpreadConstraints")):
        skew = number_at(constraint, "maxSkew")
        if skew <= 0:
            yield invalid((*where, "maxSkew"), skew, "must be greater than zero")
        key, when = text_at(constraint, "topologyKey"), text_at(constraint, "whenUnsatisfiable")
        if not key:
            yield required((*where, "topologyKey"), "can not be empty")
        if when not in _WHEN:
            yield unsupported((*where, "whenUnsatisfiable"), when, _WHEN)
        if (key, when) in seen:
            yield duplicate((*where, "{topologyKey, whenUnsatisfiable}"), f"{{{key}, {when}}}")
        seen.add((key, when))
        yield from check_selector(mapping_at(constraint, "labelSelector"), (*where, "labelSelector"))


def check_taints(spec: Document, path: Path, at: Path) -> Iterator[Problem]:
    """A node's taints; the API server tells of them at ``metadata.taints``. Ref: validateNodeTaints()."""
    seen: set[tuple[str, str]] = set()
    for where, taint in items_at(spec, path):
        told = (*at, where[-1])
        key, value, effect = (text_at(taint, name) for name in ("key", "value", "effect"))
        yield from each_invalid((*where, "key"), key, names.qualified_name(key), at=(*told, "key"))
        if reasons := names.label_value(value):
            yield invalid((*where, "value"), value, ";".join(reasons), at=(*told, "value"))
        if not effect:
            yield required((*where, "effect"), at=(*told, "effect"))
        elif effect not in EFFECTS:
            yield unsupported((*where, "effect"), effect, EFFECTS, at=(*told, "effect"))
        if (key, effect) in seen:
            whole = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": None}
            yield duplicate(where, whole, why="taints must be unique by key and effect pair", at=told)
        seen.add((key, effect))
