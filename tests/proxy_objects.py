"""Short ways to write the objects that a proxy watches."""

from __future__ import annotations

from netsim.objects.core import EndpointSlice, Node, Service
from netsim.objects.meta import Object
from proxy.config.model import KubeProxyConfiguration
from proxy.node import proxy_node
from proxy.server import iptables_proxy
from proxy.watch import ObjectFeed

POD_CIDRS = ("10.244.0.0/16", "fd00:10:244::/48")


def node_object(name="node1", addresses=("192.168.0.11",), labels=None):
    return Object.of(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels or {}},
            "status": {"addresses": [{"type": "InternalIP", "address": a} for a in addresses]},
        }
    )


def service_object(
    name="web", ports=({"port": 80},), namespace="default", labels=None, ingress=(), ips=("10.96.0.10",), **spec
):
    families = ["IPv6" if ":" in ip else "IPv4" for ip in ips]
    defaults = {"type": "ClusterIP", "clusterIP": ips[0], "clusterIPs": list(ips), "ipFamilies": families}
    return Object.of(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {**defaults, "ports": [{"protocol": "TCP", **port} for port in ports], **spec},
            "status": {"loadBalancer": {"ingress": list(ingress)}},
        }
    )


def endpoint(address, node="node1", *, ready=True, serving=None, terminating=False, zones=(), nodes=()):
    return {
        "addresses": [address],
        "nodeName": node,
        "conditions": {"ready": ready, "serving": ready if serving is None else serving, "terminating": terminating},
        "hints": {"forZones": [{"name": z} for z in zones], "forNodes": [{"name": n} for n in nodes]},
    }


def slice_object(
    endpoints, service="web", name=None, namespace="default", ports=({"port": 8080},), family="IPv4", labels=None
):
    return Object.of(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "addressType": family,
            "metadata": {
                "name": name or f"{service}-{family.lower()}",
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": service, **(labels or {})},
            },
            "ports": [{"name": "", "protocol": "TCP", **port} for port in ports],
            "endpoints": list(endpoints),
        }
    )


def service(*args, **kwargs) -> Service:
    return Service.of(service_object(*args, **kwargs))


def endpoint_slice(*args, **kwargs) -> EndpointSlice:
    return EndpointSlice.of(slice_object(*args, **kwargs))


def feed_and_proxy(node=None, make=iptables_proxy, **configuration):
    """A proxy on node1, in iptables mode unless told otherwise, and the feed of its objects."""
    settings = KubeProxyConfiguration(**{"cluster_cidrs": POD_CIDRS, **configuration})
    proxy = make(settings, proxy_node(Node.of(node or node_object())))
    return ObjectFeed(proxy), proxy
