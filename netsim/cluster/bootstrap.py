"""What a cluster has before anybody asks for it: namespaces, the addons' accounts, the nodes' own labels, the Service ``kubernetes``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netsim.cluster.documents import mapping_at, strings_at, with_value
from netsim.dataclass import dataclass
from netsim.net.address import Address, family_of, parse_address, parse_prefix
from netsim.objects.core import HOSTNAME_LABEL, SERVICE_NAME_LABEL, Node
from netsim.objects.json import Document
from netsim.objects.meta import Object

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
VERSION = "v1.37.2"
"""The Kubernetes that is modelled, as kubelets report it."""
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where the API server listens, for the endpoints of ``default/kubernetes``; one address."""

    address: Address
    port: int = 6443

    @classmethod
    def of_nodes(cls, nodes: Sequence[Object]) -> ApiServer | None:
        """On the first control plane node; without one, ``.10`` of the first node's network of 256 addresses. None without an address.

        The second is a guess at an address beside the nodes; who knows the network's prefix gives the address instead.
        """
        views = [Node.of(item) for item in nodes]
        for node in views:
            if CONTROL_PLANE_LABEL in node.metadata.labels and node.internal_addresses:
                return cls(parse_address(node.internal_addresses[0]))
        first = next((a for node in views for a in node.internal_addresses), None)
        if first is None:
            return None
        address = parse_address(first)
        bits = 24 if address.version == 4 else 120
        return cls(parse_prefix(f"{address}/{bits}", strict=False).network_address + 10)


def namespace(name: str) -> Object:
    """A Namespace."""
    labels = {"kubernetes.io/metadata.name": name}
    return Object.of(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": labels},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
    )


_COREFILE = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""


def addons() -> Iterator[Object]:
    """The ServiceAccounts and the configuration of kubeadm's addons; their roles are ``access.bootstrap_policy``'s.

    Ref: cmd/kubeadm/app/phases/addons/{dns,proxy}/manifests.go (v1.37).
    """
    for name in ("coredns", "kube-proxy"):
        metadata: Document = {"name": name, "namespace": "kube-system"}
        yield Object.of({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    metadata = {"name": "coredns", "namespace": "kube-system"}
    yield Object.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": _COREFILE}})


def storage_class() -> Object:
    """The default StorageClass of a cluster that was given none: kind's, with volumes on the first consumer's node."""
    return Object.of(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "rancher.io/local-path",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
        }
    )


def registered(node: Object) -> Object:
    """A Node with the labels and versions that its kubelet registers it with, where it was given without them.

    Ref: pkg/kubelet/kubelet_node_status.go:initialNode() (v1.37).
    """
    own = {HOSTNAME_LABEL: node.metadata.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    labels = {**own, **strings_at(node.document, "metadata", "labels")}
    machine = {"kubeletVersion": VERSION, "operatingSystem": "linux", "architecture": "amd64"}
    document = with_value(node.document, ("metadata", "labels"), labels)
    given = mapping_at(node.document, "status", "nodeInfo")
    return Object.of(with_value(document, ("status", "nodeInfo"), {**machine, **given}))


def kubernetes_service(service_cidr: str) -> Object:
    """The Service ``default/kubernetes``, with the first address of the Service CIDR.

    Ref: pkg/controlplane/controller/kubernetesservice/controller.go (v1.37).
    """
    prefix = parse_prefix(service_cidr)
    address = str(prefix.network_address + 1)
    return Object.of(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"},
            },
            "spec": {
                "type": "ClusterIP",
                "clusterIP": address,
                "clusterIPs": [address],
                "ipFamilies": [family_of(prefix).kubernetes],
                "ipFamilyPolicy": "SingleStack",
                "internalTrafficPolicy": "Cluster",
                "sessionAffinity": "None",
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            },
            "status": {"loadBalancer": {}},
        }
    )


def kubernetes_slice(server: ApiServer) -> Object:
    """The EndpointSlice of ``default/kubernetes``. Ref: pkg/controlplane/reconcilers/endpointsadapter.go (v1.37)."""
    document: Document = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {SERVICE_NAME_LABEL: "kubernetes"},
        },
        "addressType": family_of(server.address).kubernetes,
        "endpoints": [{"addresses": [str(server.address)], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": server.port, "protocol": "TCP"}],
    }
    return Object.of(document)
