"""How lists are merged: by which keys their items are told apart.

Ref: patchStrategy, patchMergeKey, listType and listMapKey in staging/src/k8s.io/api/*/types.go (v1.37). A list that is not here is atomic.
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ListMerge:
    """``strategic``: the key of a strategic merge; ``applied``: the keys of server-side apply. Both empty: a set of scalars."""

    strategic: str = ""
    applied: tuple[str, ...] = ()

    @property
    def is_set(self) -> bool:
        """True for a list of scalars that is merged as a set."""
        return not self.applied


def _by(*keys: str) -> ListMerge:
    return ListMerge(keys[0], keys)


_NAMED = _by("name")
# (the field around it, the field): "" stands for any field around it. ``ports`` are of a container or of a Service.
_LISTS: Mapping[tuple[str, str], ListMerge] = {
    ("", "containers"): _NAMED,
    ("", "initContainers"): _NAMED,
    ("", "ephemeralContainers"): _NAMED,
    ("", "volumes"): _NAMED,
    ("", "env"): _NAMED,
    ("", "imagePullSecrets"): _NAMED,
    ("", "secrets"): _NAMED,
    ("", "resourceClaims"): _NAMED,
    ("", "schedulingGates"): _NAMED,
    ("", "volumeMounts"): _by("mountPath"),
    ("", "volumeDevices"): _by("devicePath"),
    ("", "hostAliases"): _by("ip"),
    ("", "topologySpreadConstraints"): _by("topologyKey", "whenUnsatisfiable"),
    ("", "conditions"): _by("type"),
    ("status", "addresses"): _by("type"),
    ("metadata", "ownerReferences"): _by("uid"),
    ("metadata", "finalizers"): ListMerge(),
    ("containers", "ports"): _by("containerPort", "protocol"),
    ("initContainers", "ports"): _by("containerPort", "protocol"),
    ("spec", "ports"): _by("port", "protocol"),
}
DEFAULTS: Mapping[str, str] = {"protocol": "TCP"}
"""What a key is where an item leaves it out."""


def list_merge(parent: str, name: str) -> ListMerge | None:
    """How the list ``name`` in ``parent`` is merged, None for one that is replaced as a whole."""
    return _LISTS.get((parent, name)) or _LISTS.get(("", name))
