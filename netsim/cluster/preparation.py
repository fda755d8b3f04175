"""What the API server makes of an object before it is stored: what it owns in ``metadata``, how long a pod is given to end.

Ref: staging/src/k8s.io/apiserver/pkg/registry/{rest/{create,update,delete}.go,generic/registry/store.go} (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import list_at, mapping_at, with_value, without
from netsim.cluster.errors import Invalid
from netsim.cluster.naming import NameSource
from netsim.cluster.resources import Resource
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
"""The finalizers that keep an object until the garbage collector has attended to its dependents."""


class Propagation(Enum):
    """What becomes of an object's dependents when it is deleted: they go after it, before it, or stay."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


_OWNED = (
    *("uid", "creationTimestamp", "resourceVersion", "generation"),
    *("deletionTimestamp", "deletionGracePeriodSeconds"),
)


def named(item: Object, resource: Resource, names: NameSource, clock: VirtualClock) -> Object:
    """A new object with all that the server writes into ``metadata`` but the version. Raises Invalid where it has no name."""
    given = item.metadata
    namespace = (given.namespace or "default") if resource.namespaced else ""
    name = given.name
    if not name and given.generate_name:
        name = names.generate(f"{item.kind}/{namespace}", given.generate_name)
    if not name:
        cause = "metadata.name: Required value: name or generateName is required"
        raise Invalid.of(resource.qualified_kind, name, cause)
    metadata = replace(
        given,
        name=name,
        namespace=namespace,
        uid=given.uid or names.uid(item.kind, namespace, name),
        creation_timestamp=given.creation_timestamp or clock.timestamp(),
        generation=(given.generation or 1) if resource.generation else given.generation,
    )
    written: dict[str, Json] = {
        **mapping_at(item.document, "metadata"),
        "name": metadata.name,
        "namespace": metadata.namespace,
        "uid": metadata.uid,
        "creationTimestamp": metadata.creation_timestamp,
    }
    if not namespace:
        del written["namespace"]
    if resource.generation:
        written["generation"] = metadata.generation
    return Object(item.api_version, item.kind, metadata, {**item.document, "metadata": written})


def pending(item: Object) -> Object:
    """A new pod waits for a node, where nothing says what else it does. Ref: pkg/registry/core/pod/strategy.go:PrepareForCreate()."""
    if item.kind != "Pod" or mapping_at(item.document, "status").get("phase"):
        return item
    document = with_value(item.document, ("status", "phase"), "Pending")
    return Object(item.api_version, item.kind, item.metadata, document)


JOB_UID, JOB_NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
_LEGACY = {JOB_UID: "controller-uid", JOB_NAME: "job-name"}


TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def prepared(item: Object) -> Object:
    """A new object with what the server makes of its kind before it is validated."""
    match item.kind:
        case "Job":
            return _selecting(item)
        case "DaemonSet":  # Ref: pkg/registry/apps/daemonset/strategy.go:PrepareForCreate()
            return Object.of(with_value(item.document, ("metadata", "annotations", TEMPLATE_GENERATION), "1"))
        case _:
            return item


def _selecting(item: Object) -> Object:
    """A new Job with the labels that its pods get, and the selector that finds them. Ref: batch/job/strategy.go:generateSelector()."""
    spec = mapping_at(item.document, "spec")
    if spec.get("manualSelector") is True:
        return item
    own = {JOB_UID: item.metadata.uid, JOB_NAME: item.metadata.name}
    labels = {**own, **{_LEGACY[name]: value for name, value in own.items()}}
    template = {**labels, **mapping_at(spec, "template", "metadata", "labels")}
    selector = {JOB_UID: item.metadata.uid, **mapping_at(spec, "selector", "matchLabels")}
    document = with_value(item.document, ("spec", "template", "metadata", "labels"), template)
    document = with_value(document, ("spec", "selector", "matchLabels"), selector)
    if not item.metadata.labels:  # Ref: pkg/apis/batch/v1/defaults.go:SetDefaults_Job()
        document = with_value(document, ("metadata", "labels"), template)
    return Object.of(document)


def updated(before: Object, document: Document, resource: Resource) -> Object:
    """The object as it will be: what the server owns in ``metadata`` comes from the stored one."""
    old = mapping_at(before.document, "metadata")
    metadata = {**mapping_at(document, "metadata")}
    for name in _OWNED:
        if name in old:
            metadata[name] = old[name]
        else:
            metadata.pop(name, None)
    if resource.generation and intent(document) != intent(before.document):
        metadata["generation"] = before.metadata.generation + 1
    if before.kind == "DaemonSet":
        templates = [mapping_at(d, "spec", "template") for d in (before.document, document)]
        given = int(before.metadata.annotations.get(TEMPLATE_GENERATION, "1")) + (templates[0] != templates[1])
        metadata["annotations"] = {**mapping_at(document, "metadata", "annotations"), TEMPLATE_GENERATION: str(given)}
    return Object.of({**document, "metadata": metadata})


def intent(document: Document) -> Document:
    """All of an object but its metadata and status: what ``generation`` counts the changes of."""
    return {key: value for key, value in document.items() if key not in ("metadata", "status")}


def with_status_of(before: Object, document: Document) -> Document:
    """A document with the status that is stored, or none."""
    if "status" in before.document:
        return {**document, "status": before.document["status"]}
    return without(document, ("status",))


def stamped(item: Object, revision: int) -> Object:
    """The object as of a revision of the store."""
    version = str(revision)
    metadata = {**mapping_at(item.document, "metadata"), "resourceVersion": version}
    document = {**item.document, "metadata": metadata}
    return Object(item.api_version, item.kind, replace(item.metadata, resource_version=version), document)


def merged_condition(document: Document, condition: Mapping[str, Json]) -> list[Json]:
    """``status.conditions`` with one condition set: replaced where it is, added at the end where it is not."""
    given = mapping_at(document, "status").get("conditions")
    conditions: list[Json] = list(given) if isinstance(given, (list, tuple)) else []
    for index, item in enumerate(conditions):
        if isinstance(item, Mapping) and item.get("type") == condition["type"]:
            conditions[index] = condition
            return conditions
    return [*conditions, condition]


# --- deletion ---------------------------------------------------------------------------------------------------


def with_propagation(item: Object, propagation: Propagation) -> Object:
    """The object with the finalizer that the garbage collector attends to. Ref: store.go:deletionFinalizersForGarbageCollection()."""
    added = {Propagation.FOREGROUND: FOREGROUND, Propagation.ORPHAN: ORPHAN}.get(propagation)
    if added is None or added in item.metadata.finalizers:
        return item
    return Object.of(with_value(item.document, ("metadata", "finalizers"), [*item.metadata.finalizers, added]))


def terminating(item: Object, grace: int, timestamp: str) -> Object:
    """The object with the mark that it is being deleted. A Namespace says so in its phase too."""
    metadata = mapping_at(item.document, "metadata")
    marked = {**metadata, "deletionTimestamp": timestamp, "deletionGracePeriodSeconds": grace}
    document: Document = {**item.document, "metadata": marked}
    if item.kind == "Namespace":
        document = with_value(document, ("status", "phase"), "Terminating")
    return Object.of(document)


def may_go(item: Object) -> bool:
    """True for an object that nothing holds any more: it is being deleted, without finalizers, and its grace is over."""
    metadata = mapping_at(item.document, "metadata")
    over = not metadata.get("deletionGracePeriodSeconds")
    return item.metadata.deletion_timestamp is not None and not item.metadata.finalizers and over and not is_kept(item)


def is_kept(item: Object) -> bool:
    """True for a Namespace that its controller has not yet emptied."""
    return item.kind == "Namespace" and bool(list_at(item.document, "spec", "finalizers"))


def grace_of(item: Object, asked: int | None) -> int:
    """Seconds that a pod is given to end. Ref: pkg/registry/core/pod/strategy.go:CheckGracefulDelete() (v1.37)."""
    spec = mapping_at(item.document, "spec")
    if (
        item.kind != "Pod"
        or not spec.get("nodeName")
        or mapping_at(item.document, "status").get("phase") in ("Failed", "Succeeded")
    ):
        return 0
    if asked is not None:
        return asked
    given = spec.get("terminationGracePeriodSeconds")
    return given if isinstance(given, int) else 30
