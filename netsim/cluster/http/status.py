"""Status objects: how an API server says that something was refused, or is done.

Ref: staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go:Status, pkg/api/errors/errors.go (v1.37).
"""

from __future__ import annotations

from netsim.cluster.errors import Expired, InternalError, Invalid, StatusError
from netsim.cluster.http.path import RequestInfo
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.objects.service_allocation import INTERNAL

_REASONS = {
    # how a finding begins: the reason of its cause. Ref: apimachinery/pkg/util/validation/field/errors.go:ErrorType
    "Required value": "FieldValueRequired",
    "Invalid value": "FieldValueInvalid",
    "Duplicate value": "FieldValueDuplicate",
    "Unsupported value": "FieldValueNotSupported",
    "Forbidden": "FieldValueForbidden",
    "Not found": "FieldValueNotFound",
    "Too long": "FieldValueTooLong",
    "Too many": "FieldValueTooMany",
}


def failure(error: StatusError) -> Document:
    """The Status of a refused request."""
    metadata: dict[str, Json] = {}
    if isinstance(error, Expired) and error.continue_token:
        metadata["continue"] = error.continue_token
    status: dict[str, Json] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": metadata,
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "code": error.code,
    }
    if not error.reason:
        del status["reason"]
    details = _details(error)
    return {**status, "details": details} if details else status


def _details(error: StatusError) -> Document:
    details: dict[str, Json] = {"name": error.name, "group": error.group, "kind": error.kind}
    if isinstance(error, Invalid):
        details["causes"] = [_cause(field, text) for field, text in error.fields]
    elif isinstance(error, InternalError):
        details["causes"] = [{"message": error.message.removeprefix(INTERNAL)}]
    return {key: value for key, value in details.items() if value}


def _cause(field: str, text: str) -> Document:
    kind = text.partition(":")[0]
    return {"reason": _REASONS.get(kind, "FieldValueInvalid"), "message": text, "field": field}


def gone(item: Object, info: RequestInfo) -> Document:
    """The Status of an object that was deleted and is gone."""
    details: dict[str, Json] = {
        "name": item.metadata.name,
        "group": info.group,
        "kind": info.resource,
        "uid": item.metadata.uid,
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
