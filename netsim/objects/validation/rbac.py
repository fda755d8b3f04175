"""Roles and bindings. Ref: pkg/apis/rbac/validation/validation.go (v1.37)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.validation import names
from netsim.objects.validation.findings import each_invalid, invalid, required, unsupported

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS: Mapping[str, str] = {"ServiceAccount": "", "User": _GROUP, "Group": _GROUP}
"""The kinds of subjects, and the API group of each."""


def check_role(item: Object) -> Iterator[Problem]:
    """A Role or a ClusterRole: each rule says verbs, and either resources or (in a ClusterRole) paths."""
    for path, rule in _each(item.document.get("rules"), ("rules",)):
        yield from _check_rule(rule, path, namespaced=item.kind == "Role")


def _check_rule(rule: Document, path: Path, *, namespaced: bool) -> Iterator[Problem]:
    if not rule.get("verbs"):
        yield required((*path, "verbs"), "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            yield invalid((*path, "nonResourceURLs"), urls, "namespaced rules cannot apply to non-resource URLs")
        if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            yield invalid((*path, "nonResourceURLs"), urls, why)
        return
    if not rule.get("apiGroups"):
        yield required((*path, "apiGroups"), "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield required((*path, "resources"), "resource rules must supply at least one resource")


def check_binding(item: Object) -> Iterator[Problem]:
    """A RoleBinding or a ClusterRoleBinding: what it binds, and to whom."""
    role = item.document.get("roleRef")
    reference: Document = role if isinstance(role, Mapping) else {}
    if reference.get("apiGroup") not in (None, "", _GROUP):
        yield unsupported(("roleRef", "apiGroup"), str(reference.get("apiGroup")), (_GROUP,))
    kinds = ("Role", "ClusterRole") if item.kind == "RoleBinding" else ("ClusterRole",)
    if reference.get("kind") not in kinds:
        yield unsupported(("roleRef", "kind"), str(reference.get("kind", "")), kinds)
    name = str(reference.get("name") or "")
    if not name:
        yield required(("roleRef", "name"))
    yield from each_invalid(("roleRef", "name"), name, names.path_segment(name))
    for path, subject in _each(item.document.get("subjects"), ("subjects",)):
        yield from _check_subject(subject, path, in_namespace=item.kind == "RoleBinding")


def _check_subject(subject: Document, path: Path, *, in_namespace: bool) -> Iterator[Problem]:
    kind = str(subject.get("kind", ""))
    name = str(subject.get("name") or "")
    if not name:
        yield required((*path, "name"))
    elif kind == "ServiceAccount":
        yield from each_invalid((*path, "name"), name, names.dns1123_subdomain(name))
    if kind not in _SUBJECTS:
        yield unsupported((*path, "kind"), kind, tuple(_SUBJECTS))
        return
    if subject.get("apiGroup") not in (None, "", _SUBJECTS[kind]):
        yield unsupported((*path, "apiGroup"), str(subject.get("apiGroup")), (_SUBJECTS[kind],))
    if kind == "ServiceAccount" and not in_namespace and not subject.get("namespace"):
        yield required((*path, "namespace"))


def _each(value: Json, path: Path) -> Iterator[tuple[Path, Document]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        for index, entry in enumerate(value):
            if isinstance(entry, Mapping):
                yield (*path, index), entry
