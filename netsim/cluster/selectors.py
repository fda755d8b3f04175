"""Label selectors and field selectors.

Ref: staging/src/k8s.io/apimachinery/pkg/labels/selector.go and pkg/fields/selector.go (v1.37).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from netsim.cluster.documents import list_at, mapping_at, strings_at
from netsim.cluster.errors import BadRequest
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.objects.selector import Operator, Requirement, Selector, of_labels

__all__ = [
    "EVERYTHING",
    "EVERY_FIELD",
    "NOTHING",
    "FieldRequirement",
    "FieldSelector",
    "Operator",
    "Requirement",
    "Selector",
    "of_expressions",
    "of_label_selector",
    "of_labels",
    "parse_field_selector",
    "parse_selector",
]


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def of_label_selector(document: Json) -> Selector:
    """A ``metav1.LabelSelector``: null selects nothing, an empty one everything. Raises BadRequest.

    Ref: metav1.LabelSelectorAsSelector().
    """
    if not isinstance(document, Mapping):
        return NOTHING
    equal = of_labels(strings_at(document, "matchLabels")).requirements
    return Selector(equal + of_expressions(list_at(document, "matchExpressions")))


def of_expressions(items: Sequence[Json]) -> tuple[Requirement, ...]:
    """``matchExpressions`` of a label selector or a node selector term. Raises BadRequest."""
    return tuple(_expression(item) for item in items if isinstance(item, Mapping))


def _expression(item: Document) -> Requirement:
    name = str(item.get("operator"))
    try:
        operator = Operator(name)
    except ValueError:
        raise BadRequest(f'"{name}" is not a valid label selector operator') from None
    values = tuple(str(v) for v in list_at(item, "values"))
    return _checked(Requirement(str(item.get("key", "")), operator, values))


def _checked(requirement: Requirement) -> Requirement:
    count = len(requirement.values)
    match requirement.operator:
        case Operator.IN | Operator.NOT_IN if count == 0:
            raise BadRequest("for 'in', 'notin' operators, values set can't be empty")
        case Operator.EXISTS | Operator.DOES_NOT_EXIST if count:
            raise BadRequest("values set must be empty for exists and does not exist")
        case Operator.GT | Operator.LT if count != 1 or not re.fullmatch(r"-?\d+", requirement.values[0]):
            raise BadRequest("for 'Gt', 'Lt' operators, exactly one integer value is required")
        case _:
            return requirement


_TERM = re.compile(
    r"\s*(?:"
    r"(?P<absent>!)\s*(?P<absent_key>[\w./-]+)"
    r"|(?P<set_key>[\w./-]+)\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\)"
    r"|(?P<key>[\w./-]+)\s*(?:(?P<operator>==|=|!=|>|<)\s*(?P<value>[\w.-]*))?"
    r")\s*(?:,|$)"
)


def parse_selector(text: str) -> Selector:
    """Read ``app=web,tier in (a, b),!canary,gpu`` as the API's ``labelSelector`` parameter does. Raises BadRequest."""
    requirements: list[Requirement] = []
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise BadRequest(f"unable to parse requirement: {text[position:].strip()!r}")
        requirements.append(_checked(_term(found)))
        position = found.end()
    return Selector(tuple(requirements))


_OPERATORS = {"=": Operator.IN, "==": Operator.IN, "!=": Operator.NOT_IN, ">": Operator.GT, "<": Operator.LT}


def _term(found: re.Match[str]) -> Requirement:
    if found["absent"]:
        return Requirement(found["absent_key"], Operator.DOES_NOT_EXIST)
    if found["set"]:
        values = tuple(sorted(v.strip() for v in found["values"].split(",")))
        return Requirement(found["set_key"], Operator.IN if found["set"] == "in" else Operator.NOT_IN, values)
    if found["operator"] is None:
        return Requirement(found["key"], Operator.EXISTS)
    return Requirement(found["key"], _OPERATORS[found["operator"]], (found["value"],))


# --- Field selectors --------------------------------------------------------------------------------------------

# Ref: pkg/apis/{core,apps,batch}/v1/conversion.go:AddFieldLabelConversionsFor*() (v1.37). Every kind has its name and namespace.
_EVERY_KIND = ("metadata.name", "metadata.namespace")
_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    "Node": ("spec.unschedulable",),
    "Service": ("spec.clusterIP", "spec.type"),
    "Namespace": ("status.phase",),
    "Secret": ("type",),
    "ReplicationController": ("status.replicas",),
    "ReplicaSet": ("status.replicas",),
    "Job": ("status.successful",),
    "Event": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}
_ELSEWHERE = {"status.successful": "status.succeeded", "source": "source.component"}
"""Fields whose label is not their path."""
_NUMBERS = ("status.replicas", "status.successful")
_TRUTHS = ("spec.unschedulable", "spec.hostNetwork")


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """A field equal (or not equal) to a value."""

    path: str
    value: str
    equal: bool


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All requirements must be met; without any it selects everything."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, item: Object) -> bool:
        """True where the object meets every requirement."""
        return all((_field(item.document, r.path) == r.value) is r.equal for r in self.requirements)


EVERY_FIELD = FieldSelector()


def parse_field_selector(kind: str, text: str) -> FieldSelector:
    """Read ``spec.nodeName=node1,status.phase!=Failed``. Raises BadRequest for a field that the kind cannot be selected by."""
    terms = (term.strip() for term in text.split(","))
    return FieldSelector(tuple(_field_term(kind, term) for term in terms if term))


def _field_term(kind: str, term: str) -> FieldRequirement:
    found = re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", term)
    if found is None:
        raise BadRequest(f"invalid selector: '{term}'; can't understand '{term}'")
    path, sign, value = found.groups()
    own = _OF_KIND.get(kind)
    if path not in (*_EVERY_KIND, *(own or ())):
        if own is not None:
            raise BadRequest(f"field label not supported: {path}")
        raise BadRequest(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
    return FieldRequirement(path, value, sign != "!=")


def _field(document: Document, path: str) -> str:
    *place, name = _ELSEWHERE.get(path, path).split(".")
    value = mapping_at(document, *place).get(name)
    match value:
        case None:
            return "0" if path in _NUMBERS else "false" if path in _TRUTHS else ""
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ",".join(str(item.get("ip")) for item in value if isinstance(item, Mapping))
        case _:
            return str(value)
