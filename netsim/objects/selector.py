"""What a label selector is: requirements on labels, all of which must be met.

Ref: staging/src/k8s.io/apimachinery/pkg/labels/selector.go (v1.37).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from netsim.dataclass import dataclass


class Operator(Enum):
    """What a requirement asks of a label. Gt and Lt compare whole numbers and belong to node selectors."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GT = "Gt"
    LT = "Lt"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on the label ``key``."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """True where the labels meet it. A label that is absent meets NotIn, as in Kubernetes."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case Operator.GT | Operator.LT:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or not re.fullmatch(r"-?\d+", value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator is Operator.GT else int(value) < bound


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must be met. Without any, it selects everything; ``nothing`` selects nothing whatever else it says."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """True where the labels meet every requirement."""
        return not self.nothing and all(r.matches(labels) for r in self.requirements)

    @property
    def empty(self) -> bool:
        """True where it selects everything."""
        return not self.nothing and not self.requirements

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The labels that every selected object certainly has: what an index can look up."""
        return tuple(
            (r.key, r.values[0]) for r in self.requirements if r.operator is Operator.IN and len(r.values) == 1
        )


def of_labels(labels: Mapping[str, str]) -> Selector:
    """Equality with each of the given labels (a Service's ``selector``, ``nodeSelector``, ``matchLabels``)."""
    return Selector(tuple(Requirement(key, Operator.IN, (value,)) for key, value in sorted(labels.items())))
