"""What the API server knows of each kind: its resource, its scope and which parts of it are special."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. ``status``: it has a status subresource. ``generation``: ``metadata.generation`` counts its spec's changes."""

    kind: str
    plural: str
    group: str = ""
    namespaced: bool = True
    status: bool = False
    generation: bool = False

    @property
    def qualified(self) -> str:
        """``deployments.apps``; ``pods`` in the core group. Ref: schema.GroupResource.String()."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """``Deployment.apps``; ``Pod`` in the core group. Ref: schema.GroupKind.String()."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


# Ref: pkg/registry/*/*/strategy.go (v1.37): PrepareForCreate() sets the generation where a kind has one.
_KNOWN = (
    Resource("Namespace", "namespaces", namespaced=False, status=True),
    Resource("Node", "nodes", namespaced=False, status=True),
    Resource("PersistentVolume", "persistentvolumes", namespaced=False, status=True),
    Resource("Pod", "pods", status=True, generation=True),
    Resource("Service", "services", status=True),
    Resource("Endpoints", "endpoints"),
    Resource("Event", "events"),
    Resource("ConfigMap", "configmaps"),
    Resource("Secret", "secrets"),
    Resource("ServiceAccount", "serviceaccounts"),
    Resource("PersistentVolumeClaim", "persistentvolumeclaims", status=True),
    Resource("ReplicationController", "replicationcontrollers", status=True, generation=True),
    Resource("Deployment", "deployments", "apps", status=True, generation=True),
    Resource("ReplicaSet", "replicasets", "apps", status=True, generation=True),
    Resource("StatefulSet", "statefulsets", "apps", status=True, generation=True),
    Resource("DaemonSet", "daemonsets", "apps", status=True, generation=True),
    Resource("ControllerRevision", "controllerrevisions", "apps"),
    Resource("Job", "jobs", "batch", status=True, generation=True),
    Resource("CronJob", "cronjobs", "batch", status=True, generation=True),
    Resource("EndpointSlice", "endpointslices", "discovery.k8s.io", generation=True),
    Resource("Ingress", "ingresses", "networking.k8s.io", status=True, generation=True),
    Resource("IngressClass", "ingressclasses", "networking.k8s.io", namespaced=False, generation=True),
    Resource("NetworkPolicy", "networkpolicies", "networking.k8s.io", generation=True),
    Resource("ServiceCIDR", "servicecidrs", "networking.k8s.io", namespaced=False, status=True),
    Resource("IPAddress", "ipaddresses", "networking.k8s.io", namespaced=False),
    Resource("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", status=True),
    Resource("PodDisruptionBudget", "poddisruptionbudgets", "policy", status=True, generation=True),
    Resource("Role", "roles", "rbac.authorization.k8s.io"),
    Resource("RoleBinding", "rolebindings", "rbac.authorization.k8s.io"),
    Resource("ClusterRole", "clusterroles", "rbac.authorization.k8s.io", namespaced=False),
    Resource("ClusterRoleBinding", "clusterrolebindings", "rbac.authorization.k8s.io", namespaced=False),
    Resource("StorageClass", "storageclasses", "storage.k8s.io", namespaced=False),
    Resource("PriorityClass", "priorityclasses", "scheduling.k8s.io", namespaced=False),
    Resource("Lease", "leases", "coordination.k8s.io"),
    Resource(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io",
        namespaced=False,
        status=True,
        generation=True,
    ),
)
_BY_KIND = {resource.kind: resource for resource in _KNOWN}


def resource_of(kind: str, api_version: str = "v1") -> Resource:
    """The resource of a kind. A kind that is not known is taken for a namespaced custom resource of the usual plural."""
    known = _BY_KIND.get(kind)
    if known is not None:
        return known
    group = api_version.rpartition("/")[0]
    return Resource(kind, kind.lower() + "s", group, generation=True)
