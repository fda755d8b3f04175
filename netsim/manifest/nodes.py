"""v1 Node objects among the manifests: they define nodes, or say more about those of the Cluster document."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from netsim.manifest.drafts import ClusterDraft, NodeDraft
from netsim.manifest.entries import Entry, Report
from netsim.manifest.fields import Spot
from netsim.net.address import Address, Prefix, parse_address, parse_interface, parse_prefix
from netsim.objects.core import Node
from netsim.objects.meta import Object
from netsim.objects.path import Path


def merge_nodes(draft: ClusterDraft, nodes: list[tuple[Entry, Object]], report: Report) -> None:
    """Add what Node objects say. What both say has to agree; labels and annotations are joined, the Cluster document's win."""
    by_name = {node.name: node for node in draft.nodes}
    known = [interface.network for node in draft.nodes for interface, _ in node.addresses]
    for entry, item in nodes:
        view = Node.of(item)
        target = by_name.get(view.metadata.name)
        if target is None:
            target = by_name[view.metadata.name] = NodeDraft(view.metadata.name, Spot(entry, ("metadata", "name")))
            draft.nodes.append(target)
        target.allocatable = {**_allocatable(item), **target.allocatable}
        _merge(target, view, entry, known, report)


def _allocatable(item: Object) -> dict[str, str]:
    status = item.document.get("status")
    found = status.get("allocatable") if isinstance(status, Mapping) else None
    return {name: str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}


def _merge(target: NodeDraft, view: Node, entry: Entry, known: list[Prefix], report: Report) -> None:
    target.labels = {**view.metadata.labels, **target.labels}
    target.annotations = {**view.metadata.annotations, **target.annotations}
    target.taints = target.taints or view.spec.taints
    target.unschedulable = target.unschedulable or view.spec.unschedulable
    addresses = [
        (parse_address(item.address), Spot(entry, ("status", "addresses", index, "address")))
        for index, item in enumerate(view.status.addresses)
        if item.type == "InternalIP"
    ]
    if target.addresses:
        _must_agree([str(a.ip) for a, _ in target.addresses], addresses, entry, report)
    else:
        target.addresses = [(parse_interface(f"{a}/{_length(a, known)}"), spot) for a, spot in addresses]
    cidrs = view.spec.pod_cidrs or ((view.spec.pod_cidr,) if view.spec.pod_cidr else ())
    paths: list[Path] = [
        ("spec", "podCIDRs", i) if view.spec.pod_cidrs else ("spec", "podCIDR") for i in range(len(cidrs))
    ]
    given = [(parse_prefix(text), Spot(entry, path)) for text, path in zip(cidrs, paths, strict=True)]
    if not target.pod_cidrs:
        target.pod_cidrs = given
        return
    said = ", ".join(str(prefix) for prefix, _ in target.pod_cidrs)
    for prefix, spot in given:
        if prefix not in [known_prefix for known_prefix, _ in target.pod_cidrs]:
            message = f"the pod CIDR of node {target.name} is {prefix} here and {said} in the Cluster document"
            report.error(entry, spot.path, message, "keep one of them")


def _must_agree(said: list[str], found: list[tuple[Address, Spot]], entry: Entry, report: Report) -> None:
    for address, spot in found:
        if str(address) not in said:
            message = f"the InternalIP {address} is not among the addresses that the Cluster document gives this node"
            report.error(entry, spot.path, message, f"there it has {', '.join(said)}; keep one of them")


def _length(address: Address, known: list[Prefix]) -> int:
    """A Node object does not say how long its network's prefix is: that of a network already known, else /24 or /64."""
    for network in known:
        if address.version == network.version and address in network:
            return network.prefixlen
    default = ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False)
    known.append(default)
    return default.prefixlen
