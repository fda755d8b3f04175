"""What the modelled controllers' ServiceAccounts in kube-system may do; those of controllers that are not modelled are left out.

The notation is ``netsim.cluster.access.bootstrap_policy``'s.
Ref: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go and its testdata/controller-roles.yaml (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GROUP: Final = "rbac.authorization.k8s.io"
READ: Final = "get list watch"
EVENTS: Final = ("create patch update | - events.k8s.io | events",)

_OWNED = "apps | controllerrevisions"
CONTROLLERS: Final[Mapping[str, tuple[str, ...]]] = {
    "clusterrole-aggregation-controller": (f"escalate get list patch update watch | {GROUP} | clusterroles",),
    "cronjob-controller": (
        "get list update watch | batch | cronjobs",
        "create delete get list patch update watch | batch | jobs",
        "update | batch | cronjobs/finalizers cronjobs/status",
        "delete list | - | pods",
        *EVENTS,
    ),
    "daemon-set-controller": (
        f"{READ} | apps | daemonsets",
        "update | apps | daemonsets/finalizers daemonsets/status",
        "list watch | - | nodes",
        "create delete list patch watch | - | pods",
        "create | - | pods/binding",
        f"create delete get list patch update watch | {_OWNED}",
        *EVENTS,
    ),
    "deployment-controller": (
        "get list update watch | apps | deployments",
        "update | apps | deployments/finalizers deployments/status",
        "create delete get list patch update watch | apps | replicasets",
        "get list update watch | - | pods",
        *EVENTS,
    ),
    "endpoint-controller": (
        f"{READ} | - | pods services",
        "create delete get list update watch | - | endpoints",
        "create | - | endpoints/restricted",
        *EVENTS,
    ),
    "endpointslice-controller": (
        f"{READ} | - | nodes pods services",
        "update | - | services/finalizers",
        "create delete get list update watch | discovery.k8s.io | endpointslices",
        *EVENTS,
    ),
    "endpointslicemirroring-controller": (
        f"{READ} | - | endpoints services",
        "update | - | services/finalizers endpoints/finalizers",
        "create delete get list update watch | discovery.k8s.io | endpointslices",
        *EVENTS,
    ),
    "generic-garbage-collector": ("delete get list patch update watch | * | *", *EVENTS),
    "job-controller": (
        "get list patch update watch | batch | jobs",
        "update | batch | jobs/finalizers jobs/status",
        "create delete list patch watch | - | pods",
        *EVENTS,
    ),
    "namespace-controller": (
        f"delete {READ} | - | namespaces",
        "update | - | namespaces/finalize namespaces/status",
        "delete deletecollection get list | * | *",
    ),
    "node-controller": (
        "delete get list patch update | - | nodes",
        "patch update | - | nodes/status",
        "patch update | - | pods/status",
        "delete list get | - | pods",
        *EVENTS,
    ),
    "persistent-volume-binder": (
        "create delete get list update watch | - | persistentvolumes",
        "update | - | persistentvolumes/status persistentvolumeclaims/status",
        "get list update watch | - | persistentvolumeclaims",
        "create delete get list watch | - | pods",
        f"{READ} | storage.k8s.io | storageclasses",
        f"{READ} | - | nodes",
        *EVENTS,
    ),
    "replicaset-controller": (
        "get list update watch | apps | replicasets",
        "update | apps | replicasets/finalizers replicasets/status",
        "create delete list patch watch | - | pods",
        *EVENTS,
    ),
    "replication-controller": (
        "get list update watch | - | replicationcontrollers",
        "update | - | replicationcontrollers/finalizers replicationcontrollers/status",
        "create delete list patch watch | - | pods",
        *EVENTS,
    ),
    "resourcequota-controller": ("list watch | * | *", "update | - | resourcequotas/status", *EVENTS),
    "root-ca-cert-publisher": ("create update | - | configmaps", *EVENTS),
    "service-account-controller": ("create | - | serviceaccounts", *EVENTS),
    "service-controller": (
        f"{READ} | - | services",
        "patch update | - | services/status",
        "list watch | - | nodes",
        *EVENTS,
    ),
    "statefulset-controller": (
        "list watch | - | pods",
        f"{READ} | apps | statefulsets",
        "update | apps | statefulsets/finalizers statefulsets/status",
        "create delete get patch update | - | pods",
        f"create delete get list patch update watch | {_OWNED}",
        "create get delete update | - | persistentvolumeclaims",
        *EVENTS,
    ),
}
