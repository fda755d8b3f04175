"""The handler: authentication, impersonation, then the verb that method and path mean.

Tables (``as=Table``), protobuf, OpenAPI, logs, exec and port forwarding are not served: a client that asks for a table is answered with
JSON, as by servers that make none; the others get a Status that says so.
Ref: staging/src/k8s.io/apiserver/pkg/{server/config.go:DefaultBuildHandlerChain(),endpoints/installer.go} (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from netsim.cluster.access.attributes import Attributes
from netsim.cluster.access.authentication import Authentication
from netsim.cluster.access.tokens import TokenAuthority
from netsim.cluster.access.users import SERVICE_ACCOUNT_PREFIX, Credentials, User, impersonated
from netsim.cluster.api import Api
from netsim.cluster.errors import BadRequest, MethodNotAllowed, NotFound, StatusError
from netsim.cluster.http import discovery, reviews, status
from netsim.cluster.http.message import Request, Response
from netsim.cluster.http.path import RequestInfo, request_info
from netsim.cluster.http.subresources import Subresources
from netsim.cluster.http.verbs import Verbs
from netsim.objects.json import Document

_HEALTH: Final = ("/healthz", "/livez", "/readyz")
_NO_RESOURCE: Final = "the server could not find the requested resource"


class Handler:
    """One API server's function from requests to responses."""

    def __init__(self, api: Api, authentication: Authentication, tokens: TokenAuthority) -> None:
        self._api = api
        self._authentication = authentication
        self._tokens = tokens

    def handle(self, request: Request) -> Response:
        """Answer a request; what is refused is answered with a Status."""
        info = request_info(request)
        try:
            return self._respond(request, info)
        except StatusError as error:
            return Response(error.code, status.failure(error))

    def _respond(self, request: Request, info: RequestInfo) -> Response:
        user = self._user(request)
        api = self._api.acting_as(user)
        if not info.resource:
            api.authorization.check(Attributes(user, info.verb, path=info.path))
            return self._path(info)
        if (info.group, info.resource) in discovery.VIRTUAL:
            return Response(201, self._review(_body(request), info, user))
        api.store.refresh()
        found = next(
            (s for s in discovery.served(api.store) if (s.api_version, s.plural) == (info.api_version, info.resource)),
            None,
        )
        if found is None:
            raise NotFound(_NO_RESOURCE)
        if info.subresource and info.subresource != "status":
            return Subresources(api, self._tokens, found).respond(request, info)
        return Verbs(api, found).respond(request, info)

    # --- who --------------------------------------------------------------------------------------------------------

    def _user(self, request: Request) -> User:
        scheme, _, token = request.header("authorization").partition(" ")
        credentials = Credentials(token.strip() if scheme.lower() == "bearer" else "", request.certificate)
        user = self._authentication.identify(credentials).user
        name = request.header("impersonate-user")
        groups = request.headers.get("impersonate-group", ())
        if not name:
            if groups:
                raise BadRequest("requested group impersonation without impersonating a user")
            return user
        self._may_impersonate(user, name, groups)
        return impersonated(name, groups)

    def _may_impersonate(self, user: User, name: str, groups: tuple[str, ...]) -> None:
        """Ref: endpoints/filters/impersonation/impersonation.go: every part needs the verb ``impersonate``."""
        if name.startswith(SERVICE_ACCOUNT_PREFIX) and name.count(":") == 3:
            _, _, namespace, account = name.split(":")
            asked = [Attributes(user, "impersonate", "serviceaccounts", "", namespace, account)]
        else:
            asked = [Attributes(user, "impersonate", "users", name=name)]
        for attributes in (*asked, *(Attributes(user, "impersonate", "groups", name=group) for group in groups)):
            self._api.authorization.check(attributes)

    # --- what is no object ------------------------------------------------------------------------------------------

    def _path(self, info: RequestInfo) -> Response:
        if info.path.rstrip("/").startswith(_HEALTH) and info.verb == "get":
            return Response(200, text="ok")
        found = discovery.document(info.path, self._api.store) if info.verb == "get" else None
        if found is None:
            raise NotFound(_NO_RESOURCE)
        return Response(200, found)

    def _review(self, body: Document, info: RequestInfo, user: User) -> Document:
        if info.verb != "create":
            raise MethodNotAllowed(info.verb, info.resource)
        self._api.authorization.check(Attributes(user, "create", info.resource, info.group))
        kind = discovery.VIRTUAL[info.group, info.resource]
        document: Document = {**body, "kind": kind, "apiVersion": info.api_version}
        match kind:
            case "TokenReview":
                return reviews.token_review(document, self._authentication)
            case "SelfSubjectReview":
                return reviews.self_review(document, user)
            case _:
                return reviews.access_review(document, user, self._api.authorization)


def _body(request: Request) -> Document:
    if not isinstance(request.body, Mapping):
        raise BadRequest("the request has no body that is an object")
    return request.body
