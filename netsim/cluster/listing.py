"""Lists: what is selected, in which order, and in which pages.

Ref: staging/src/k8s.io/apiserver/pkg/storage/{continue.go,etcd3/store.go,errors.go} (v1.37).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable

from netsim.cluster.errors import BadRequest, Expired
from netsim.cluster.selectors import (
    EVERY_FIELD,
    EVERYTHING,
    FieldSelector,
    Selector,
    parse_field_selector,
    parse_selector,
)
from netsim.dataclass import dataclass
from netsim.objects.meta import Object

_VERSION = "meta.k8s.io/v1"
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
    "parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided "
    "token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was "
    "returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class ObjectList:
    """What a list answers: the objects in the order of their keys, and the version to watch from.

    ``continue_token`` asks for the next page, empty after the last; ``remaining`` counts what comes after this page, None where
    selectors leave that open.
    """

    items: tuple[Object, ...]
    resource_version: str
    continue_token: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: at most ``limit`` objects (0: all), from where the token of the page before says."""

    limit: int = 0
    token: str = ""


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a token says: the version that the first page was of (0: as it is now), and the key to go on from, below the kind's prefix."""

    version: int
    start: str


WHOLE = Page()


def token_of(continuation: Continuation) -> str:
    """A continue token, as the API server writes it."""
    text = json.dumps(
        {"v": _VERSION, "rv": continuation.version or -1, "start": continuation.start}, separators=(",", ":")
    )
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(token: str) -> Continuation:
    """The inverse of ``token_of``. Raises BadRequest. Ref: continue.go:DecodeContinue()."""
    try:
        value = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        version, start, form = value["rv"], value["start"], value["v"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"continue key is not valid: {error}") from error
    if form != _VERSION or not isinstance(version, int) or not isinstance(start, str):
        raise BadRequest("continue key is not valid: server does not recognize this encoded version")
    if not version:
        raise BadRequest("continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    if not start or ".." in start.split("/"):
        raise BadRequest("continue key is not valid: encoded start key empty (version meta.k8s.io/v1)")
    return Continuation(max(version, 0), start)


def too_old(continuation: Continuation) -> Expired:
    """The refusal of a token whose version was compacted, with a token that goes on in the list as it is now."""
    return Expired(_TOO_OLD, continue_token=token_of(Continuation(0, continuation.start)))


def selection(
    kind: str,
    namespace: str | None,
    label_selector: Selector | str = EVERYTHING,
    field_selector: FieldSelector | str = EVERY_FIELD,
) -> Callable[[Object], bool]:
    """Whether an object is in a namespace (None: any) and meets the selectors. Raises BadRequest for one that cannot be read."""
    labels = parse_selector(label_selector) if isinstance(label_selector, str) else label_selector
    fields = parse_field_selector(kind, field_selector) if isinstance(field_selector, str) else field_selector

    def selects(item: Object) -> bool:
        return (
            (namespace is None or item.metadata.namespace == namespace)
            and labels.matches(item.metadata.labels)
            and fields.matches(item)
        )

    return selects


def version_number(text: str | None) -> int:
    """A resource version as a number. Raises BadRequest. Ref: storage/api_object_versioner.go:ParseResourceVersion()."""
    if text is None or not text.isdecimal():
        raise BadRequest(f"invalid resource version: {text!r}")
    return int(text)
