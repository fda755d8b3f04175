"""Discovery: which groups, versions and resources there are. Ref: staging/src/k8s.io/apiserver/pkg/endpoints/discovery (v1.37)."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.cluster.bootstrap import VERSION
from netsim.cluster.documents import list_at, mapping_at, strings_at, text_at
from netsim.cluster.resources import known_resources, resource_of
from netsim.cluster.watch_cache import WatchCache
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.schema import Kind, builtin

_VERBS: list[Json] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
SCALED = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")
VIRTUAL = {
    # resources that are asked and not kept: (group, plural) → kind
    ("authentication.k8s.io", "tokenreviews"): "TokenReview",
    ("authentication.k8s.io", "selfsubjectreviews"): "SelfSubjectReview",
    ("authorization.k8s.io", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    ("authorization.k8s.io", "subjectaccessreviews"): "SubjectAccessReview",
}


@dataclass(frozen=True, slots=True)
class Served:
    """A kind that is kept, as it is served in one version."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool


def served(store: WatchCache) -> tuple[Served, ...]:
    """Every kind that is kept: the built-in ones, and those of CustomResourceDefinitions."""
    known = {resource.kind for resource in known_resources()}
    own = (Served(k.name, k.api_version, k.plural, k.namespaced) for k in builtin().kinds.values() if _kept(k, known))
    return (*own, *_custom(store))


def _kept(kind: Kind, known: set[str]) -> bool:
    resource = resource_of(kind.name, kind.api_version)
    return kind.name in known and resource.group == kind.api_version.rpartition("/")[0]


def _custom(store: WatchCache) -> Iterator[Served]:
    for definition in store.list("CustomResourceDefinition").items:
        spec = mapping_at(definition.document, "spec")
        names = strings_at(spec, "names")
        for version in list_at(spec, "versions"):
            if isinstance(version, dict) and version.get("served"):
                api_version = f"{text_at(spec, 'group')}/{text_at(version, 'name')}"
                yield Served(names["kind"], api_version, names["plural"], text_at(spec, "scope") == "Namespaced")


def document(path: str, store: WatchCache) -> Document | None:
    """The discovery document at a path, None where there is none."""
    match [part for part in path.split("/") if part]:
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(n, store) for n in _groups(store)]}
        case ["apis", group] if group in _groups(store):
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, store)}
        case ["api", "v1"]:
            return _resources("v1", store)
        case ["apis", group, version] if f"{group}/{version}" in _versions(group, store):
            return _resources(f"{group}/{version}", store)
        case ["version"]:
            major, minor, _ = VERSION.removeprefix("v").split(".")
            return {"major": major, "minor": minor, "gitVersion": VERSION, "platform": "linux/amd64"}
        case _:
            return None


def _groups(store: WatchCache) -> list[str]:
    groups = {found.api_version.rpartition("/")[0] for found in served(store)} | {group for group, _ in VIRTUAL}
    return sorted(groups - {""})


def _versions(group: str, store: WatchCache) -> list[str]:
    found = {kind.api_version for kind in served(store) if kind.api_version.rpartition("/")[0] == group}
    if any(group == virtual for virtual, _ in VIRTUAL):
        found.add(f"{group}/v1")
    return sorted(found, key=lambda version: ("alpha" in version or "beta" in version, version))


def _group(name: str, store: WatchCache) -> dict[str, Json]:
    versions: list[Json] = [
        {"groupVersion": version, "version": version.rpartition("/")[2]} for version in _versions(name, store)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(api_version: str, store: WatchCache) -> Document:
    rows: list[Json] = []
    for found in sorted((s for s in served(store) if s.api_version == api_version), key=lambda s: s.plural):
        resource = resource_of(found.kind, api_version)
        row: dict[str, Json] = {
            "name": found.plural,
            "singularName": found.kind.lower(),
            "namespaced": found.namespaced,
            "kind": found.kind,
            "verbs": _VERBS,
        }
        rows.append({**row, "shortNames": list(resource.short)} if resource.short else row)
        for sub, kind in (("status", found.kind if resource.status else ""), ("scale", _scale(found.kind))):
            if kind:
                verbs: list[Json] = ["get", "patch", "update"]
                rows.append({**row, "name": f"{found.plural}/{sub}", "singularName": "", "kind": kind, "verbs": verbs})
    group = api_version.rpartition("/")[0]
    for (virtual, plural), kind in VIRTUAL.items():
        if virtual == group:
            rows.append(
                {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}
            )
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": rows}


def _scale(kind: str) -> str:
    return "Scale" if kind in SCALED else ""
