"""RBAC: what Roles and ClusterRoles allow to whom RoleBindings and ClusterRoleBindings name.

Ref: plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go, pkg/apis/rbac/v1/evaluation_helpers.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.cluster.access.attributes import Attributes, Decision, Opinion
from netsim.cluster.access.controller_policy import GROUP
from netsim.cluster.access.users import User, service_account_name
from netsim.cluster.documents import list_at, text_at
from netsim.cluster.watch_cache import WatchCache
from netsim.dataclass import dataclass
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object

ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """A ``PolicyRule``: verbs on resources of API groups (of some names only), or on paths that are no resources."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Document) -> Rule:
        """Read a rule."""
        parts = (
            tuple(map(str, list_at(document, key)))
            for key in ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
        )
        return cls(*parts)

    def allows(self, request: Attributes) -> bool:
        """True where it allows a request."""
        if ALL not in self.verbs and request.verb not in self.verbs:
            return False
        if not request.resource:
            return any(_url_matches(url, request.path) for url in self.urls)
        return (
            (ALL in self.groups or request.group in self.groups)
            and any(_resource_matches(resource, request) for resource in self.resources)
            and (not self.names or request.name in self.names)
        )


def _resource_matches(resource: str, request: Attributes) -> bool:
    if resource in (ALL, request.combined):
        return True
    return bool(request.subresource) and resource == f"*/{request.subresource}"


def _url_matches(url: str, path: str) -> bool:
    return url in (ALL, path) or (url.endswith(ALL) and path.startswith(url.rstrip(ALL)))


def rules_of(role: Object) -> tuple[Rule, ...]:
    """The rules of a Role or a ClusterRole."""
    return tuple(Rule.of(rule) for rule in list_at(role.document, "rules") if isinstance(rule, Mapping))


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule that a user has: through which binding, of which role, as which subject. ``problem``: the role is not there."""

    source: str
    rule: Rule | None
    problem: str = ""


def grants(store: WatchCache, user: User, namespace: str) -> Iterator[Grant]:
    """Every rule that a user has in a namespace (empty: at the cluster scope), bindings of the cluster first.

    Ref: rule.go:VisitRulesFor().
    """
    bindings = list(store.list("ClusterRoleBinding").items)
    if namespace:
        bindings += store.list("RoleBinding", namespace).items
    for binding in bindings:
        subject = next((s for s in _subjects(binding) if _is(s, user, binding.metadata.namespace)), None)
        if subject is not None:
            yield from _granted(store, binding, subject)


def _granted(store: WatchCache, binding: Object, subject: Document) -> Iterator[Grant]:
    kind, name = text_at(binding.document, "roleRef", "kind"), text_at(binding.document, "roleRef", "name")
    place = binding.metadata.namespace
    shown = f"{binding.metadata.name}/{place}" if place else binding.metadata.name
    source = f'{binding.kind} "{shown}" of {kind} "{name}" to {_described(subject, place)}'
    role = store.find(Key(kind, place if kind == "Role" else "", name))
    if role is None:
        yield Grant(source, None, f'{kind.lower()}.{GROUP} "{name}" not found')
        return
    for rule in rules_of(role):
        yield Grant(source, rule)


def _subjects(binding: Object) -> Iterator[Document]:
    for subject in list_at(binding.document, "subjects"):
        if isinstance(subject, Mapping):
            yield subject


def _is(subject: Document, user: User, namespace: str) -> bool:
    """Ref: rule.go:appliesToUser()."""
    name = text_at(subject, "name")
    match subject.get("kind"):
        case "User":
            return user.name == name
        case "Group":
            return name in user.groups
        case "ServiceAccount":
            place = text_at(subject, "namespace") or namespace
            return bool(place) and service_account_name(place, name) == user.name
        case _:
            return False


def _described(subject: Document, namespace: str) -> str:
    """Ref: rule.go:describeSubject()."""
    kind, name = text_at(subject, "kind"), text_at(subject, "name")
    if kind == "ServiceAccount":
        return f'{kind} "{name}/{text_at(subject, "namespace") or namespace}"'
    return f'{kind} "{name}"'


class RBAC:
    """Allows what some rule allows; of the rest it has no opinion."""

    name = "RBAC"

    def __init__(self, store: WatchCache) -> None:
        self._store = store

    def authorize(self, request: Attributes) -> Decision:
        """Whether some rule of the user allows a request."""
        problems: list[str] = []
        for grant in grants(self._store, request.user, request.namespace):
            if grant.problem:
                problems.append(grant.problem)
            elif grant.rule is not None and grant.rule.allows(request):
                return Decision(Opinion.ALLOW, self.name, f"RBAC: allowed by {grant.source}")
        distinct = list(dict.fromkeys(problems))
        told = distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"
        return Decision(Opinion.NO_OPINION, self.name, f"RBAC: {told}" if distinct else "")
