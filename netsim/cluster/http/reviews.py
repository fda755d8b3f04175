"""Reviews: questions about tokens and rights that are answered and not kept.

Ref: pkg/registry/{authorization,authentication} (v1.37).
"""

from __future__ import annotations

from netsim.cluster.access.attributes import Attributes
from netsim.cluster.access.authentication import Authentication
from netsim.cluster.access.authorization import Authorization
from netsim.cluster.access.users import Credentials, User
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.errors import BadRequest, StatusError
from netsim.objects.json import Document, Json


def access_review(document: Document, user: User, authorization: Authorization) -> Document:
    """A SubjectAccessReview of the user that it names, or a SelfSubjectAccessReview of who asks, with its status."""
    spec = mapping_at(document, "spec")
    if document.get("kind") == "SubjectAccessReview":
        user = User(text_at(spec, "user"), tuple(map(str, list_at(spec, "groups"))), text_at(spec, "uid"))
        if not user.name and not user.groups:
            raise BadRequest("at least one of user or group must be specified")
    resource, path = mapping_at(spec, "resourceAttributes"), mapping_at(spec, "nonResourceAttributes")
    if bool(resource) == bool(path):
        raise BadRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    names = ("verb", "resource", "group", "namespace", "name", "subresource")
    request = (
        Attributes(user, *(text_at(resource, name) for name in names))
        if resource
        else Attributes(user, text_at(path, "verb"), path=text_at(path, "path"))
    )
    decision = authorization.decide(request)
    status: dict[str, Json] = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return {**document, "status": status}


def token_review(document: Document, authentication: Authentication) -> Document:
    """A TokenReview with its status."""
    try:
        found = authentication.identify(Credentials(text_at(document, "spec", "token") or "-"))
    except StatusError as error:
        return {**document, "status": {"user": {}, "error": str(error)}}
    return {**document, "status": {"authenticated": True, "user": user_info(found.user)}}


def self_review(document: Document, user: User) -> Document:
    """A SelfSubjectReview: who one is."""
    return {**document, "status": {"userInfo": user_info(user)}}


def user_info(user: User) -> dict[str, Json]:
    """``authentication.k8s.io/v1`` UserInfo."""
    found: dict[str, Json] = {"username": user.name, "uid": user.uid, "groups": list(user.groups)}
    found["extra"] = {key: list(values) for key, values in sorted(user.extra.items())}
    return {key: value for key, value in found.items() if value}
