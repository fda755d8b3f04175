"""Nobody gives away what they do not have: the check of Roles and Bindings that users write.

Ref: pkg/registry/rbac/{escalation_check.go,validation/rule.go,validation/policy_comparator.go,clusterrole/policybased/storage.go},
pkg/registry/rbac/rolebinding/policybased/storage.go (v1.37).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from netsim.cluster.access.attributes import Attributes
from netsim.cluster.access.controller_policy import GROUP
from netsim.cluster.access.rbac import ALL, Rule, grants, rules_of
from netsim.cluster.access.users import MASTERS, User
from netsim.cluster.documents import list_at, text_at
from netsim.cluster.errors import Forbidden
from netsim.cluster.resources import resource_of
from netsim.cluster.watch_cache import WatchCache
from netsim.objects.meta import Key, Object

Allowed = Callable[[Attributes], bool]


def check_escalation(item: Object, before: Object | None, user: User, store: WatchCache, allowed: Allowed) -> None:
    """Raises Forbidden where a user writes a Role, a ClusterRole or a binding that grants more than they have."""
    if MASTERS in user.groups or item.kind not in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        return
    if item.kind.endswith("Binding"):
        _check_binding(item, user, store, allowed)
    elif before is None or before.document.get("rules") != item.document.get("rules"):
        _check_role(item, user, store, allowed)


def _check_role(item: Object, user: User, store: WatchCache, allowed: Allowed) -> None:
    place, resource = item.metadata.namespace, resource_of(item.kind).plural
    if allowed(Attributes(user, "escalate", resource, GROUP, place, item.metadata.name)):
        return
    if "aggregationRule" in item.document and list_at(item.document, "aggregationRule", "clusterRoleSelectors"):
        everything = (Rule((ALL,), (ALL,), (ALL,)), Rule((ALL,), urls=(ALL,)))
        if list(_missing(everything, user, store, "")):
            raise _forbidden(item, "must have cluster-admin privileges to use an aggregationRule")
    _must_hold(item, rules_of(item), user, store, place)


def _check_binding(item: Object, user: User, store: WatchCache, allowed: Allowed) -> None:
    kind, name = text_at(item.document, "roleRef", "kind"), text_at(item.document, "roleRef", "name")
    place = item.metadata.namespace
    if allowed(Attributes(user, "bind", resource_of(kind).plural, GROUP, place, name)):
        return
    role = store.find(Key(kind, place if kind == "Role" else "", name))
    if role is None:
        raise _forbidden(item, f'{resource_of(kind).qualified} "{name}" not found')
    _must_hold(item, rules_of(role), user, store, place)


def _must_hold(item: Object, rules: Iterable[Rule], user: User, store: WatchCache, namespace: str) -> None:
    missing = sorted({_compact(rule) for rule in _merged(_missing(rules, user, store, namespace))})
    if missing:
        groups = " ".join(json.dumps(group) for group in user.groups)
        what = f"user {json.dumps(user.name)} (groups=[{groups}]) is attempting to grant RBAC permissions not currently held"
        raise _forbidden(item, f"{what}:\n" + "\n".join(missing))


def _missing(rules: Iterable[Rule], user: User, store: WatchCache, namespace: str) -> Iterator[Rule]:
    held = [grant.rule for grant in grants(store, user, namespace) if grant.rule is not None]
    for rule in rules:
        for part in _parts(rule):
            if not any(_covers(owned, part) for owned in held):
                yield part


def _parts(rule: Rule) -> Iterator[Rule]:
    """A rule as rules of one verb, group, resource and name each. Ref: policy_comparator.go:BreakdownRule()."""
    for verb in rule.verbs:
        for url in rule.urls:
            yield Rule((verb,), urls=(url,))
        for group in rule.groups:
            for resource in rule.resources:
                for name in rule.names or ("",):
                    yield Rule((verb,), (group,), (resource,), (name,) if name else ())


def _covers(owned: Rule, part: Rule) -> bool:
    """Ref: policy_comparator.go:ruleCovers()."""
    if ALL not in owned.verbs and part.verbs[0] not in owned.verbs:
        return False
    if part.urls:
        return any(
            part.urls[0] == url or (url.endswith(ALL) and part.urls[0].startswith(url[:-1])) for url in owned.urls
        )
    resource = part.resources[0]
    parent, slash, sub = resource.partition("/")
    in_resources = (
        ALL in owned.resources or resource in owned.resources or (bool(slash) and f"*/{sub}" in owned.resources)
    )
    in_groups = ALL in owned.groups or part.groups[0] in owned.groups
    in_names = not owned.names or (bool(part.names) and part.names[0] in owned.names)
    return bool(parent) and in_groups and in_resources and in_names


def _merged(parts: Iterable[Rule]) -> Iterator[Rule]:
    """Verbs of the same thing together. Ref: pkg/apis/rbac/v1/... validation/policy_compact.go:CompactRules()."""
    verbs: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for part in parts:
        found = verbs.setdefault((part.groups, part.resources, part.names, part.urls), [])
        if part.verbs[0] not in found:
            found.append(part.verbs[0])
    for (groups, resources, names, urls), listed in verbs.items():
        yield Rule(tuple(listed), groups, resources, names, urls)


def _compact(rule: Rule) -> str:
    """``{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}``. Ref: pkg/apis/rbac/v1/helpers.go:CompactString()."""
    parts = (
        ("APIGroups", rule.groups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.urls),
        ("ResourceNames", rule.names),
        ("Verbs", rule.verbs),
    )
    told = (f"{name}:[{' '.join(json.dumps(value) for value in values)}]" for name, values in parts if values)
    return "{" + ", ".join(told) + "}"


def _forbidden(item: Object, why: str) -> Forbidden:
    return Forbidden.of(resource_of(item.kind).qualified, item.metadata.name, why)
