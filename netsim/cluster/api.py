"""The API as its users meet it: what is asked for is defaulted, validated, admitted, and only then stored.

Controllers write to the store straight away, as they write nothing that would be refused. Everything is one process: an HTTP server
would stand in front of these verbs. Ref: staging/src/k8s.io/apiserver/pkg/endpoints/handlers (v1.37).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from netsim.cluster.admission import IMMORTAL_NAMESPACES
from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import is_mapping, mapping_at, with_value
from netsim.cluster.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound
from netsim.cluster.immutable import changes_refused
from netsim.cluster.patching import apply as applying
from netsim.cluster.patching.patches import json_patch, merge_patch, strategic_merge
from netsim.cluster.resources import Resource, resource_of
from netsim.cluster.store import Propagation, Store
from netsim.net.address import Prefix
from netsim.objects.defaults import default_document
from netsim.objects.json import DecodeError, Document, Json
from netsim.objects.meta import Key, Object
from netsim.objects.path import Problem, path_text
from netsim.objects.schema import builtin, check
from netsim.objects.service_allocation import Allocations
from netsim.objects.validation import validate


class PatchType(Enum):
    """The content types of a patch."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


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


DEFAULT = Options()
DELETE = DeleteOptions()


class Api:
    """The verbs that change objects. Reading and watching is the store's: ``get``, ``list``, ``watch``."""

    def __init__(self, store: Store, clock: VirtualClock, service_cidrs: Sequence[Prefix]) -> None:
        self.store = store
        self._clock = clock
        self._service_cidrs = tuple(service_cidrs)

    # --- verbs ------------------------------------------------------------------------------------------------------

    def create(self, document: Document, options: Options = DEFAULT) -> Object:
        """Make an object, its status left out. Raises StatusError."""
        item, resource = self._read(document, options)
        if resource.status:
            item = Object.of({key: value for key, value in item.document.items() if key != "status"})
        if not item.metadata.name and item.metadata.generate_name:
            item = Object.of(with_value(item.document, ("metadata", "name"), self.store.generated_name(item)))
        if item.kind == "Service":
            item = self._allocated(item)
        self._validate(item, resource)
        item = self._with_managers(item, applying.updated({}, item.document, options.manager, ()))
        return self.store.create(item, dry_run=options.dry_run)

    def update(self, document: Document, options: Options = DEFAULT) -> Object:
        """Replace an object. Raises StatusError: Conflict where its ``resourceVersion`` is stale, Invalid where a field may not change."""
        item, resource = self._read(document, options)
        before = self.store.get(item.key)
        if item.kind == "Service":
            item = self._allocated(_with_addresses(before, item))
        return self._replace(before, item, resource, options)

    def update_status(self, document: Document, options: Options = DEFAULT) -> Object:
        """Replace an object's status, whatever else the document says. Raises StatusError."""
        item = _object(document)
        resource = resource_of(item.kind, item.api_version)
        if not resource.status:
            raise NotFound("the server could not find the requested resource")
        return self.store.get(item.key) if options.dry_run else self.store.update_status(item)

    def patch(self, key: Key, kind: PatchType, patch: Json, options: Options = DEFAULT) -> Object:
        """Change an object by a patch. Raises StatusError."""
        before = self.store.get(key)
        match kind:
            case PatchType.JSON if isinstance(patch, Sequence) and not isinstance(patch, str):
                changed: Json = json_patch(before.document, patch)
            case PatchType.MERGE if is_mapping(patch):
                changed = merge_patch(before.document, patch)
            case PatchType.STRATEGIC if is_mapping(patch):
                if (before.api_version, before.kind) not in builtin().kinds:
                    raise BadRequest("strategic merge patch is not supported for custom resources")
                changed = strategic_merge(before.document, patch)
            case _:
                raise BadRequest(f"the body is not a patch of type {kind.value}")
        assert is_mapping(changed)
        for field in ("name", "namespace"):
            given, stored = (mapping_at(d, "metadata").get(field) for d in (changed, before.document))
            if given != stored:
                raise BadRequest(
                    f"the {field} of the object ({given}) does not match the {field} on the URL ({stored})"
                )
        return self.update(changed, options)

    def apply(self, document: Document, options: Options = DEFAULT, *, force: bool = False) -> Object:
        """Server-side apply: ``document`` is all that the manager cares for. Raises Conflict where another manages a field otherwise."""
        item, resource = self._read(document, options, defaulted=False)
        if not item.metadata.name:
            raise BadRequest("name is required for apply")
        before = self.store.find(item.key)
        known = () if before is None else applying.read_managers(before.document)
        live = None if before is None else before.document
        merged, managers = applying.apply(live, item.document, options.manager, known, force=force)
        if before is None:
            made = (
                self._allocated(_object(default_document(merged)))
                if item.kind == "Service"
                else _object(default_document(merged))
            )
            self._validate(made, resource)
            return self.store.create(self._with_managers(made, managers), dry_run=options.dry_run)
        after = _object(default_document(merged))
        if after.kind == "Service":
            after = self._allocated(after)
        self._check_change(before, after, resource)
        if _without_managers(after.document) == _without_managers(before.document) and managers == known:
            return before
        return self.store.update(self._with_managers(after, managers), dry_run=options.dry_run)

    def delete(self, key: Key, options: DeleteOptions = DELETE) -> Object | None:
        """Delete an object; what is left of it, None where it is gone. Raises StatusError."""
        before = self.store.get(key)
        resource = resource_of(key.kind, before.api_version)
        if key.kind == "Namespace" and key.name in IMMORTAL_NAMESPACES:
            raise Forbidden.of("namespaces", key.name, "this namespace may not be deleted")
        for what, wanted, found in (
            ("UID", options.uid, before.metadata.uid),
            ("ResourceVersion", options.resource_version, before.metadata.resource_version),
        ):
            if wanted and wanted != found:
                cause = f"Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
                raise Conflict.of(resource.qualified, key.name, cause)
        if options.dry_run:
            return before
        return self.store.delete(key, grace_seconds=options.grace_seconds, propagation=options.propagation)

    # --- what every write goes through ------------------------------------------------------------------------------

    def _read(self, document: Document, options: Options, *, defaulted: bool = True) -> tuple[Object, Resource]:
        item = _object(document)
        kind = builtin().kinds.get((item.api_version, item.kind))
        if kind is not None:
            problems = list(check(document, kind))
            unknown = [p for p in problems if p.message.startswith("unknown field")]
            wrong = [p for p in problems if not p.message.startswith("unknown field")]
            if wrong:
                raise Invalid.of(
                    resource_of(item.kind, item.api_version).qualified_kind, item.metadata.name, _causes(wrong)
                )
            if unknown and options.strict:
                version = item.api_version.rpartition("/")[2]
                said = ", ".join(p.message for p in unknown)
                text = f'{item.kind} in version "{version}" cannot be handled as a {item.kind}: strict decoding error: {said}'
                raise BadRequest(text)
        resource = resource_of(item.kind, item.api_version)
        if resource.namespaced and not item.metadata.namespace:
            item = _object(with_value(item.document, ("metadata", "namespace"), "default"))
        return (_object(default_document(item.document)) if defaulted else item), resource

    def _replace(self, before: Object, item: Object, resource: Resource, options: Options) -> Object:
        self._check_change(before, item, resource)
        known = applying.read_managers(before.document)
        managers = applying.updated(before.document, item.document, options.manager, known)
        if _without_managers(item.document) != _without_managers(before.document):
            item = self._with_managers(item, managers)
        return self.store.update(item, dry_run=options.dry_run)

    def _check_change(self, before: Object, after: Object, resource: Resource) -> None:
        self._validate(after, resource)
        causes = list(changes_refused(before, after))
        if causes:
            raise Invalid.of(resource.qualified_kind, after.metadata.name, _together(causes))

    def _validate(self, item: Object, resource: Resource) -> None:
        problems = list(validate(item, namespaced=resource.namespaced))
        if problems:
            raise Invalid.of(resource.qualified_kind, item.metadata.name, _causes(problems))

    def _with_managers(self, item: Object, managers: Sequence[applying.Manager]) -> Object:
        entries = applying.managed_fields(managers, item.api_version, self._clock.timestamp())
        return Object.of(with_value(item.document, ("metadata", "managedFields"), entries))

    def _allocated(self, item: Object) -> Object:
        """A Service with its addresses and ports, none of which another one has. Raises Invalid."""
        pools = Allocations.of(self._service_cidrs)
        others = (s for s in self.store.list("Service").items if s.key != item.key)
        for other in others:
            list(pools.reserve(other.key, default_document(other.document)))
        draft = default_document(item.document)
        problems = [*pools.reserve(item.key, draft), *pools.allocate(item.key, draft)]
        if problems:
            raise Invalid.of("Service", item.metadata.name, _causes(list(dict.fromkeys(problems))))
        return Object.of(draft)


def _object(document: Document) -> Object:
    try:
        return Object.of(document)
    except DecodeError as error:
        raise BadRequest(str(error)) from error


def _without_managers(document: Document) -> Document:
    metadata = {
        k: v for k, v in mapping_at(document, "metadata").items() if k not in ("managedFields", "resourceVersion")
    }
    return {**document, "metadata": metadata}


def _with_addresses(before: Object, after: Object) -> Object:
    """An update that leaves out the addresses keeps them. Ref: pkg/registry/core/service/strategy.go:patchAllocatedValues()."""
    spec, old = mapping_at(after.document, "spec"), mapping_at(before.document, "spec")
    if "ExternalName" in (spec.get("type"), old.get("type")):
        return after
    kept = {
        k: old[k] for k in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy") if k in old and not spec.get(k)
    }
    return Object.of({**after.document, "spec": {**spec, **kept}})


def _causes(problems: Sequence[Problem]) -> str:
    return _together([f"{path_text(p.path)}: {p.message}" if not _placed(p) else p.message for p in problems])


def _placed(problem: Problem) -> bool:
    text = path_text(problem.path)
    return not text or problem.message.startswith(f"{text}:")


def _together(causes: Sequence[str]) -> str:
    return causes[0] if len(causes) == 1 else f"[{', '.join(causes)}]"
