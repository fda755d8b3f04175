"""What a request's body has to be: of a kind that is known, of its shape, and (strictly) without fields that nobody knows.

Ref: staging/src/k8s.io/apiserver/pkg/endpoints/handlers/{create,update,rest}.go, apimachinery/pkg/runtime/strict (v1.37).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum

from netsim.cluster.documents import with_value
from netsim.cluster.errors import BadRequest, InternalError, Invalid, StatusError
from netsim.cluster.preparation import Propagation
from netsim.cluster.resources import Resource, resource_of
from netsim.dataclass import dataclass
from netsim.objects.decoding import decode_as
from netsim.objects.defaults import default_document
from netsim.objects.json import DecodeError, Document
from netsim.objects.meta import Object
from netsim.objects.path import Problem
from netsim.objects.schema import builtin
from netsim.objects.service_allocation import INTERNAL
from netsim.objects.validation.findings import shown


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


def read_object(
    document: Document, *, strict: bool, defaulted: bool = True, patched: bool = False
) -> tuple[Object, Resource]:
    """An object as it was sent, with defaults; ``patched``: as a patch has made it. Raises BadRequest, Invalid."""
    version, name = str(document.get("apiVersion")), str(document.get("kind"))
    kind = builtin().kinds.get((version, name))
    if kind is not None:
        found = decode_as(document, kind)
        unknown = f"strict decoding error: {', '.join(found.unknown)}" if strict and found.unknown else ""
        if found.wrong or unknown:
            version = version.rpartition("/")[2]
            told = found.wrong or unknown
            if patched:
                text = shown(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
                raise Invalid.of(
                    "", "", f"patch: Invalid value: {text}: {told}", (("patch", f"Invalid value: {text}: {told}"),)
                )
            raise BadRequest(f'{name} in version "{version}" cannot be handled as a {name}: {told}')
    elif strict and any(known == name for _, known in builtin().kinds):
        raise BadRequest(f'no kind "{name}" is registered for version "{version}"')
    item = object_of(document)
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


def invalid(item: Object, resource: Resource, problems: Sequence[Problem]) -> StatusError:
    """The refusal of an object for what is wrong with its fields, or for what is not to be had."""
    for problem in problems:
        if problem.message.startswith(INTERNAL):
            return InternalError(problem.message)
    texts = tuple(problem.message for problem in problems)
    fields = tuple((field, rest) for field, _, rest in (text.partition(": ") for text in texts))
    return Invalid.of(resource.qualified_kind, item.metadata.name, together(texts), fields)


def together(texts: Sequence[str]) -> str:
    """Several causes as one. Ref: apimachinery/pkg/util/errors/errors.go:Aggregate."""
    distinct = tuple(dict.fromkeys(texts))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"
