"""``metadata``: names, namespaces, labels. Ref: apimachinery/pkg/api/validation/objectmeta.go (v1.37)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from netsim.objects.json import Document, Json
from netsim.objects.meta import Object, OwnerReference
from netsim.objects.path import Path, Problem
from netsim.objects.validation import names
from netsim.objects.validation.findings import each_invalid, forbidden, invalid, required, too_long
from netsim.objects.validation.parts import items_at, mapping_at, text_at, texts_at

_MAX_ANNOTATIONS: Final = 256 * 1024
_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"
_STANDARD_FINALIZERS: Final = ("kubernetes", _ORPHAN, _FOREGROUND)

_NAMES: Mapping[str, names.Rule] = {
    "Service": names.dns1123_label,  # RFC 1035 until v1.36: RelaxedServiceNameValidation lets it start with a digit
    "Namespace": names.dns1123_label,
    # Ref: pkg/apis/rbac/validation: what fits into a path
    **dict.fromkeys(("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"), names.path_segment),
    "IPAddress": lambda _: (),  # its own rule: an address
}


def check_metadata(item: Object, *, namespaced: bool) -> Iterator[Problem]:
    """Name, namespace, labels, annotations, owners and finalizers."""
    meta = item.metadata
    path: Path = ("metadata", "name")
    if not meta.name and meta.generate_name:
        advice = "write a name: what the API server would generate is random"
        yield required(path, "generateName is not modelled", advice)
    elif not meta.name:
        yield required(path, "name or generateName is required")
    else:
        yield from each_invalid(path, meta.name, _NAMES.get(item.kind, names.dns1123_subdomain)(meta.name))
    if meta.namespace and not namespaced:
        advice = f"a {item.kind} belongs to no namespace"
        yield forbidden(("metadata", "namespace"), "not allowed on this type", advice)
    elif meta.namespace:
        yield from each_invalid(("metadata", "namespace"), meta.namespace, names.dns1123_label(meta.namespace))
    yield from check_labels(meta.labels, ("metadata", "labels"))
    yield from check_annotations(meta.annotations, ("metadata", "annotations"))
    for index, owner in enumerate(meta.owner_references):
        yield from _check_owner(owner, ("metadata", "ownerReferences", index))
    yield from _check_finalizers(meta.finalizers)


def check_labels(labels: Mapping[str, str], path: Path, *, at: Path | None = None) -> Iterator[Problem]:
    """Keys and values of labels or of an equality selector; of several wrong ones the API server begins with any."""
    for key, value in sorted(labels.items()):
        yield from each_invalid((*path, key), key, names.qualified_name(key), at=at or path)
        yield from each_invalid((*path, key), value, names.label_value(value), at=at or path)


def check_selector(selector: Document, path: Path, *, values: bool = True) -> Iterator[Problem]:
    """A ``metav1.LabelSelector``. Ref: apimachinery/pkg/apis/meta/v1/validation:ValidateLabelSelector()."""
    yield from check_labels(texts_at(selector, "matchLabels"), (*path, "matchLabels"))
    for where, requirement in items_at(selector, (*path, "matchExpressions")):
        given = requirement.get("values") or ()
        match requirement.get("operator"):
            case "In" | "NotIn":
                if not given:
                    yield required((*where, "values"), "must be specified when `operator` is 'In' or 'NotIn'")
            case "Exists" | "DoesNotExist":
                if given:
                    why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                    yield forbidden((*where, "values"), why)
            case operator:
                yield invalid((*where, "operator"), operator or "", "not a valid selector operator")
        key = text_at(requirement, "key")
        yield from each_invalid((*where, "key"), key, names.qualified_name(key))
        for index, value in enumerate(given if values and isinstance(given, list | tuple) else ()):
            yield from each_invalid((*where, "values", index), value, names.label_value(str(value)))


def check_annotations(annotations: Mapping[str, str], path: Path, *, at: Path | None = None) -> Iterator[Problem]:
    """Keys of annotations, and how long they are together."""
    for key in sorted(annotations):
        yield from each_invalid((*path, key), key, names.qualified_name(key.lower()), at=at or path)
    if sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items()) > _MAX_ANNOTATIONS:
        yield too_long(at or path, _MAX_ANNOTATIONS)


def _check_owner(owner: OwnerReference, path: Path) -> Iterator[Problem]:
    given = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
    for field, value in given.items():
        if not value:
            yield required((*path, field), "must not be empty")
        elif field == "apiVersion" and (value.count("/") > 1 or value.endswith("/")):
            yield invalid((*path, field), value, "must be <group>/<version> or <version>")


def _check_finalizers(finalizers: tuple[str, ...]) -> Iterator[Problem]:
    path: Path = ("metadata", "finalizers")
    for index, name in enumerate(finalizers):
        yield from each_invalid((*path, index), name, names.qualified_name(name), at=path)
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            yield invalid((*path, index), name, "name is neither a standard finalizer name nor is it fully qualified")
    if _ORPHAN in finalizers and _FOREGROUND in finalizers:
        why = f"finalizer {_FOREGROUND} and {_ORPHAN} cannot be both set"
        yield invalid(path, list(finalizers), why)


# --- changes ----------------------------------------------------------------------------------------------------


def check_metadata_change(before: Document, after: Document) -> Iterator[Problem]:
    """What of ``metadata`` stays as it is. Ref: objectmeta.go:ValidateObjectMetaAccessorUpdate()."""
    old, new = mapping_at(before, "metadata"), mapping_at(after, "metadata")
    if old.get("deletionTimestamp"):
        added = sorted({str(f) for f in _listed(new)} - {str(f) for f in _listed(old)})
        if added:
            told = ", ".join(f'"{name}"' for name in added)
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{told}}}"
            yield forbidden(("metadata", "finalizers"), why)
    uid = new.get("uid")
    if uid and uid != old.get("uid"):
        yield invalid(("metadata", "uid"), uid, "field is immutable")


def _listed(metadata: Document) -> tuple[Json, ...]:
    found = metadata.get("finalizers")
    return tuple(found) if isinstance(found, list | tuple) else ()
