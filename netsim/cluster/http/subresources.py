"""Subresources other than ``status``: binding and eviction of pods, scale, tokens of ServiceAccounts, a namespace's finalizers.

Ref: pkg/registry/core/{pod,namespace,serviceaccount}/storage, pkg/registry/apps/*/storage (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.cluster.access.tokens import LIFETIME, TokenAuthority
from netsim.cluster.admission.node_restriction import Operation, Write, restrict_token
from netsim.cluster.api import Api
from netsim.cluster.documents import list_at, mapping_at, text_at, with_value
from netsim.cluster.errors import BadRequest, MethodNotAllowed, NotFound, NotImplementedHere
from netsim.cluster.http.discovery import SCALED, Served
from netsim.cluster.http.message import Request, Response
from netsim.cluster.http.path import RequestInfo
from netsim.cluster.http.verbs import delete_options, options_of
from netsim.cluster.patching.patches import merge_patch
from netsim.cluster.selectors import of_label_selector
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

_NOT_MODELLED = ("attach", "exec", "log", "portforward", "proxy", "ephemeralcontainers", "resize")


class Subresources:
    """The subresources of one kind, for one user."""

    def __init__(self, api: Api, tokens: TokenAuthority, served: Served) -> None:
        self._api = api
        self._tokens = tokens
        self._served = served

    def respond(self, request: Request, info: RequestInfo) -> Response:
        """Do what is asked for. Raises StatusError."""
        key = Key(self._served.kind, info.namespace if self._served.namespaced else "", info.name)
        match self._served.kind, info.subresource, info.verb:
            case "Pod", "binding", "create":
                return self._bind(_body(request), key)
            case "Pod", "eviction", "create":
                self._api.authorize("create", key, subresource="eviction")
                self._api.restrict(Write(Operation.CREATE, before=self._api.store.get(key), subresource="eviction"))
                self._api.store.delete(key, grace_seconds=delete_options(request).grace_seconds)
                return Response(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
            case "ServiceAccount", "token", "create":
                return self._token(_body(request), key)
            case "Namespace", "finalize", "update":
                self._api.authorize("update", key, subresource="finalize")
                self._api.store.finalize(key)
                found = self._api.store.find(key)
                return Response(200, None if found is None else found.document)
            case kind, "scale", _ if kind in SCALED:
                return self._scale(request, info, key)
            case _, subresource, _ if subresource in _NOT_MODELLED:
                raise NotImplementedHere(
                    f"{info.resource}/{subresource} is not modelled: there are no processes behind containers"
                )
            case _, subresource, verb if subresource in ("binding", "eviction", "token", "finalize"):
                raise MethodNotAllowed(verb, f"{info.resource}/{subresource}")
            case _:
                raise NotFound("the server could not find the requested resource")

    def _bind(self, body: Document, key: Key) -> Response:
        self._api.authorize("create", key, subresource="binding")
        node = text_at(body, "target", "name")
        if not node:
            raise BadRequest("target.name: Required value")
        condition: Document = {"type": "PodScheduled", "status": "True"}
        self._api.store.bind(key, node, condition)
        return Response(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})

    def _token(self, body: Document, key: Key) -> Response:
        self._api.authorize("create", key, subresource="token")
        account, spec = self._api.store.get(key), mapping_at(body, "spec")
        restrict_token(self._api.user, account, body, self._api.store)
        seconds = spec.get("expirationSeconds")
        bound = mapping_at(spec, "boundObjectRef")
        pod = (
            self._api.store.get(Key("Pod", key.namespace, text_at(bound, "name")))
            if bound.get("kind") == "Pod"
            else None
        )
        audiences = tuple(map(str, list_at(spec, "audiences")))
        lasts = seconds if isinstance(seconds, int) else LIFETIME
        if lasts < 600:
            raise BadRequest("spec.expirationSeconds: Invalid value: may not specify a duration less than 10 minutes")
        token = self._tokens.issue(account, pod=pod, seconds=lasts, audiences=audiences)
        status: Document = {"token": token, "expirationTimestamp": self._tokens.time_after(lasts)}
        return Response(
            201, {**body, "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "status": status}
        )

    def _scale(self, request: Request, info: RequestInfo, key: Key) -> Response:
        self._api.authorize(info.verb, key, subresource="scale")
        item = self._api.store.get(key)
        match info.verb:
            case "get":
                return Response(200, _scale_of(item))
            case "update":
                wanted: Json = _body(request)
            case "patch":
                wanted = merge_patch(_scale_of(item), _body(request))
            case _:
                raise MethodNotAllowed(info.verb, f"{info.resource}/scale")
        replicas = mapping_at(wanted, "spec").get("replicas", 0) if isinstance(wanted, Mapping) else 0
        if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
            raise BadRequest(f"spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0")
        if not options_of(request).dry_run:
            item = self._api.store.update(Object.of(with_value(item.document, ("spec", "replicas"), replicas)))
        return Response(200, _scale_of(item))


def _scale_of(item: Object) -> Document:
    """``autoscaling/v1`` Scale."""
    spec = mapping_at(item.document, "spec")
    selector: Json = spec.get("selector")
    if item.kind == "ReplicationController":
        selector = {"matchLabels": selector}
    terms = ",".join(f"{key}={value}" for key, value in of_label_selector(selector).pairs)
    metadata = mapping_at(item.document, "metadata")
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = mapping_at(item.document, "status").get("replicas", 0)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {"replicas": replicas, "selector": terms},
    }


def _body(request: Request) -> Document:
    if not isinstance(request.body, Mapping):
        raise BadRequest("the request has no body that is an object")
    return request.body
