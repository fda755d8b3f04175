"""``metadata``: names, namespaces, labels. Ref: apimachinery/pkg/api/validation/objectmeta.go (v1.37)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.validation.findings import forbidden, invalid, required
from netsim.objects.validation.names import dns1123_label, dns1123_subdomain, label_value, qualified_name

_MAX_ANNOTATIONS: Final = 256 * 1024

_NAMES: Mapping[str, Callable[[str], str | None]] = {
    "Service": dns1123_label,  # RFC 1035 until v1.36: RelaxedServiceNameValidation lets it start with a digit
    "Namespace": dns1123_label,
}
_FREE_NAMES = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "IPAddress"})


def check_metadata(item: Object, *, namespaced: bool) -> Iterator[Problem]:
    """Name, namespace, labels and annotations."""
    meta = item.metadata
    if not meta.name:
        if meta.generate_name:
            advice = "write a name: what the API server would generate is random"
            yield required(("metadata", "name"), "generateName is not modelled", advice)
        else:
            yield required(("metadata", "name"), "name or generateName is required")
    elif item.kind not in _FREE_NAMES and (why := _NAMES.get(item.kind, dns1123_subdomain)(meta.name)):
        yield invalid(("metadata", "name"), meta.name, why)
    if meta.namespace and not namespaced:
        yield forbidden(("metadata", "namespace"), f"not allowed on this type: {item.kind} belongs to no namespace")
    elif meta.namespace and (why := dns1123_label(meta.namespace)):
        yield invalid(("metadata", "namespace"), meta.namespace, why)
    yield from check_labels(meta.labels, ("metadata", "labels"))
    for key in meta.annotations:
        if why := qualified_name(key.lower()):
            yield invalid(("metadata", "annotations", key), key, why)
    if sum(len(k) + len(v) for k, v in meta.annotations.items()) > _MAX_ANNOTATIONS:
        yield Problem(
            ("metadata", "annotations"),
            f"metadata.annotations: Too long: may not be more than {_MAX_ANNOTATIONS} bytes",
        )


def check_labels(labels: Mapping[str, str], path: Path) -> Iterator[Problem]:
    """Keys and values of labels or of an equality selector."""
    for key, value in labels.items():
        if why := qualified_name(key):
            yield invalid((*path, key), key, why)
        if why := label_value(value):
            yield invalid((*path, key), value, why)
