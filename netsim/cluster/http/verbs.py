"""The verbs of objects over HTTP: parameters in, objects, lists and watches out."""

from __future__ import annotations

from collections.abc import Mapping

from netsim.cluster.api import Api
from netsim.cluster.documents import mapping_at, without
from netsim.cluster.errors import BadRequest, Expired, MethodNotAllowed, Timeout, UnsupportedMediaType
from netsim.cluster.http import status
from netsim.cluster.http.discovery import Served
from netsim.cluster.http.message import Request, Response, WatchStream
from netsim.cluster.http.path import RequestInfo
from netsim.cluster.listing import ObjectList, Page, version_number
from netsim.cluster.preparation import Propagation
from netsim.cluster.requests import DeleteOptions, Options, PatchType
from netsim.cluster.watch import EventType, Watch, WatchEvent
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object
from netsim.objects.schema import builtin, check

_INITIAL_END = "k8s.io/initial-events-end"


class Verbs:
    """The verbs of one kind, for one user."""

    def __init__(self, api: Api, served: Served) -> None:
        self._api = api
        self._served = served

    def respond(self, request: Request, info: RequestInfo) -> Response:
        """Do what is asked for. Raises StatusError."""
        key = Key(self._served.kind, info.namespace if self._served.namespaced else "", info.name)
        match info.verb:
            case "get":
                return Response(200, self._api.get(key, info.subresource).document)
            case "list":
                return Response(200, self._list(request, info))
            case "watch":
                return Response(200, stream=self._watch(request, info))
            case "create" if not info.name:
                return self._write(201, request, info, create=True)
            case "update":
                return self._write(200, request, info, create=False)
            case "patch":
                return self._patch(request, info, key)
            case "delete":
                return self._delete(request, info, key)
            case "deletecollection":
                selectors = (request.parameter("labelSelector"), request.parameter("fieldSelector"))
                found = self._api.delete_collection(
                    self._served.kind, info.namespace or None, *selectors, delete_options(request)
                )
                return Response(200, self._as_list(found))
            case _:
                raise MethodNotAllowed(info.verb, info.resource)

    # --- reading ----------------------------------------------------------------------------------------------------

    def _list(self, request: Request, info: RequestInfo) -> Document:
        selectors = (request.parameter("labelSelector"), request.parameter("fieldSelector"))
        limit, version = request.parameter("limit") or "0", request.parameter("resourceVersion")
        if not limit.isdecimal():
            raise BadRequest(f'strconv.ParseInt: parsing "{limit}": invalid syntax')
        token = request.parameter("continue")
        if token and version not in ("", "0"):
            raise BadRequest("specifying resource version is not allowed when using continue")
        self._known(version)
        page = Page(int(limit), token)
        place = info.namespace or None
        if request.parameter("resourceVersionMatch") == "Exact" and version:
            return self._as_list(self._api.list_exact(self._served.kind, place, *selectors, version))
        return self._as_list(self._api.list(self._served.kind, place, *selectors, page=page))

    def _known(self, version: str) -> None:
        """Raises Timeout for a version that is not yet written. Ref: storage/errors.go:NewTooLargeResourceVersionError()."""
        current = int(self._api.store.resource_version)
        if version and version_number(version) > current:
            raise Timeout(f"Too large resource version: {version}, current: {current}")

    def _as_list(self, found: ObjectList) -> Document:
        metadata: dict[str, Json] = {"resourceVersion": found.resource_version}
        if found.continue_token:
            metadata["continue"] = found.continue_token
        if found.remaining is not None:
            metadata["remainingItemCount"] = found.remaining
        items = [{k: v for k, v in item.document.items() if k not in ("kind", "apiVersion")} for item in found.items]
        return {
            "kind": f"{self._served.kind}List",
            "apiVersion": self._served.api_version,
            "metadata": metadata,
            "items": items,
        }

    def _watch(self, request: Request, info: RequestInfo) -> WatchStream:
        version = request.parameter("resourceVersion")
        initial = request.flag("sendInitialEvents")
        if initial and request.parameter("resourceVersionMatch") != "NotOlderThan":
            raise BadRequest("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        self._known(version)
        watch = self._api.watch(
            self._served.kind,
            info.namespace or None,
            request.parameter("labelSelector"),
            request.parameter("fieldSelector"),
            resource_version=None if initial else version,
            bookmarks=request.flag("allowWatchBookmarks"),
        )
        ends = [self._api.store.resource_version] if initial else []
        return WatchStream(lambda: self._events(watch, ends))

    def _events(self, watch: Watch, ends: list[str]) -> list[Document]:
        self._api.store.refresh()
        try:
            events = watch.events()
        except Expired as error:
            return [{"type": "ERROR", "object": status.failure(error)}]
        told: list[Document] = [self._event(event) for event in events if event.type is not EventType.BOOKMARK]
        marks = [self._event(event) for event in events if event.type is EventType.BOOKMARK]
        if ends:
            metadata: Document = {"resourceVersion": ends.pop(), "annotations": {_INITIAL_END: "true"}}
            marks = [{"type": "BOOKMARK", "object": self._mark(metadata)}]
        return told + marks

    def _event(self, event: WatchEvent) -> Document:
        if event.type is EventType.BOOKMARK:
            return {"type": "BOOKMARK", "object": self._mark(mapping_at(event.object.document, "metadata"))}
        return {"type": event.type.value, "object": event.object.document}

    def _mark(self, metadata: Document) -> Document:
        return {"kind": self._served.kind, "apiVersion": self._served.api_version, "metadata": metadata}

    # --- writing ----------------------------------------------------------------------------------------------------

    def _write(self, code: int, request: Request, info: RequestInfo, *, create: bool) -> Response:
        document = self._document(request, info)
        options = options_of(request)
        if create:
            made = self._api.create(document, options)
        elif info.subresource:
            made = self._api.update_status(document, options)
        else:
            made = self._api.update(document, options)
        return Response(code, made.document, warnings=self._warnings(request, document))

    def _document(self, request: Request, info: RequestInfo) -> Document:
        """The body, which has to be of the kind, name and namespace that the path names. Ref: handlers/create.go, update.go."""
        if not isinstance(request.body, Mapping):
            raise BadRequest("the request has no body that is an object")
        body: Document = {"kind": self._served.kind, "apiVersion": self._served.api_version, **request.body}
        if (body["apiVersion"], body["kind"]) != (self._served.api_version, self._served.kind):
            given, wanted = (
                f"{body['apiVersion']}, Kind={body['kind']}",
                f"{self._served.api_version}, Kind={self._served.kind}",
            )
            raise BadRequest(f'no kind "{body["kind"]}" is registered here: {given} is not {wanted}')
        metadata = dict(mapping_at(body, "metadata"))
        for field, wanted in (("namespace", info.namespace if self._served.namespaced else ""), ("name", info.name)):
            given_text = str(metadata.get(field) or "")
            if not wanted:
                continue
            if field == "namespace" and given_text not in ("", wanted):
                raise BadRequest(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            if field == "name" and given_text not in ("", wanted):
                raise BadRequest(f"the name of the object ({given_text}) does not match the name on the URL ({wanted})")
            metadata[field] = wanted
        return {**body, "metadata": metadata}

    def _patch(self, request: Request, info: RequestInfo, key: Key) -> Response:
        content = request.header("content-type").partition(";")[0].strip()
        try:
            kind = PatchType(content)
        except ValueError:
            accepted = ", ".join(found.value for found in PatchType)
            message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
            raise UnsupportedMediaType(message) from None
        options = options_of(request)
        if kind is PatchType.APPLY:
            if not request.parameter("fieldManager"):
                raise BadRequest(
                    "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch"
                )
            document = self._document(request, info)
            existed = self._api.store.find(key) is not None
            made = self._api.apply(document, options, force=request.flag("force"))
            return Response(200 if existed else 201, made.document, warnings=self._warnings(request, document))
        change = self._api.patch_status if info.subresource else self._api.patch
        return Response(200, change(key, kind, request.body, options).document)

    def _delete(self, request: Request, info: RequestInfo, key: Key) -> Response:
        before = self._api.store.find(key)
        left = self._api.delete(key, delete_options(request))
        if left is None and before is not None:
            return Response(200, status.gone(before, info))
        return Response(200 if left is None else 202 if left.metadata.finalizers else 200, _document_of(left))

    def _warnings(self, request: Request, document: Document) -> tuple[str, ...]:
        if request.parameter("fieldValidation") not in ("", "Warn"):
            return ()
        kind = builtin().kinds.get((self._served.api_version, self._served.kind))
        problems = [] if kind is None else check(without(document, ("metadata", "managedFields")), kind)
        return tuple(p.message for p in problems if p.message.startswith("unknown field"))


def _document_of(item: Object | None) -> Json:
    return None if item is None else item.document


def options_of(request: Request) -> Options:
    """The options of a write. Raises BadRequest."""
    validation = request.parameter("fieldValidation")
    if validation not in ("", "Strict", "Warn", "Ignore"):
        raise BadRequest(
            f'fieldValidation: Unsupported value: "{validation}": supported values: "Ignore", "Strict", "Warn"'
        )
    manager = request.parameter("fieldManager") or request.header("user-agent").partition("/")[0] or "unknown"
    return Options(_dry_run(request.parameter("dryRun")), manager, validation == "Strict")


def _dry_run(value: str) -> bool:
    if value not in ("", "All"):
        raise BadRequest(f'dryRun: Unsupported value: "{value}": supported values: "All"')
    return value == "All"


def delete_options(request: Request) -> DeleteOptions:
    """The options of a deletion, from the body or the query. Raises BadRequest."""
    body: Document = request.body if isinstance(request.body, Mapping) else {}
    policy = str(body.get("propagationPolicy") or request.parameter("propagationPolicy") or "Background")
    try:
        propagation = Propagation(policy)
    except ValueError:
        raise BadRequest(f'propagationPolicy: Unsupported value: "{policy}"') from None
    grace: Json = body.get("gracePeriodSeconds", request.parameter("gracePeriodSeconds") or None)
    if grace is not None and not str(grace).isdecimal():
        raise BadRequest(f"gracePeriodSeconds: Invalid value: {grace}: must be greater than or equal to 0")
    wanted = mapping_at(body, "preconditions")
    runs = body.get("dryRun")
    dry = str(runs[0]) if isinstance(runs, list | tuple) and runs else request.parameter("dryRun")
    return DeleteOptions(
        propagation,
        str(wanted.get("uid") or ""),
        str(wanted.get("resourceVersion") or ""),
        None if grace is None else int(str(grace)),
        _dry_run(dry),
    )
