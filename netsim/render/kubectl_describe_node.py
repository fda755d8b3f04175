"""A node under ``kubectl describe``. Ref: kubectl/pkg/describe/describe.go:describeNode() (v1.37)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.scheduling.placement import requests_of
from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.objects.quantity import quantities
from netsim.render.kubectl_cells import NONE, UNKNOWN
from netsim.render.kubectl_columns import roles
from netsim.render.kubectl_pod import mappings
from netsim.render.kubectl_sections import Lines, head, rfc1123, several, table


def node_lines(item: Object, pods: Sequence[Object], age: Callable[[float], str]) -> Lines:
    """Everything about a node but its lease, which is no object here; ``pods`` are bound to it; ``age`` tells how long ago a time is."""
    spec, status = mapping_at(item.document, "spec"), mapping_at(item.document, "status")
    taints = [
        f"{t.get('key')}{f'={v}' if (v := text_at(t, 'value')) else ''}:{t.get('effect')}"
        for t in mappings(list_at(spec, "taints"))
    ]
    lines: Lines = [["Name:", item.metadata.name], ["Roles:", ",".join(roles(item)) or NONE]]
    lines += head(item)[1:]
    lines += [
        ["CreationTimestamp:", rfc1123(item.metadata.creation_timestamp or "")],
        *several("Taints:", taints),
        ["Unschedulable:", "true" if spec.get("unschedulable") else "false"],
    ]
    rows = [
        [f"{c.get('type')} ", f"{c.get('status')} ", *_times(c), text_at(c, "reason"), text_at(c, "message")]
        for c in mappings(list_at(status, "conditions"))
    ]
    lines += [["Conditions:"], *table(_CONDITION, rows)] if rows else []
    lines += [
        ["Addresses:"],
        *([f"  {a.get('type')}:", str(a.get("address"))] for a in mappings(list_at(status, "addresses"))),
    ]
    for label in ("capacity", "allocatable"):
        if mapping_at(status, label):
            lines += [
                [f"{label.capitalize()}:"],
                *([f"  {k}:", str(v)] for k, v in sorted(mapping_at(status, label).items())),
            ]
    lines += [["System Info:"], *([f"  {w}:", text_at(status, "nodeInfo", n)] for w, n in _SYSTEM)]
    if spec.get("podCIDR"):
        lines.append(["PodCIDR:", text_at(spec, "podCIDR")])
    if list_at(spec, "podCIDRs"):
        lines.append(["PodCIDRs:", ",".join(map(str, list_at(spec, "podCIDRs")))])
    running = [p for p in pods if text_at(p.document, "status", "phase") not in ("Succeeded", "Failed")]
    return [*lines, *_allocated(running, status, age)]


_CONDITION = ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message")
_SYSTEM = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
)
_PODS = ("Namespace", "Name", "", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age")


def _times(condition: Document) -> tuple[str, str]:
    beat, change = (rfc1123(text_at(condition, name)) for name in ("lastHeartbeatTime", "lastTransitionTime"))
    return f"{beat} ", f"{change} "


def _allocated(pods: Sequence[Object], status: Document, age: Callable[[float], str]) -> Lines:
    """What runs on a node, and what of it is asked for. Ref: describeNodeResource()."""
    have = quantities(mapping_at(status, "allocatable") or mapping_at(status, "capacity"))
    rows, total = [], Counter[tuple[str, str]]()
    for pod in pods:
        asked = _asked(pod)
        total.update(asked)
        cells = [_share(asked[key], key[0], have) for key in _ASKED]
        rows.append([pod.metadata.namespace, pod.metadata.name, "", *cells, _age(pod, age)])
    sums = [
        [name, *(_share(total[name, what], name, have) for what in ("requests", "limits"))]
        for name in ("cpu", "memory", "ephemeral-storage")
    ]
    return [
        ["Non-terminated Pods:", f"({len(pods)} in total)"],
        *table(_PODS, rows),
        ["Allocated resources:"],
        ["  (Total limits may be over 100 percent, i.e., overcommitted.)"],
        *table(("Resource", "Requests", "Limits"), sums),
    ]


_ASKED = tuple((name, what) for name in ("cpu", "memory") for what in ("requests", "limits"))


def _asked(pod: Object) -> Counter[tuple[str, str]]:
    spec = mapping_at(pod.document, "spec")
    found = Counter[tuple[str, str]]()
    for what in ("requests", "limits"):
        for name, amount in requests_of(spec, what).items():
            found[name, what] = amount  # type: ignore[assignment]  # quantities are decimals
    return found


def _share(amount: Decimal | int, name: str, have: Mapping[str, Decimal]) -> str:
    """An amount, and how many of a hundred parts of the node's it is."""
    part = int(Decimal(amount) / have[name] * 100) if have.get(name) else 0
    return f"{_amount(Decimal(amount), name)} ({part}%)"


def _age(pod: Object, age: Callable[[float], str]) -> str:
    made = pod.metadata.creation_timestamp
    return age(datetime.fromisoformat(made).timestamp()) if made else UNKNOWN


def _amount(total: Decimal, resource: str) -> str:
    if resource == "cpu":
        return f"{int(total * 1000)}m" if total % 1 else str(int(total))
    for suffix, size in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if total and total % size == 0:
            return f"{int(total / size)}{suffix}"
    return str(int(total))
