"""LimitRanger: what containers get that do not say, and what containers, pods and claims may ask for.

Ref: plugin/pkg/admission/limitranger/admission.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from netsim.cluster.admission.plugin import all_of, forbidden
from netsim.cluster.documents import list_at, mapping_at, with_value
from netsim.cluster.scheduling.placement import requests_of
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.objects.quantity import quantity

if TYPE_CHECKING:
    from netsim.cluster.store import Store


def limit_ranger_defaults(item: Object, store: Store) -> Object:
    """A pod's containers with the requests and limits that they leave out."""
    if item.kind == "Pod":
        for limit in _limits(item, store, "Container"):
            item = _defaulted(item, limit)
    return item


def limit_ranger(item: Object, store: Store) -> None:
    """Least and most of what is asked for, and how far a limit may be above its request."""
    problems: list[str] = []
    if item.kind == "Pod":
        for limit in _limits(item, store, "Container"):
            for group in ("containers", "initContainers"):
                for container in list_at(item.document, "spec", group):
                    if isinstance(container, Mapping):
                        problems += _outside(mapping_at(container, "resources"), limit, "Container")
        spec = mapping_at(item.document, "spec")
        whole: Document = {name: _texts(requests_of(spec, name)) for name in ("requests", "limits")}
        for limit in _limits(item, store, "Pod"):
            problems += _outside(whole, limit, "Pod")
    elif item.kind == "PersistentVolumeClaim":
        for limit in _limits(item, store, "PersistentVolumeClaim"):
            problems += _claimed(mapping_at(item.document, "spec", "resources", "requests"), limit)
    if problems:
        raise forbidden(item, all_of(problems))


def _limits(item: Object, store: Store, kind: str) -> Iterator[Document]:
    for limits in store.list("LimitRange", item.metadata.namespace).items:
        for limit in list_at(limits.document, "spec", "limits"):
            if isinstance(limit, Mapping) and limit.get("type") == kind:
                yield limit


def _texts(amounts: Mapping[str, Decimal]) -> dict[str, Json]:
    return {name: format(amount.normalize(), "f") for name, amount in amounts.items()}


ANNOTATION = "kubernetes.io/limit-ranger"


def _defaulted(item: Object, limit: Document) -> Object:
    document = item.document
    told: list[str] = []
    for group, word in (("containers", "container"), ("initContainers", "init container")):
        given = list_at(document, "spec", group)
        if given:
            filled = [_with_limits(c, limit) if isinstance(c, Mapping) else c for c in given]
            document = with_value(document, ("spec", group), filled)
            told += _told(given, filled, word)
    if told:
        said = f"LimitRanger plugin set: {'; '.join(told)}"
        document = with_value(document, ("metadata", "annotations", ANNOTATION), said)
        return Object.of(document)
    return item


def _told(before: Sequence[Json], after: Sequence[Json], word: str) -> Iterator[str]:
    """What was set, as the pod's annotation says it. Ref: admission.go:mergePodResourceRequirements()."""
    for old, new in zip(before, after, strict=True):
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            for group in ("requests", "limits"):
                had, has = (mapping_at(c, "resources", group) for c in (old, new))
                added = sorted(set(has) - set(had))
                if added:
                    yield f"{', '.join(added)} {group[:-1]} for {word} {new.get('name')}"


def _with_limits(container: Document, limit: Document) -> Document:
    resources = mapping_at(container, "resources")
    limits = {**mapping_at(limit, "default"), **mapping_at(resources, "limits")}
    own = mapping_at(resources, "requests")
    from_limits = {k: v for k, v in mapping_at(resources, "limits").items() if k not in own}
    requests = {**mapping_at(limit, "defaultRequest"), **from_limits, **own}
    if not limits and not requests:
        return container
    return {**container, "resources": {**resources, "limits": limits, "requests": requests}}


def _outside(resources: Document, limit: Document, kind: str) -> Iterator[str]:
    requests, limits = mapping_at(resources, "requests"), mapping_at(resources, "limits")
    for name, least in sorted(mapping_at(limit, "min").items()):
        if name not in requests:
            yield f"minimum {name} usage per {kind} is {least}.  No request is specified"
        elif quantity(requests[name]) < quantity(least):
            yield f"minimum {name} usage per {kind} is {least}, but request is {requests[name]}"
        elif name in limits and quantity(limits[name]) < quantity(least):
            yield f"minimum {name} usage per {kind} is {least}, but limit is {limits[name]}"
    for name, most in sorted(mapping_at(limit, "max").items()):
        if name not in limits:
            yield f"maximum {name} usage per {kind} is {most}.  No limit is specified"
        elif quantity(limits[name]) > quantity(most):
            yield f"maximum {name} usage per {kind} is {most}, but limit is {limits[name]}"
        elif name in requests and quantity(requests[name]) > quantity(most):
            yield f"maximum {name} usage per {kind} is {most}, but request is {requests[name]}"
    for name, ratio in sorted(mapping_at(limit, "maxLimitRequestRatio").items()):
        yield from _ratio(name, ratio, requests, limits, kind)


def _ratio(name: str, ratio: Json, requests: Document, limits: Document, kind: str) -> Iterator[str]:
    asked, most = (quantity(found[name]) if name in found else None for found in (requests, limits))
    rule = f"{name} max limit to request ratio per {kind} is {ratio}"
    if not asked:
        yield f"{rule}, but no request is specified or request is 0"
    elif not most:
        yield f"{rule}, but no limit is specified or limit is 0"
    elif most / asked > quantity(ratio):
        yield f"{rule}, but provided ratio is {most / asked:.6f}"


def _claimed(requests: Document, limit: Document) -> Iterator[str]:
    kind = "PersistentVolumeClaim"
    for name, least in sorted(mapping_at(limit, "min").items()):
        if name not in requests:
            yield f"minimum {name} usage per {kind} is {least}.  No request is specified"
        elif quantity(requests[name]) < quantity(least):
            yield f"minimum {name} usage per {kind} is {least}, but request is {requests[name]}"
    for name, most in sorted(mapping_at(limit, "max").items()):
        if name not in requests:
            yield f"maximum {name} usage per {kind} is {most}.  No request is specified"
        elif quantity(requests[name]) > quantity(most):
            yield f"maximum {name} usage per {kind} is {most}, but request is {requests[name]}"
