"""Objects and worlds for the control plane's tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netsim.cluster.controlplane import ControlPlane
from netsim.objects.meta import Key, Object

LABELS = {"app": "web"}


def node(number: int, **changes: Any) -> Object:
    """Node ``node<number>`` with 10.244.<number>.0/24; changes: labels, taints, cidrs, addresses, unschedulable, allocatable, ready."""
    cidrs = changes.get("cidrs", [f"10.244.{number}.0/24"])
    addresses = changes.get("addresses", [f"192.168.0.{10 + number}"])
    spec: dict[str, Any] = {"podCIDRs": cidrs, "taints": changes.get("taints", [])}
    if changes.get("unschedulable"):
        spec["unschedulable"] = True
    status: dict[str, Any] = {"addresses": [{"type": "InternalIP", "address": a} for a in addresses]}
    if "allocatable" in changes:
        status["allocatable"] = changes["allocatable"]
    if "ready" in changes:
        status["conditions"] = [{"type": "Ready", "status": changes["ready"]}]
    metadata = {"name": f"node{number}", "labels": changes.get("labels", {})}
    return Object.of({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec, "status": status})


def pod(name: str, *, status: Any = None, annotations: Any = None, labels: Any = None, **spec: Any) -> Object:
    metadata = {"name": name, "namespace": "default", "labels": LABELS if labels is None else labels}
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "annotations": annotations or {}},
        "spec": {"containers": [container()], **spec},
    }
    return Object.of(document if status is None else {**document, "status": status})


def container(*ports: tuple[str, int], **fields: Any) -> dict[str, Any]:
    listed = [{"name": name, "containerPort": number} for name, number in ports or (("http", 8080),)]
    return {"name": "c", "image": "web:1", "ports": listed, **fields}


def template(labels: Any = None, annotations: Any = None, **spec: Any) -> dict[str, Any]:
    metadata = {"labels": LABELS if labels is None else labels, "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"containers": [container()], **spec}}


def workload(kind: str, name: str = "web", *, labels: Any = None, pod_template: Any = None, **spec: Any) -> Object:
    chosen = LABELS if labels is None else labels
    group = {"Job": "batch/v1", "CronJob": "batch/v1", "ReplicationController": "v1"}.get(kind, "apps/v1")
    body = {"selector": {"matchLabels": chosen}, "template": pod_template or template(chosen), **spec}
    if kind == "ReplicationController":
        body["selector"] = chosen
    if kind == "Job":
        del body["selector"]
    return Object.of(
        {"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": body}
    )


def service(name: str = "web", *, labels: Any = None, selector: Any = None, **spec: Any) -> Object:
    body = {
        "type": "ClusterIP",
        "clusterIP": "10.96.0.10",
        "ipFamilies": ["IPv4"],
        "selector": LABELS if selector is None else selector,
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
        **spec,
    }
    metadata = {"name": name, "namespace": "default", "labels": labels or {}}
    return Object.of({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": body})


def steady(objects: Iterable[Object], nodes: Iterable[Object] | None = None, **options: Any) -> ControlPlane:
    """A control plane of two nodes (or the given ones) that has come to rest."""
    plane = ControlPlane(tuple(nodes or (node(1), node(2))), objects, api_server=None, **options)
    plane.run_until_steady()
    return plane


def key(kind: str, name: str, namespace: str = "default") -> Key:
    return Key(kind, namespace, name)


def doc(plane: ControlPlane, kind: str, name: str, namespace: str = "default") -> Any:
    return plane.store.get(Key(kind, namespace, name)).document


def pods(plane: ControlPlane) -> list[Any]:
    return [item.document for item in plane.store.list("Pod").items]


def slices(plane: ControlPlane, name: str = "web") -> list[Any]:
    found = plane.store.list("EndpointSlice", label_selector=f"kubernetes.io/service-name={name}").items
    return [item.document for item in found]


def endpoints(plane: ControlPlane, name: str = "web") -> dict[str, Any]:
    """Endpoints of a Service by their address."""
    return {e["addresses"][0]: e for s in slices(plane, name) for e in s["endpoints"]}


def condition(document: Any, kind: str) -> Any:
    return next(c for c in document["status"]["conditions"] if c["type"] == kind)


def warnings(plane: ControlPlane) -> list[tuple[str, str]]:
    return [(e.reason, e.message) for e in plane.events if e.severity.value == "Warning"]


def changed(plane: ControlPlane, kind: str, name: str, **spec: Any) -> None:
    """Change fields of an object's spec, as ``kubectl patch`` does, and come to rest again."""
    before = doc(plane, kind, name)
    plane.store.update(Object.of({**before, "spec": {**before["spec"], **spec}}))
    plane.run_until_steady()
