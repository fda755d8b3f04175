"""The columns of access, policy, autoscaling and of what leads into a cluster. Ref: pkg/printers/internalversion/printers.go (v1.37)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsim.cluster.documents import list_at, mapping_at, strings_at, text_at
from netsim.cluster.resources import resource_of
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.render.kubectl_cells import NONE, UNKNOWN, UNSET, Cells, Layout, count, more_of, text
from netsim.render.kubectl_pod import mappings

_ADDRESS_WIDTH = 16


def _ingress(item: Object, cells: Cells) -> list[str]:
    spec = mapping_at(item.document, "spec")
    rules = mappings(list_at(spec, "rules"))
    hosts = [text_at(rule, "host") for rule in rules[:3] if rule.get("host")]
    told = more_of(hosts, len(rules) - 3) or "*"
    entries = mappings(list_at(item.document, "status", "loadBalancer", "ingress"))
    address = ",".join(sorted({text(e.get("ip")) or text(e.get("hostname")) for e in entries} - {""}))
    if len(address) > _ADDRESS_WIDTH:
        address = f"{address[: _ADDRESS_WIDTH - 3]}..."
    ports = "80, 443" if list_at(spec, "tls") else "80"
    return [item.metadata.name, text_at(spec, "ingressClassName") or NONE, told, address, ports, cells.age(item)]


def _ingress_class(item: Object, cells: Cells) -> list[str]:
    spec = mapping_at(item.document, "spec")
    default = item.metadata.annotations.get("ingressclass.kubernetes.io/is-default-class") == "true"
    name = f"{item.metadata.name} (default)" if default else item.metadata.name
    given = mapping_at(spec, "parameters")
    group = f".{given['apiGroup']}" if given.get("apiGroup") else ""
    parameters = f"{given.get('kind')}{group}/{given.get('name')}" if given else NONE
    return [name, text_at(spec, "controller"), parameters, cells.age(item)]


def _budget(item: Object, cells: Cells) -> list[str]:
    spec = mapping_at(item.document, "spec")
    limits = [text(spec.get(name), "N/A") for name in ("minAvailable", "maxUnavailable")]
    return [item.metadata.name, *limits, count(item, "status", "disruptionsAllowed"), cells.age(item)]


def _autoscaler(item: Object, cells: Cells) -> list[str]:
    spec = mapping_at(item.document, "spec")
    target = mapping_at(spec, "scaleTargetRef")
    statuses = mappings(list_at(item.document, "status", "currentMetrics"))
    metrics = [
        _metric(metric, statuses[index] if index < len(statuses) else {})
        for index, metric in enumerate(mappings(list_at(spec, "metrics")))
    ]
    if not metrics and isinstance(spec.get("targetCPUUtilizationPercentage"), int):  # autoscaling/v1
        metrics = [f"cpu: {UNKNOWN}/{spec['targetCPUUtilizationPercentage']}%"]
    shown = ", ".join(metrics[:2]) + (f" + {len(metrics) - 2} more..." if len(metrics) > 2 else "")
    least, most = text(spec.get("minReplicas"), UNSET), text(spec.get("maxReplicas"), "0")
    reference = f"{target.get('kind')}/{target.get('name')}"
    return [
        item.metadata.name,
        reference,
        shown or NONE,
        least,
        most,
        count(item, "status", "currentReplicas"),
        cells.age(item),
    ]


_SOURCES = {"Resource": "resource", "ContainerResource": "containerResource"}
_OTHERS = {"External": "external", "Pods": "pods", "Object": "object"}


def _metric(metric: Document, status: Document) -> str:
    """What is measured, and what it is to be. Ref: printers.go:formatHPAMetrics()."""
    kind = text_at(metric, "type")
    if kind not in _SOURCES and kind not in _OTHERS:
        return "<unknown type>"
    source = _SOURCES.get(kind) or _OTHERS[kind]
    target, current = mapping_at(metric, source, "target"), mapping_at(status, source, "current")
    average = target.get("averageValue")
    if kind in _SOURCES:
        name = text_at(metric, source, "name")
        if average is not None:
            return f"{name}: {text(current.get('averageValue'), UNKNOWN)}/{average}"
        wanted = _percent(target.get("averageUtilization"), "<auto>")
        return f"{name}: {_percent(current.get('averageUtilization'), UNKNOWN)}/{wanted}"
    if average is not None:
        ending = "" if kind == "Pods" else " (avg)"
        return f"{text(current.get('averageValue'), UNKNOWN)}/{average}{ending}"
    return f"{text(current.get('value'), UNKNOWN)}/{text(target.get('value'), '0')}"


def _percent(value: Json, absent: str) -> str:
    return absent if value is None else f"{value}%"


def _revision(item: Object, cells: Cells) -> list[str]:
    owner = next((o for o in item.metadata.owner_references if o.controller), None)
    name = NONE if owner is None else f"{resource_of(owner.kind, owner.api_version).qualified_singular}/{owner.name}"
    return [item.metadata.name, name, text(item.document.get("revision"), "0"), cells.age(item)]


def _quota(item: Object, cells: Cells) -> list[str]:
    hard, used = (strings_or_numbers(mapping_at(item.document, "status", name)) for name in ("hard", "used"))
    told = {name: f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard)}
    requests, limits = (
        ", ".join(line for name, line in told.items() if name.startswith("limits.") is of_limits)
        for of_limits in (False, True)
    )
    return [item.metadata.name, requests, limits, cells.age(item)]


def strings_or_numbers(values: Document) -> Mapping[str, str]:
    """A map of quantities as texts."""
    return {key: text(value) for key, value in values.items()}


def _created(item: Object, _: Cells) -> list[str]:
    return [item.metadata.name, item.metadata.creation_timestamp or UNKNOWN]


def _lease(item: Object, cells: Cells) -> list[str]:
    return [item.metadata.name, text_at(item.document, "spec", "holderIdentity"), cells.age(item)]


def _binding(item: Object, cells: Cells) -> list[str]:
    role = mapping_at(item.document, "roleRef")
    return [item.metadata.name, f"{role.get('kind')}/{role.get('name')}", cells.age(item)]


def _binding_wide(item: Object, _: Cells) -> list[str]:
    subjects = mappings(list_at(item.document, "subjects"))
    users, groups = (_named(subjects, kind) for kind in ("User", "Group"))
    accounts = [f"{text(s.get('namespace'))}/{s.get('name')}" for s in subjects if s.get("kind") == "ServiceAccount"]
    return [users, groups, ", ".join(accounts)]


def _named(subjects: Sequence[Document], kind: str) -> str:
    return ", ".join(str(subject.get("name")) for subject in subjects if subject.get("kind") == kind)


def _service_cidr(item: Object, cells: Cells) -> list[str]:
    return [item.metadata.name, ",".join(map(str, list_at(item.document, "spec", "cidrs"))), cells.age(item)]


def _ip_address(item: Object, cells: Cells) -> list[str]:
    parent = strings_at(item.document, "spec", "parentRef")
    resource = ".".join(filter(None, (parent.get("resource"), parent.get("group"))))
    told = "/".join(filter(None, (resource, parent.get("namespace"), parent.get("name"))))
    return [item.metadata.name, told or NONE, cells.age(item)]


_SCALER = ("NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE")
_BUDGET = ("NAME", "MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS", "AGE")
_CREATED = Layout(("NAME", "CREATED AT"), _created)
_BINDING = Layout(("NAME", "ROLE", "AGE"), _binding, ("USERS", "GROUPS", "SERVICEACCOUNTS"), _binding_wide)
POLICY: Mapping[str, Layout] = {
    "Ingress": Layout(("NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"), _ingress),
    "IngressClass": Layout(("NAME", "CONTROLLER", "PARAMETERS", "AGE"), _ingress_class),
    "PodDisruptionBudget": Layout(_BUDGET, _budget),
    "HorizontalPodAutoscaler": Layout(_SCALER, _autoscaler),
    "ControllerRevision": Layout(("NAME", "CONTROLLER", "REVISION", "AGE"), _revision),
    "ResourceQuota": Layout(("NAME", "REQUEST", "LIMIT", "AGE"), _quota),
    "LimitRange": _CREATED,
    "Role": _CREATED,
    "ClusterRole": _CREATED,
    "CustomResourceDefinition": _CREATED,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "Lease": Layout(("NAME", "HOLDER", "AGE"), _lease),
    "ServiceCIDR": Layout(("NAME", "CIDRS", "AGE"), _service_cidr),
    "IPAddress": Layout(("NAME", "PARENTREF", "AGE"), _ip_address),
}
