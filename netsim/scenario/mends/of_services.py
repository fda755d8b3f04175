"""Changes of Services and pods that may mend a failure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from itertools import chain

from netsim.net.address import parse_address
from netsim.objects.core import Pod
from netsim.objects.json import Json
from netsim.objects.meta import Key
from netsim.scenario.mends.changes import (
    Change,
    patch_object,
)
from netsim.scenario.mends.failure import Failure

OF_CONTROLLERS = frozenset(
    # labels that a controller gives each pod, and no selector of a Service should name
    {
        "pod-template-hash",
        "controller-revision-hash",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    }
)


def selector(failure: Failure) -> Iterator[Change]:
    """Let the Service select pods that are there."""
    service = failure.service
    if service is None or not service.spec.selector:
        return
    pods = list(failure.neighbours_in_namespace())
    if any(service.spec.selector.items() <= pod.metadata.labels.items() for pod in pods):
        return
    seen: list[dict[str, str]] = []
    for pod in sorted(pods, key=lambda pod: -len(service.spec.selector.keys() & pod.metadata.labels.keys())):
        labels = {key: value for key, value in pod.metadata.labels.items() if key not in OF_CONTROLLERS}
        wanted = {key: labels[key] for key in service.spec.selector if key in labels} or labels
        if wanted and wanted not in seen:
            seen.append(wanted)
            said = ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))
            operation: dict[str, Json] = {
                "op": "replace",
                "path": "/spec/selector",
                "value": dict(sorted(wanted.items())),
            }
            yield patch_object(failure.service_key, [operation], f"let {_name(failure)} select {said}")


def target_port(failure: Failure) -> Iterator[Change]:
    """Let the Service send its port to one that its pods listen on."""
    asked, service = failure.service_port, failure.service
    if asked is None or service is None:
        return
    index, port = asked
    addresses = [failure.packet.ip.dst] if failure.packet.ip.dst != failure.flow.destination else []
    selected = (
        p for p in failure.neighbours_in_namespace() if service.spec.selector.items() <= p.metadata.labels.items()
    )
    addresses += [address for pod in selected for address in map(parse_address, (ip.ip for ip in pod.status.pod_ips))]
    for number in dict.fromkeys(chain.from_iterable(map(failure.listened_at, addresses))):
        operation: dict[str, Json] = {"op": "replace", "path": f"/spec/ports/{index}/targetPort", "value": number}
        yield patch_object(
            failure.service_key, [operation], f"let port {port.port} of {_name(failure)} have targetPort {number}"
        )


def another_port(failure: Failure) -> Iterator[Change]:
    """Give the Service the port that was asked."""
    service = failure.service
    if service is None or failure.icmp or failure.service_port is not None or not service.spec.ports:
        return
    if str(failure.flow.destination) not in service.spec.cluster_ips:
        return
    protocol = failure.flow.protocol.name
    like = next((port for port in service.spec.ports if port.protocol == protocol), None)
    if like is None:
        return
    added: dict[str, Json] = {"name": f"port-{failure.flow.dport}", "port": failure.flow.dport, "protocol": protocol}
    added["targetPort"] = like.port if like.target_port is None else like.target_port
    operations: list[dict[str, Json]] = [{"op": "add", "path": "/spec/ports/-", "value": added}]
    operations += [
        {"op": "add", "path": f"/spec/ports/{n}/name", "value": f"port-{port.port}"}
        for n, port in enumerate(service.spec.ports)
        if not port.name
    ]
    yield patch_object(
        failure.service_key,
        operations,
        f"give {_name(failure)} the port {failure.flow.dport}, with the targetPort of its port {like.port}",
    )


def traffic_policy(failure: Failure) -> Iterator[Change]:
    """Let the Service use endpoints of other nodes."""
    if failure.service is None:
        return
    spec = failure.world.objects[failure.service_key].document.get("spec")
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        if isinstance(spec, Mapping) and spec.get(field) == "Local":
            operation: dict[str, Json] = {"op": "replace", "path": f"/spec/{field}", "value": "Cluster"}
            yield patch_object(failure.service_key, [operation], f"set {field} of {_name(failure)} to Cluster")


def source_range(failure: Failure) -> Iterator[Change]:
    """Let the source into the Service's ranges."""
    if failure.service is not None:
        own = str(ipaddress.ip_network(failure.packet.ip.src))
        operation: dict[str, Json] = {"op": "add", "path": "/spec/loadBalancerSourceRanges/-", "value": own}
        yield patch_object(
            failure.service_key, [operation], f"add {own} to loadBalancerSourceRanges of {_name(failure)}"
        )


def host_port(failure: Failure) -> Iterator[Change]:
    """Take the port of the node away from the pod that got the packet."""
    for pod in failure.world.pods():
        if failure.world.pod_netns(pod) != failure.finding.ending.hop.netns:
            continue
        for at, container in enumerate(pod.spec.containers):
            for n, port in enumerate(container.ports):
                if port.host_port == failure.flow.dport:
                    path = f"/spec/containers/{at}/ports/{n}/hostPort"
                    key = Key("Pod", pod.metadata.namespace, pod.metadata.name)
                    words = f"take hostPort {port.host_port} away from pod {_pod(pod)}"
                    yield patch_object(key, [{"op": "remove", "path": path}], words)


def _name(failure: Failure) -> str:
    return f"{failure.service_key.namespace}/{failure.service_key.name}"


def _pod(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
