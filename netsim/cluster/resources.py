"""What the API server knows of each kind: its resource, its scope and which parts of it are special."""

from __future__ import annotations

from collections.abc import Iterable

from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. ``status``: it has a status subresource. ``generation``: ``metadata.generation`` counts its spec's changes.

    ``custom``: the API server has it from a CustomResourceDefinition.
    """

    kind: str
    plural: str
    group: str = ""
    namespaced: bool = True
    status: bool = False
    generation: bool = False
    short: tuple[str, ...] = ()
    custom: bool = False

    @property
    def singular(self) -> str:
        """``deployment``."""
        return self.kind.lower()

    @property
    def qualified_singular(self) -> str:
        """``deployment.apps``; ``pod`` in the core group: how ``-o name`` names a kind."""
        return f"{self.singular}.{self.group}" if self.group else self.singular

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
    Resource("Namespace", "namespaces", namespaced=False, status=True, short=("ns",)),
    Resource("Node", "nodes", namespaced=False, status=True, short=("no",)),
    Resource("PersistentVolume", "persistentvolumes", namespaced=False, status=True, short=("pv",)),
    Resource("Pod", "pods", status=True, generation=True, short=("po",)),
    Resource("Service", "services", status=True, short=("svc",)),
    Resource("Endpoints", "endpoints", short=("ep",)),
    Resource("Event", "events", short=("ev",)),
    Resource("ConfigMap", "configmaps", short=("cm",)),
    Resource("Secret", "secrets"),
    Resource("ServiceAccount", "serviceaccounts", short=("sa",)),
    Resource("PersistentVolumeClaim", "persistentvolumeclaims", status=True, short=("pvc",)),
    Resource("ReplicationController", "replicationcontrollers", status=True, generation=True, short=("rc",)),
    Resource("Deployment", "deployments", "apps", status=True, generation=True, short=("deploy",)),
    Resource("ReplicaSet", "replicasets", "apps", status=True, generation=True, short=("rs",)),
    Resource("StatefulSet", "statefulsets", "apps", status=True, generation=True, short=("sts",)),
    Resource("DaemonSet", "daemonsets", "apps", status=True, generation=True, short=("ds",)),
    Resource("ControllerRevision", "controllerrevisions", "apps"),
    Resource("Job", "jobs", "batch", status=True, generation=True),
    Resource("CronJob", "cronjobs", "batch", status=True, generation=True, short=("cj",)),
    Resource("EndpointSlice", "endpointslices", "discovery.k8s.io", generation=True),
    Resource("Ingress", "ingresses", "networking.k8s.io", status=True, generation=True, short=("ing",)),
    Resource("IngressClass", "ingressclasses", "networking.k8s.io", namespaced=False, generation=True),
    Resource("NetworkPolicy", "networkpolicies", "networking.k8s.io", generation=True, short=("netpol",)),
    Resource("ServiceCIDR", "servicecidrs", "networking.k8s.io", namespaced=False, status=True),
    Resource("IPAddress", "ipaddresses", "networking.k8s.io", namespaced=False, short=("ip",)),
    Resource("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", status=True, short=("hpa",)),
    Resource("PodDisruptionBudget", "poddisruptionbudgets", "policy", status=True, generation=True, short=("pdb",)),
    Resource("Role", "roles", "rbac.authorization.k8s.io"),
    Resource("RoleBinding", "rolebindings", "rbac.authorization.k8s.io"),
    Resource("ClusterRole", "clusterroles", "rbac.authorization.k8s.io", namespaced=False),
    Resource("ClusterRoleBinding", "clusterrolebindings", "rbac.authorization.k8s.io", namespaced=False),
    Resource("StorageClass", "storageclasses", "storage.k8s.io", namespaced=False, short=("sc",)),
    Resource("PriorityClass", "priorityclasses", "scheduling.k8s.io", namespaced=False, short=("pc",)),
    Resource("Lease", "leases", "coordination.k8s.io"),
    Resource("LimitRange", "limitranges", short=("limits",)),
    Resource("ResourceQuota", "resourcequotas", status=True, short=("quota",)),
    Resource(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io",
        namespaced=False,
        status=True,
        generation=True,
        short=("crd", "crds"),
    ),
)
_BY_KIND = {resource.kind: resource for resource in _KNOWN}


def resource_of(kind: str, api_version: str = "v1") -> Resource:
    """The resource of a kind. A kind that is not known is taken for a namespaced custom resource of the usual plural."""
    known = _BY_KIND.get(kind)
    if known is not None:
        return known
    group = api_version.rpartition("/")[0]
    return Resource(kind, kind.lower() + "s", group, generation=True, custom=True)


def resource_named(word: str, also: Iterable[str] = ()) -> Resource | None:
    """The resource that a person means by ``pods``, ``pod``, ``po`` or ``deployments.apps``; ``also``: further kinds. None without one."""
    wanted = word.lower()
    for resource in (*_KNOWN, *(resource_of(kind) for kind in also)):
        if wanted in names_of(resource):
            return resource
    return None


def names_of(resource: Resource) -> tuple[str, ...]:
    """Every word for a resource: plural, singular, short ones, and with its group."""
    return (resource.plural, resource.singular, *resource.short, resource.qualified, resource.qualified_singular)


def known_resources() -> tuple[Resource, ...]:
    """The built-in resources."""
    return _KNOWN
