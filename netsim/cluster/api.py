"""The API as its users meet it: a request is authorized, its object defaulted, validated, admitted, and only then stored.

Controllers write to the store straight away, as they write nothing that would be refused. Everything is one process;
``netsim.cluster.http`` puts requests and responses before these verbs.
Ref: staging/src/k8s.io/apiserver/pkg/endpoints/handlers (v1.37).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netsim.cluster.access.attributes import Attributes
from netsim.cluster.access.authorization import Authorization
from netsim.cluster.access.escalation import check_escalation
from netsim.cluster.access.users import ADMIN, User
from netsim.cluster.admission import IMMORTAL_NAMESPACES
from netsim.cluster.admission.node_restriction import Operation, Write, restrict_node
from netsim.cluster.admission.priority import default_toleration_seconds
from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import is_mapping, mapping_at, with_value
from netsim.cluster.errors import BadRequest, Conflict, Forbidden, NotFound
from netsim.cluster.immutable import FIRST, changes_refused
from netsim.cluster.listing import WHOLE, ObjectList, Page, selection, version_number
from netsim.cluster.patching import apply as applying
from netsim.cluster.patching.patches import json_patch, merge_patch, strategic_merge
from netsim.cluster.requests import (
    DeleteOptions,
    Options,
    PatchType,
    invalid,
    object_of,
    read_object,
)
from netsim.cluster.resources import Resource, resource_of
from netsim.cluster.service_addresses import ServiceAddresses, with_addresses_of
from netsim.cluster.store import Store
from netsim.cluster.watch import Watch
from netsim.net.address import Prefix
from netsim.objects.defaults import default_document
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object
from netsim.objects.path import Problem
from netsim.objects.schema import builtin
from netsim.objects.validation import validate
from netsim.objects.validation.metadata import check_metadata_change
from netsim.objects.validation.service_families import check_cluster_ips

__all__ = ["Api", "DeleteOptions", "Options", "PatchType"]

DEFAULT = Options()
DELETE = DeleteOptions()


class Api:
    """The verbs, for one user. Every one of them raises Forbidden where the user may not do it."""

    def __init__(
        self,
        store: Store,
        clock: VirtualClock,
        service_cidrs: Sequence[Prefix],
        authorization: Authorization | None = None,
        user: User = ADMIN,
    ) -> None:
        self.store = store
        self.user = user
        self.authorization = authorization or Authorization.of_kubeadm(store)
        self._clock = clock
        self._services = ServiceAddresses(store, service_cidrs)

    def acting_as(self, user: User) -> Api:
        """The same API for another user."""
        other = object.__new__(Api)
        other.__dict__ = {**self.__dict__, "user": user}
        return other

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, key: Key, subresource: str = "") -> Object:
        """One object. Raises NotFound."""
        self.authorize("get", key, subresource=subresource)
        return self.store.get(key)

    def list(
        self, kind: str, namespace: str | None = None, labels: str = "", fields: str = "", *, page: Page = WHOLE
    ) -> ObjectList:
        """The objects of a kind that selectors select; ``namespace`` None: of all. Raises BadRequest, Expired."""
        self.authorize("list", Key(kind, namespace or "", ""), fields=fields)
        return self.store.list(kind, namespace, labels, fields, page=page)

    def list_exact(self, kind: str, namespace: str | None, labels: str, fields: str, version: str) -> ObjectList:
        """The objects as they were at a version. Raises BadRequest, Expired."""
        self.authorize("list", Key(kind, namespace or "", ""), fields=fields)
        selects = selection(kind, namespace, labels, fields)
        items = self.store.as_of(kind, version_number(version))
        return ObjectList(tuple(item for item in items if selects(item)), version)

    def watch(
        self,
        kind: str,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
        *,
        resource_version: str | None = None,
        bookmarks: bool = False,
    ) -> Watch:
        """What changes after a version, as ``Store.watch``. Raises BadRequest, Expired."""
        self.authorize("watch", Key(kind, namespace or "", ""), fields=fields)
        return self.store.watch(kind, namespace, labels, fields, resource_version=resource_version, bookmarks=bookmarks)

    # --- writing ----------------------------------------------------------------------------------------------------

    def create(self, document: Document, options: Options = DEFAULT) -> Object:
        """Make an object, its status left out. Raises StatusError."""
        item, resource = self._read(document, options)
        self.authorize("create", Key(item.kind, item.metadata.namespace, ""), item.api_version)
        if resource.status:
            item = Object.of({key: value for key, value in item.document.items() if key != "status"})
        if not item.metadata.name and item.metadata.generate_name:
            item = Object.of(with_value(item.document, ("metadata", "name"), self.store.generated_name(item)))
        managers = applying.updated({}, item.document, options.manager, ())
        return self._create(item, resource, managers, options)

    def update(self, document: Document, options: Options = DEFAULT) -> Object:
        """Replace an object. Raises StatusError: Conflict where its ``resourceVersion`` is stale, Invalid where a field may not change."""
        item, resource = self._read(document, options)
        self.authorize("update", item.key, item.api_version)
        self.store.current(item)
        return self._update(item, resource, options)

    def update_status(self, document: Document, options: Options = DEFAULT) -> Object:
        """Replace an object's status, whatever else the document says. Raises StatusError."""
        item = object_of(document)
        resource = resource_of(item.kind, item.api_version)
        if not resource.status:
            raise NotFound("the server could not find the requested resource")
        self.authorize("update", item.key, item.api_version, subresource="status")
        self.restrict(Write(Operation.UPDATE, item, self.store.get(item.key), "status"))
        return self.store.get(item.key) if options.dry_run else self.store.update_status(item)

    def patch(self, key: Key, kind: PatchType, patch: Json, options: Options = DEFAULT) -> Object:
        """Change an object by a patch. Raises StatusError."""
        self.authorize("patch", key)
        changed = _patched(self.store.get(key), kind, patch)
        item, resource = read_object(changed, strict=options.strict, patched=kind is not PatchType.STRATEGIC)
        return self._update(item, resource, options)

    def patch_status(self, key: Key, kind: PatchType, patch: Json, options: Options = DEFAULT) -> Object:
        """Change an object's status by a patch. Raises StatusError."""
        self.authorize("patch", key, subresource="status")
        item = object_of(_patched(self.store.get(key), kind, patch))
        if not resource_of(item.kind, item.api_version).status:
            raise NotFound("the server could not find the requested resource")
        self.restrict(Write(Operation.UPDATE, item, self.store.get(key), "status"))
        return self.store.get(key) if options.dry_run else self.store.update_status(item)

    def apply(self, document: Document, options: Options = DEFAULT, *, force: bool = False) -> Object:
        """Server-side apply: ``document`` is all that the manager cares for. Raises Conflict where another manages a field otherwise."""
        item, resource = self._read(document, options, defaulted=False)
        if not item.metadata.name:
            raise BadRequest("name is required for apply")
        self.authorize("patch", item.key, item.api_version)
        before = self.store.find(item.key)
        known = () if before is None else applying.read_managers(before.document)
        live = None if before is None else before.document
        merged, managers = applying.apply(live, item.document, options.manager, known, force=force)
        after = object_of(default_document(merged))
        if before is None:
            self.authorize("create", Key(item.kind, item.metadata.namespace, ""), item.api_version)
            return self._create(after, resource, managers, options)
        self.restrict(Write(Operation.UPDATE, after, before))
        after = self._checked(before, after, resource)
        if _without_managers(after.document) == _without_managers(before.document) and managers == known:
            return before
        return self.store.update(self._with_managers(after, managers), dry_run=options.dry_run)

    def delete(self, key: Key, options: DeleteOptions = DELETE) -> Object | None:
        """Delete an object; what is left of it, None where it is gone. Raises StatusError."""
        self.authorize("delete", key)
        return self._delete(self.store.get(key), options)

    def delete_collection(
        self, kind: str, namespace: str | None, labels: str = "", fields: str = "", options: DeleteOptions = DELETE
    ) -> ObjectList:
        """Delete every object that selectors select, and answer what there was. Raises StatusError."""
        self.authorize("deletecollection", Key(kind, namespace or "", ""), fields=fields)
        found = self.store.list(kind, namespace, labels, fields)
        for item in found.items:
            self._delete(item, replace(options, uid="", resource_version=""))
        return found

    # --- what every write goes through ------------------------------------------------------------------------------

    def authorize(
        self, verb: str, key: Key, api_version: str = "v1", *, subresource: str = "", fields: str = ""
    ) -> None:
        """Raises Forbidden where the user may not do something with an object, or (without a name) with its kind."""
        self.authorization.check(self.attributes(verb, key, api_version, subresource=subresource, fields=fields))

    def restrict(self, write: Write) -> None:
        """Raises Forbidden where the user is a kubelet that writes what is not its own."""
        restrict_node(self.user, write, self.store)

    def attributes(
        self, verb: str, key: Key, api_version: str = "v1", *, subresource: str = "", fields: str = ""
    ) -> Attributes:
        """What authorizers see of a verb on an object, or (without a name) on its kind."""
        resource = resource_of(key.kind, api_version)
        # A namespace is in itself: who may read it by a RoleBinding in it, may.
        place = key.name if key.kind == "Namespace" else key.namespace if resource.namespaced else ""
        return Attributes(self.user, verb, resource.plural, resource.group, place, key.name, subresource, fields=fields)

    def _read(self, document: Document, options: Options, *, defaulted: bool = True) -> tuple[Object, Resource]:
        return read_object(document, strict=options.strict, defaulted=defaulted)

    def _create(
        self, item: Object, resource: Resource, managers: Sequence[applying.Manager], options: Options
    ) -> Object:
        self.restrict(Write(Operation.CREATE, item))

        def complete(made: Object) -> Object:
            if made.kind == "Service":
                made = self._allocated(made)
                if options.dry_run:
                    self._services.forget()
            _refuse(made, resource, [*validate(made, namespaced=resource.namespaced)])
            self._check_grant(made, None)
            return self._with_managers(made, managers)

        try:
            return self.store.create(item, dry_run=options.dry_run, check=complete)
        except Exception:
            self._services.forget()
            raise

    def _update(self, item: Object, resource: Resource, options: Options) -> Object:
        before = self.store.current(item, same=False)
        self.restrict(Write(Operation.UPDATE, item, before))
        item = self._checked(before, item, resource)
        known = applying.read_managers(before.document)
        managers = applying.updated(before.document, item.document, options.manager, known)
        if _without_managers(item.document) != _without_managers(before.document):
            item = self._with_managers(item, managers)
        return self.store.update(item, dry_run=options.dry_run)

    def _delete(self, before: Object, options: DeleteOptions) -> Object | None:
        self.restrict(Write(Operation.DELETE, before=before))
        key, resource = before.key, resource_of(before.kind, before.api_version)
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

    def _checked(self, before: Object, after: Object, resource: Resource) -> Object:
        """A change with what the server fills in. Raises StatusError where it may not be."""
        if after.kind == "Pod":
            after = default_toleration_seconds(after, self.store)
        if after.kind == "Service":
            after = with_addresses_of(before, after)
            _refuse(after, resource, [*check_cluster_ips(mapping_at(after.document, "spec"))])
            if not any(changes_refused(before, after)):
                after = self._allocated(after)
        fixed, wrong = [*changes_refused(before, after)], [*validate(after, namespaced=resource.namespaced)]
        said = (fixed, wrong) if after.kind in FIRST else (wrong, fixed)
        metadata = check_metadata_change(before.document, after.document)
        _refuse(after, resource, [*metadata, *said[0], *said[1]])
        self._check_grant(after, before)
        return after

    def _check_grant(self, item: Object, before: Object | None) -> None:
        check_escalation(item, before, self.user, self.store, lambda asked: self.authorization.decide(asked).allowed)

    def _with_managers(self, item: Object, managers: Sequence[applying.Manager]) -> Object:
        entries = applying.managed_fields(managers, item.api_version, self._clock.timestamp())
        return Object.of(with_value(item.document, ("metadata", "managedFields"), entries))

    def _allocated(self, item: Object) -> Object:
        """A Service with its addresses and ports. Raises Invalid."""
        found, problems = self._services.allocate(item)
        if problems:
            raise invalid(item, resource_of("Service"), problems)
        return found


def _refuse(item: Object, resource: Resource, problems: Sequence[Problem]) -> None:
    """Raises Invalid where there are problems."""
    if problems:
        raise invalid(item, resource, problems)


def _patched(before: Object, kind: PatchType, patch: Json) -> Document:
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
            raise BadRequest(f"the {field} of the object ({given}) does not match the {field} on the URL ({stored})")
    return changed


def _without_managers(document: Document) -> Document:
    metadata = {
        k: v for k, v in mapping_at(document, "metadata").items() if k not in ("managedFields", "resourceVersion")
    }
    return {**document, "metadata": metadata}
