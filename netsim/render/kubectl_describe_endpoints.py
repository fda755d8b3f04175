"""EndpointSlices and Endpoints under ``kubectl describe``. Ref: kubectl/pkg/describe/describe.go (v1.37)."""

from __future__ import annotations

from collections.abc import Sequence

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.render.kubectl_cells import NONE, UNSET, text
from netsim.render.kubectl_pod import mappings
from netsim.render.kubectl_sections import Lines, head


def slice_lines(item: Object) -> Lines:
    """An EndpointSlice. Ref: describeEndpointSliceV1()."""
    document = item.document
    ports, endpoints = mappings(list_at(document, "ports")), mappings(list_at(document, "endpoints"))
    lines = [*head(item), ["AddressType:", text_at(document, "addressType")]]
    lines += [["Ports:"], *_ports(ports, "  ")] if ports else [[f"Ports: {UNSET}"]]
    if not endpoints:
        return [*lines, [f"Endpoints: {NONE}"]]
    return [*lines, ["Endpoints:"], *(line for endpoint in endpoints for line in _endpoint(endpoint))]


def _endpoint(endpoint: Document) -> Lines:
    target = mapping_at(endpoint, "targetRef")
    ready = mapping_at(endpoint, "conditions").get("ready")
    return [
        ["  - Addresses:", ", ".join(map(str, list_at(endpoint, "addresses"))) or NONE],
        ["    Conditions:"],
        ["      Ready:", text(ready, UNSET)],
        ["    Hostname:", text_at(endpoint, "hostname") or UNSET],
        *([["    TargetRef:", f"{target.get('kind')}/{target.get('name')}"]] if target else []),
        ["    NodeName:", text_at(endpoint, "nodeName") or UNSET],
        ["    Zone:", text_at(endpoint, "zone") or UNSET],
    ]


def endpoints_lines(item: Object) -> Lines:
    """Endpoints (v1). Ref: describeEndpoints()."""
    lines = [*head(item), ["Subsets:"]]
    for subset in mappings(list_at(item.document, "subsets")):
        for label, group in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            found = ",".join(text_at(entry, "ip") for entry in mappings(list_at(subset, group)))
            lines.append([f"  {label}:", found or NONE])
        ports = mappings(list_at(subset, "ports"))
        lines += [["  Ports:"], *_ports(ports, "    ")] if ports else []
        lines.append([""])
    return lines


def _ports(ports: Sequence[Document], indent: str) -> Lines:
    rows = [[text_at(p, "name") or UNSET, text(p.get("port"), UNSET), text_at(p, "protocol") or "TCP"] for p in ports]
    return [
        [f"{indent}{row[0]}", *row[1:]] for row in (["Name", "Port", "Protocol"], ["----", "----", "--------"], *rows)
    ]
