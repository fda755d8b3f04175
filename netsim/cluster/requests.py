"""What a request's body has to be: of a kind that is known, of its shape, and (strictly) without fields that nobody knows.

Ref: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/{create,update,rest}.go, apimachinery/pkg/runtime/strict (v1.37).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from netsim.cluster.documents import with_value
from netsim.cluster.errors import BadRequest, Invalid
from netsim.cluster.preparation import Propagation
from netsim.cluster.resources import Resource, resource_of
from netsim.dataclass import dataclass
from netsim.objects.defaults import default_document
from netsim.objects.json import DecodeError, Document
from netsim.objects.meta import Object
from netsim.objects.path import Problem, path_text
from netsim.objects.schema import builtin, check


class PatchType(Enum):
    """The content types of a patch."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Options:
    """``dry_run``: everything but the writing. ``manager``: who the fields are written down for. ``strict``: unknown fields are refused."""

    dry_run: bool = False
    manager: str = "netsim"
    strict: bool = True


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """``propagation``: what becomes of dependents. ``uid`` and ``resource_version``: preconditions. ``grace_seconds``: of a pod."""

    propagation: Propagation = Propagation.BACKGROUND
    uid: str = ""
    resource_version: str = ""
    grace_seconds: int | None = None
    dry_run: bool = False


def read_object(document: Document, *, strict: bool, defaulted: bool = True) -> tuple[Object, Resource]:
    """An object as it was sent, with defaults. Raises BadRequest and Invalid."""
    item = object_of(document)
    kind = builtin().kinds.get((item.api_version, item.kind))
    if kind is not None:
        problems = list(check(document, kind))
        unknown = [p for p in problems if p.message.startswith("unknown field")]
        wrong = [p for p in problems if not p.message.startswith("unknown field")]
        resource = resource_of(item.kind, item.api_version)
        if wrong:
            raise invalid(item, resource, wrong)
        if unknown and strict:
            version = item.api_version.rpartition("/")[2]
            said = ", ".join(p.message for p in unknown)
            text = (
                f'{item.kind} in version "{version}" cannot be handled as a {item.kind}: strict decoding error: {said}'
            )
            raise BadRequest(text)
    elif strict and any(name == item.kind for _, name in builtin().kinds):
        raise BadRequest(f'no kind "{item.kind}" is registered for version "{item.api_version}"')
    resource = resource_of(item.kind, item.api_version)
    if resource.namespaced and not item.metadata.namespace:
        item = object_of(with_value(item.document, ("metadata", "namespace"), "default"))
    return (object_of(default_document(item.document)) if defaulted else item), resource


def object_of(document: Document) -> Object:
    """An object of a document. Raises BadRequest where it is none."""
    try:
        return Object.of(document)
    except DecodeError as error:
        raise BadRequest(str(error)) from error


def invalid(item: Object, resource: Resource, problems: Sequence[Problem]) -> Invalid:
    """The refusal of an object for what is wrong with its fields."""
    fields = tuple((path_text(p.path), p.message.removeprefix(f"{path_text(p.path)}: ")) for p in problems)
    return Invalid.of(resource.qualified_kind, item.metadata.name, causes(problems), fields)


def causes(problems: Sequence[Problem]) -> str:
    """What is wrong, as the message of an Invalid status tells it."""
    return together([f"{path_text(p.path)}: {p.message}" if not _placed(p) else p.message for p in problems])


def together(texts: Sequence[str]) -> str:
    """Several causes as one. Ref: apimachinery/pkg/util/errors/errors.go:Aggregate."""
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _placed(problem: Problem) -> bool:
    text = path_text(problem.path)
    return not text or problem.message.startswith(f"{text}:")
