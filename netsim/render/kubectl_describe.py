"""Objects as ``kubectl describe`` prints them. Ref: staging/src/k8s.io/kubectl/pkg/describe/describe.go (v1.37)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from netsim.cluster.documents import list_at, mapping_at, strings_at, text_at
from netsim.cluster.events import Event
from netsim.cluster.ownership import controller_of
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.render.kubectl_cells import NONE, selector_text
from netsim.render.kubectl_containers import container_lines, volume_lines
from netsim.render.kubectl_describe_endpoints import endpoints_lines, slice_lines
from netsim.render.kubectl_describe_node import node_lines
from netsim.render.kubectl_describe_workload import (
    cron_job_lines,
    daemon_set_lines,
    deployment_lines,
    job_lines,
    replica_set_lines,
    stateful_set_lines,
)
from netsim.render.kubectl_pod import mappings
from netsim.render.kubectl_sections import (
    Lines,
    conditions,
    head,
    pairs,
    rfc1123,
    spread_lines,
    table,
    toleration_lines,
)
from netsim.render.tabwriter import tabbed


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a description takes from other objects.

    ``events`` about the object, oldest first, None where they are not to be told; ``age`` of a time in seconds, and ``lasting``, in words;
    ``related``: of a Service its slices, of a Deployment its ReplicaSets, of a node or another workload its pods.
    """

    events: Sequence[Event] | None
    age: Callable[[float], str]
    lasting: Callable[[float], str] = str
    related: Sequence[Object] = field(default_factory=tuple)


def describe(item: Object, around: Surroundings) -> str:
    """The whole text about one object."""
    write = _KINDS.get(item.kind, _generic)
    lines = write(item, around)
    return tabbed([*lines, *_events(around)])


def _events(around: Surroundings) -> Lines:
    if around.events is None:
        return []
    if not around.events:
        return [["Events:", NONE]]
    rows = []
    for event in around.events:
        last = around.age(event.last)
        age = f"{last} (x{event.count} over {around.age(event.first)})" if event.count > 1 else last
        rows.append([event.severity.value, event.reason, age, event.source, event.message])
    return [["Events:"], *table(("Type", "Reason", "Age", "From", "Message"), rows)]


# --- pods -------------------------------------------------------------------------------------------------------


def _pod(item: Object) -> Lines:
    spec, status = mapping_at(item.document, "spec"), mapping_at(item.document, "status")
    lines: Lines = [*head(item, labels=False)]
    if spec.get("priority") is not None:
        lines.append(["Priority:", str(spec["priority"])])
    if spec.get("priorityClassName"):
        lines.append(["Priority Class Name:", text_at(spec, "priorityClassName")])
    if spec.get("serviceAccountName"):
        lines.append(["Service Account:", text_at(spec, "serviceAccountName")])
    node = text_at(spec, "nodeName")
    lines.append(["Node:", f"{node}/{text_at(status, 'hostIP')}" if node else NONE])
    if status.get("startTime"):
        lines.append(["Start Time:", rfc1123(text_at(status, "startTime"))])
    lines += [*pairs("Labels:", item.metadata.labels, "="), *pairs("Annotations:", item.metadata.annotations, ": ")]
    if item.metadata.deletion_timestamp:
        lines.append(["Status:", "Terminating"])
        grace = mapping_at(item.document, "metadata").get("deletionGracePeriodSeconds")
        lines.append(["Termination Grace Period:", f"{grace}s"])
    else:
        lines.append(["Status:", text_at(status, "phase") or "Pending"])
    for label, name in (("Reason:", "reason"), ("Message:", "message")):
        if status.get(name):
            lines.append([label, text_at(status, name)])
    lines.append(["IP:", text_at(status, "podIP")])
    addresses = [text_at(a, "ip") for a in mappings(list_at(status, "podIPs"))]
    lines += [["IPs:"], *(["  IP:", a] for a in addresses)] if addresses else [["IPs:", NONE]]
    owner = controller_of(item)
    if owner is not None:
        lines.append(["Controlled By:", f"{owner.kind}/{owner.name}"])
    if status.get("nominatedNodeName"):
        lines.append(["NominatedNodeName:", text_at(status, "nominatedNodeName")])
    return [*lines, *_inside(item, spec, status)]


def _inside(item: Object, spec: Document, status: Document) -> Lines:
    """What a pod consists of, how it stands, and where it may run."""

    def field(path: str) -> str:
        return text_at(item.document, *path.split("."))

    lines: Lines = []
    for label, group, told in (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
    ):
        if list_at(spec, group) or group == "containers":
            lines += container_lines(label, list_at(spec, group), list_at(status, told), field=field)
    gates = [str(g.get("conditionType")) for g in mappings(list_at(spec, "readinessGates"))]
    if gates:
        known = {str(c.get("type")): str(c.get("status")) for c in mappings(list_at(status, "conditions"))}
        lines += [["Readiness Gates:"], ["  Type", "Status"], *([f"  {g} ", known.get(g, NONE)] for g in gates)]
    lines += [*conditions(item), *volume_lines(list_at(spec, "volumes")), ["QoS Class:", qos(item)]]
    lines += pairs("Node-Selectors:", strings_at(spec, "nodeSelector"), "=")
    return [*lines, *toleration_lines(spec), *spread_lines(spec)]


def qos(pod: Object) -> str:
    """The pod's quality of service. Ref: pkg/apis/core/v1/helper/qos/qos.go:ComputePodQOS()."""
    given = text_at(pod.document, "status", "qosClass")
    if given:
        return given
    containers = [c for name in ("containers", "initContainers") for c in mappings(list_at(pod.document, "spec", name))]
    resources = [mapping_at(c, "resources") for c in containers]
    if not any(mapping_at(r, "requests") or mapping_at(r, "limits") for r in resources):
        return "BestEffort"
    for resource in resources:
        limits, requests = mapping_at(resource, "limits"), mapping_at(resource, "requests")
        if any(name not in limits or requests.get(name, limits[name]) != limits[name] for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"


# --- Services ---------------------------------------------------------------------------------------------------


def _service(item: Object, around: Surroundings) -> Lines:
    spec = mapping_at(item.document, "spec")
    lines = [*head(item), ["Selector:", selector_text(strings_at(spec, "selector"))]]
    lines.append(["Type:", text_at(spec, "type") or "ClusterIP"])
    if spec.get("ipFamilyPolicy"):
        lines.append(["IP Family Policy:", text_at(spec, "ipFamilyPolicy")])
    lines += [
        ["IP Families:", ",".join(map(str, list_at(spec, "ipFamilies"))) or NONE],
        ["IP:", text_at(spec, "clusterIP")],
        ["IPs:", ",".join(map(str, list_at(spec, "clusterIPs"))) or NONE],
    ]
    if list_at(spec, "externalIPs"):
        lines.append(["External IPs:", ",".join(map(str, list_at(spec, "externalIPs")))])
    for label, name in (("Desired LoadBalancer IP:", "loadBalancerIP"), ("External Name:", "externalName")):
        if spec.get(name):
            lines.append([label, text_at(spec, name)])
    ingress = mappings(list_at(item.document, "status", "loadBalancer", "ingress"))
    if ingress:
        lines.append(["LoadBalancer Ingress:", ", ".join(map(_ingress, ingress))])
    for port in mappings(list_at(spec, "ports")):
        name, protocol = text_at(port, "name") or "<unset>", text_at(port, "protocol") or "TCP"
        lines.append(["Port:", name, f"{port.get('port')}/{protocol}"])
        lines.append(["TargetPort:", f"{port.get('targetPort', port.get('port'))}/{protocol}"])
        if port.get("appProtocol"):
            lines.append(["AppProtocol:", text_at(port, "appProtocol")])
        if port.get("nodePort"):
            lines.append(["NodePort:", name, f"{port.get('nodePort')}/{protocol}"])
        lines.append(["Endpoints:", _endpoints(around.related, text_at(port, "name"))])
    lines.append(["Session Affinity:", text_at(spec, "sessionAffinity") or "None"])
    for label, name in (
        ("External Traffic Policy:", "externalTrafficPolicy"),
        ("Internal Traffic Policy:", "internalTrafficPolicy"),
        ("HealthCheck NodePort:", "healthCheckNodePort"),
        ("LoadBalancer Source Ranges:", "loadBalancerSourceRanges"),
        ("Traffic Distribution:", "trafficDistribution"),
    ):
        if spec.get(name):
            lines.append([label, ",".join(map(str, list_at(spec, name))) or str(spec[name])])
    return lines


def _ingress(entry: Document) -> str:
    """An address with its mode, or a host name. Ref: pkg/describe/describe.go:buildIngressString() (kubectl v1.37)."""
    mode = text_at(entry, "ipMode")
    return (text_at(entry, "ip") or text_at(entry, "hostname")) + (f" ({mode})" if mode else "")


def _endpoints(slices: Sequence[Object], port: str) -> str:
    """Ready endpoints with a port, or without where the slices have none. Ref: describe.go:formatEndpointSlices()."""
    found: list[str] = []
    for item in slices:
        ports = mappings(list_at(item.document, "ports"))
        numbers = [f":{p.get('port')}" for p in ports if (p.get("name") or "") == port] if ports else [""]
        ready = [e for e in mappings(list_at(item.document, "endpoints")) if _is_ready(e)]
        found += [f"{_host(e, number)}{number}" for number in numbers for e in ready]
    shown = ",".join(found[:3])
    return (f"{shown} + {len(found) - 3} more..." if len(found) > 3 else shown) if slices else NONE


def _is_ready(endpoint: Document) -> bool:
    return mapping_at(endpoint, "conditions").get("ready") is not False


def _host(endpoint: Document, number: str) -> str:
    address = str(next(iter(list_at(endpoint, "addresses")), ""))
    return f"[{address}]" if ":" in address and number else address


# --- every other kind -------------------------------------------------------------------------------------------


def _generic(item: Object, around: Surroundings) -> Lines:
    """Ref: describe.go:genericDescriber."""
    del around
    metadata: Document = {
        key: value
        for key, value in mapping_at(item.document, "metadata").items()
        if key not in ("name", "namespace", "labels", "annotations", "managedFields")
    }
    rest: Document = {k: v for k, v in item.document.items() if k not in ("apiVersion", "kind", "metadata")}
    return [
        *head(item),
        ["API Version:", item.api_version],
        ["Kind:", item.kind],
        ["Metadata:"],
        *_nested(metadata, 1),
        *_nested(rest, 0),
    ]


def _nested(document: Document, level: int) -> Lines:
    lines: Lines = []
    for key, value in sorted(document.items()):
        label = f"{'  ' * level}{smart_label(key)}:"
        if isinstance(value, Mapping):
            lines += [[label], *_nested(value, level + 1)]
        elif isinstance(value, (list, tuple)):
            lines.append([label])
            for entry in value:
                lines += (
                    _nested(entry, level + 1)
                    if isinstance(entry, Mapping)
                    else [[f"{'  ' * (level + 1)}{_plain(entry)}"]]
                )
        else:
            lines.append([label, _plain(value)])
    return lines


def _plain(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_ACRONYMS = ("api", "cidr", "dns", "fs", "gid", "id", "ip", "ips", "tls", "uid", "url")


def smart_label(name: str) -> str:
    """``clusterIP`` → ``Cluster IP``. Ref: describe.go:smartLabelFor()."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[^A-Za-z0-9]+", name)
    return " ".join(w.upper() if w.lower() in _ACRONYMS else w[:1].upper() + w[1:] for w in words)


_KINDS: Mapping[str, Callable[[Object, Surroundings], Lines]] = {
    "Pod": lambda item, _: _pod(item),
    "Service": _service,
    "EndpointSlice": lambda item, _: slice_lines(item),
    "Endpoints": lambda item, _: endpoints_lines(item),
    "Node": lambda item, around: node_lines(item, around.related, around.age),
    "Deployment": lambda item, around: deployment_lines(item, around.related),
    "ReplicaSet": lambda item, around: replica_set_lines(item, around.related),
    "StatefulSet": lambda item, around: stateful_set_lines(item, around.related),
    "DaemonSet": lambda item, around: daemon_set_lines(item, around.related),
    "Job": lambda item, around: job_lines(item, around.lasting),
    "CronJob": lambda item, _: cron_job_lines(item),
}
