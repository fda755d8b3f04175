"""What the API server refuses: names, ports, addresses and what must agree with what.

Only rules that decide something for networking are here, with the API server's own messages; ``netsim.objects.schema`` has
checked the shape before. Ref: k8s.io/kubernetes/pkg/apis/core/validation, apps, discovery (v1.37).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from netsim.objects.meta import Object
from netsim.objects.path import Problem
from netsim.objects.validation.config import check_claim, check_config
from netsim.objects.validation.metadata import check_metadata
from netsim.objects.validation.network import check_endpoint_slice, check_endpoints, check_node
from netsim.objects.validation.rbac import check_binding, check_role
from netsim.objects.validation.service import check_service
from netsim.objects.validation.workload import check_pod, check_workload

__all__ = ["validate"]

_CHECKS: Mapping[str, Callable[[Object], Iterator[Problem]]] = {
    "Service": check_service,
    "EndpointSlice": check_endpoint_slice,
    "Endpoints": check_endpoints,
    "Node": check_node,
    "Pod": check_pod,
    "Deployment": check_workload,
    "ReplicaSet": check_workload,
    "StatefulSet": check_workload,
    "DaemonSet": check_workload,
    "ReplicationController": check_workload,
    "Job": check_workload,
    "ConfigMap": check_config,
    "Secret": check_config,
    "PersistentVolumeClaim": check_claim,
    "Role": check_role,
    "ClusterRole": check_role,
    "RoleBinding": check_binding,
    "ClusterRoleBinding": check_binding,
}


def validate(item: Object, *, namespaced: bool) -> Iterator[Problem]:
    """Everything that the API server would refuse in one object, whose shape the schema has found good."""
    yield from check_metadata(item, namespaced=namespaced)
    check = _CHECKS.get(item.kind)
    if check is not None:
        yield from check(item)
