"""The columns of each kind under ``kubectl get``. Ref: pkg/printers/internalversion/printers.go (v1.37)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsim.cluster.documents import list_at, mapping_at, strings_at, text_at
from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.render.kubectl_cells import (
    NONE,
    UNKNOWN,
    UNSET,
    Cells,
    Layout,
    count,
    joined,
    label_selector_text,
    selector_text,
    text,
    value_at,
)
from netsim.render.kubectl_columns_config import CONFIGURATION
from netsim.render.kubectl_columns_policy import POLICY
from netsim.render.kubectl_pod import mappings, pod_line


def _pod(item: Object, cells: Cells) -> list[str]:
    line = pod_line(item)
    restarts = str(line.restarts)
    if line.restarts and line.restarted:
        restarts += f" ({cells.age_of(line.restarted)} ago)"
    return [item.metadata.name, f"{line.ready}/{line.total}", line.status, restarts, cells.age(item)]


def _pod_wide(item: Object, _: Cells) -> list[str]:
    gates = [str(g.get("conditionType")) for g in mappings(list_at(item.document, "spec", "readinessGates"))]
    met = {
        str(c.get("type"))
        for c in mappings(list_at(item.document, "status", "conditions"))
        if c.get("status") == "True"
    }
    return [
        text_at(item.document, "status", "podIP") or NONE,
        text_at(item.document, "spec", "nodeName") or NONE,
        text_at(item.document, "status", "nominatedNodeName") or NONE,
        f"{sum(g in met for g in gates)}/{len(gates)}" if gates else NONE,
    ]


def _service(item: Object, cells: Cells) -> list[str]:
    spec = mapping_at(item.document, "spec")
    ports = mappings(list_at(spec, "ports"))
    written = [_service_port(port) for port in ports]
    addresses = list_at(spec, "clusterIPs")
    primary = str(addresses[0]) if addresses else text(spec.get("clusterIP"), NONE)
    name, kind = item.metadata.name, text_at(spec, "type") or "ClusterIP"
    return [name, kind, primary, _external(item), ",".join(written) or NONE, cells.age(item)]


def _service_port(port: Document) -> str:
    on_node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{on_node}/{port.get('protocol') or 'TCP'}"


def _external(item: Object) -> str:
    """EXTERNAL-IP of a Service. Ref: printers.go:getServiceExternalIP()."""
    spec = mapping_at(item.document, "spec")
    given = [str(address) for address in list_at(spec, "externalIPs")]
    match spec.get("type"):
        case "ExternalName":
            return text_at(spec, "externalName")
        case "LoadBalancer":
            entries = mappings(list_at(item.document, "status", "loadBalancer", "ingress"))
            ingress = [str(e.get("ip") or e.get("hostname")) for e in entries]
            return ",".join([*ingress, *given]) or "<pending>"
        case _:
            return ",".join(given) or NONE


def _service_wide(item: Object, _: Cells) -> list[str]:
    return [selector_text(strings_at(item.document, "spec", "selector"))]


def endpoints_text(item: Object, most: int = 3) -> str:
    """``10.244.1.2:8080,10.244.2.2:8080 + 1 more...``. Ref: printers.go:formatEndpoints()."""
    found: list[str] = []
    for subset in mappings(list_at(item.document, "subsets")):
        ports = [p.get("port") for p in mappings(list_at(subset, "ports"))]
        for address in mappings(list_at(subset, "addresses")):
            ip = str(address.get("ip"))
            host = f"[{ip}]" if ":" in ip else ip
            found += [f"{host}:{port}" for port in ports] or [ip]
    shown = ",".join(found[:most])
    if not list_at(item.document, "subsets"):
        return NONE
    return f"{shown} + {len(found) - most} more..." if len(found) > most else shown


def _listed(values: Sequence[str], absent: str) -> str:
    """The first three, and how many more. Ref: printers.go:formatEndpointSlices, listWithMoreString()."""
    shown = ",".join(values[:3])
    return (f"{shown} + {len(values) - 3} more..." if len(values) > 3 else shown) or absent


def _slice(item: Object, cells: Cells) -> list[str]:
    ports = [text(p.get("port")) or text(p.get("name"), "*") for p in mappings(list_at(item.document, "ports"))]
    addresses = [str(a) for e in mappings(list_at(item.document, "endpoints")) for a in list_at(e, "addresses")]
    family = text_at(item.document, "addressType")
    return [item.metadata.name, family, _listed(ports, UNSET), _listed(addresses, UNSET), cells.age(item)]


def _deployment(item: Object, cells: Cells) -> list[str]:
    ready = f"{count(item, 'status', 'readyReplicas')}/{count(item, 'spec', 'replicas')}"
    current, available = (count(item, "status", name) for name in ("updatedReplicas", "availableReplicas"))
    return [item.metadata.name, ready, current, available, cells.age(item)]


def _containers(item: Object, *path: str) -> list[str]:
    found = mappings(list_at(item.document, *path, "containers"))
    return [joined([c.get("name") for c in found]), joined([text(c.get("image")) for c in found])]


def _workload_wide(item: Object, _: Cells) -> list[str]:
    selector = mapping_at(item.document, "spec", "selector")
    plain = item.kind == "ReplicationController"
    text = selector_text(strings_at(item.document, "spec", "selector")) if plain else label_selector_text(selector)
    return [*_containers(item, "spec", "template", "spec"), text]


def _replica_set(item: Object, cells: Cells) -> list[str]:
    counts = [count(item, "spec", "replicas"), *(count(item, "status", n) for n in ("replicas", "readyReplicas"))]
    return [item.metadata.name, *counts, cells.age(item)]


def _stateful_set(item: Object, cells: Cells) -> list[str]:
    ready = f"{count(item, 'status', 'readyReplicas')}/{count(item, 'spec', 'replicas')}"
    return [item.metadata.name, ready, cells.age(item)]


def _daemon_set(item: Object, cells: Cells) -> list[str]:
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    counts = [count(item, "status", name) for name in names]
    nodes = selector_text(strings_at(item.document, "spec", "template", "spec", "nodeSelector"))
    return [item.metadata.name, *counts, nodes, cells.age(item)]


def _job(item: Object, cells: Cells) -> list[str]:
    spec, status = mapping_at(item.document, "spec"), mapping_at(item.document, "status")
    true = {c.get("type") for c in mappings(list_at(status, "conditions")) if c.get("status") == "True"}
    state = next((word for word in _JOB_STATES if word in true), "Running")
    if item.metadata.deletion_timestamp and state not in ("Complete", "Failed"):
        state = "Terminating"
    wanted = spec.get("completions")
    parallel = text(spec.get("parallelism"), "1")
    completions = str(wanted) if wanted is not None else (f"1 of {parallel}" if parallel != "1" else "1")
    done = text(status.get("succeeded"), "0")
    start = text_at(status, "startTime")
    duration = cells.between(start, text_at(status, "completionTime")) if start else ""
    return [item.metadata.name, state, f"{done}/{completions}", duration, cells.age(item)]


_JOB_STATES = ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet")


def _cron_job(item: Object, cells: Cells) -> list[str]:
    spec, last = mapping_at(item.document, "spec"), text_at(item.document, "status", "lastScheduleTime")
    return [
        item.metadata.name,
        text_at(spec, "schedule"),
        text_at(spec, "timeZone") or NONE,
        "True" if spec.get("suspend") else "False",
        str(len(list_at(item.document, "status", "active"))),
        cells.age_of(last) if last else NONE,
        cells.age(item),
    ]


def _cron_job_wide(item: Object, _: Cells) -> list[str]:
    job = mapping_at(item.document, "spec", "jobTemplate", "spec")
    selector = label_selector_text(mapping_at(job, "selector")) if job.get("selector") is not None else NONE
    return [*_containers(item, "spec", "jobTemplate", "spec", "template", "spec"), selector]


def _node(item: Object, cells: Cells) -> list[str]:
    ready = next(
        (c for c in mappings(list_at(item.document, "status", "conditions")) if c.get("type") == "Ready"), None
    )
    status = "Unknown" if ready is None else ("Ready" if ready.get("status") == "True" else "NotReady")
    if value_at(item, "spec", "unschedulable") is True:
        status += ",SchedulingDisabled"
    return [
        item.metadata.name,
        status,
        ",".join(roles(item)) or NONE,
        cells.age(item),
        _node_info(item, "kubeletVersion"),
    ]


def roles(item: Object) -> list[str]:
    """A node's roles. Ref: printers.go:findNodeRoles()."""
    prefix = "node-role.kubernetes.io/"
    labels = item.metadata.labels
    found = {key.removeprefix(prefix) for key in labels if key.startswith(prefix) and key != prefix}
    return sorted(found | ({labels["kubernetes.io/role"]} if labels.get("kubernetes.io/role") else set()))


def _node_info(item: Object, name: str) -> str:
    return text_at(item.document, "status", "nodeInfo", name)


def _node_wide(item: Object, _: Cells) -> list[str]:
    addresses = mappings(list_at(item.document, "status", "addresses"))
    found = [
        next((str(a["address"]) for a in addresses if a.get("type") == t), NONE) for t in ("InternalIP", "ExternalIP")
    ]
    names = ("osImage", "kernelVersion", "containerRuntimeVersion")
    system, kernel, runtime = (_node_info(item, name) or UNKNOWN for name in names)
    architecture = _node_info(item, "architecture")
    return [*found, system, f"{kernel} ({architecture})" if architecture else kernel, runtime]


def _event(item: Object, cells: Cells) -> list[str]:
    involved = mapping_at(item.document, "involvedObject")
    words = [text_at(item.document, name) for name in ("type", "reason")]
    seen = cells.age_of(text_at(item.document, "lastTimestamp"))
    return [
        seen,
        *words,
        f"{text_at(involved, 'kind').lower()}/{text_at(involved, 'name')}",
        text_at(item.document, "message").strip(),
    ]


def _event_wide(item: Object, cells: Cells) -> list[str]:
    first = cells.age_of(text_at(item.document, "firstTimestamp"))
    source = ", ".join(
        filter(
            None, (text_at(item.document, "source", name) or text_at(item.document, other) for name, other in _SOURCE)
        )
    )
    part = text_at(item.document, "involvedObject", "fieldPath")
    return [part, source, first, text(item.document.get("count"), "1"), item.metadata.name]


_SOURCE = (("component", "reportingComponent"), ("host", "reportingInstance"))


def _generic(item: Object, cells: Cells) -> list[str]:
    return [item.metadata.name, cells.age(item)]


GENERIC = Layout(("NAME", "AGE"), _generic)
_TEMPLATE = ("CONTAINERS", "IMAGES", "SELECTOR")
_REPLICAS = Layout(("NAME", "DESIRED", "CURRENT", "READY", "AGE"), _replica_set, _TEMPLATE, _workload_wide)
_DAEMONS = ("NAME", "DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR", "AGE")
_CRON = ("NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST SCHEDULE", "AGE")
_NODE_WIDE = ("INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME")
KINDS: Mapping[str, Layout] = {
    "Pod": Layout(
        ("NAME", "READY", "STATUS", "RESTARTS", "AGE"),
        _pod,
        ("IP", "NODE", "NOMINATED NODE", "READINESS GATES"),
        _pod_wide,
    ),
    "Service": Layout(
        ("NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"), _service, ("SELECTOR",), _service_wide
    ),
    "Endpoints": Layout(("NAME", "ENDPOINTS", "AGE"), lambda i, c: [i.metadata.name, endpoints_text(i), c.age(i)]),
    "EndpointSlice": Layout(("NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"), _slice),
    "Deployment": Layout(("NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"), _deployment, _TEMPLATE, _workload_wide),
    "ReplicaSet": _REPLICAS,
    "ReplicationController": _REPLICAS,
    "StatefulSet": Layout(
        ("NAME", "READY", "AGE"),
        _stateful_set,
        ("CONTAINERS", "IMAGES"),
        lambda i, _: _containers(i, "spec", "template", "spec"),
    ),
    "DaemonSet": Layout(_DAEMONS, _daemon_set, _TEMPLATE, _workload_wide),
    "Job": Layout(("NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"), _job, _TEMPLATE, _workload_wide),
    "CronJob": Layout(_CRON, _cron_job, _TEMPLATE, _cron_job_wide),
    "Node": Layout(("NAME", "STATUS", "ROLES", "AGE", "VERSION"), _node, _NODE_WIDE, _node_wide),
    "Event": Layout(
        ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"),
        _event,
        ("SUBOBJECT", "SOURCE", "FIRST SEEN", "COUNT", "NAME"),
        _event_wide,
    ),
    **CONFIGURATION,
    **POLICY,
}
