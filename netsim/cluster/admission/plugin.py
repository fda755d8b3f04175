"""What an admission plugin is: it may change a new object, and it may refuse it.

Ref: staging/src/k8s.io/apiserver/pkg/admission/interfaces.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from netsim.cluster.errors import Forbidden
from netsim.cluster.resources import resource_of
from netsim.dataclass import dataclass
from netsim.objects.json import Document
from netsim.objects.meta import Object

if TYPE_CHECKING:
    from netsim.cluster.store import Store

Mutator: TypeAlias = "Callable[[Object, Store], Object]"
"""Takes a new object and what is stored, and answers the object as it is to be stored. Raises StatusError."""

Validator: TypeAlias = "Callable[[Object, Store], None]"
"""Takes an object as all mutators have left it. Raises StatusError where it is refused."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One link of the chain, by the name that kube-apiserver's --enable-admission-plugins knows it by."""

    name: str
    mutate: Mutator | None = None
    validate: Validator | None = None


def forbidden(item: Object, why: str) -> Forbidden:
    """The refusal of an object. Ref: apiserver/pkg/admission/errors.go:NewForbidden()."""
    name = item.metadata.name or item.metadata.generate_name
    return Forbidden.of(resource_of(item.kind, item.api_version).qualified, name, why)


def all_of(problems: Sequence[str]) -> str:
    """Several reasons as one. Ref: apimachinery/pkg/util/errors/errors.go:Aggregate."""
    distinct = list(dict.fromkeys(problems))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


def with_document(item: Object, document: Document) -> Object:
    """The object with another spec; its metadata stays, and need not be read again."""
    return Object(item.api_version, item.kind, item.metadata, document)
