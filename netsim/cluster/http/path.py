"""What a path asks for. Ref: staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go (v1.37)."""

from __future__ import annotations

from netsim.cluster.http.message import Request
from netsim.dataclass import dataclass

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}
_WITHOUT_RESOURCE = ("finalize", "status")  # of a namespace, not in one


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request of a resource (``resource`` is the plural), or of a path that is none (``resource`` is empty)."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""

    @property
    def api_version(self) -> str:
        """``v1``, ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version


def request_info(request: Request) -> RequestInfo:
    """Read a path: ``/api/v1/namespaces/shop/pods/web/status``, ``/apis/apps/v1/deployments``, ``/healthz``."""
    plain = RequestInfo(request.method.lower(), request.path)
    parts = [part for part in request.path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return plain
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _WITHOUT_RESOURCE:
            rest = rest[2:]
    resource, name, subresource = rest[0], *[*rest[1:3], "", ""][:2]
    return RequestInfo(
        _verb(request, name), request.path, group, version, namespace, resource, subresource, name or _named(request)
    )


def _verb(request: Request, name: str) -> str:
    verb = _VERBS.get(request.method, "")
    if name:
        return verb
    if verb == "get":
        return "watch" if request.flag("watch") else "list"
    return "deletecollection" if verb == "delete" else verb


def _named(request: Request) -> str:
    """The one object that a list's field selector names, for who may read objects of some names only."""
    terms = request.parameter("fieldSelector").split(",")
    found = [
        term.removeprefix("metadata.name=").removeprefix("=") for term in terms if term.startswith("metadata.name=")
    ]
    return found[0] if len(found) == 1 and request.method == "GET" else ""
