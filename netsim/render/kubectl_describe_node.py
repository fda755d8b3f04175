"""A node under ``kubectl describe``. Ref: kubectl/pkg/describe/describe.go:describeNode() (v1.37)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.objects.quantity import quantities
from netsim.render.kubectl_cells import NONE
from netsim.render.kubectl_columns import roles
from netsim.render.kubectl_pod import mappings
from netsim.render.kubectl_sections import Lines, head, rfc1123, several, table


def node_lines(item: Object, pods: Sequence[Object]) -> Lines:
    """Everything about a node; ``pods`` are those bound to it."""
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
        [*(str(c.get(n, "")) for n in ("type", "status")), rfc1123(text_at(c, "lastTransitionTime")), *_why(c)]
        for c in mappings(list_at(status, "conditions"))
    ]
    lines += [["Conditions:"], *table(("Type", "Status", "LastTransitionTime", "Reason", "Message"), rows)]
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
    words = (
        ("Kubelet Version", "kubeletVersion"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
    )
    lines += [["System Info:"], *([f"  {w}:", text_at(status, "nodeInfo", n)] for w, n in words)]
    lines += [["PodCIDR:", text_at(spec, "podCIDR")], ["PodCIDRs:", ",".join(map(str, list_at(spec, "podCIDRs")))]]
    running = [p for p in pods if text_at(p.document, "status", "phase") not in ("Succeeded", "Failed")]
    listed = [[p.metadata.namespace, p.metadata.name, *_asked(p)] for p in running]
    headers = ("Namespace", "Name", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits")
    return [*lines, ["Non-terminated Pods:", f"({len(running)} in total)"], *table(headers, listed)]


def _why(condition: Document) -> tuple[str, str]:
    return text_at(condition, "reason"), text_at(condition, "message")


def _asked(pod: Object) -> list[str]:
    cells = []
    for resource in ("cpu", "memory"):
        for what in ("requests", "limits"):
            asked = [
                quantities(mapping_at(c, "resources", what)).get(resource)
                for c in mappings(list_at(pod.document, "spec", "containers"))
            ]
            total = sum((amount for amount in asked if amount is not None), start=Decimal(0))
            cells.append(_amount(total, resource))
    return cells


def _amount(total: Decimal, resource: str) -> str:
    if resource == "cpu":
        return f"{int(total * 1000)}m" if total % 1 else str(int(total))
    for suffix, size in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
        if total and total % size == 0:
            return f"{int(total / size)}{suffix}"
    return str(int(total))
