"""Where in etcd the API server keeps objects: ``/registry/pods/shop/web-1``.

Ref: pkg/registry/core/rest/storage_core.go, pkg/kubeapiserver/default_storage_factory_builder.go:SpecialDefaultResourcePrefixes (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from netsim.cluster.resources import resource_of

REGISTRY: Final = "/registry/"

_SPECIAL: Mapping[str, str] = {
    "Node": "minions",  # what nodes were called before v1.0
    "Service": "services/specs",
    "Endpoints": "services/endpoints",
    "ReplicationController": "controllers",
    "Ingress": "ingress",
    "NetworkPolicy": "networkpolicies",
    "CustomResourceDefinition": "apiextensions.k8s.io/customresourcedefinitions",
}


@cache
def prefix_of(kind: str, api_version: str = "v1") -> str:
    """The prefix of every object of a kind; a custom resource's has its group."""
    resource = resource_of(kind, api_version)
    name = _SPECIAL.get(kind, resource.plural)
    if resource.custom:
        name = f"{resource.group}/{resource.plural}"
    return f"{REGISTRY}{name}/"


def key_of(kind: str, api_version: str, namespace: str, name: str) -> str:
    """The key of one object."""
    prefix = prefix_of(kind, api_version)
    return f"{prefix}{namespace}/{name}" if namespace else f"{prefix}{name}"
