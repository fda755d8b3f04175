"""ConfigMaps, Secrets and claims of storage. Ref: pkg/apis/core/validation/validation.go (v1.37)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.objects.json import Json
from netsim.objects.meta import Object
from netsim.objects.path import Problem
from netsim.objects.validation import names
from netsim.objects.validation.findings import invalid, required

_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_MAX_BYTES = 1024 * 1024


def check_config(item: Object) -> Iterator[Problem]:
    """A ConfigMap or a Secret: its keys, and that it is not too large."""
    size, groups = 0, ("data", "binaryData")
    seen: set[str] = set()
    for group in groups:
        for key, value in _mapping(item.document.get(group)).items():
            if why := names.config_key(key):
                yield invalid((group, key), key, why)
            if key in seen:
                yield invalid((group, key), key, "duplicate of key present in data")
            seen.add(key)
            size += len(str(value).encode())
    if size > _MAX_BYTES:
        yield Problem((), f"[]: Too long: may not be more than {_MAX_BYTES} bytes")


def check_claim(item: Object) -> Iterator[Problem]:
    """A PersistentVolumeClaim: how it is to be mounted, and how much it asks for."""
    spec = _mapping(item.document.get("spec"))
    modes = spec.get("accessModes")
    if not modes or not isinstance(modes, list | tuple):
        yield required(("spec", "accessModes"), "at least 1 access mode is required")
    else:
        for index, mode in enumerate(modes):
            if mode not in _MODES:
                listed = ", ".join(f'"{word}"' for word in sorted(_MODES))
                path = ("spec", "accessModes", index)
                yield Problem(
                    path, f'spec.accessModes[{index}]: Unsupported value: "{mode}": supported values: {listed}'
                )
    requests = _mapping(_mapping(spec.get("resources")).get("requests"))
    if "storage" not in requests:
        yield required(("spec", "resources", "requests", "storage"))


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
