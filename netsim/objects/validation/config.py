"""ConfigMaps and Secrets. Ref: pkg/apis/core/validation/validation.go:{ValidateConfigMap,ValidateSecret}() (v1.37)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Final

from netsim.objects.json import Json
from netsim.objects.meta import Object
from netsim.objects.path import Problem
from netsim.objects.validation import names
from netsim.objects.validation.findings import MapKey, each_invalid, required
from netsim.objects.validation.parts import mapping_at, text_at

_MAX_BYTES: Final = 1024 * 1024
_NEEDS: Mapping[str, tuple[str, ...]] = {
    # the keys that a Secret of a type has to have
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
}


def check_config_map(item: Object) -> Iterator[Problem]:
    """A ConfigMap: its keys, and that it is not too large."""
    data, binary = (mapping_at(item.document, name) for name in ("data", "binaryData"))
    for key in sorted(data):
        reasons = names.config_key(key)
        yield from each_invalid(("data", MapKey(key)), key, reasons)
        if key in binary:
            yield from each_invalid(("data", MapKey(key)), key, ("duplicate of key present in binaryData",))
    for key in sorted(binary):
        yield from each_invalid(("binaryData", MapKey(key)), key, names.config_key(key))
    size = sum(len(str(v).encode()) for v in data.values()) + sum(_decoded(v) for v in binary.values())
    if size > _MAX_BYTES:
        yield _too_large("[]")


def check_secret(item: Object) -> Iterator[Problem]:
    """A Secret: its keys, those of its type, and that it is not too large."""
    data = {**mapping_at(item.document, "data"), **mapping_at(item.document, "stringData")}
    for key in sorted(data):
        yield from each_invalid(("data", MapKey(key)), key, names.config_key(key))
    if sum(_decoded(value) for value in data.values()) > _MAX_BYTES:
        yield _too_large("data")
    for key in _NEEDS.get(text_at(item.document, "type"), ()):
        if key not in data:
            yield required(("data", MapKey(key)))


def _too_large(field: str) -> Problem:
    return Problem((), f"{field}: Too long: may not be more than {_MAX_BYTES} bytes")


def _decoded(value: Json) -> int:
    """The bytes that a base64 text stands for."""
    try:
        return len(base64.b64decode(str(value)))
    except (ValueError, binascii.Error):
        return len(str(value))
