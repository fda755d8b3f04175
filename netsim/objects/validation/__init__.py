"""What the API server refuses: names, ports, addresses and what must agree with what.

Its rules, order and messages are those of kube-apiserver v1.37.2, as ``tests/data/apiserver`` has recorded them;
``netsim.objects.schema`` or ``netsim.objects.decoding`` has checked the shape before.
Ref: k8s.io/kubernetes/pkg/apis/{core,apps,batch,discovery,rbac}/validation (v1.37).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from netsim.objects.meta import Object
from netsim.objects.path import Problem
from netsim.objects.validation.config import check_config_map, check_secret
from netsim.objects.validation.job import check_cron_job, check_job
from netsim.objects.validation.metadata import check_metadata
from netsim.objects.validation.network import check_endpoint_slice, check_endpoints, check_node
from netsim.objects.validation.pod import check_pod
from netsim.objects.validation.rbac import check_binding, check_role
from netsim.objects.validation.service import check_service
from netsim.objects.validation.volumes import check_claim, check_persistent_volume
from netsim.objects.validation.workload import (
    check_daemon_set,
    check_deployment,
    check_replica_set,
    check_replication_controller,
    check_stateful_set,
)

__all__ = ["validate"]

_CHECKS: Mapping[str, Callable[[Object], Iterator[Problem]]] = {
    "Service": check_service,
    "EndpointSlice": check_endpoint_slice,
    "Endpoints": check_endpoints,
    "Node": check_node,
    "Pod": check_pod,
    "Deployment": check_deployment,
    "ReplicaSet": check_replica_set,
    "StatefulSet": check_stateful_set,
    "DaemonSet": check_daemon_set,
    "ReplicationController": check_replication_controller,
    "Job": check_job,
    "CronJob": check_cron_job,
    "ConfigMap": check_config_map,
    "Secret": check_secret,
    "PersistentVolume": check_persistent_volume,
    "PersistentVolumeClaim": check_claim,
    "Role": check_role,
    "ClusterRole": check_role,
    "RoleBinding": check_binding,
    "ClusterRoleBinding": check_binding,
}


def validate(item: Object, *, namespaced: bool) -> Iterator[Problem]:
    """Everything that the API server would refuse in one object, whose shape is good."""
    yield from check_metadata(item, namespaced=namespaced)
    check = _CHECKS.get(item.kind)
    if check is not None:
        yield from check(item)
