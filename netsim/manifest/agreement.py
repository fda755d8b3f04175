"""Whether the parts of a cluster fit together: names, addresses, networks, routes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netsim.manifest.diagnostics import Severity
from netsim.manifest.drafts import ClusterDraft, ExternalDraft, NodeDraft
from netsim.manifest.entries import Report
from netsim.manifest.fields import Spot
from netsim.manifest.networks import Named, overlaps
from netsim.net.address import Address, InterfaceAddress, Prefix, family_of
from netsim.objects.cluster import ClusterNode, ClusterSpec, CNIBackend, ExternalHost, StaticRoute
from netsim.objects.path import Problem


def check_draft(draft: ClusterDraft, report: Report) -> None:
    """What can be seen before the defaults are filled in."""
    _check_families(draft.pod_cidrs, "podCIDR", report)
    _check_families(draft.service_cidrs, "serviceCIDR", report)
    _check_sizes(draft.service_cidrs, report)
    _check_names(draft, report)
    _check_unique(draft, report)


def check_spec(draft: ClusterDraft, spec: ClusterSpec, report: Report) -> None:
    """What can be seen only of the whole."""
    _check_service_families(draft, spec, report)
    _check_one_network(draft, spec, report)
    _check_overlaps(draft, spec, report)
    _check_blocks(draft, spec, report)
    _check_reachable(draft, spec, report)


def _machines(draft: ClusterDraft) -> list[NodeDraft | ExternalDraft]:
    return [*draft.nodes, *draft.external]


def _tell(report: Report, spot: Spot | None, message: str, advice: str = "") -> None:
    if spot is not None:
        report.error(spot.entry, spot.path, message, advice)


def _place(spot: Spot | None) -> str:
    return f"the first is at {spot.origin.file}:{spot.origin.line}" if spot else ""


# --- names and addresses ----------------------------------------------------------------------------------------


def _check_families(cidrs: Sequence[tuple[Prefix, Spot]], name: str, report: Report) -> None:
    for index, (cidr, spot) in enumerate(cidrs):
        if cidr.version in [other.version for other, _ in cidrs[:index]]:
            family = family_of(cidr).kubernetes
            _tell(report, spot, f"{name} has two {family} prefixes", "a cluster has one prefix, or one of each family")


_FEWEST_SERVICE_ADDRESSES = 8
"""Ref: pkg/controlplane/services.go:ServiceIPRange() (v1.37)."""


def _check_sizes(cidrs: Sequence[tuple[Prefix, Spot]], report: Report) -> None:
    for cidr, spot in cidrs:
        count = cidr.num_addresses
        if count < _FEWEST_SERVICE_ADDRESSES:
            has = f"{count} address" + ("" if count == 1 else "es")
            message = f"the serviceCIDR {cidr} has {has}: an API server wants at least {_FEWEST_SERVICE_ADDRESSES}"
            _tell(report, spot, message, f"write a /{cidr.max_prefixlen - 3} or a larger one")


def _check_names(draft: ClusterDraft, report: Report) -> None:
    seen: dict[str, Spot | None] = {}
    for machine in _machines(draft):
        if machine.name in seen:
            _tell(report, machine.spot, f"the name {machine.name} is there twice", _place(seen[machine.name]))
        else:
            seen[machine.name] = machine.spot


def _check_unique(draft: ClusterDraft, report: Report) -> None:
    owners: dict[Address, tuple[str, Spot]] = {}
    for machine in _machines(draft):
        for address, spot in machine.addresses:
            if address.ip in owners:
                owner, first = owners[address.ip]
                _tell(report, spot, f"the address {address.ip} belongs to {owner} already", _place(first))
            else:
                owners[address.ip] = (machine.name, spot)


# --- networks ---------------------------------------------------------------------------------------------------


def _check_service_families(draft: ClusterDraft, spec: ClusterSpec, report: Report) -> None:
    pods = {cidr.version for cidr in spec.pod_cidrs}
    for cidr, spot in draft.service_cidrs:
        if cidr.version not in pods:
            family = family_of(cidr).kubernetes
            _tell(report, spot, f"serviceCIDR has {family}, podCIDR has not", f"add an {family} prefix to podCIDR")


def _check_one_network(draft: ClusterDraft, spec: ClusterSpec, report: Report) -> None:
    """host-gw routes lead straight to the other nodes, so the first address of each family has to be on one network."""
    if spec.cni.backend is not CNIBackend.HOST_GW:
        return
    for version in (4, 6):
        firsts = [next((a for a in node.addresses if a.version == version), None) for node in spec.nodes]
        networks = [address.network for address in firsts if address is not None]
        for node, address in zip(draft.nodes, firsts, strict=True):
            if address is not None and address.network != networks[0]:
                spot = next((spot for said, spot in node.addresses if said == address), node.spot)
                message = f"node {node.name} is on the network {address.network}, the first node on {networks[0]}"
                _tell(report, spot, message, "the backend host-gw needs all nodes on one network")


def _check_overlaps(draft: ClusterDraft, spec: ClusterSpec, report: Report) -> None:
    pods = _named(spec.pod_cidrs, draft.pod_cidrs, "podCIDR")
    services = _named(spec.service_cidrs, draft.service_cidrs, "serviceCIDR")
    spots = {address.network: spot for machine in _machines(draft) for address, spot in reversed(machine.addresses)}
    nodes = list(_networks((a for node in spec.nodes for a in node.addresses), spots, "nodes' network"))
    external = list(_networks((a for host in spec.external for a in host.addresses), spots, "external network"))
    known = {item.network for item in nodes}
    outside = [item for item in external if item.network not in known]
    for overlap in overlaps([pods, services, nodes, outside]):
        if {overlap.first.name, overlap.second.name} == {"podCIDR", "external network"}:
            spot = overlap.second.spot or overlap.first.spot
            if spot is not None:
                problem = Problem(spot.path, overlap.message, "pods do not reach the hosts of that network")
                report.problem(spot.entry, problem, Severity.WARNING)
            continue
        _tell(report, overlap.second.spot or overlap.first.spot or draft.spot, overlap.message, _OVERLAP)


_OVERLAP = "an address in both would be reached in one of the two only; choose prefixes without common addresses"


def _named(cidrs: Sequence[Prefix], said: Sequence[tuple[Prefix, Spot]], name: str) -> list[Named]:
    spots = dict(said)
    return [Named(cidr, name, spots.get(cidr)) for cidr in cidrs]


def _networks(addresses: Iterator[InterfaceAddress], spots: dict[Prefix, Spot], name: str) -> Iterator[Named]:
    seen: set[Prefix] = set()
    for address in addresses:
        if address.network not in seen:
            seen.add(address.network)
            yield Named(address.network, name, spots.get(address.network))


def _check_blocks(draft: ClusterDraft, spec: ClusterSpec, report: Report) -> None:
    seen: list[tuple[Prefix, str]] = []
    for node in draft.nodes:
        for block, spot in node.pod_cidrs:
            for other, owner in seen:
                if block.version == other.version and block.overlaps(other):
                    _tell(report, spot, f"the podCIDR {block} of node {node.name} overlaps {other} of node {owner}")
            seen.append((block, node.name))
            around = [cidr for cidr in spec.pod_cidrs if cidr.version == block.version]
            if not any(_within(block, cidr) for cidr in around):
                whole = ", ".join(str(cidr) for cidr in spec.pod_cidrs)
                advice = f"a node's block is a part of the cluster's podCIDR {whole}"
                _tell(report, spot, f"the podCIDR {block} of node {node.name} is outside the cluster's podCIDR", advice)


def _within(block: Prefix, cidr: Prefix) -> bool:
    return block.network_address in cidr and block.broadcast_address in cidr


# --- ways out ---------------------------------------------------------------------------------------------------


def _check_reachable(draft: ClusterDraft, spec: ClusterSpec, report: Report) -> None:
    built: list[ClusterNode | ExternalHost] = [*spec.nodes, *spec.external]
    for machine, own in zip(_machines(draft), (one.addresses for one in built), strict=True):
        addresses = (*own, *(address for device in machine.routing.devices for address in device.addresses))
        for route, spot in machine.routes:
            for via in [] if route.onlink else [route.via, *(hop.via for hop in route.nexthops if not hop.onlink)]:
                if via is not None and not _on_link(via, addresses):
                    _tell(report, spot, _unreachable(route, via, machine.name), _on_link_advice(addresses))
    for host in draft.external:
        for gateway, spot in host.gateways:
            own = tuple(address for address, _ in host.addresses)
            if own and not _on_link(gateway, own):
                message = f"the gateway {gateway} is outside the network of {host.name}"
                _tell(report, spot, message, _on_link_advice(own))
    every = tuple(address for node in spec.nodes for address in node.addresses)
    for gateway, spot in draft.gateways:
        if not _on_link(gateway, every):
            _tell(report, spot, f"the gateway {gateway} is outside the nodes' network", _on_link_advice(every))


def _on_link(address: Address, own: Sequence[InterfaceAddress]) -> bool:
    return any(address.version == one.version and address in one.network for one in own)


def _unreachable(route: StaticRoute, via: Address, name: str) -> str:
    return f"the route to {route.to} goes via {via}, which is outside the networks of {name}"


def _on_link_advice(own: Sequence[InterfaceAddress]) -> str:
    found = ", ".join(dict.fromkeys(str(address.network) for address in own))
    return f"choose an address of {found}" if found else ""
